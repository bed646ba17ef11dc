"""Taxes of our economies in the form of a recording."""

from typing import Any

from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.saez import SaezState
from ermas_envs.games.taxation.state import Taxes
from ermas_envs.games.taxation.taxes import SAEZ, TaxParameters, effective_rate
from ermas_envs.replay.metrics import ELASTICITY


def plain(value: Any) -> Any:
    """An array, or a number of it, as lists and numbers of Python."""
    return value.tolist()


class TaxRecorder:
    """Writes down schedules and collections of one replica.

    Args:
        parameters: of the component.
    """

    def __init__(self, parameters: TaxParameters) -> None:
        self.parameters = parameters
        self._elasticity = 0.0  # before the last estimate
        self._raw: list[float] = []  # the last random rates
        self._drawn = False  # whether this step draws them
        self._last: dict[str, Any] = {}

    def reset(self, taxes: Taxes, saez: SaezState) -> dict[str, Any]:
        """The schedule at the start of an episode."""
        if not self._last:
            self._elasticity, self._raw = float(saez.elasticity[0]), plain(taxes.rates[0])
        self._last = {}
        return {"cycle_pos": int(taxes.position[0]), **self._schedule(taxes, saez)}

    def before(self, taxes: Taxes, saez: SaezState) -> None:
        """To be called before every step."""
        if taxes.position[0] == 1:
            self._elasticity = float(saez.elasticity[0])
        self._drawn = taxes.position[0] == 1

    def step(self, taxes: Taxes, saez: SaezState, uniforms: FloatArray) -> dict[str, Any]:
        """Clock, and the schedule where it changed; `uniforms` are those of Saez's random rates."""
        if self._drawn:
            low, cap = self.parameters.rate_min, float(taxes.rate_cap[0])
            self._raw = plain(taxes.rates[0] if saez.ready[0] else low + (cap - low) * uniforms)
        found: dict[str, Any] = {"tax_pos": int(taxes.position[0])}
        schedule = self._schedule(taxes, saez)
        if schedule != self._last:
            found["tax"] = self._last = schedule
        return found

    def event(self, taxes: Taxes) -> dict[str, Any]:
        """The collection, if this step had one."""
        if not taxes.collected[0]:
            return {}
        found = {"schedule": plain(taxes.rates[0]), "cutoffs": plain(self.parameters.cutoffs)}
        for agent, (income, paid) in enumerate(
            zip(plain(taxes.last_income[0]), plain(taxes.last_paid[0]), strict=True)
        ):
            found[str(agent)] = {
                "income": income,
                "tax_paid": paid,
                "marginal_rate": plain(taxes.last_marginal_rate[0, agent]),
                "effective_rate": effective_rate(income, paid),
                "lump_sum": plain(taxes.last_lump_sum[0]),
            }
        return {"tax": found}

    def metrics(self, named: dict[str, float]) -> dict[str, float]:
        """What the original reports instead of some of our metrics."""
        return {ELASTICITY: self._elasticity} if ELASTICITY in named else {}

    def _schedule(self, taxes: Taxes, saez: SaezState) -> dict[str, Any]:
        found: dict[str, Any] = {
            "rates": plain(taxes.rates[0]),
            "rate_idx": plain(taxes.rate_index[0]),
            "rate_max": plain(taxes.rate_cap[0]),
        }
        if self.parameters.setter == SAEZ:
            found["saez"] = {
                "elas_tm1": self._elasticity,
                "elas_t": plain(saez.elasticity[0]),
                "log_z0_t": plain(saez.log_z0[0]),
                "running_avg": plain(saez.average_rates[0]),
                "formula_active": bool(saez.ready[0]),
                "raw_rates": self._raw,
            }
        return found
