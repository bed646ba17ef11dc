"""Batched engine of the bimatrix games: one table look-up per replica and step."""

import math
from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import LARGEST_PAYOFF, check_choice, check_flag, check_integer, keep
from ermas_envs.base.arrays import AGENT_GROUP, PLANNER, Array, BoolArray, FloatArray, IntArray, agent_id
from ermas_envs.base.entries import entry_names
from ermas_envs.base.groups import ByRole
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.game.batch import check_num_envs, memory_for
from ermas_envs.game.engine import Engine, Outcome
from ermas_envs.game.tabular import TabularGame, payoff_scale
from ermas_envs.games.bimatrix import observations, rendering
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs, as_payoffs
from ermas_envs.games.bimatrix.rules import MOVES, BimatrixRules, PlannerRule

LARGEST_HORIZON = 1_000_000
"""Observations are tables with a row per step."""
AGENTS = (agent_id(0), agent_id(1))
LARGEST_TABLE = 2**26
"""Entries (states × joint actions) of one table of the game, of which there are seven: 512 MiB each."""


@dataclass(frozen=True)
class BimatrixSettings:
    """Arguments that both bimatrix games share."""

    payoffs: str | BimatrixPayoffs = "tragedy_of_commons"
    """Name of a payoff set, or the user's own payoffs."""
    horizon: int = 20
    """Steps in an episode, at least 1, and so many that observations fit into `observations.LARGEST_TABLES` numbers."""
    agents_observe: str = "joint"
    """`joint`: own and the other's level and the time left; `own`: own level and the time left."""
    planner_observes: bool = True
    """True: the planner sees both levels (and its own) and the time left; False: the time left only."""

    def __post_init__(self) -> None:
        """ValueError naming the argument and the allowed range."""
        keep(
            self,
            payoffs=as_payoffs(self.payoffs),
            horizon=check_integer("horizon", self.horizon, 1, LARGEST_HORIZON),
            agents_observe=check_choice("agents_observe", self.agents_observe, ("joint", "own")),
            planner_observes=check_flag("planner_observes", self.planner_observes),
        )


