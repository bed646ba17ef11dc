"""Scales of the payoffs: the units in which learners, λ and their settings count, so that no result has a currency.

A game in cents is the game in euros. Learners are therefore given rewards in units of their role's scale, and λ is the
price of a unit of the agent's scale in units of the planner's. A scale is what the environment states, else what its
tables say, else estimated from play.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ermas_algos.algorithms.collection import Experience
from ermas_algos.saved_state import saved_table
from ermas_envs import BatchedEnv
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import TabularGame, payoff_scale

ESTIMATED_DURING = 40
"""Outer iterations whose play is used for an estimate, where neither planner nor algorithm has a longer warm-up."""
_UNIFORM = math.sqrt(12.0)
"""Range of a uniform distribution whose standard deviation is 1."""
_NOISE = 1e-9
"""Spread, relative to the payoffs' size, that is taken for rounding."""


class PayoffScales:
    """Scale of each role's payoffs, > 0, in payoff units.

    An estimate is the range that a uniform distribution with the standard deviation of the payoffs of single steps
    would have. It follows play during the first iterations, and then stands still; where all payoffs have been equal so
    far, it is 1 and goes on following.

    Args:
        stated: scale of the roles for which it is known.
        roles: agents and planner.
        iterations: outer iterations whose play counts, at least 1.

    Attributes:
        values: the scales by role.
    """

    def __init__(self, stated: Mapping[str, float], roles: Iterable[str], iterations: int) -> None:
        self.values = {role: stated.get(role, 1.0) for role in roles}
        self._iterations = iterations
        self._moments: dict[str, list[float] | None] = {
            role: [0.0, 0.0, 0.0] for role in self.values if role not in stated
        }

    @classmethod
    def of(cls, env: BatchedEnv, game: TabularGame | None, iterations: int) -> "PayoffScales":
        """Those of an environment, whose tables are `game`; `iterations` as in the class."""
        tables = {} if game is None else {role: payoff_scale(table) for role, table in game.payoffs.items()}
        planner = {} if env.planner_payoff_scale is None else {env.planner: env.planner_payoff_scale}
        return cls({**tables, **(env.agent_payoff_scales or {}), **planner}, (*env.agents, env.planner), iterations)

    def observe(self, experience: Experience, iteration: int) -> None:
        """Follow the payoffs of the first block of play in an outer iteration (from 0), where a scale is estimated."""
        for role, moments in self._moments.items():
            if moments is not None and (iteration < self._iterations or _spread(moments) == 0.0):
                payoffs = experience.payoffs[role]
                mean = float(np.mean(experience.mean(payoffs, 0)))
                variance = float(np.mean(experience.mean((payoffs - mean) ** 2, 0)))
                moments[:] = _with_rollout(moments, mean, variance)
                self.values[role] = _UNIFORM * _spread(moments) or 1.0

    def stand_still(self) -> None:
        """Follow play no longer, but where all payoffs have been equal so far."""
        self._moments = {role: None if _known(moments) else moments for role, moments in self._moments.items()}

    def in_units(self, role: str, rewards: FloatArray) -> FloatArray:
        """Rewards or payoffs of a role in units of its scale."""
        return rewards / self.values[role]

    def rewards_in_units(self, experience: Experience, roles: Iterable[str]) -> dict[str, FloatArray]:
        """Rewards of some roles, each in units of its scale."""
        return {role: self.in_units(role, experience.rewards[role]) for role in roles}

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to go on bit for bit; JSON types."""
        return {"values": dict(self.values), "moments": _copied(self._moments)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`; ValueError for other roles, or what is no scale."""
        saved_table("scales", state, ("values", "moments"))
        values, moments = state["values"], state["moments"]
        if values.keys() != self.values.keys() or moments.keys() != self._moments.keys():
            raise ValueError(f"payoff scales of {sorted(values)} were saved, {sorted(self.values)} are needed.")
        for role, value in values.items():
            if not (isinstance(value, float) and 0.0 < value < math.inf):
                raise ValueError(f"the payoff scale of {role!r} must be finite and > 0, got {value!r}.")
        for role, sums in moments.items():
            if sums is None:
                continue
            numbers = isinstance(sums, list) and all(isinstance(part, float) and math.isfinite(part) for part in sums)
            if not numbers or len(sums) != 3 or sums[0] < 0.0 or sums[2] < 0.0:
                raise ValueError(f"the payoff scale of {role!r} must have a count, a mean and squares, got {sums!r}.")
        self.values, self._moments = dict(values), _copied(moments)


def _known(moments: list[float] | None) -> bool:
    """Whether there is a scale that may stand still."""
    return moments is None or _spread(moments) > 0.0


def _copied(moments: Mapping[str, list[float] | None]) -> dict[str, list[float] | None]:
    return {role: None if sums is None else list(sums) for role, sums in moments.items()}


def _spread(moments: list[float]) -> float:
    """Standard deviation, 0 where it is rounding."""
    count, mean, squares = moments
    deviation = math.sqrt(squares / count) if count else 0.0
    return deviation if deviation > _NOISE * abs(mean) else 0.0


def _with_rollout(moments: list[float], mean: float, variance: float) -> list[float]:
    """Rollouts, mean and sum of squared deviations after one more rollout (T. Chan, G. Golub, R. LeVeque 1983)."""
    count, before, squares = moments
    gap, total = mean - before, count + 1.0
    return [total, before + gap / total, squares + variance + gap * gap * count / total]
