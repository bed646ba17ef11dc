"""AgileRL: IPPO in its own training loop, one policy for each role of `augmented_bimatrix_v0`, without masks.

Level: the planner's payoff per episode of 20 steps, mean of 64 episodes after training, is at least LEVEL; random play
earns about START. Exit status 1 below. The batched game becomes AgileRL's vector of environments: `Replicas`, the glue.
It does three things that a PettingZoo environment alone would not:

* Roles have names of their own. AgileRL lets `agent_0` and `agent_1` share a policy, but IPPO 2.58.0 then learns from
  observations in another order than their advantages.
* All episodes end with the rollout, because the training loop forgets ends within one.
* Rewards are in units of a whole episode's scale: IPPO moves values by about 0.2 in one update, and no further.

There are no masks, because IPPO acts by them but learns as if there were none; the game clamps what they would forbid.
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
from agilerl.algorithms import IPPO
from agilerl.training.train_multi_agent_on_policy import train_multi_agent_on_policy
from agilerl.vector.pz_vec_env import PettingZooVecEnv

from ermas_envs import augmented_bimatrix_v0

LEVEL, START = 600.0, 100.0
ENVS, STEPS, PARTS, UPDATES = 64, 20, 5, 10
NAMES = {"row": "agent_0", "column": "agent_1", "planner": "planner"}
FILE = Path(__file__).with_suffix(".pt")


class Replicas(PettingZooVecEnv):
    """The batched game as AgileRL's loop wants it."""

    def __init__(self, seed):
        self.batch = augmented_bimatrix_v0.batched_env(ENVS)
        self.batch.reset(seed=seed)
        scales = {**self.batch.agent_payoff_scales, self.batch.planner: self.batch.planner_payoff_scale}
        self.scales = {name: STEPS * scales[role] for name, role in NAMES.items()}
        seen, acted = (
            {name: spaces[role] for name, role in NAMES.items()}
            for spaces in (self.batch.observation_spaces, self.batch.action_spaces)
        )
        super().__init__(ENVS, seen, acted, list(NAMES))

    def shown(self, seen):
        return {name: seen.observations[role] for name, role in NAMES.items()}

    def reset(self, *, seed=None, options=None):
        return self.shown(self.batch.reset(seed=seed)), {name: {} for name in NAMES}

    def step(self, actions):
        seen = self.batch.step({role: actions[name] for name, role in NAMES.items()})
        rewards = {name: seen.rewards[role] / self.scales[name] for name, role in NAMES.items()}
        ends = ({name: end.copy() for name in NAMES} for end in (seen.terminated, seen.truncated))
        return self.shown(seen), rewards, *ends, {name: {} for name in NAMES}


def judge(learner):
    """The planner's payoff per episode, out of scale, in episodes that nothing is learned from; actions are drawn."""
    vector, earned = Replicas(seed=1000), 0.0
    seen, infos = vector.reset()
    for _ in range(STEPS):
        actions = learner.get_action(seen, infos)[0]
        seen, rewards, _, _, infos = vector.step(actions)
        earned += float(rewards["planner"].mean()) * vector.scales["planner"]
    return earned


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    np.random.seed(0)  # noqa: NPY002 AgileRL shuffles with it
    vector = Replicas(seed=0)
    learner = IPPO(
        [vector.single_observation_space(name) for name in NAMES],
        [vector.single_action_space(name) for name in NAMES],
        agent_ids=list(NAMES),
        batch_size=320,
        lr=2e-3,
        learn_step=ENVS * STEPS,
        gamma=0.99,
        ent_coef=0.01,
        update_epochs=4,
    )
    print(f"before: planner {judge(learner):.2f} per episode", flush=True)
    for part in range(1, PARTS + 1):
        train_multi_agent_on_policy(
            vector,
            "bimatrix",
            "IPPO",
            [learner],
            sum_scores=False,
            max_steps=part * UPDATES * ENVS * STEPS,
            evo_steps=UPDATES * ENVS * STEPS,
            verbose=False,
        )
        print(f"part {part}: planner {judge(learner):.2f} per episode", flush=True)
    learner.save_checkpoint(FILE)
    print(f"after: planner {(final := judge(learner)):.2f} per episode, level {LEVEL}")
    return 0 if final >= LEVEL else 1


@cache
def trained():
    return IPPO.load(FILE).actors["planner"]


def planner(observation):
    """The trained planner's likeliest action, for `ermas evaluate`; all its actions are allowed at all times."""
    actor = trained()
    with torch.no_grad():
        seen = actor.extract_features(torch.as_tensor(np.array(observation))[None])
        return int(actor.head_net.wrapped(seen)[0].argmax())


if __name__ == "__main__":
    sys.exit(main())
