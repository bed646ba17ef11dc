"""What the outer loop plays and learns from: experience of a joint policy, sampled or exact, and who collects it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from ermas_algos.algorithms.joint_rollout import Cast, Trajectories, joint_rollout
from ermas_algos.algorithms.seats import Seat
from ermas_algos.saved_state import restore_generator, saved_count, saved_table
from ermas_envs import BatchedEnv
from ermas_envs.base.arrays import FloatArray

PerSeed: TypeAlias = float | FloatArray
"""A number; or (K,) float64, one per seed, where exact learners train K seeds in one batch."""


MakeEnv = Callable[[int], BatchedEnv]
"""Number of replicas → environment; called once per batch size that the algorithm needs."""


class Experience(Protocol):
    """Play of several joint policies, the cast's blocks; arrays are samples or tables, alike for all roles."""

    @property
    def rewards(self) -> Mapping[str, FloatArray]:
        """Per acting role: payoff + perturbation of one step."""

    @property
    def payoffs(self) -> Mapping[str, FloatArray]:
        """Per agent and planner: payoff of one step."""

    def mean(self, per_step: FloatArray, block: int) -> PerSeed:
        """Mean per step of an array shaped like the rewards, under the block's joint policy."""

    def rollout(self, seats: Sequence[Seat], rewards: Mapping[str, FloatArray]) -> Any:
        """What the learner that plays the roles in these blocks trains on (`Learner.update`), with these rewards of the
        roles; None where they had nothing to decide."""


class Collector(Protocol):
    """Plays casts."""

    env_steps: int
    """Environment steps (one replica, all roles, one step) so far; 0 for exact play."""
    saw_an_end: bool | None
    """Whether an episode has ended in its play so far; None before any. Exact play is of whole ones."""

    def collect(self, cast: Cast, iteration: int) -> Experience:
        """Play every block of the cast in outer iteration `iteration`."""

    def branch(self) -> None:
        """Draw from now on random numbers that another collector of the same seed has not drawn."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to go on bit for bit; JSON types."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`; ValueError if it is no such state."""


class SampledCollector:
    """Joint rollouts, one block of equally many replicas per learner in the cast's rows.

    Args:
        make_env: number of replicas → environment; called once per number that is needed.
        num_envs: replicas of a block.
        generator: gives the replicas' seeds and the action noise.

    Attributes:
        steps: steps of a rollout; to be set before the first.
    """

    steps: int

    def __init__(self, make_env: MakeEnv, num_envs: int, generator: np.random.Generator) -> None:
        self._make_env, self._num_envs, self._generator = make_env, num_envs, generator
        self._envs: dict[int, BatchedEnv] = {}
        self.env_steps = 0
        self.saw_an_end: bool | None = None

    def env(self, blocks: int) -> BatchedEnv:
        """The environment with this many blocks."""
        if blocks not in self._envs:
            self._envs[blocks] = self._make_env(blocks * self._num_envs)
        return self._envs[blocks]

    def collect(self, cast: Cast, iteration: int) -> Trajectories:
        env = self.env(len(next(iter(cast.values()))))
        self.env_steps += env.num_envs * self.steps
        episode = iteration * (self.steps // env.horizon if env.horizon else 1)
        played = joint_rollout(env, cast, self.steps, self._generator, episode)
        self.saw_an_end = bool(self.saw_an_end) or bool(played.ended.any())
        return played

    def branch(self) -> None:
        (self._generator,) = self._generator.spawn(1)

    def state(self) -> dict[str, Any]:
        return {"env_steps": self.env_steps, "generator": self._generator.bit_generator.state}

    def load_state(self, state: Mapping[str, Any]) -> None:
        table = saved_table("collector", state, ("env_steps", "generator"))
        env_steps = saved_count("env_steps", table["env_steps"])
        restore_generator("collector: generator", self._generator, table["generator"])
        self.env_steps = env_steps
