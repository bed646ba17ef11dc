"""Saez's optimal tax rates from a buffer of (income, marginal rate) samples (SPEC §12; Saez 2001, Zheng et al. 2022).

In this order per period: `saez_is_ready`, then `random_rates` while too few samples are known, else `saez_rates`, which
runs the stages `estimate_elasticity`, `bin_population`, `relative_weights`, `pareto_parameters`, `bin_rates`,
`bracket_rates` and moves the running average; after every collection `append` once per agent.

Money is in coin, rates are fractions. There are K equal bins on [0, top cutoff] and an open one above it, so that
arrays over bins have K + 1 entries. Kernels allocate nothing: these arrays are rows of a `work_array`, one per thread.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ermas_envs.base.arguments import check_choice, check_integer, check_number
from ermas_envs.base.arrays import BoolArray, FloatArray, IntArray
from ermas_envs.kernels.compiled import compiled

WEIGHT_TYPES = ("inverse_income", "uniform")
INVERSE_INCOME, UNIFORM = 0, 1
INCOME, MARGINAL_RATE = 0, 1
"""Columns of a sample."""
MASS, WEIGHT, G, A, RATE = range(5)
"""Rows of a work array: probability, density of Pareto weight, g(z), a(z), marginal rate per bin."""

START_ELASTICITY = 0.5
MINIMUM_SAMPLES = 10
MINIMUM_SPREAD = 1e-6
AVERAGE_DECAY = 0.99
GUARD = 1e-9
"""Added to every denominator, as the simulator does; part of the golden numbers."""


class SaezParameters(NamedTuple):
    """Options of the formula; scalars, so that a kernel takes it as it is. Made by `saez_parameters`."""

    buffer_size: int
    """Samples a replica keeps, and from how many on the formula replaces random rates."""
    n_bins: int
    """K, the number of equal bins."""
    smoothing: float
    """Share of the old elasticity in the new one."""
    weight_type: int
    """`INVERSE_INCOME` or `UNIFORM` Pareto weights."""
    fixed_elasticity: float
    """Elasticity the formula uses; NaN for the estimate."""
    rate_min: float
    """Lowest rate of a bracket."""


class SaezState(NamedTuple):
    """Samples and running estimates of R replicas; they outlive episodes. Made by `saez_state`."""

    buffer: FloatArray
    """(R, P + buffer_size, 2): income, marginal rate. P pinned samples (`fill_buffer`), then the replica's ring."""
    available: IntArray
    """(R,) valid rows of the buffer, pinned ones included; they are the first ones."""
    seen: IntArray
    """(R,) samples ever appended."""
    pinned: IntArray
    """(R,) P, the rows that `append` never overwrites."""
    ready: BoolArray
    """(R,) whether the formula has been in use; once it is, it stays."""
    elasticity: FloatArray
    """(R,) smoothed estimate."""
    log_z0: FloatArray
    """(R,) intercept of the last regression, ln coin."""
    average_rates: FloatArray
    """(R, n_brackets) running average of the formula's rates; the rates in force at a reset."""


def saez_parameters(
    buffer_size: int = 500,
    n_bins: int = 100,
    smoothing: float = 0.98,
    pareto_weight_type: str = "inverse_income",
    saez_fixed_elas: float | None = None,
    rate_min: float = 0.0,
) -> SaezParameters:
    """Checked `SaezParameters`; the defaults are the original's (SPEC §18)."""
    code = WEIGHT_TYPES.index(check_choice("pareto_weight_type", pareto_weight_type, WEIGHT_TYPES))
    fixed = math.nan if saez_fixed_elas is None else check_number("saez_fixed_elas", saez_fixed_elas, 0.0)
    return SaezParameters(
        check_integer("buffer_size", buffer_size, 1),
        check_integer("n_bins", n_bins, 1),
        check_number("smoothing", smoothing, 0.0, 1.0),
        code,
        fixed,
        check_number("rate_min", rate_min, 0.0, 1.0),
    )


