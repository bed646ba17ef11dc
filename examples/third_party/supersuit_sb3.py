"""SuperSuit and Stable-Baselines3: one PPO policy for agents and planner of `augmented_bimatrix_v0`.

Level: the planner's payoff per episode of 20 steps, mean of 30 episodes after training, is at least LEVEL; random play
earns about START. Exit status 1 below. Afterwards the planner can be scored against fresh agents:

    python supersuit_sb3.py
    ermas evaluate supersuit_sb3:planner constant:0 --environment augmented_bimatrix_v0 --gaps 0 --seeds 0
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import supersuit
from pettingzoo.utils.wrappers import BaseParallelWrapper
from stable_baselines3 import PPO

from ermas_envs import augmented_bimatrix_v0
from ermas_envs.wrappers import SameSpaces

LEVEL, START = 500.0, 100.0
FILE = Path(__file__).with_suffix(".zip")
ROLES = ("agent_0", "agent_1", "planner")


class InScale(BaseParallelWrapper):
    """Rewards in units of their scale: one critic serves roles whose payoffs differ by a factor of 50."""

    def step(self, actions):
        seen, rewards, *ends, infos = self.env.step(actions)
        batch = self.unwrapped.batch
        scales = {**batch.agent_payoff_scales, batch.planner: batch.planner_payoff_scale}
        return seen, {role: reward / scales[role] for role, reward in rewards.items()}, *ends, infos


def one_shape():
    """All roles see and do the same; who one is stands at the end of what one sees."""
    return supersuit.agent_indicator_v0(SameSpaces(InScale(augmented_bimatrix_v0.parallel_env())))


def episodes(model, number, seed):
    """Mean payoff of every role per episode."""
    env, totals = one_shape(), dict.fromkeys(ROLES, 0.0)
    for episode in range(number):
        seen, _ = env.reset(seed=seed + episode)
        while env.agents:
            chosen, _ = model.predict(np.stack([seen[role] for role in ROLES]))
            seen, _, _, _, infos = env.step(dict(zip(ROLES, chosen, strict=True)))
            for role in ROLES:
                totals[role] += infos[role]["payoff"]
    return {role: total / number for role, total in totals.items()}


def main():
    vectors = supersuit.concat_vec_envs_v1(
        supersuit.pettingzoo_env_to_vec_env_v1(one_shape()), 16, num_cpus=1, base_class="stable_baselines3"
    )
    vectors.seed = lambda seed=None: None  # SB3 calls it, SuperSuit's vector has it only for its own environments
    model = PPO("MlpPolicy", vectors, n_steps=80, batch_size=960, n_epochs=6, learning_rate=2e-3, ent_coef=0.01, seed=0)
    print("before", episodes(model, 30, seed=1000))
    model.learn(150_000)
    model.save(FILE)
    after = episodes(model, 30, seed=1000)
    print("after", after)
    return 0 if after["planner"] >= LEVEL else 1


@cache
def trained():
    return PPO.load(FILE, device="cpu")


def planner(observation):
    """The trained planner as a function of its observation, for `ermas evaluate`."""
    space = trained().observation_space
    seen = np.zeros(space.shape, np.float32)
    seen[: len(observation)] = observation
    seen[-1] = 1.0  # the planner is the last role
    chosen = int(trained().predict(seen, deterministic=True)[0])
    return chosen


if __name__ == "__main__":
    sys.exit(main())