class BimatrixEngine(Engine):
    """Two agents on a grid of levels; see `bimatrix_v0` and `augmented_bimatrix_v0` for the games.

    Args:
        name: registered name of the game.
        num_envs: number of replicas, at least 1.
        settings: the game's arguments.
        rule: what the planner can do and earn.
    """

    def __init__(self, name: str, num_envs: int, settings: BimatrixSettings, rule: PlannerRule) -> None:
        self.name = name
        self.num_envs = check_num_envs(num_envs)
        self.horizon = settings.horizon
        self.agents = AGENTS
        self.rules = BimatrixRules.of(as_payoffs(settings.payoffs), rule)
        self._planner_observes = settings.planner_observes
        joint = settings.agents_observe == "joint"
        tables = observations.tables(self.rules, self.horizon, joint, settings.planner_observes)
        planner_levels, planner_actions = rule.weight.shape
        self._num_states = self.rules.next_cell.shape[0] * planner_levels
        self.num_states = self._num_states
        earned = rule.weight[:, :, None] * self.rules.planner_outcome - rule.cost[:, :, None]
        if np.abs(earned).max() > LARGEST_PAYOFF:
            raise ValueError(
                f"planner_gain: payoffs must lie within ±{LARGEST_PAYOFF:g}, got {np.abs(earned).max():g}."
            )
        self.planner_payoff_scale = payoff_scale(earned)
        self.agent_payoff_scales = {
            agent: payoff_scale(table) for agent, table in zip(AGENTS, self.rules.agent_payoffs, strict=True)
        }
        self.observation_spaces = {
            role: spaces.Box(0.0, 1.0, table.shape[2:], np.float32) for role, table in tables.items()
        }
        self.action_spaces = {
            **{agent: spaces.Discrete(len(MOVES)) for agent in AGENTS},
            PLANNER: spaces.Discrete(planner_actions),
        }
        self._tables: ByRole[Array] = self.roles.stacked(tables, axis=2)
        self._masks: ByRole[BoolArray] = self.roles.stacked(observations.mask_tables(self.rules))
        self._rows = {group: table.reshape(-1, *table.shape[2:]) for group, table in self._tables.by_group.items()}
        self._flat_next_cell = self.rules.next_cell.ravel()
        self._earned = np.ascontiguousarray(np.transpose(self.rules.agent_payoffs))
        with memory_for(self.num_envs):
            self._cells = np.zeros(self.num_envs, dtype=np.int64)
            self._planner_levels = np.zeros(self.num_envs, dtype=np.int64)
            self._steps = np.zeros(self.num_envs, dtype=np.int64)

    def reset(self, replicas: IntArray, streams: ReplicaStreams, episodes: IntArray, *, from_scratch: bool) -> None:
        """Uniform start cell, planner level 0, full time left."""
        self._cells[replicas] = streams.integers(self.rules.next_cell.shape[0], replicas)
        self._planner_levels[replicas] = 0
        self._steps[replicas] = 0

    def step(self, actions: ByRole[Array]) -> Outcome:
        """Move the agents, then the planner; payoffs are those of the new cell."""
        index = self._cells * len(MOVES)
        index += actions[AGENTS[0]]
        index *= len(MOVES)
        index += actions[AGENTS[1]]
        self._cells = self._flat_next_cell[index]
        self._steps = self._steps + 1
        outcome = self.rules.planner_outcome[self._cells]
        planner = self._planner_payoff(np.asarray(actions[PLANNER]), outcome)
        payoffs = {AGENT_GROUP: self._earned.take(self._cells, axis=0), PLANNER: planner[:, None]}
        over = np.asarray(self._steps >= self.horizon)
        return Outcome(ByRole(self.roles, payoffs), outcome, np.zeros(self.num_envs, dtype=np.bool_), over)

    def _planner_payoff(self, actions: Array, outcome: FloatArray) -> FloatArray:
        rule = self.rules.planner_rule
        if rule.weight.size == 1:
            return outcome * float(rule.weight[0, 0]) - float(rule.cost[0, 0])
        index = self._planner_levels * rule.weight.shape[1] + actions
        self._planner_levels = rule.next_level.take(index)
        earned: FloatArray = rule.weight.take(index) * outcome - rule.cost.take(index)
        return earned

    def observe(self, fresh: bool = True) -> tuple[ByRole[Array], ByRole[BoolArray]]:
        """Rows of the observation and mask tables at the current states; always fresh."""
        states = self.states()
        rows = self._steps * self._num_states + states
        seen = {group: table.take(rows, axis=0) for group, table in self._rows.items()}
        masks = {group: table.take(states, axis=0) for group, table in self._masks.by_group.items()}
        return ByRole(self.roles, seen), ByRole(self.roles, masks)

    def planner_sees(self) -> tuple[str, ...]:
        """One-hot levels of the agents and the planner, as far as it sees them, and the share of time left."""
        return entry_names(observations.planner_entries(self.rules, self._planner_observes))

    def planner_does(self, action: Array) -> dict[str, float | None]:
        """Its action, unless it has only one."""
        return {} if self.rules.planner_rule.weight.shape[1] == 1 else {"action": float(action)}

    def states(self) -> IntArray:
        """State index of each replica: cell · planner levels + planner level."""
        planner_levels = self.rules.planner_rule.weight.shape[0]
        return self._cells if planner_levels == 1 else self._cells * planner_levels + self._planner_levels

    def tabular_game(self) -> TabularGame | None:
        """The whole game as tables, the planner's axis the last; None where they have over `LARGEST_TABLE` entries."""
        rules, rule = self.rules, self.rules.planner_rule
        planner_levels, planner_actions = rule.weight.shape
        cell, level = np.divmod(np.arange(self._num_states), planner_levels)
        shape = (self._num_states, len(MOVES), len(MOVES), planner_actions)
        if math.prod(shape) > LARGEST_TABLE:
            return None
        new_cell = np.broadcast_to(rules.next_cell[cell][..., None], shape)
        new_level = np.broadcast_to(rule.next_level[level][:, None, None, :], shape)
        outcome = rules.planner_outcome[new_cell]
        rewards = {agent: self.rules.agent_payoffs[k][new_cell] for k, agent in enumerate(AGENTS)}
        rewards[PLANNER] = rule.weight[level][:, None, None, :] * outcome - rule.cost[level][:, None, None, :]
        starts = np.where(level == 0, 1.0 / rules.next_cell.shape[0], 0.0)
        return TabularGame(
            roles=(*AGENTS, PLANNER),
            horizon=self.horizon,
            start=starts,
            next_states=new_cell * planner_levels + new_level,
            rewards=rewards,
            planner_outcome=outcome,
            observations={role: np.ascontiguousarray(table[:-1]) for role, table in self._tables.items()},
            action_masks={role: np.ascontiguousarray(mask) for role, mask in self._masks.items()},
        )

    def render(self, replica: int, mode: str) -> str | Array:
        """The three landscapes with the agents' cell marked."""
        view = rendering.View(self.rules, int(self._cells[replica]), int(self._steps[replica]), self.horizon, self.name)
        return rendering.text(view) if mode == "ansi" else rendering.picture(view)
