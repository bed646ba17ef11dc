"""Lagrange multipliers λ_i, the price of agent i's regret (paper Eq. 10): projected ascent, or PID control.

λ has no unit: it is planner payoff per agent payoff, both counted in their scales (`payoff_scales`). PID control damps
the oscillation of plain dual ascent: A. Stooke, J. Achiam, P. Abbeel, "Responsive Safety in RL by PID Lagrangian
Methods" (2020).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_algos.algorithms.collection import PerSeed
from ermas_envs.base.arguments import check_integer, check_number, keep


@dataclass(frozen=True)
class MultiplierConfig:
    """How the multipliers move; with the proportional and derivative gains at 0 by plain projected ascent."""

    initial: float = 4.0
    """λ_0, ≥ 0; like all settings here without a unit."""
    step_size: float = 2.0
    """α_λ, the integral gain, ≥ 0; 0 (with the other gains at 0 too) freezes λ."""
    proportional: float = 30.0
    """Gain on the current violation regret_i − ε_i, ≥ 0."""
    derivative: float = 0.0
    """Gain on the violation's increase since the last update (decreases count as 0), ≥ 0."""
    maximum: float = 20.0
    """λ_max, ≥ λ_0."""
    stop_at_maximum: int | None = None
    """Outer iterations in a row for which an agent's λ may stand at λ_max before the training stops
    (`TrainingStopped`), ≥ 1; None lets it go on, and `notices` say so after 50. λ = 0 is no reason to stop: there ε
    does not bind."""

    @classmethod
    def frozen(cls, multiplier: float) -> "MultiplierConfig":
        """λ that never moves."""
        return cls(multiplier, step_size=0.0, proportional=0.0, maximum=max(multiplier, 1.0))

    @property
    def moves(self) -> bool:
        """Whether λ can leave λ_0."""
        return self.step_size > 0 or self.proportional > 0 or self.derivative > 0

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        for name in ("initial", "step_size", "proportional", "derivative"):
            keep(self, **{name: check_number(name, getattr(self, name), minimum=0.0)})
        keep(self, maximum=check_number("maximum", self.maximum, minimum=self.initial))
        if self.stop_at_maximum is not None:
            keep(self, stop_at_maximum=check_integer("stop_at_maximum", self.stop_at_maximum, 1))


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

    def update(
        self,
        regret: Mapping[str, PerSeed],
        scales: Mapping[str, float] | None = None,
        agents: Iterable[str] | None = None,
        iterations: int = 1,
    ) -> None:
        """Move every λ_i by its agent's violation.

        Args:
            regret: estimated, payoff per step; a number or one per seed.
            scales: agents' payoffs in which violations are counted; None counts in single payoffs.
            agents: whose λ moves; None: everybody's.
            iterations: outer iterations for which a violation stands; the integral moves as far as in so many updates.
        """
        config = self.config
        step_size = config.step_size * iterations
        for agent in self.epsilon if agents is None else agents:
            epsilon = self.epsilon[agent]
            violation = (np.asarray(regret[agent]) - epsilon) / (1.0 if scales is None else scales[agent])
            rise = np.maximum(0.0, violation - self._violation.get(agent, violation))
            control = config.proportional * violation + config.derivative * rise
            integral = self.integral[agent] + step_size * violation
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

    def load_state(self, state: Mapping[str, Mapping[str, Any]], num_seeds: int) -> None:
        """Go on from `state()`; ValueError for other agents, or numbers that it cannot have written.

        Args:
            state: JSON types.
            num_seeds: seeds that are trained in one batch; with several there is a λ for each.
        """
        names = {"integral", "values", "violation"}
        if state.keys() != names or any(part.keys() - self.epsilon.keys() for part in state.values()):
            raise ValueError(f"multipliers: {sorted(names)} of {sorted(self.epsilon)} are needed.")
        if any(state[name].keys() != self.epsilon.keys() for name in ("integral", "values")):
            raise ValueError(f"multipliers: λ of {sorted(self.epsilon)} is needed, got {sorted(state['values'])}.")
        per_seed = () if num_seeds == 1 else (num_seeds,)
        for name, part in state.items():
            for agent, value in part.items():
                numbers = np.asarray(value)
                shape = per_seed if agent in state["violation"] else ()  # λ_0 is one number for all
                if numbers.shape != shape:
                    raise ValueError(f"multipliers: {name} of {agent!r} must have shape {shape}, got {numbers.shape}.")
                inside = name == "violation" or bool(np.all((numbers >= 0) & (numbers <= self.config.maximum)))
                if numbers.dtype.kind != "f" or not np.isfinite(numbers).all() or not inside:
                    raise ValueError(f"multipliers: {name} of {agent!r} is no λ, nor its violation: {value!r}.")
        self.integral = {agent: np.asarray(value) for agent, value in state["integral"].items()}
        self.values = {agent: np.asarray(v) if isinstance(v, list) else v for agent, v in state["values"].items()}
        self._violation = {agent: np.asarray(value) for agent, value in state["violation"].items()}
