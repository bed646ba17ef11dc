"""What a user can set in both economies (SPEC sections 10 and 11), and how components are read from data."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ermas_envs.base.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_magnitude,
    check_mapping,
    check_number,
    check_positive,
    check_sequence,
    keep,
    unknown_name,
)
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.ranges import LARGEST_AMOUNT, LARGEST_BRACKETS, LARGEST_ETA, LARGEST_STEPS
from ermas_envs.games.taxation.tax_schedule import bracket_cutoffs

Options = TypeVar("Options")


OBSERVATIONS = ("original", "compact")


@dataclass(frozen=True)
class PeriodicBracketTax:
    """Income taxes by brackets, collected every period and redistributed (SPEC 11). Who sets the rates is the planner's
    matter: the argument `planner` of the environment."""

    disable_taxes: bool = False
    """True: all rates are zero, and the planner has no actions."""
    period: int = 100
    """Steps between two collections."""
    rate_min: float = 0.0
    """Smallest rate, in [0, 1]."""
    rate_max: float = 1.0
    """Largest rate, in [0, 1]; the planner's actions reach it only where the steps of rate_disc, as rounded, do."""
    rate_disc: float = 0.05
    """Distance of the rates that the planner's actions choose from (`tax_schedule.discretised_rates`)."""
    n_brackets: int = 5
    """Brackets of the spacings linear and log; us-federal has 7."""
    top_bracket_cutoff: float = 100.0
    """Income, in coin, where the top bracket begins; linear and log only."""
    usd_scaling: float = 1000.0
    """Dollars in a coin, of the cutoffs of us-federal."""
    bracket_spacing: str = "us-federal"
    """us-federal, linear or log."""
    tax_annealing_schedule: Sequence[float] | None = None
    """[w, s]: annealed maximum of the rates, clip(s · (episode − w), 0, 1) · rate_max; None: no annealing. It caps the
    rates of tax planners; of the planner's actions only the masks know it."""

    @property
    def cutoffs(self) -> FloatArray:
        """(B,) coin at which the brackets begin."""
        return bracket_cutoffs(self.bracket_spacing, self.n_brackets, self.top_bracket_cutoff, self.usd_scaling)

    def __post_init__(self) -> None:
        """ValueError naming the option."""
        what = "PeriodicBracketTax"
        low = check_number(f"{what}: rate_min", self.rate_min, 0.0, 1.0)
        keep(
            self,
            disable_taxes=check_flag(f"{what}: disable_taxes", self.disable_taxes),
            period=check_integer(f"{what}: period", self.period, 1, LARGEST_STEPS),
            rate_min=low,
            rate_max=check_number(f"{what}: rate_max", self.rate_max, low, 1.0),
            rate_disc=check_number(f"{what}: rate_disc", self.rate_disc, 1e-6, 1.0),
            n_brackets=check_integer(f"{what}: n_brackets", self.n_brackets, 2, LARGEST_BRACKETS),
            top_bracket_cutoff=check_positive(f"{what}: top_bracket_cutoff", self.top_bracket_cutoff),
            usd_scaling=check_positive(f"{what}: usd_scaling", self.usd_scaling),
        )
        if self.tax_annealing_schedule is not None:
            name = "PeriodicBracketTax: tax_annealing_schedule"
            values = check_sequence(name, self.tax_annealing_schedule, "[warm-up episodes, slope]")
            if len(values) != 2:
                raise ValueError(f"{name} must be [warm-up episodes, slope], got {len(values)} numbers.")
            keep(self, tax_annealing_schedule=tuple(check_magnitude(name, value, LARGEST_AMOUNT) for value in values))


def risk_aversions(given: float | Sequence[float] | FloatArray, num_agents: int) -> tuple[float, ...]:
    """η of each agent from a number, or one per agent; ValueError naming isoelastic_eta unless all are in [0, 30]."""
    values: tuple[Any, ...] = (given,) * num_agents
    if isinstance(given, (Sequence, np.ndarray)) and np.iterable(given) and not isinstance(given, (str, bytes)):
        values = tuple(given)
    if len(values) != num_agents:
        raise ValueError(f"isoelastic_eta must be a number or {num_agents} numbers, got {len(values)}.")
    return tuple(check_number("isoelastic_eta", value, 0.0, LARGEST_ETA) for value in values)


def checked_risk_aversion(given: float | Sequence[float] | FloatArray, num_agents: int) -> float | tuple[float, ...]:
    """`given` in plain numbers: one for all agents, or one per agent; ValueError as in `risk_aversions`."""
    values = risk_aversions(given, num_agents)
    return values if np.iterable(given) else values[0]


def checked_compatibility(given: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The names of the original's defects that are to be reproduced; ValueError for an unknown one."""
    names = check_sequence("compatibility", given, "('stale_first_rates',)")
    return tuple(check_choice("compatibility", name, known) for name in names)


def as_component(given: Any, kinds: Mapping[str, type[Any]]) -> Any:
    """A component of one of these kinds from an object, a name, (name, options) or {name: options}.

    Raises:
        ValueError: unknown component or option (with the nearest match), or an option out of range.
    """
    if isinstance(given, tuple(kinds.values())):
        return given
    if isinstance(given, str):
        given = (given, {})
    elif isinstance(given, Mapping) and len(given) == 1:
        given = next(iter(given.items()))
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise ValueError(f"components: each is a name or {{name: options}}, got {given!r}.")
    name, options = given
    kind = kinds[check_choice("components", name, kinds)]
    return from_options(kind, {} if options is None else options, name)


def as_components(given: Any, kinds: Mapping[str, type[Any]], defaults: Sequence[Any], example: str) -> tuple[Any, ...]:
    """Components from a list of them; or the default ones, with other options where a mapping {name: options} says so.

    Args:
        given: the list, or the mapping.
        kinds: of a list, by name.
        defaults: one of each kind at most.
        example: a list, for the message.

    Raises:
        ValueError: see `as_component`; a name in the mapping that is no default component's.
    """
    if not isinstance(given, Mapping):
        return tuple(as_component(one, kinds) for one in check_sequence("components", given, example))
    changed = {type(component).__name__: component for component in defaults}
    for name, options in given.items():
        component = changed[check_choice("components", name, changed)]
        changed[name] = from_options(type(component), {**vars(component), **check_mapping(name, options)}, name)
    return tuple(changed.values())


def from_options(kind: type[Options], options: Mapping[str, Any], what: str) -> Options:
    """A dataclass from a mapping of its fields; ValueError with the nearest match for an unknown one."""
    known = [option.name for option in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for option in check_mapping(what, options):
        if option not in known:
            raise unknown_name(f"{what}: option", option, known)
    return kind(**options)
