"""The bimatrix games: MARL against SB3's PPO through SuperSuit, and ERMAS against MARL."""

import dataclasses
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger

from ermas_algos.algorithms import ERMAS, MARL, ERMASConfig, MARLConfig
from ermas_algos.algorithms.config import AGENT_PPO
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.bench.comparison import Advance, Comparison, alternate, imported_supersuit, ratio_of_medians
from ermas_algos.learners import Rollout, SB3Learner
from ermas_envs import BatchedEnv, augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.planners import ConstantPlanner

HORIZON = 20
"""Steps of an episode and of a rollout."""
REPLICAS = MARLConfig().num_envs
"""Copies of the game on both sides."""
REQUIRED_SPEED_UP = 3.0
"""MARL's samples per second / those of PPO through SuperSuit, at least."""
REQUIRED_COST = 1.15
"""ERMAS's seconds per environment step / MARL's, at most."""


def marl_against_supersuit(seconds: float) -> Comparison:
    """Samples per second, collection and updates together; a sample is one agent's action that is trained on."""
    rates = alternate({"MARL": _marl_on_agents(), "SB3 PPO via SuperSuit": _ppo_via_supersuit()}, seconds)
    sides = {side: [counts["samples"] / counts["seconds"] for counts in runs] for side, runs in rates.items()}
    met = ratio_of_medians(sides) >= REQUIRED_SPEED_UP
    return Comparison("end-to-end training", "samples/s", sides, f">= {REQUIRED_SPEED_UP:g}", met)


def ermas_against_marl(seconds: float) -> tuple[Comparison, Comparison]:
    """Seconds per collected environment step (deviation blocks count), and per sample that some learner trained on."""
    runs = alternate({"ERMAS": _trainer(ERMAS), "MARL": _trainer(MARL)}, seconds)

    def sides(count: str) -> dict[str, list[float]]:
        return {side: [counts["seconds"] / counts[count] for counts in measured] for side, measured in runs.items()}

    per_step = sides("env_steps")
    met = ratio_of_medians(per_step) <= REQUIRED_COST
    return (
        Comparison("cost of collected experience", "s/env step", per_step, f"<= {REQUIRED_COST:g}", met),
        Comparison("cost of trained-on experience", "s/sample", sides("samples"), None, None),
    )


def hyper_parameters() -> dict[str, Any]:
    """What both sides share, and what ERMAS adds."""
    defaults = ERMASConfig()
    return {
        "learner": {**dataclasses.asdict(AGENT_PPO), "minibatch_size": REPLICAS * HORIZON},
        "replicas": REPLICAS,
        "rollout_steps": HORIZON,
        "torch_threads": torch.get_num_threads(),
        "deviation": defaults.deviation,
        "deviation_updates": defaults.deviation_updates,
        "warmup_iterations": 0,
        "planner": {"MARL / SuperSuit": "ConstantPlanner(0) inside bimatrix_v0", "ERMAS / MARL": "learned"},
        "policies": {"MARL, ERMAS": "one per role", "SB3 PPO via SuperSuit": "one shared by both agents"},
    }


def _marl_on_agents() -> Advance:
    def game(num_envs: int) -> BatchedEnv:
        return bimatrix_v0.batched_env(num_envs, horizon=HORIZON, planner=ConstantPlanner(0))

    trainer = MARL(game, MARLConfig(num_envs=REPLICAS))

    def advance() -> dict[str, float]:
        before = trainer.env_steps
        trainer.learn(trainer.iteration + 1)
        return {"samples": (trainer.env_steps - before) * len(trainer.env.agents)}

    return advance


def _ppo_via_supersuit() -> Advance:
    supersuit = imported_supersuit()
    game = bimatrix_v0.parallel_env(horizon=HORIZON, planner=ConstantPlanner(0))
    rows = supersuit.pettingzoo_env_to_vec_env_v1(game)
    env = supersuit.concat_vec_envs_v1(rows, REPLICAS, base_class="stable_baselines3")
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=HORIZON,
        batch_size=REPLICAS * HORIZON,
        learning_rate=AGENT_PPO.learning_rate,
        gamma=AGENT_PPO.gamma,
        gae_lambda=AGENT_PPO.gae_lambda,
        policy_kwargs={"net_arch": list(AGENT_PPO.hidden_layers)},
        device="cpu",
        **dict(AGENT_PPO.algorithm_kwargs),  # type: ignore[arg-type]
    )
    model.set_logger(Logger(None, []))  # writes no files

    def advance() -> dict[str, float]:
        before = model.num_timesteps  # counts every agent
        model.learn(env.num_envs * HORIZON, reset_num_timesteps=False)
        return {"samples": model.num_timesteps - before}

    return advance


class _CountingLearner(SB3Learner):
    """Counts the samples that it trains on."""

    samples = 0

    def update(self, rollout: Rollout) -> dict[str, float]:
        self.samples += rollout.rewards.size
        return super().update(rollout)


def _trainer(algorithm: type[Any]) -> Advance:
    """MARL or ERMAS with its default settings, after warm-up, on the augmented game; every role learns alike."""
    learners: list[_CountingLearner] = []

    def make_learner(role: str, observes: spaces.Space[Any], acts: spaces.Space[Any], seed: int) -> _CountingLearner:
        learners.append(_CountingLearner(AGENT_PPO, observes, acts, seed))
        return learners[-1]

    def game(num_envs: int) -> BatchedEnv:
        return augmented_bimatrix_v0.batched_env(num_envs, horizon=HORIZON)

    config = ERMASConfig(num_envs=REPLICAS, warmup_iterations=0) if algorithm is ERMAS else MARLConfig(REPLICAS)
    trainer: Trainer[Any] = algorithm(game, config, make_learner)

    def advance() -> dict[str, float]:
        steps, samples = trainer.env_steps, sum(learner.samples for learner in learners)
        trainer.learn(trainer.iteration + 1)
        trained_on = sum(learner.samples for learner in learners) - samples
        return {"env_steps": trainer.env_steps - steps, "samples": trained_on}

    return advance


def comparisons(seconds: float) -> list[Comparison]:
    """All of them, each measurement of at least so many seconds."""
    return [marl_against_supersuit(seconds), *ermas_against_marl(seconds)]
