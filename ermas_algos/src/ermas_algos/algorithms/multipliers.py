"""Lagrange multipliers λ_i, the price of agent i's regret (paper Eq. 10): projected ascent, or PID control.

λ is planner payoff (in units of `planner_payoff_scale`) per unit of agent payoff. PID control damps the oscillation of
plain dual ascent: A. Stooke, J. Achiam, P. Abbeel, "Responsive Safety in RL by PID Lagrangian Methods" (2020).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_algos.algorithms.collection import PerSeed
from ermas_envs.arguments import check_number, keep


@dataclass(frozen=True)
class MultiplierConfig:
    """How the multipliers move; with the proportional and derivative gains at 0 by plain projected ascent."""

    initial: float = 4.0
    """λ_0, ≥ 0."""
    step_size: float = 2.0
    """α_λ, the integral gain, ≥ 0; 0 (with the other gains at 0 too) freezes λ."""
    proportional: float = 30.0
    """Gain on the current violation regret_i − ε_i, ≥ 0."""
    derivative: float = 0.0
    """Gain on the violation's increase since the last update (decreases count as 0), ≥ 0."""
    maximum: float = 20.0
    """λ_max, ≥ λ_0."""

    @classmethod
    def frozen(cls, multiplier: float) -> "MultiplierConfig":
        """λ that never moves."""
        return cls(multiplier, step_size=0.0, proportional=0.0, maximum=max(multiplier, 1.0))

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        for name in ("initial", "step_size", "proportional", "derivative"):
            keep(self, **{name: check_number(name, getattr(self, name), minimum=0.0)})
        keep(self, maximum=check_number("maximum", self.maximum, minimum=self.initial))


class Multipliers:
    """λ of every agent: λ_i = clip(I_i + K_p v_i + K_d max(0, v_i − v_i'), 0, λ_max), where v_i = regret_i − ε_i is the
    violation, v_i' the one before, and I_i ← I_i + α_λ v_i the integral. With K_p = K_d = 0 this is projected ascent,
    λ_i ← clip(λ_i + α_λ v_i, 0, λ_max); otherwise the integral stands still while λ_i is clipped (no wind-up).

    Args:
        config: gains and bounds.
        epsilon: ε_i per agent, payoff per step, ≥ 0.
    """

    def __init__(self, config: MultiplierConfig, epsilon: Mapping[str, float]) -> None:
        self.config = config
        self.epsilon = {agent: check_number("epsilon", value, minimum=0.0) for agent, value in epsilon.items()}
        self.integral: dict[str, Any] = dict.fromkeys(epsilon, np.asarray(config.initial))
        self.values: dict[str, PerSeed] = dict.fromkeys(epsilon, config.initial)
        self._violation: dict[str, Any] = {}

    def update(self, regret: Mapping[str, PerSeed]) -> None:
        """Move every λ_i by its agent's estimated regret (payoff per step), a number or one per seed."""
        config = self.config
        for agent, epsilon in self.epsilon.items():
            violation = np.asarray(regret[agent]) - epsilon
            rise = np.maximum(0.0, violation - self._violation.get(agent, violation))
            control = config.proportional * violation + config.derivative * rise
            integral = self.integral[agent] + config.step_size * violation
            wanted = integral + control
            value = np.clip(wanted, 0.0, config.maximum)
            standing = np.where(control == 0.0, value, self.integral[agent])
            self.integral[agent] = np.where(value == wanted, np.clip(integral, 0.0, config.maximum), standing)
            self.values[agent] = value if value.ndim else float(value)
            self._violation[agent] = violation

    def state(self) -> dict[str, dict[str, Any]]:
        """What JSON needs to hold to go on."""
        parts = {"integral": self.integral, "values": self.values, "violation": self._violation}
        return {name: {k: np.asarray(v).tolist() for k, v in part.items()} for name, part in parts.items()}

    def load_state(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Go on from `state()`."""
        self.integral = {agent: np.asarray(value) for agent, value in state["integral"].items()}
        self.values = {agent: np.asarray(v) if isinstance(v, list) else v for agent, v in state["values"].items()}
        self._violation = {agent: np.asarray(value) for agent, value in state["violation"].items()}
