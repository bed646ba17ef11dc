"""Tax brackets: cutoffs, admissible rates, tax due and marginal rate, annealed maximum rate (SPEC §11).

Money is in coin, rates are fractions of income, bracket j covers incomes in [cutoffs[j], cutoffs[j + 1]), the last one
has no upper end. `cutoffs` and `rates` are float64 of shape (n_brackets,), cutoffs strictly ascending from 0.
Constructors are plain NumPy and check their arguments; functions marked `@compiled` trust theirs.
"""

import math
from collections.abc import Sequence

import numpy as np

from ermas_envs.base.arguments import check_choice, check_integer, check_number, check_positive
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.taxation.ranges import LARGEST_CUTOFF, SMALLEST_CUTOFF
from ermas_envs.kernels.compiled import compiled

SPACINGS = ("us-federal", "linear", "log")
# Single filers, tax year 2019 thresholds in USD; rates of the Tax Cuts and Jobs Act of 2017, in force from 2018.
US_FEDERAL_CUTOFFS_USD = (0.0, 9700.0, 39475.0, 84200.0, 160725.0, 204100.0, 510300.0)
US_FEDERAL_2018_RATES = (0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37)
# (warm-up, slope) with which `annealed_cap` is always the maximum rate: it never has to ask whether to anneal.
NO_ANNEALING = (-math.inf, 1.0)


def bracket_cutoffs(
    spacing: str = "us-federal",
    n_brackets: int = 5,
    top_bracket_cutoff: float = 100.0,
    usd_scaling: float = 1000.0,
) -> FloatArray:
    """Lower ends of the tax brackets in coin, float64 (n_brackets,), ascending from 0 (SPEC §11, Brackets).

    Args:
        spacing: "us-federal" (7 brackets of USD thresholds / `usd_scaling`), "linear" or "log".
        n_brackets: number of brackets, at least 2; "linear" and "log" only.
        top_bracket_cutoff: start of the last bracket in coin, positive; "linear" and "log" only.
        usd_scaling: USD per coin, positive; "us-federal" only.
    """
    check_choice("bracket_spacing", spacing, SPACINGS)
    with np.errstate(all="ignore"):  # `check_cutoffs` finds what overflows
        if spacing == "us-federal":
            cutoffs = np.array(US_FEDERAL_CUTOFFS_USD) / check_positive("usd_scaling", usd_scaling)
            return check_cutoffs("usd_scaling", cutoffs)
        count = check_integer("n_brackets", n_brackets, 2)
        top = check_positive("top_bracket_cutoff", top_bracket_cutoff)
        cutoffs = np.linspace(0.0, top, count)
        if spacing == "log":
            # Through logarithms, though doubling would be exact: whether an income of exactly 20 coin reaches the
            # bracket from 20 depends on the cutoff's last bit, and is to agree with the recorded trajectories. By
            # Python's own functions: the last bit of NumPy's depends on the processor.
            lowest = top / float(np.ldexp(1.0, count - 2))
            exponents = np.linspace(math.log2(lowest) if lowest > 0 else -math.inf, math.log2(top), count - 1)
            cutoffs[1:] = [2.0**exponent for exponent in exponents.tolist()]
    return check_cutoffs("n_brackets and top_bracket_cutoff", cutoffs)


def check_cutoffs(argument: str, cutoffs: Sequence[float] | FloatArray) -> FloatArray:
    """`cutoffs` as float64 (n_brackets,); ValueError naming `argument` unless ascending from 0 and in range."""
    values = np.array(cutoffs, dtype=np.float64)
    shown = np.array2string(values, threshold=16)
    if values.ndim != 1 or len(values) < 2 or not np.all(np.isfinite(values)):
        raise ValueError(f"{argument} must give at least 2 finite bracket cutoffs, got {shown}.")
    if values[0] != 0.0 or not np.all(np.diff(values) > 0.0):
        raise ValueError(f"{argument} must give bracket cutoffs strictly ascending from 0, got {shown}.")
    if values[1] < SMALLEST_CUTOFF or values[-1] > LARGEST_CUTOFF:
        allowed = f"from {SMALLEST_CUTOFF:g} to {LARGEST_CUTOFF:g} coin"
        raise ValueError(f"{argument} must give bracket cutoffs {allowed} after the first, got {shown}.")
    return values


