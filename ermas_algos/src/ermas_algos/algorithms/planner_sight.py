"""Whether a planner sees what agents do: the same episodes twice, with the same random numbers and other agents."""

from typing import Any

import numpy as np

from ermas_algos.algorithms.collection import SampledCollector
from ermas_algos.learners.uniform import UniformPolicy
from ermas_envs.base.arrays import Array, BoolArray, FloatArray

REPLICAS = 4
"""Of each of the two plays."""


class _Others:
    """Draws uniformly, like `UniformPolicy`, but from the other end of the noise."""

    def __init__(self, policy: UniformPolicy) -> None:
        self.noise_size, self._policy = policy.noise_size, policy

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        return self._policy.act(observations, np.nextafter(1.0 - noise, 0.0), action_masks)


def sees_agents(make_env: Any, steps: int, seed: int) -> bool:
    """Whether something that a planner observes in a step in which it decides depends on what agents did before.

    Everybody draws uniformly; the planner draws the same in both. False means that no difference was found.

    Args:
        make_env: number of replicas → environment.
        steps: of a rollout.
        seed: everything random follows from it.

    Raises:
        ValueError: a role's actions cannot be drawn uniformly.
    """
    collector = SampledCollector(make_env, REPLICAS, np.random.default_rng(seed))
    collector.steps = steps
    env = collector.env(2)
    cast: dict[str, Any] = {}
    for role in env.possible_agents:
        policy = UniformPolicy(env.action_spaces[role])
        cast[role] = [policy, policy if role == env.planner else _Others(policy)]
    played = collector.collect(cast, 0)
    seen = [played.observations[env.planner][:-1, played.block(block)] for block in (0, 1)]
    if env.planner in played.decisions:
        acts = played.decisions[env.planner].acts
        first, second = (acts[:, played.block(block)] for block in (0, 1))
        if not np.array_equal(first, second):
            return True
        seen = [part[first] for part in seen]
    return not np.array_equal(seen[0], seen[1])
