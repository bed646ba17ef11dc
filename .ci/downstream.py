"""Code of somebody else: uses the public API by its types alone. `make wheels` runs mypy --strict on it, and runs it.

It is checked against installed wheels, away from the sources, so that it also tells whether the types are published.
"""

from collections.abc import Mapping

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ermas_algos import ERMAS, MARL, ERMASConfig, FreshAgentsConfig, MARLConfig, Run, transfer_evaluation
from ermas_algos.learners import Learner
from ermas_envs import BatchedEnv, BatchStep, EnvironmentSpec, augmented_bimatrix_v0, batched_env
from ermas_envs.oracles import PlannerOptimum, best_constant_planner
from ermas_envs.perturbations import Bounded, RandomTables, RewardPerturbation
from ermas_envs.planners import ConstantPlanner, FunctionPlanner, Planner

SETTINGS: Mapping[str, object] = {"agents_observe": "own", "planner_observes": False, "horizon": 4}


def highest_level(observation: NDArray[np.float32]) -> int:
    """A planner of one's own."""
    return int(observation[:4].argmax())


def play(planner: Planner, perturbation: RewardPerturbation) -> float:
    """Mean payoff of the planner in one step."""
    env: BatchedEnv = augmented_bimatrix_v0.batched_env(4, planner=planner, perturbation=perturbation)
    seen = env.reset(seed=0)
    observed = seen.observations["agent_0"]
    assert isinstance(observed, np.ndarray)  # Dict observations are mappings of arrays
    space = env.action_spaces["agent_0"]
    assert isinstance(space, spaces.Discrete)
    step: BatchStep = env.step({agent: np.zeros(len(observed), np.int64) for agent in env.agents})
    return float(step.payoffs["planner"].mean())


def train() -> None:
    """Both trainers, a run as data, a frozen planner and its test."""
    game = EnvironmentSpec("augmented_bimatrix_v0", dict(SETTINGS))
    small = {"num_envs": 4, "seed": 1}
    ermas: ERMAS = ERMAS(game, ERMASConfig(epsilon=0.05, num_envs=4, warmup_iterations=1)).learn(2)
    marl: MARL = MARL(game, MARLConfig(num_envs=4)).learn(1)
    learners: Mapping[str, Learner] = marl.learners
    frozen: Planner = ermas.frozen_planner()
    run = Run.from_options({"environment": "bimatrix_v0", "algorithm": "MARL", "settings": small, "iterations": 1})

    def test_env(num_envs: int, gap: float, planner: Planner) -> BatchedEnv:
        return batched_env("augmented_bimatrix_v0", num_envs, q=gap, planner=planner, **SETTINGS)

    fresh = FreshAgentsConfig(num_envs=4, window=1, max_iterations=2, measured_envs=4)
    for row in transfer_evaluation({"ERMAS": frozen}, test_env, gaps=[0.0], seeds=[0], config=fresh):
        earned: float = row.planner_return
        print(row.planner, earned, sorted(learners), run.key)


def main() -> None:
    """Everything once."""
    game = augmented_bimatrix_v0.batched_env(1).tabular_game()
    assert game is not None
    best: PlannerOptimum = best_constant_planner(game)
    noise = Bounded(RandomTables(scale=0.1), epsilon=0.05)
    for planner in (ConstantPlanner(best.action), FunctionPlanner(highest_level)):
        print(play(planner, noise))
    train()


if __name__ == "__main__":
    main()