def discretised_rates(rate_min: float = 0.0, rate_max: float = 1.0, rate_disc: float = 0.05) -> FloatArray:
    """Rates a planner can choose, float64 (n_rates,): rate_min, rate_min + rate_disc, … up to rate_max (SPEC §11).

    The values are those of `numpy.arange`, as in the original, rounding included (0.15000000000000002): masks compare
    them with the annealed maximum, and one that rounds to above rate_max is left out (0.1 · 3 under a rate_max of 0.3).
    """
    low, high = check_rate_range(rate_min, rate_max)
    step = check_positive("rate_disc", rate_disc)
    if (high - low) / step > 1e6:
        raise ValueError(f"rate_disc must leave at most 1e6 rates in [{low:g}, {high:g}], got {rate_disc!r}.")
    rates = np.arange(low, high + step, step, dtype=np.float64)
    return rates[rates <= high]


def check_rate_range(rate_min: float, rate_max: float) -> tuple[float, float]:
    """The two rates as floats; ValueError naming the argument unless 0 <= rate_min <= rate_max <= 1."""
    low = check_number("rate_min", rate_min, 0.0, 1.0)
    high = check_number("rate_max", rate_max, 0.0, 1.0)
    if low > high:
        raise ValueError(f"rate_min must be <= rate_max = {high:g}, got {low!r}.")
    return low, high


def check_bracket_rates(argument: str, rates: Sequence[float] | FloatArray, n_brackets: int) -> FloatArray:
    """`rates` as float64 (n_brackets,); ValueError naming `argument` unless one rate in [0, 1] per bracket."""
    if isinstance(rates, (str, bytes)) or not np.iterable(rates):
        raise ValueError(f"{argument} must be a list of {n_brackets} rates, one per bracket, got {rates!r}.")
    values = list(rates)
    if len(values) != n_brackets:
        raise ValueError(f"{argument} must hold one rate per bracket, that is {n_brackets}, got {len(values)}.")
    checked = [check_number(f"{argument}[{bracket}]", value, 0.0, 1.0) for bracket, value in enumerate(values)]
    return np.array(checked, dtype=np.float64)


def check_annealing(schedule: Sequence[float] | None) -> tuple[float, float]:
    """(warm-up in episodes, slope per episode) of `tax_annealing_schedule`; `NO_ANNEALING` for None."""
    if schedule is None:
        return NO_ANNEALING
    if isinstance(schedule, str) or not np.iterable(schedule) or len(schedule) != 2:
        raise ValueError(f"tax_annealing_schedule must be None or [warm-up, slope], got {schedule!r}.")
    warmup = check_number("tax_annealing_schedule[0]", schedule[0])
    return warmup, check_number("tax_annealing_schedule[1]", schedule[1])


def annealed_maximum(completions: int, schedule: Sequence[float] | None, rate_max: float) -> float:
    """`annealed_cap` for a user's schedule [warm-up, slope] or None; checks its arguments."""
    warmup, slope = check_annealing(schedule)
    episodes = check_integer("completions", completions, 0)
    return float(annealed_cap(episodes, warmup, slope, check_number("rate_max", rate_max, 0.0, 1.0)))


@compiled
def annealed_cap(completions: int, warmup: float, slope: float, rate_max: float) -> float:
    """Highest rate allowed after `completions` episodes: clip(slope · (completions − warmup), 0, 1) · rate_max."""
    return min(max(slope * (completions - warmup), 0.0), 1.0) * rate_max


@compiled
def bracket_of(income: float, cutoffs: FloatArray) -> int:
    """Index of the bracket that holds `income`; 0 for negative incomes."""
    bracket = 0
    for upper in range(1, len(cutoffs)):  # all of them: an early exit is a branch that the processor guesses wrongly
        bracket += income >= cutoffs[upper]
    return bracket


@compiled
def marginal_rate(income: float, cutoffs: FloatArray, rates: FloatArray) -> float:
    """Rate of the bracket that holds `income`; 0 if it is negative (an income of 0 has the first bracket's rate)."""
    if income < 0.0:
        return 0.0
    return float(rates[bracket_of(income, cutoffs)])


@compiled
def tax_due(income: float, cutoffs: FloatArray, rates: FloatArray) -> float:
    """Tax in coin: Σ_j rates[j] · min(size_j, max(0, income − cutoffs[j])); 0 if income <= 0 (SPEC §11, Collection)."""
    due = 0.0
    last = len(cutoffs) - 1
    for bracket in range(last + 1):
        inside = income - cutoffs[bracket]
        if inside <= 0.0:
            break
        if bracket < last:
            inside = min(inside, cutoffs[bracket + 1] - cutoffs[bracket])
        due += rates[bracket] * inside
    return due