def saez_state(num_envs: int, n_brackets: int, parameters: SaezParameters) -> SaezState:
    """State without samples: elasticity 0.5, everything else 0."""
    return SaezState(
        buffer=np.zeros((num_envs, parameters.buffer_size, 2)),
        available=np.zeros(num_envs, np.int64),
        seen=np.zeros(num_envs, np.int64),
        pinned=np.zeros(num_envs, np.int64),
        ready=np.zeros(num_envs, np.bool_),
        elasticity=np.full(num_envs, START_ELASTICITY),
        log_z0=np.zeros(num_envs),
        average_rates=np.zeros((num_envs, n_brackets)),
    )


def work_array(parameters: SaezParameters) -> FloatArray:
    """Room for the arrays over bins: float64 (5, n_bins + 1), rows `MASS` … `RATE`."""
    return np.zeros((5, parameters.n_bins + 1))


def fill_buffer(state: SaezState, samples: FloatArray | Sequence[Sequence[float]]) -> SaezState:
    """A copy with `samples` pinned in front of every replica's own: the original's global buffer (SPEC §12).

    Pinned samples count as available and are never overwritten; those of an earlier call are replaced. A replica's own
    samples stay in use beside them, as they do in the original after its first synchronisation.

    Args:
        state: as made by `saez_state`.
        samples: (P, 2) income in coin, marginal rate; `own_samples` gives those of all replicas, (0, 2) pins none.
    """
    pairs = np.array(samples, dtype=np.float64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.all(np.isfinite(pairs)):
        raise ValueError(f"samples must be finite pairs (income, marginal rate), got an array of shape {pairs.shape}.")
    if np.any((pairs[:, MARGINAL_RATE] < 0.0) | (pairs[:, MARGINAL_RATE] > 1.0)):
        raise ValueError("samples must have marginal rates in [0, 1].")
    own = state.buffer[:, int(state.pinned[0]) :]
    front = np.broadcast_to(pairs, (len(own), *pairs.shape))
    return SaezState._make(array.copy() for array in state)._replace(
        buffer=np.concatenate((front, own), axis=1),
        available=state.available - state.pinned + len(pairs),
        pinned=np.full_like(state.pinned, len(pairs)),
    )


def own_samples(state: SaezState) -> FloatArray:
    """Samples that the replicas made themselves and still hold, (N, 2), replica after replica."""
    rows = [state.buffer[i, state.pinned[i] : state.available[i]] for i in range(len(state.available))]
    return np.concatenate(rows)


@compiled
def append(state: SaezState, replica: int, income: float, marginal: float) -> None:
    """Add a sample; a full ring forgets its oldest one. All incomes count, negative ones too."""
    pinned = state.pinned[replica]
    size = state.buffer.shape[1] - pinned
    row = pinned + state.seen[replica] % size
    state.buffer[replica, row, INCOME] = income
    state.buffer[replica, row, MARGINAL_RATE] = marginal
    state.seen[replica] += 1
    state.available[replica] = pinned + min(state.seen[replica], size)


@compiled
def saez_is_ready(state: SaezState, replica: int, parameters: SaezParameters) -> bool:
    """Whether the formula is to be used; True for good once `buffer_size` samples were available at a call."""
    if state.available[replica] >= parameters.buffer_size:
        state.ready[replica] = True
    return bool(state.ready[replica])


@compiled
def random_rates(uniforms: FloatArray, rate_min: float, cap: float, out: FloatArray) -> None:
    """Rates of a period before the formula is ready: U(rate_min, cap) into out (n_brackets,), by as many uniforms."""
    for bracket in range(len(out)):
        out[bracket] = rate_min + (cap - rate_min) * uniforms[bracket]


@compiled
def saez_rates(
    state: SaezState,
    replica: int,
    parameters: SaezParameters,
    cutoffs: FloatArray,
    cap: float,
    work: FloatArray,
    out: FloatArray,
) -> None:
    """Rates of a period from a replica's samples (at least one) into out (n_brackets,), within [rate_min, cap].

    Updates the elasticity, its intercept and the running average. `cutoffs` (n_brackets,) coin, `cap` the (annealed)
    largest rate, `work` as made by `work_array`.
    """
    samples, count = state.buffer[replica], state.available[replica]
    elasticity, log_z0 = estimate_elasticity(
        samples, count, state.elasticity[replica], state.log_z0[replica], parameters.smoothing
    )
    state.elasticity[replica], state.log_z0[replica] = elasticity, log_z0
    if not math.isnan(parameters.fixed_elasticity):
        elasticity = parameters.fixed_elasticity
    top = cutoffs[-1]
    below, mean_above = bin_population(samples, count, top, parameters.weight_type, work[MASS], work[WEIGHT])
    relative_weights(work[MASS], work[WEIGHT], work[G])
    pareto_parameters(work[MASS], below, mean_above, top, work[A])
    bin_rates(work[G], work[A], elasticity, work[RATE])
    bracket_rates(work[RATE], cutoffs, parameters.rate_min, cap, out)
    for bracket in range(len(out)):
        old = state.average_rates[replica, bracket]
        state.average_rates[replica, bracket] = AVERAGE_DECAY * old + (1.0 - AVERAGE_DECAY) * out[bracket]


@compiled
def estimate_elasticity(
    samples: FloatArray, count: int, elasticity: float, log_z0: float, smoothing: float
) -> tuple[float, float]:
    """Smoothed elasticity of income to 1 − rate and the regression's intercept ln z0 (SPEC §12.1).

    Least squares of ln z on ln(1 − τ) over the samples[:count] with income z > 0 and rate τ < 1. The slope is floored
    at 0 and enters with weight 1 − smoothing; the intercept is that of the unfloored line. `elasticity` and `log_z0`
    are the old values, returned unchanged if there are too few samples or the rates hardly differ.
    """
    used, x_mean, y_mean, rate_mean = 0, 0.0, 0.0, 0.0
    for i in range(count):
        if samples[i, INCOME] > 0.0 and samples[i, MARGINAL_RATE] < 1.0:
            used += 1
            x_mean += math.log(1.0 - samples[i, MARGINAL_RATE])
            y_mean += math.log(samples[i, INCOME])
            rate_mean += samples[i, MARGINAL_RATE]
    if used < MINIMUM_SAMPLES:
        return elasticity, log_z0
    x_mean, y_mean, rate_mean = x_mean / used, y_mean / used, rate_mean / used
    # Centred sums: with raw ones the slope loses half its digits when rates are close together.
    xx, xy, rate_square = 0.0, 0.0, 0.0
    for i in range(count):
        if samples[i, INCOME] > 0.0 and samples[i, MARGINAL_RATE] < 1.0:
            x = math.log(1.0 - samples[i, MARGINAL_RATE]) - x_mean
            xx += x * x
            xy += x * (math.log(samples[i, INCOME]) - y_mean)
            from_mean = samples[i, MARGINAL_RATE] - rate_mean
            rate_square += from_mean * from_mean  # as Numba compiles a square; `pow` may have another last bit
    if math.sqrt(rate_square / used) < MINIMUM_SPREAD:
        return elasticity, log_z0
    slope = xy / xx
    return (1.0 - smoothing) * max(slope, 0.0) + smoothing * elasticity, y_mean - slope * x_mean


@compiled
def bin_population(
    samples: FloatArray, count: int, top: float, weight_type: int, mass: FloatArray, weights: FloatArray
) -> tuple[float, float]:
    """Share of the people and of Pareto weight per bin, of samples[:count] with count >= 1 (SPEC §12.2-3).

    Fills mass and weights (K + 1,); both are relative to everybody, people with negative income included. Returns the
    share of those and the mean income above the top cutoff `top`, 0 if there is none.
    """
    bins = len(mass) - 1
    below, above_income = 0, 0.0
    mass[:], weights[:] = 0.0, 0.0
    for i in range(count):
        income = samples[i, INCOME]
        if income < 0.0:
            below += 1
        elif income > top:
            mass[bins] += 1.0
            above_income += income
            weights[bins] += pareto_weight(income, weight_type)
        else:
            mass[bin_of(income, top, bins)] += 1.0
    mean_above = above_income / mass[bins] if mass[bins] > 0.0 else 0.0
    total = weights[bins] + below * pareto_weight(0.0, weight_type)
    for k in range(bins):
        weights[k] = mass[k] * pareto_weight((k + 0.5) * (top / bins), weight_type)
        total += weights[k]
    for k in range(bins + 1):
        mass[k] /= count
        weights[k] /= total + GUARD
    return below / count, mean_above


@compiled
def pareto_weight(income: float, weight_type: int) -> float:
    """Social weight of a person with `income` coin: 1/max(1, income), or 1 for everybody."""
    return 1.0 / max(1.0, income) if weight_type == INVERSE_INCOME else 1.0


@compiled
def bin_of(income: float, top: float, bins: int) -> int:
    """Bin of an income in [0, top]: edge_k <= income < edge_{k+1} with edge_k = k · (top / bins); top in the last."""
    width = top / bins
    k = min(int(income / width), bins - 1)
    # The quotient may round across an edge; the edges decide.
    if income < k * width:
        k -= 1
    elif k < bins - 1 and income >= (k + 1) * width:
        k += 1
    return k


@compiled
def relative_weights(mass: FloatArray, weights: FloatArray, g: FloatArray) -> None:
    """g(z) into g (K + 1,): weight of the people above z relative to their number (SPEC §12.3).

    With G_k = weight in bins >= k over mass in bins >= k, g_k is the mean of G_k and G_{k+1}, and G_k for the open bin.
    """
    last = len(mass) - 1
    mass_above, weight_above = mass[last], weights[last]
    upper = weight_above / (mass_above + GUARD)
    g[last] = upper
    for k in range(last - 1, -1, -1):
        mass_above += mass[k]
        weight_above += weights[k]
        lower = weight_above / (mass_above + GUARD)
        g[k] = 0.5 * (lower + upper)
        upper = lower


@compiled
def pareto_parameters(mass: FloatArray, below: float, mean_above: float, top: float, a: FloatArray) -> None:
    """a(z) into a (K + 1,): local Pareto parameter of the income distribution, NaN where nobody is (SPEC §12.4).

    `below` is the share of people with negative income, `mean_above` the mean income above the cutoff `top` (0: none).
    """
    last = len(mass) - 1
    cumulative = below
    for k in range(last):
        cumulative = min(cumulative + mass[k], 1.0)
        above = min(max(1.0 - cumulative + 0.5 * mass[k], 0.0), 1.0)
        # A bin's middle over its width is k + 1/2.
        a[k] = (k + 0.5) * mass[k] / (above + GUARD) if mass[k] > 0.0 else math.nan
    a[last] = mean_above / (mean_above - top + GUARD) if mean_above > 0.0 else 0.0


@compiled
def bin_rates(g: FloatArray, a: FloatArray, elasticity: float, rates: FloatArray) -> None:
    """τ = (1 − g)/(1 − g + a·e) into rates (K + 1,); bins with a = NaN are interpolated (SPEC §12.5)."""
    for k in range(len(g)):
        rates[k] = (1.0 - g[k]) / (1.0 - g[k] + a[k] * elasticity + GUARD)
    fill_gaps(rates)


@compiled
def fill_gaps(rates: FloatArray) -> None:
    """Replace NaNs by the straight line between the neighbouring values; a leading gap starts from 0."""
    before, last_rate = -1, 0.0
    for k in range(len(rates)):
        if math.isnan(rates[k]):
            continue
        for gap in range(before + 1, k):
            rates[gap] = last_rate + (rates[k] - last_rate) * (gap - before) / (k - before)
        before, last_rate = k, rates[k]


@compiled
def bracket_rates(rates: FloatArray, cutoffs: FloatArray, rate_min: float, cap: float, out: FloatArray) -> None:
    """Mean marginal rate of each bracket into out (n_brackets,), within [rate_min, cap] (SPEC §12.6).

    `rates` (K + 1,) per bin, the last one for incomes above the top cutoff.
    """
    last = len(cutoffs) - 1
    lower = 0.0
    for bracket in range(last):
        upper = cumulative_tax(cutoffs[bracket + 1], rates, cutoffs[last])
        out[bracket] = (upper - lower) / (cutoffs[bracket + 1] - cutoffs[bracket])
        lower = upper
    out[last] = rates[-1]
    for bracket in range(last + 1):
        out[bracket] = min(max(out[bracket], rate_min), cap)


@compiled
def cumulative_tax(income: float, rates: FloatArray, top: float) -> float:
    """Tax on an income in [0, top] with the marginal rates of the bins, at least 0."""
    bins = len(rates) - 1
    width = top / bins
    tax = 0.0
    for k in range(bins):
        inside = income - k * width
        if inside <= 0.0:
            break
        tax += rates[k] * min(inside, width)
    return max(tax, 0.0)
