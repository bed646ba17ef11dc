"""Benchmarks side by side: MARL against SB3's PPO through SuperSuit, and ERMAS against MARL.

`python -m ermas_algos.bench` prints them; `--json` for machines. SuperSuit comes with the extra `test`.
"""

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger

from ermas_algos.algorithms import ERMAS, MARL, ERMASConfig, MARLConfig
from ermas_algos.algorithms.config import AGENT_PPO
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.learners import Rollout, SB3Learner
from ermas_envs import BatchedEnv, augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.planners import ConstantPlanner

PAIRS = 5
"""Measurements of each side, taken in turn (A B A B …)."""
HORIZON = 20
"""Steps of an episode and of a rollout."""
REPLICAS = MARLConfig().num_envs
"""Copies of the game on both sides."""
REQUIRED_SPEED_UP = 3.0
"""MARL's samples per second / those of PPO through SuperSuit, at least."""
REQUIRED_COST = 1.15
"""ERMAS's seconds per environment step / MARL's, at most."""

Advance = Callable[[], dict[str, float]]
"""One iteration of training; returns what it did, as counts by unit."""


@dataclass(frozen=True)
class Comparison:
    """Two sides measured in turn, both in `unit`."""

    name: str
    unit: str
    sides: dict[str, list[float]]
    """Per side its measurements; the ratio is first / second."""
    required: str | None
    """What the ratio must be, for people."""
    met: bool | None
    """Whether it is; None where nothing is required."""

    @property
    def medians(self) -> dict[str, float]:
        """Median measurement of each side."""
        return {side: statistics.median(values) for side, values in self.sides.items()}

    @property
    def ratio(self) -> float:
        """Ratio of the medians, first / second side."""
        return _ratio(self.sides)

    def as_json(self) -> dict[str, Any]:
        """Everything, in JSON types."""
        return {**dataclasses.asdict(self), "medians": self.medians, "ratio": self.ratio}

    def as_text(self) -> str:
        """A few lines for people."""
        lines = [f"{self.name} [{self.unit}]"]
        for side, values in self.sides.items():
            every = " ".join(f"{value:.4g}" for value in values)
            lines.append(f"  {side:<22} median {self.medians[side]:.4g}   ({every})")
        verdict = "" if self.required is None else f"   required {self.required}: {'met' if self.met else 'NOT MET'}"
        return "\n".join([*lines, f"  ratio of medians       {self.ratio:.3f}{verdict}"])


def marl_against_supersuit(seconds: float) -> Comparison:
    """Samples per second, collection and updates together; a sample is one agent's action that is trained on."""
    rates = _alternate({"MARL": _marl_on_agents(), "SB3 PPO via SuperSuit": _ppo_via_supersuit()}, seconds)
    sides = {side: [counts["samples"] / counts["seconds"] for counts in runs] for side, runs in rates.items()}
    met = _ratio(sides) >= REQUIRED_SPEED_UP
    return Comparison("end-to-end training", "samples/s", sides, f">= {REQUIRED_SPEED_UP:g}", met)


def ermas_against_marl(seconds: float) -> tuple[Comparison, Comparison]:
    """Seconds per collected environment step (deviation blocks count), and per sample that some learner trained on."""
    runs = _alternate({"ERMAS": _trainer(ERMAS), "MARL": _trainer(MARL)}, seconds)

    def sides(count: str) -> dict[str, list[float]]:
        return {side: [counts["seconds"] / counts[count] for counts in measured] for side, measured in runs.items()}

    per_step = sides("env_steps")
    met = _ratio(per_step) <= REQUIRED_COST
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
    try:
        import supersuit
    except ModuleNotFoundError:
        raise SystemExit("The benchmark needs SuperSuit: pip install 'ermas-algos[test]'.") from None
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


def _alternate(sides: dict[str, Advance], seconds: float) -> dict[str, list[dict[str, float]]]:
    """`PAIRS` measurements of each side in turn, after one iteration that is not measured."""
    for advance in sides.values():
        advance()
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(PAIRS):
        for side, advance in sides.items():
            runs[side].append(_measure(advance, seconds))
    return runs


def _measure(advance: Advance, seconds: float) -> dict[str, float]:
    """Whole iterations for at least `seconds`: their counts, and the "seconds" that they took."""
    total: dict[str, float] = {}
    started = time.perf_counter()
    while not total or time.perf_counter() - started < seconds:
        for unit, count in advance().items():
            total[unit] = total.get(unit, 0) + count
    return {**total, "seconds": time.perf_counter() - started}


def _ratio(sides: dict[str, list[float]]) -> float:
    first, second = (statistics.median(values) for values in sides.values())
    return first / second


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print both comparisons."""
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(prog="python -m ermas_algos.bench", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=3.0, help=f"per measurement; there are {4 * PAIRS} (default 3)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        comparisons = [marl_against_supersuit(given.seconds), *ermas_against_marl(given.seconds)]
        settings = hyper_parameters()
    finally:
        torch.set_num_threads(threads)
    if given.json:
        print(json.dumps({"hyper_parameters": settings, "comparisons": [c.as_json() for c in comparisons]}, indent=2))
        return
    print("\n".join(f"{name}: {json.dumps(value)}" for name, value in settings.items()))
    for comparison in comparisons:
        print(f"\n{comparison.as_text()}")


if __name__ == "__main__":
    main()
