"""What a hook sees: the description of a game, and one step of all its replicas."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gymnasium import spaces

from ermas_envs.base.arrays import Array, FloatArray, IntArray


@dataclass(frozen=True)
class GameInfo:
    """The fixed facts of a game, given to hooks before the first step."""

    agents: tuple[str, ...]
    """Ids of the agents, without the planner."""
    planner: str
    """Id of the planner."""
    num_states: int | None
    """Number of states if the game is tabular, else None."""
    action_spaces: Mapping[str, spaces.Space[object]]
    """Action space of every agent and of the planner."""
    facts: Mapping[str, FloatArray] = field(default_factory=dict)
    """What else is known of the game, arrays by name, such as `risk_aversion`; the game's documentation says which."""


@dataclass(frozen=True)
class Transition:
    """One step in `num_envs` replicas, before any perturbation."""

    actions: Mapping[str, Array]
    """Action of every agent (and of the planner, where it acts): (num_envs, *action shape)."""
    payoffs: Mapping[str, FloatArray]
    """Payoff of this step for every agent and the planner: (num_envs,) float64."""
    planner_outcome: FloatArray
    """What the agents' behaviour is worth to the planner, (num_envs,) float64: r_p of the new cell in the bimatrix
    games; the planner's payoff where a game does not tell the two apart."""
    states: IntArray | None
    """Index of the state before the step, (num_envs,) int64, or None if the game is not tabular."""
    steps: IntArray
    """0-based number of this step in its episode, (num_envs,) int64."""
    episodes: IntArray
    """Index of the episode of each replica, (num_envs,) int64; a reset sets where the count starts."""
    facts: Mapping[str, FloatArray] = field(default_factory=dict)
    """What else is known of the step, arrays by name, such as `coin_before` and `coin_after`; the game's documentation
    says which."""
