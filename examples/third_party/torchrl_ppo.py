"""TorchRL: PPO with masks, one network for the group of agents and one for the planner of `augmented_bimatrix_v0`.

Level: the planner's payoff per episode of 20 steps, mean of 30 episodes after training, is at least LEVEL; random play
earns about START. Exit status 1 below. TorchRL's `PettingZooWrapper` takes the game as it is: roles become groups by
their names, masks are found in infos; its own transform brings rewards to scale. Nothing is worth anything after the
last step, because the time left is seen: GAE is told that `done` is the end.
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
from tensordict.nn import TensorDictModule, TensorDictSequential
from torchrl.collectors import Collector
from torchrl.envs import Compose, PettingZooWrapper, RewardScaling, TransformedEnv
from torchrl.envs.utils import ExplorationType, set_exploration_type
from torchrl.modules import MLP, MaskedCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from ermas_envs import augmented_bimatrix_v0

LEVEL, START = 600.0, 100.0
STEPS, EPOCHS, MINIBATCHES = 20, 4, 4
SCALES = {"agent": 1.0, "planner": 36.0}  # payoffs of one step, as `batched_env` says them
FILE = Path(__file__).with_suffix(".pt")


def make_env(seed=0):
    env = PettingZooWrapper(augmented_bimatrix_v0.parallel_env(), seed=seed)
    scaled = [RewardScaling(0.0, 1 / SCALES[group], in_keys=[(group, "reward")]) for group in env.group_map]
    return TransformedEnv(env, Compose(*scaled))


def network(env, group, outputs):
    return MLP(env.observation_spec[group, "observation"].shape[-1], outputs, num_cells=[64])


def actor(env, group):
    logits = network(env, group, env.full_action_spec[group, "action"].space.n)
    return ProbabilisticActor(
        TensorDictModule(logits, [(group, "observation")], [(group, "logits")]),
        in_keys={"logits": (group, "logits"), "mask": (group, "action_mask")},
        out_keys=[(group, "action")],
        distribution_class=MaskedCategorical,
        return_log_prob=True,
        log_prob_key=(group, "log_prob"),
    )


def learner(env, group, policy):
    critic = ValueOperator(network(env, group, 1), [(group, "observation")], [(group, "value")])
    loss = ClipPPOLoss(policy, critic, clip_epsilon=0.2, entropy_coeff=0.01, critic_coeff=0.5)
    advantages = GAE(gamma=0.99, lmbda=0.95, value_network=critic, average_gae=True)
    keys = {name: (group, name) for name in ("advantage", "value_target", "value", "reward", "done")}
    keys["terminated"] = (group, "done")
    advantages.set_keys(**keys)
    loss.set_keys(action=(group, "action"), sample_log_prob=(group, "log_prob"), **keys)
    return loss, advantages, torch.optim.Adam(loss.parameters(), 2e-3)


def improve(loss, advantages, optimiser, batch):
    with torch.no_grad():
        advantages(batch)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(batch)).chunk(MINIBATCHES):
            found = loss(batch[rows])
            optimiser.zero_grad()
            (found["loss_objective"] + found["loss_critic"] + found["loss_entropy"]).backward()
            torch.nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
            optimiser.step()


def earned(batch):
    """The planner's payoff per episode; infos are not scaled."""
    return float(batch["next", "planner", "info", "payoff"].sum()) * STEPS / len(batch)


def judge(roles):
    """The same in 30 episodes that nothing is learned from; actions are drawn."""
    with torch.no_grad(), set_exploration_type(ExplorationType.RANDOM):
        return earned(make_env(seed=1000).rollout(30 * STEPS, roles, break_when_any_done=False))


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    env = make_env()
    policies = {group: actor(env, group) for group in env.group_map}
    learners = {group: learner(env, group, policy) for group, policy in policies.items()}
    roles = TensorDictSequential(*policies.values())
    print(f"before: planner {judge(roles):.2f} per episode", flush=True)
    batches = Collector(env, roles, frames_per_batch=2000, total_frames=50_000, auto_register_policy_transforms=False)
    for index, batch in enumerate(batches):
        for group in policies:
            improve(*learners[group], batch)
        if index % 5 == 0:
            print(f"batch {index}: planner {earned(batch):.2f} per episode", flush=True)
    torch.save(policies["planner"].state_dict(), FILE)
    print(f"after: planner {(final := judge(roles)):.2f} per episode, level {LEVEL}")
    return 0 if final >= LEVEL else 1


@cache
def trained():
    policy = actor(make_env(), "planner")
    policy.load_state_dict(torch.load(FILE, weights_only=True))
    return policy


def planner(observation):
    """The trained planner's likeliest action, for `ermas evaluate`; all its actions are allowed at all times."""
    with torch.no_grad():
        return int(trained().module[0](torch.as_tensor(np.array(observation))).argmax())


if __name__ == "__main__":
    sys.exit(main())
