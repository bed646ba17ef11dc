"""Batched engine of `contract_v0`: contracts are signed, then agents work, outcomes come, and are paid for."""

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import AGENT_GROUP, PLANNER, Array, BoolArray, FloatArray, IntArray, agent_id
from ermas_envs.base.groups import ByRole
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.game.batch import check_num_envs, memory_for
from ermas_envs.game.engine import Engine, Outcome
from ermas_envs.game.tabular import TabularGame
from ermas_envs.games.contract import rendering
from ermas_envs.games.contract.observations import Observed
from ermas_envs.games.contract.settings import ContractSettings
from ermas_envs.games.contract.step import work

HORIZON = 2
"""A step in which contracts are signed, one in which agents work."""
_LEFT = np.linspace(1.0, 0.0, HORIZON + 1, dtype=np.float32)
"""Share of the episode that is left after so many steps."""


class ContractEngine(Engine):
    """Principal and agents; see `contract_v0` for the game.

    Args:
        name: registered name of the game.
        num_envs: number of replicas, R, at least 1.
        settings: the game's arguments.
    """

    def __init__(self, name: str, num_envs: int, settings: ContractSettings) -> None:
        self.name, self.num_envs, self.horizon = name, check_num_envs(num_envs), HORIZON
        self.settings, self.problems = settings, settings.problems
        self.agents = tuple(agent_id(k) for k in range(self.problems.number))
        self.num_states = None
        self.most_paid = settings.most_paid
        self.planner_payoff_scale = _positive(float(self.problems.rewards.max(axis=1).sum()))
        self.agent_payoff_scales = {
            agent: _positive(float(costs.max())) for agent, costs in zip(self.agents, self.problems.costs, strict=True)
        }
        self._set_spaces()
        chances, self._number = self.problems.probabilities, self.problems.number
        self._thresholds = np.ascontiguousarray(chances.cumsum(axis=-1)[..., :-1])
        self._costs, self._rewards = self.problems.costs.copy("C"), self.problems.rewards.copy("C")
        self._value = self.problems.expected_rewards
        largest = max(self.most_paid, float(self.problems.rewards.max()), float(self.problems.costs.max()))
        self._observed = Observed(self.problems, self.num_envs, largest)
        with memory_for(self.num_envs):
            shape = (self.num_envs, self._number)
            self._replicas = np.arange(self.num_envs)
            self._signing, self._working = self._masks_of(working=False), self._masks_of(working=True)
            self._payments = np.zeros((*shape, self.problems.num_outcomes))
            self._time = np.zeros(self.num_envs, dtype=np.int64)
            self._worked = np.full(shape, -1)
            self._came = np.full(shape, -1)

    def _set_spaces(self) -> None:
        problems, settings = self.problems, self.settings
        seen = spaces.Box(-1.0, 1.0, (Observed.size(problems),), np.float32)
        self.observation_spaces = {
            **dict.fromkeys(self.agents, seen),
            PLANNER: spaces.Box(0.0, 1.0, (1,), np.float32),
        }
        payments = problems.number * problems.num_outcomes
        named: spaces.Space[object]
        if settings.payments == "grid":
            named = spaces.MultiDiscrete(np.full(payments, settings.payment_levels))
        else:
            named = spaces.Box(-1.0, 1.0, (payments,), np.float32)
        work: spaces.Space[object] = spaces.Discrete(problems.num_actions)
        self.action_spaces = {**dict.fromkeys(self.agents, work), PLANNER: named}

    @property
    def payments(self) -> FloatArray:
        """(R, N, O) in force; the engine writes into it."""
        return self._payments

    def payments_of(self, named: Array) -> FloatArray:
        """(…, N, O) payments that the planner's actions (…, N · O) name."""
        shape = (*named.shape[:-1], self.problems.number, self.problems.num_outcomes)
        payments = named.reshape(shape).astype(np.float64)
        if self.settings.payments == "grid":
            payments *= self.most_paid / (self.settings.payment_levels - 1)
        else:
            payments += 1.0
            payments *= 0.5 * self.most_paid
        np.minimum(payments, self.most_paid, out=payments)  # what rounding adds is no payment that is allowed
        return payments

    def reset(self, replicas: IntArray, streams: ReplicaStreams, episodes: IntArray, *, from_scratch: bool) -> None:
        """No contract pays anything yet."""
        self._streams = streams
        rows = slice(None) if replicas.size == self.num_envs else replicas
        self._payments[rows] = 0.0
        self._time[rows] = 0
        self._worked[rows] = self._came[rows] = -1
        self._observed.forget(rows)

    def step(self, actions: ByRole[Array]) -> Outcome:
        """Sign the contracts, or work under them."""
        working = self._time > 0
        gained, kept = np.zeros((2, self.num_envs, self._number))
        signing, rows = _parted(working)
        by_group = actions.by_group
        if signing is not None:
            self._payments[signing] = self.payments_of(by_group[PLANNER][signing, 0])
            self._observed.sign(self._replicas[signing], self._payments)
        if rows is not None:
            self._work(rows, by_group[AGENT_GROUP], gained, kept)
        self._time = self._time + 1
        planner = kept.sum(axis=-1)
        payoffs: ByRole[FloatArray] = ByRole(self.roles, {AGENT_GROUP: gained, PLANNER: planner[:, None]})
        return Outcome(payoffs, planner, working, np.zeros(self.num_envs, dtype=np.bool_))

    def _work(self, rows: IntArray | slice, chosen: Array, gained: FloatArray, kept: FloatArray) -> None:
        """Write payoffs of the agents and what the principal keeps of each, (R, N), for replicas whose agents choose
        actions (R, N)."""
        self._worked[rows] = chosen[rows]
        if self.settings.outcomes == "expected":
            agents, worked = np.arange(self._number), chosen[rows]
            paid = (self.problems.probabilities[agents, worked] * self._payments[rows]).sum(axis=-1)
            gained[rows] = paid - self._costs[agents, worked]
            kept[rows] = self._value[agents, worked] - paid
            return
        work(
            self._replicas[rows],
            self._streams.state,
            self._payments,
            self._thresholds,
            self._costs,
            self._rewards,
            np.ascontiguousarray(chosen),
            self._came,
            gained,
            kept,
        )

    def observe(self, fresh: bool = True) -> tuple[ByRole[Array], ByRole[BoolArray]]:
        """See `contract_v0`; always fresh."""
        left = _LEFT[self._time]
        observations = {AGENT_GROUP: self._observed.at(left), PLANNER: left[:, None, None]}
        return ByRole(self.roles, observations), ByRole(self.roles, self._masks())

    def _masks(self) -> dict[str, BoolArray]:
        working = self._time == 1
        count = np.count_nonzero(working)
        if count in (0, self.num_envs):  # nearly always; a fifth of the time of `where`
            return {group: mask.copy() for group, mask in (self._working if count else self._signing).items()}
        rows = working[:, None, None]
        return {group: np.where(rows, self._working[group], mask) for group, mask in self._signing.items()}

    def _masks_of(self, working: bool) -> dict[str, BoolArray]:
        """(R, roles, mask size) of every group in a step: nobody works before the contract is signed; nobody signs when
        it is."""
        agents = np.full((self.num_envs, self.problems.number, self.problems.num_actions), working)
        agents[..., 0] = True
        masks: dict[str, BoolArray] = {AGENT_GROUP: agents}
        if self.settings.payments == "grid":
            payments = self.problems.number * self.problems.num_outcomes
            levels = np.full((self.num_envs, 1, payments, self.settings.payment_levels), not working)
            levels[..., 0] = True
            masks[PLANNER] = levels.reshape(self.num_envs, 1, -1)
        return masks

    def planner_acts(self) -> BoolArray:
        """In the first step of an episode."""
        acts: BoolArray = self._time == 0
        return acts

    def planner_sees(self) -> tuple[str, ...]:
        """The share of the episode that is left."""
        return ("time_left",)

    def planner_does(self, action: Array) -> dict[str, float | None]:
        """Payments by agent and outcome: `payment/agent_0/0`, …"""
        payments = self.payments_of(np.asarray(action))
        return {
            f"payment/{agent}/{outcome}": float(payment)
            for agent, row in zip(self.agents, payments, strict=True)
            for outcome, payment in enumerate(row)
        }

    def states(self) -> None:
        """None: payments are no table."""

    def tabular_game(self) -> TabularGame | None:
        """None; `ermas_envs.oracles.contracts` has exact oracles of this game."""
        return None

    def render(self, replica: int, mode: str) -> str | Array:
        """The contracts of one replica, what they make of every action, and what was chosen last."""
        view = rendering.View(
            self.name,
            int(self._time[replica]),
            self.problems,
            self._payments[replica],
            self._worked[replica],
            self._came[replica],
        )
        return rendering.text(view) if mode == "ansi" else rendering.picture(view)


def _parted(chosen: BoolArray) -> tuple[IntArray | slice | None, IntArray | slice | None]:
    """Indices of the False entries, and of the True ones: None where there are none, a slice where all are of a kind,
    which is faster."""
    count = np.count_nonzero(chosen)  # a third of the time of `all` and `any`
    if count in (0, len(chosen)):
        return (None, slice(None)) if count else (slice(None), None)
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _positive(scale: float) -> float:
    """A scale of payoffs; 1 where nothing is worth, or costs, anything."""
    return scale or 1.0
