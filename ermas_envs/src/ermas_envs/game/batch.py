"""The batched face: one environment in `num_envs` replicas, arrays `(num_envs, n, …)` per group of n like roles.

`EngineBatch` (our games) and `ParallelEnvBatch` (any PettingZoo parallel environment) implement it; training code
knows nothing else.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from gymnasium import spaces

from ermas_envs.base.arguments import check_integer
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, Observation
from ermas_envs.base.groups import ByRole
from ermas_envs.base.streams import Seed
from ermas_envs.game.tabular import TabularGame

LARGEST_BATCH = 2**24
"""Most replicas of one batch."""


def check_num_envs(given: object) -> int:
    """Return a number of replicas as an int; ValueError unless it is in 1 … `LARGEST_BATCH`."""
    return check_integer("num_envs", given, 1, LARGEST_BATCH)


@contextmanager
def memory_for(num_envs: int) -> Iterator[None]:
    """Where arrays of all replicas are made: a MemoryError says for how many replicas there was no memory."""
    try:
        yield
    except MemoryError as error:
        raise MemoryError(f"num_envs: no memory for {num_envs} replicas of this environment ({error}).") from error


@dataclass(frozen=True)
class BatchObservation:
    """What every acting agent sees before its next action; arrays are the caller's to keep, unless the caller asked
    for arrays that the environment reuses (`EngineBatch`)."""

    observations: ByRole[Observation]
    """Per acting agent (num_envs, *observation shape), dtype of its observation space; for a Dict space one such array
    per key. `observations.by_group` has (num_envs, n, *observation shape) per group."""
    action_masks: ByRole[BoolArray]
    """Per acting agent with discrete actions (num_envs, mask size): True where the action has its effect. The mask size
    is n for Discrete; for MultiDiscrete the masks of its parts stand one after another, Σ nvec in all."""
    planner_acts: BoolArray | None = field(default=None, kw_only=True)
    """(num_envs,) True where the planner's next action has an effect; None: it has one in every step. Elsewhere its
    mask leaves one action. A learner can leave such steps out and treat the planner as a decision process of its own:
    its decisions are the steps with True, the reward of each the sum up to the next one."""


@dataclass(frozen=True)
class BatchStep(BatchObservation):
    """The result of one step. Replicas whose episode ended have been reset already (same-step auto-reset):
    `observations` belong to their new episode and `final_observations` to the end of the old one."""

    rewards: ByRole[FloatArray]
    """Per acting agent (num_envs,) float64: payoff + perturbations, of this step; by group (num_envs, n)."""
    payoffs: ByRole[FloatArray]
    """Per agent **and planner**, acting or not, (num_envs,) float64: what the rules give, of this step; by group
    (num_envs, n)."""
    terminated: BoolArray
    """(num_envs,): the game itself ended."""
    truncated: BoolArray
    """(num_envs,): a time limit ended the episode."""
    final_observations: ByRole[Observation] | None
    """Like `observations`, before the auto-reset; None when no episode ended. Valid where one did."""
    final_metrics: Mapping[str, FloatArray] | None = field(default=None, kw_only=True)
    """Metrics of the episodes that ended, per name (num_envs,) float64, before the auto-reset; None when none ended,
    and where a game has none. Valid where an episode ended; NaN is the mean of nothing."""


class BatchedEnv(Protocol):
    """One environment in `num_envs` replicas with same-step auto-reset; replica k depends on its own seed only."""

    @property
    def name(self) -> str:
        """Name of the environment, for logs and checkpoints."""

    @property
    def num_envs(self) -> int:
        """Number of replicas."""

    @property
    def possible_agents(self) -> tuple[str, ...]:
        """Ids that act from outside: the agents, and the planner unless a planner object acts inside."""

    @property
    def agents(self) -> tuple[str, ...]:
        """Ids of the agents, without the planner."""

    @property
    def planner(self) -> str:
        """Id of the planner."""

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Acting roles of equal spaces, in order, by the group's name: `{"agent": ("agent_0", …), "planner": …}`."""

    @property
    def horizon(self) -> int | None:
        """Steps in an episode if all episodes have the same number, else None."""

    @property
    def planner_payoff_scale(self) -> float | None:
        """How large the planner's payoffs of one step are (`oracles.payoff_scale`), > 0; None where it is not known."""

    @property
    def agent_payoff_scales(self) -> Mapping[str, float] | None:
        """The same of each agent; None where they are not known."""

    @property
    def observation_spaces(self) -> Mapping[str, spaces.Space[object]]:
        """Observation space of every acting agent; Dict spaces have one level, and Box entries."""

    @property
    def action_spaces(self) -> Mapping[str, spaces.Space[object]]:
        """Action space of every acting agent."""

    def reset(self, seed: Seed | None = None, first_episode: int | None = None) -> BatchObservation:
        """Start a new episode in every replica.

        Args:
            seed: one integer (replica k gets the stream (seed, k)), one integer per replica, or None: streams go on.
            first_episode: index that the new episode has for schedules over episodes (table redraws, annealing of
                taxes); None: 0 with a seed and at the first reset, else one more than each replica's last.
        """

    def step(self, actions: Mapping[str, Array]) -> BatchStep:
        """Advance every replica by one step.

        Args:
            actions: per acting agent (num_envs, *action shape), or per group (num_envs, n, *action shape).

        Raises:
            ValueError: an agent is missing or unknown, or an action is of wrong shape or outside its space.
            RuntimeError: called before the first reset.
        """

    def tabular_game(self) -> TabularGame | None:
        """The game as tables, perturbed rewards included, for exact oracles; None where it has no tables."""

    def close(self) -> None:
        """Release what the environment holds."""
