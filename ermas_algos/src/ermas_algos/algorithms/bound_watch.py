"""Whether ERMAS keeps its promise while it trains: regret that stays above ε, and λ that stands at a limit."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.saved_state import saved_table

WINDOW = 50
"""Outer iterations over which regret is averaged, and for which λ must have stood at a limit, before it is said."""
TOLERATED = 0.1
"""Part of ε by which regret may exceed it on average before it is said; learned λ oscillates."""
TOLERATED_IN_SCALES = 0.005
"""The same in scales of the agent's payoffs, for ε near 0."""


class BoundWatch:
    """Follows regret and λ of every agent after warm-up.

    Args:
        epsilon: ε_i per agent, payoff per step.
        config: bounds of λ.
    """

    def __init__(self, epsilon: Mapping[str, float], config: MultiplierConfig) -> None:
        self._epsilon, self._config = epsilon, config
        self._excess: dict[str, deque[float]] = {agent: deque(maxlen=WINDOW) for agent in epsilon}
        self._at_limit = dict.fromkeys(epsilon, 0)
        self._limit = dict.fromkeys(epsilon, 0.0)
        self._scales = dict.fromkeys(epsilon, 1.0)

    def observe(
        self,
        regret: Mapping[str, Any],
        multipliers: Mapping[str, Any],
        scales: Mapping[str, float],
        iterations: int = 1,
    ) -> None:
        """What was measured in an outer iteration: regret of some agents or all (payoff per step), λ, and the scales of
        the agents' payoffs. Each agent is measured once in so many `iterations`.

        Of several seeds in one batch the worst counts: the largest regret, and a limit that any λ stands at.
        """
        for agent in regret:
            epsilon = self._epsilon[agent]
            self._scales[agent] = scales[agent]
            self._excess[agent].append(float(np.max(regret[agent])) - epsilon)
            values = np.atleast_1d(multipliers[agent])
            limits = [limit for limit in (0.0, self._config.maximum) if bool(np.any(values == limit))]
            stands = bool(limits) and self._config.moves
            goes_on = stands and self._limit[agent] == limits[-1]
            self._at_limit[agent] = self._at_limit[agent] + iterations if goes_on else int(stands)
            self._limit[agent] = limits[-1] if limits else 0.0

    def metrics(self) -> dict[str, float]:
        """`excess_regret/<agent>`: mean of regret − ε over the window, NaN before the first measurement;
        `multiplier_at_limit/<agent>`: outer iterations for which λ has stood at 0 or λ_max."""
        excess = {agent: float(np.mean(seen)) if seen else float("nan") for agent, seen in self._excess.items()}
        return {
            **{f"excess_regret/{agent}": value for agent, value in excess.items()},
            **{f"multiplier_at_limit/{agent}": float(count) for agent, count in self._at_limit.items()},
        }

    def notices(self) -> list[str]:
        """What a user must know, a sentence each; nothing where the bound is kept."""
        said = []
        for agent, epsilon in self._epsilon.items():
            excess = float(np.mean(self._excess[agent])) if len(self._excess[agent]) == WINDOW else 0.0
            if excess > max(TOLERATED * epsilon, TOLERATED_IN_SCALES * self._scales[agent]):
                said.append(
                    f"{agent}: regret has stayed above ε = {epsilon:g}, at {epsilon + excess:.3g} on average over the "
                    f"last {WINDOW} iterations."
                )
            if self._at_limit[agent] >= WINDOW:
                said.append(f"{agent}: λ has stood at {self._meaning(agent)} for {self._at_limit[agent]} iterations.")
        return said

    def reason_to_stop(self) -> str | None:
        """The first agent whose λ has stood at λ_max for `MultiplierConfig.stop_at_maximum` iterations, in words."""
        longest = self._config.stop_at_maximum
        for agent, count in self._at_limit.items():
            if longest is not None and count >= longest and self._limit[agent] > 0.0:
                return f"{agent}: λ has stood at {self._meaning(agent)} for {count} iterations"
        return None

    def _meaning(self, agent: str) -> str:
        if self._limit[agent] == 0.0:
            return "0 (ε does not bind: the agent only harms the planner)"
        return f"its maximum {self._limit[agent]:g} (a larger one may be needed to keep the bound)"

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to go on; JSON types."""
        return {
            "excess": {agent: list(seen) for agent, seen in self._excess.items()},
            "at_limit": dict(self._at_limit),
            "limit": dict(self._limit),
            "scales": dict(self._scales),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`; ValueError for what it cannot have written."""
        agents = self._epsilon.keys()
        saved_table("watch", state, ("excess", "at_limit", "limit", "scales"))
        for name in ("excess", "at_limit", "limit", "scales"):
            if state[name].keys() != agents:
                raise ValueError(f"watch: {name} of {sorted(state[name])} was saved, {sorted(agents)} are needed.")
        if not all(isinstance(seen, list) and len(seen) <= WINDOW for seen in state["excess"].values()):
            raise ValueError(f"watch: excess must be lists of at most {WINDOW} numbers.")
        numbers: Sequence[Any] = [*state["limit"].values(), *state["scales"].values()]
        numbers = [*numbers, *(value for seen in state["excess"].values() for value in seen)]
        if not all(isinstance(number, float) and np.isfinite(number) for number in numbers):
            raise ValueError("watch: numbers must be finite.")
        if not all(type(count) is int and 0 <= count < 2**53 for count in state["at_limit"].values()):
            raise ValueError("watch: at_limit must be counts.")
        self._excess = {agent: deque(seen, maxlen=WINDOW) for agent, seen in state["excess"].items()}
        self._at_limit, self._limit = dict(state["at_limit"]), dict(state["limit"])
        self._scales = dict(state["scales"])
