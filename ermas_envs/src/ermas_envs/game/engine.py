"""The engine: the rules of one game over `num_envs` replicas. Faces, hooks and auto-reset are built on it once."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import PLANNER, Array, BoolArray, FloatArray, IntArray, Observation
from ermas_envs.base.entries import entry_names
from ermas_envs.base.groups import ByRole, Roles
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.game.tabular import TabularGame


@dataclass(frozen=True)
class Outcome:
    """What the rules give in one step."""

    payoffs: Mapping[str, FloatArray]
    """Per agent and planner (num_envs,) float64; `ByRole` where the engine has them by group, which is faster."""
    planner_outcome: FloatArray
    """See `Transition.planner_outcome`; (num_envs,) float64."""
    terminated: BoolArray
    """(num_envs,): the game ended."""
    truncated: BoolArray
    """(num_envs,): the time limit ended the episode."""
    facts: Mapping[str, FloatArray] = field(default_factory=dict)
    """See `Transition.facts`."""


class Engine(ABC):
    """Rules of a game with one planner and N agents, over replicas that do not touch each other.

    Subclasses set the attributes before use. An engine knows no hooks, no auto-reset and no learner.
    """

    name: str
    """Registered name of the game, with version."""
    num_envs: int
    """Number of replicas."""
    agents: tuple[str, ...]
    """Ids of the agents, without the planner."""
    planner: str = PLANNER
    """Id of the planner."""
    horizon: int
    """Steps in an episode."""
    planner_payoff_scale: float | None = None
    """How large the planner's payoffs of one step are (`oracles.payoff_scale`), > 0; None where it is not known."""
    agent_payoff_scales: Mapping[str, float] | None = None
    """The same of each agent; None where they are not known."""
    num_states: int | None
    """Number of states if the game is tabular, else None."""
    observation_spaces: dict[str, spaces.Space[object]]
    """Per agent and planner; Dict spaces have one level, and Box entries."""
    action_spaces: dict[str, spaces.Space[object]]
    """Per agent and planner."""

    @cached_property
    def roles(self) -> Roles:
        """The agents and the planner, in groups of equal spaces; an engine may set others."""
        return Roles.alike((*self.agents, self.planner), self.planner, self.observation_spaces, self.action_spaces)

    @abstractmethod
    def reset(self, replicas: IntArray, streams: ReplicaStreams, episodes: IntArray, *, from_scratch: bool) -> None:
        """Start a new episode in some replicas.

        Args:
            replicas: (R,) int64, which ones.
            streams: one per replica of the engine; only those of `replicas` may be drawn from.
            episodes: (R,) int64, index of the episode that begins there, for schedules over episodes.
            from_scratch: True, for all replicas, where the caller gave a seed, and at the first reset: nothing may be
                left of earlier episodes. False where episodes go on; an engine may then carry things over.
        """

    @abstractmethod
    def step(self, actions: ByRole[Array]) -> Outcome:
        """Advance all replicas by valid `actions`, per agent and planner (num_envs, *action shape); by group they are
        (num_envs, n, *action shape), `actions.by_group`."""

    @abstractmethod
    def observe(self, fresh: bool = True) -> tuple[Mapping[str, Observation], Mapping[str, BoolArray]]:
        """Observations and action masks of every agent and the planner, shaped as in `BatchObservation`; `ByRole` where
        the engine has them by group.

        Args:
            fresh: arrays must be the caller's to keep; False allows arrays that the next `step`, `reset` or `observe`
                overwrites.
        """

    def planner_acts(self) -> BoolArray | None:
        """See `BatchObservation.planner_acts`; an array is the caller's to keep."""
        return None

    def facts(self) -> Mapping[str, FloatArray]:
        """What hooks may know of the game (`GameInfo.facts`), by name; nothing unless an engine has something."""
        return {}

    def planner_sees(self) -> tuple[str, ...]:
        """A name for every number of the planner's observation, in order, for people who read a planner; `entry/0`, …
        where an engine states none, and the keys of a Dict."""
        space = self.observation_spaces[self.planner]
        parts = space.spaces.items() if isinstance(space, spaces.Dict) else [("entry", space)]
        return entry_names((name, prod(part.shape or ())) for name, part in parts)

    def planner_does(self, action: Array) -> Mapping[str, float | None]:
        """What an action of the planner means, by name, in the game's units; None: it leaves that as it is. The action
        itself where an engine says nothing."""
        numbers = np.ravel(action).tolist()
        return dict(zip(entry_names([("action", len(numbers))]), map(float, numbers), strict=True))

    def metrics(self) -> Mapping[str, FloatArray] | None:
        """The episode so far, per name (num_envs,) float64, whatever comes later; None where a game has nothing to tell
        beside payoffs."""
        return None

    @abstractmethod
    def states(self) -> IntArray | None:
        """Index of each replica's state, (num_envs,) int64, or None if the game is not tabular."""

    @abstractmethod
    def tabular_game(self) -> TabularGame | None:
        """The game as tables (payoffs, unperturbed), or None if it is not tabular."""

    @abstractmethod
    def render(self, replica: int, mode: str) -> str | Array:
        """Picture of one replica: text for mode "ansi", (height, width, 3) uint8 for "rgb_array"."""
