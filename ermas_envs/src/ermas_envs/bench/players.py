"""Economies that play pre-drawn random actions as fast as they can, resetting episodes that end.

Actions are uniform among all, valid or not: those of the original are drawn in the same way (`original_worker`).
"""

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from ermas_envs import economy_v0
from ermas_envs.base.arrays import PLANNER, IntArray
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.settings import EconomySettings
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.kernels import background

_DRAWN_STEPS = 64

ONE_STEP = {"labor_exponent": 3.5, "labor_cost": 0.0005}
"""Settings of the one-step economy: those that the original's paper used."""


class Player(Protocol):
    """Something that steps."""

    num_envs: int
    memory_per_replica: int
    """Bytes."""

    def play(self) -> int:
        """Step some times; returns the steps of all replicas together."""


class EnginePlayer:
    """Steps an engine by arrays: the fast path.

    Args:
        engine: of any economy.
        advance: steps it by the actions of all agents and of the planner.
        shape: of the agents' actions; their values are below `actions`.
        actions: number of actions of an agent.
    """

    def __init__(
        self,
        engine: EconomyEngine | OneStepEngine,
        advance: Callable[[IntArray, IntArray], object],
        shape: tuple[int, ...],
        actions: int,
    ) -> None:
        self._engine, self._advance = engine, advance
        self.num_envs, self.memory_per_replica = engine.num_envs, engine.memory_per_replica
        generator = np.random.default_rng(0)
        space = engine.action_spaces[PLANNER]
        assert isinstance(space, spaces.MultiDiscrete)
        rows = (self.num_envs, engine.planner_entries)
        self._actions = [
            (generator.integers(actions, size=shape), generator.integers(space.nvec, size=rows))
            for _ in range(_DRAWN_STEPS)
        ]
        self.observed_numbers = sum(array.size for array in engine.views) // engine.num_envs
        """Of one replica, masks included."""
        self._everybody = np.arange(self.num_envs)
        self._streams = ReplicaStreams(0, self.num_envs)
        self._episode, self._time = 0, 0
        self._reset()

    def _reset(self) -> None:
        episodes = np.full(self.num_envs, self._episode)
        self._engine.reset(self._everybody, self._streams, episodes, from_scratch=self._episode == 0)
        self._episode, self._time = self._episode + 1, 0

    def play(self) -> int:
        for agents, planner in self._actions:
            self._advance(agents, planner)
            self._time += 1
            if self._time == self._engine.horizon:
                self._reset()
        return len(self._actions) * self.num_envs


class FacePlayer:
    """Steps the batched face, `EngineBatch`, with arrays that it reuses.

    Args:
        num_envs: replicas.
        settings: of economy_v0.
    """

    def __init__(self, num_envs: int, **settings: Any) -> None:
        self._env = economy_v0.batched_env(num_envs, reuse_arrays=True, **settings)
        engine = self._env.engine
        assert isinstance(engine, EconomyEngine)
        self.num_envs, self.memory_per_replica = num_envs, engine.memory_per_replica
        self._actions = []
        for seed in range(_DRAWN_STEPS):
            generator = np.random.default_rng(seed)
            sizes = {
                role: space.nvec if isinstance(space, spaces.MultiDiscrete) else np.array(space.n)  # type: ignore[attr-defined]
                for role, space in self._env.action_spaces.items()
            }
            self._actions.append(
                {role: generator.integers(size, size=(num_envs, *size.shape)) for role, size in sizes.items()}
            )
        self._env.reset(seed=0)

    def play(self) -> int:
        for actions in self._actions:
            self._env.step(actions)
        return len(self._actions) * self.num_envs


def economy_player(
    num_envs: int, writes_observations: bool = True, threads: int | None = None, **settings: Any
) -> EnginePlayer:
    """Of economy_v0; `writes_observations`: whether observations and masks are written."""
    engine = EconomyEngine("economy_v0", num_envs, EconomySettings(**settings), num_threads=threads)
    shape = (num_envs, engine.settings.num_agents, 1)
    actions = engine.rules.actions.table.shape[0]

    def advance(agents: IntArray, planner: IntArray) -> None:
        engine.advance(agents, planner, writes_observations)

    return EnginePlayer(engine, advance, shape, actions)


def one_step_player(num_envs: int, threads: int | None = None, **settings: Any) -> EnginePlayer:
    """Of one_step_economy_v0."""
    engine = OneStepEngine(
        "one_step_economy_v0", num_envs, OneStepSettings(**{**ONE_STEP, **settings}), num_threads=threads
    )
    return EnginePlayer(engine, engine.advance, (num_envs, engine.settings.num_agents), 101)


def make_ready(player: Player) -> None:
    """Play until nothing is left to be compiled: a single replica is played in Python until its rules are."""
    player.play()
    background.wait()
    player.play()


def steps_per_second(player: Player, seconds: float) -> float:
    """Steps of all replicas together, per second."""
    steps, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds or steps == 0:
        steps += player.play()
    return steps / elapsed
