"""CleanRL's style, torch alone: PPO for planner and agents on 64 replicas of the batched `augmented_bimatrix_v0`.

Level: the planner's payoff per episode of 20 steps, mean of 64 episodes after training, is at least LEVEL; random play
earns about START. Exit status 1 below. Afterwards the planner can be scored against fresh agents:

    python cleanrl_style.py
    ermas evaluate cleanrl_style:planner constant:0 --environment augmented_bimatrix_v0 --gaps 0 --seeds 0
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from ermas_envs import augmented_bimatrix_v0

LEVEL, START = 600.0, 100.0
ENVS, STEPS, UPDATES, EPOCHS, MINIBATCHES = 64, 20, 40, 4, 4
GAMMA, LAMBDA, CLIP, ENTROPY, RATE = 0.99, 0.95, 0.2, 0.01, 2e-3
FILE = Path(__file__).with_suffix(".pt")


class Policy(nn.Module):
    """Actor and critic of one kind of role, with masks."""

    def __init__(self, size, actions):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(size, 64), nn.Tanh(), nn.Linear(64, actions))
        self.critic = nn.Sequential(nn.Linear(size, 64), nn.Tanh(), nn.Linear(64, 1))

    def play(self, seen, masks):
        return Categorical(logits=self.actor(seen).masked_fill(~masks, -1e9)), self.critic(seen)[..., 0]


def networks(env):
    sizes = {
        role: (env.observation_spaces[role].shape[0], int(env.action_spaces[role].n)) for role in env.action_spaces
    }
    return {"agent": Policy(*sizes["agent_0"]), "planner": Policy(*sizes["planner"])}


def rollout(env, policies, seed):
    """One episode in every replica: per group [seen, masks, actions, log p, values, rewards] over steps."""
    seen, steps, earned = env.reset(seed=seed), {group: [] for group in policies}, 0.0
    for _ in range(STEPS):
        actions, kept = {}, {}
        for group, policy in policies.items():
            rows, masks = (torch.as_tensor(x.by_group[group]) for x in (seen.observations, seen.action_masks))
            with torch.no_grad():
                chances, values = policy.play(rows, masks)
                chosen = chances.sample()
            kept[group] = rows, masks, chosen, chances.log_prob(chosen), values
            actions[group] = chosen.numpy()  # (replicas, roles of the group)
        seen = env.step(actions)
        for group in policies:
            rewards = torch.as_tensor(seen.rewards.by_group[group].astype(np.float32))
            steps[group].append((*kept[group], rewards))
        earned += float(seen.payoffs["planner"].mean())
    return {group: [torch.stack(column) for column in zip(*rows, strict=True)] for group, rows in steps.items()}, earned


def improve(policy, optimiser, seen, masks, actions, logs, values, rewards, scale):
    """PPO on whole episodes (STEPS, replicas, roles): nothing is bootstrapped behind their end."""
    advantages, following, after = torch.zeros_like(rewards), 0.0, 0.0
    for step in reversed(range(STEPS)):
        following = rewards[step] / scale + GAMMA * after - values[step] + GAMMA * LAMBDA * following
        advantages[step], after = following, values[step]
    flat = [x.flatten(0, 2) for x in (seen, masks, actions, logs, advantages, advantages + values)]
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(flat[0])).chunk(MINIBATCHES):
            o, m, a, old, adv, ret = (x[rows] for x in flat)
            chances, value = policy.play(o, m)
            ratio, adv = (chances.log_prob(a) - old).exp(), (adv - adv.mean()) / (adv.std() + 1e-8)
            surrogate = torch.min(ratio * adv, ratio.clamp(1 - CLIP, 1 + CLIP) * adv).mean()
            loss = -surrogate + 0.5 * (value - ret).pow(2).mean() - ENTROPY * chances.entropy().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
            optimiser.step()


def main():
    torch.manual_seed(0)
    env = augmented_bimatrix_v0.batched_env(ENVS)
    policies = networks(env)
    optimisers = {group: torch.optim.Adam(policy.parameters(), RATE) for group, policy in policies.items()}
    scales = {"agent": env.agent_payoff_scales["agent_0"], "planner": env.planner_payoff_scale}
    for update in range(UPDATES):
        data, earned = rollout(env, policies, seed=update)
        for group in policies:
            improve(policies[group], optimisers[group], *data[group], scales[group])
        if update % 10 == 0:
            print(f"update {update}: planner {earned:.2f} per episode", flush=True)
    torch.save(policies["planner"].state_dict(), FILE)
    final = rollout(env, policies, seed=10_000)[1]  # episodes that nothing was learned from
    print(f"after: planner {final:.2f} per episode, level {LEVEL}")
    return 0 if final >= LEVEL else 1


@cache
def trained():
    policy = networks(augmented_bimatrix_v0.batched_env(1))["planner"]
    policy.load_state_dict(torch.load(FILE, weights_only=True))
    return policy


def planner(observation):
    """The trained planner's likeliest action, for `ermas evaluate`."""
    with torch.no_grad():
        return int(trained().actor(torch.as_tensor(np.array(observation))).argmax())


if __name__ == "__main__":
    sys.exit(main())
