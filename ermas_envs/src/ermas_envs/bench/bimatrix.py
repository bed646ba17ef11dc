"""Speed of the bimatrix games on one core: checked, pre-drawn random actions; rewards, observations, masks.

Finished episodes are reset. No planner object and no perturbation is given. An agent-step is one step of one agent in
one replica; the planner is not counted, though its action is checked and its observation written too.
"""

import statistics
import time
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.base.arrays import Array
from ermas_envs.game.batch import BatchedEnv

REPETITIONS = 5
NUM_ENVS = 1024
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


def measure_bimatrix(num_envs: int, seconds: float) -> list[Speed]:
    """Of both games."""
    return [measure(module.batched_env(num_envs), seconds) for module in (bimatrix_v0, augmented_bimatrix_v0)]


def table(speeds: list[Speed]) -> str:
    """A line per game."""
    lines = [f"median of {REPETITIONS} repetitions; agent-steps of the agents only, without the planner"]
    for speed in speeds:
        lines.append(
            f"{speed.environment:24} {speed.num_envs} replicas: "
            f"{speed.agent_steps_per_second / 1e6:.1f} M agent-steps/s, "
            f"{speed.microseconds_per_batched_step:.1f} µs per batched step"
        )
    return "\n".join(lines)


def _random_actions(env: BatchedEnv, generator: np.random.Generator) -> dict[str, Array]:
    return {role: _drawn(space, env.num_envs, generator) for role, space in env.action_spaces.items()}


def _drawn(space: spaces.Space[object], num_envs: int, generator: np.random.Generator) -> Array:
    if isinstance(space, spaces.Box):
        return generator.uniform(space.low, space.high, (num_envs, *space.shape)).astype(space.dtype)
    assert isinstance(space, spaces.Discrete)
    return generator.integers(space.n, size=num_envs)
