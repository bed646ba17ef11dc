"""Speed of the batched environments on one core: `python -m ermas_envs.bench bimatrix`.

Each step checks and applies pre-drawn random actions and writes rewards, observations and masks; finished
episodes are reset. No planner object and no perturbation is given. An agent-step is one step of one agent in one
replica; the planner is not counted, though its action is checked and its observation written too.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from gymnasium import spaces

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.arrays import Array
from ermas_envs.batch import BatchedEnv

SUITES = {"bimatrix": (bimatrix_v0, augmented_bimatrix_v0)}
REPETITIONS = 5
_DRAWN_STEPS = 64


@dataclass(frozen=True)
class Speed:
    """Medians over the repetitions."""

    environment: str
    """Registered name."""
    num_envs: int
    """Replicas."""
    agent_steps_per_second: float
    """Agents (without the planner) × replicas × batched steps, per second."""
    microseconds_per_batched_step: float
    """Time of one `step` of all replicas."""


def measure(env: BatchedEnv, seconds: float) -> Speed:
    """Step `env` with random actions in `REPETITIONS` repetitions of `seconds` each."""
    generator = np.random.default_rng(0)
    actions = [_random_actions(env, generator) for _ in range(_DRAWN_STEPS)]
    env.reset(seed=0)
    per_step = []
    for _ in range(REPETITIONS):
        steps, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds or steps == 0:
            for chosen in actions:
                env.step(chosen)
            steps += len(actions)
        per_step.append(elapsed / steps)
    median = statistics.median(per_step)
    return Speed(env.name, env.num_envs, len(env.agents) * env.num_envs / median, 1e6 * median)


def _random_actions(env: BatchedEnv, generator: np.random.Generator) -> dict[str, Array]:
    actions: dict[str, Array] = {}
    for agent, space in env.action_spaces.items():
        assert isinstance(space, spaces.Discrete)
        actions[agent] = generator.integers(space.n, size=env.num_envs)
    return actions


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; prints one line per environment, or a JSON list of `Speed` fields."""
    parser = argparse.ArgumentParser(prog="python -m ermas_envs.bench", description=__doc__)
    parser.add_argument("suite", choices=sorted(SUITES))
    parser.add_argument("--num-envs", type=int, default=1024, help="replicas (default 1024)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each of 5 repetitions (default 2)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    given = parser.parse_args(arguments)
    speeds = [measure(module.batched_env(given.num_envs), given.seconds) for module in SUITES[given.suite]]
    if given.json:
        print(json.dumps([asdict(speed) for speed in speeds], indent=2))
        return
    print(f"median of {REPETITIONS} repetitions; agent-steps of the agents only, without the planner")
    for speed in speeds:
        print(
            f"{speed.environment:24} {speed.num_envs} replicas: "
            f"{speed.agent_steps_per_second / 1e6:.1f} M agent-steps/s, "
            f"{speed.microseconds_per_batched_step:.1f} µs per batched step"
        )


if __name__ == "__main__":
    main()
