"""Saez's rates (SPEC §12): closed forms, properties, parity with the simulator's recorded stages and trajectories.

Recorded numbers lie beside the repository, in shared/economy/goldens; tests of them are skipped where they are absent.
"""

import math
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest
from helpers.goldens import golden
from hypothesis import given
from hypothesis import strategies as st
from numba.core.runtime import _nrt_python, rtsys

from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.games.taxation import saez
from ermas_envs.games.taxation.tax_schedule import bracket_cutoffs

RELATIVE = 1e-9
CUTOFFS = bracket_cutoffs()
TOP = float(CUTOFFS[-1])
SMALL = saez.saez_parameters(buffer_size=4)


def with_nan(values: list[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values])


def random_samples(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack((rng.lognormal(3.5, 1.2, count) - 5.0, rng.random(count)), axis=1)


def rates_of(samples: np.ndarray, parameters: saez.SaezParameters, cap: float = 1.0) -> np.ndarray:
    state = saez.fill_buffer(saez.saez_state(1, len(CUTOFFS), parameters), samples)
    out = np.empty(len(CUTOFFS))
    saez.saez_rates(state, 0, parameters, CUTOFFS, cap, saez.work_array(parameters), out)
    return out


def test_golden_stages() -> None:
    for case in golden("u2_saez_stages")["cases"]:
        parameters = saez.saez_parameters(pareto_weight_type=case["weight"])
        samples, cutoffs, work = np.array(case["buffer"]), np.array(case["cutoffs"]), saez.work_array(parameters)
        top, rates = cutoffs[-1], np.empty(len(cutoffs))
        np.testing.assert_allclose(np.arange(101) * (top / 100), case["bin_edges"], rtol=1e-15)
        old = case["elas_prev"], case["log_z0_prev"]
        elasticity, log_z0 = saez.estimate_elasticity(samples, len(samples), *old, parameters.smoothing)
        assert (elasticity, log_z0) == pytest.approx((case["elas"], case["log_z0"]), rel=RELATIVE, abs=0.0)
        mass, weights, g, a, tau = work
        below, above = saez.bin_population(samples, len(samples), top, parameters.weight_type, mass, weights)
        saez.relative_weights(mass, weights, g)
        saez.pareto_parameters(mass, below, above, top, a)
        saez.bin_rates(g, a, elasticity, tau)
        saez.bracket_rates(tau, cutoffs, 0.0, 1.0, rates)
        for values, recorded in ((g, "g"), (a, "a"), (tau, "bin_rates"), (rates, "bracket_rates"), (rates, "clipped")):
            np.testing.assert_allclose(values, with_nan(case[recorded]), rtol=RELATIVE, atol=0.0, err_msg=recorded)


def test_golden_rates_in_one_call() -> None:
    for case in golden("u2_saez_stages")["cases"]:
        parameters = saez.saez_parameters(pareto_weight_type=case["weight"])
        cutoffs = np.array(case["cutoffs"])
        state = saez.fill_buffer(saez.saez_state(2, len(cutoffs), parameters), case["buffer"])
        state.elasticity[:], state.log_z0[:] = case["elas_prev"], case["log_z0_prev"]
        rates = np.empty(len(cutoffs))
        saez.saez_rates(state, 1, parameters, cutoffs, 1.0, saez.work_array(parameters), rates)
        np.testing.assert_allclose(rates, case["clipped"], rtol=RELATIVE, atol=0.0)
        np.testing.assert_allclose(state.average_rates[1], 0.01 * rates, rtol=1e-12)
        np.testing.assert_allclose(state.elasticity, [case["elas_prev"], case["elas"]], rtol=RELATIVE)


def periods(data: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Of every tax period in a trajectory: the record of its first step, its collection's event."""
    for episode in data["episodes"]:
        record = episode["initial"]["tax"]
        first, starts = record, True
        for step in episode["steps"]:
            record = step.get("tax", record)  # recorded where it changes
            first = record if starts else first
            starts = step["tax_pos"] == 1
            if starts:
                event = step["events"]["tax"]
                yield first, event[0] if isinstance(event, list) else event


@pytest.mark.parametrize("name", ["e1_saez_estimated", "g3_one_step_saez_100agents"])
def test_golden_trajectories(name: str) -> None:
    data = golden(name)
    agents, parameters = data["config"]["n_agents"], saez.saez_parameters()
    state, work, rates = saez.saez_state(1, 7, parameters), saez.work_array(parameters), np.empty(7)
    formula_periods = 0
    for tax, collection in periods(data):
        record, ready = tax["saez"], saez.saez_is_ready(state, 0, parameters)
        assert (ready, state.available[0]) == (record["formula_active"], record["n_buf"])
        if ready:
            saez.saez_rates(state, 0, parameters, CUTOFFS, tax["rate_max"], work, rates)
            np.testing.assert_allclose(rates, tax["rates"], rtol=RELATIVE)
        formula_periods += ready
        estimate = state.elasticity[0], state.log_z0[0], *state.average_rates[0]
        np.testing.assert_allclose(estimate, [record["elas_t"], record["log_z0_t"], *record["running_avg"]], RELATIVE)
        for agent in range(agents):
            saez.append(state, 0, collection[str(agent)]["income"], collection[str(agent)]["marginal_rate"])
    assert formula_periods == (40 if name.startswith("e1") else 10)
    own, recorded = saez.own_samples(state), np.array(data["saez_local_buffer_final"])
    np.testing.assert_array_equal(np.sort(own, axis=0), np.sort(recorded, axis=0))


def test_append_is_a_ring_per_replica() -> None:
    state = saez.saez_state(2, 7, SMALL)
    for sample in range(6):
        saez.append(state, 1, float(sample), 0.1 * sample)
    assert state.available.tolist() == [0, 4]
    assert state.seen.tolist() == [0, 6]
    assert sorted(state.buffer[1, :, saez.INCOME]) == [2.0, 3.0, 4.0, 5.0]
    assert not state.buffer[0].any()


def test_formula_is_in_use_for_good_once_enough_samples_were_available() -> None:
    state = saez.saez_state(2, 7, SMALL)
    for sample in range(4):
        assert not saez.saez_is_ready(state, 0, SMALL)
        saez.append(state, 0, float(sample), 0.5)
    assert saez.saez_is_ready(state, 0, SMALL)
    state.available[0] = 1
    assert saez.saez_is_ready(state, 0, SMALL)
    assert not saez.saez_is_ready(state, 1, SMALL)


def test_pinned_samples_stay_beside_the_ring() -> None:
    state = saez.saez_state(2, 7, SMALL)
    saez.append(state, 1, 7.0, 0.5)
    filled = saez.fill_buffer(state, [(1.0, 0.1), (2.0, 0.2), (3.0, 0.3)])
    assert filled.available.tolist() == [3, 4]
    assert saez.saez_is_ready(filled, 1, SMALL)
    for sample in range(10):
        saez.append(filled, 1, 100.0 + sample, 0.5)
    assert filled.buffer[1, :3, saez.INCOME].tolist() == [1.0, 2.0, 3.0]
    assert sorted(filled.buffer[1, 3:, saez.INCOME]) == [106.0, 107.0, 108.0, 109.0]
    assert state.seen.tolist() == [0, 1]  # the old state is as it was
    again = saez.fill_buffer(filled, saez.own_samples(filled))
    assert again.available.tolist() == [4, 8]
    assert again.buffer.shape == (2, 8, 2)
    np.testing.assert_array_equal(saez.own_samples(again), saez.own_samples(filled))


@pytest.mark.parametrize(
    "samples", [[1.0, 2.0], [(1.0, 2.0, 3.0)], [(np.nan, 0.1)], [(1.0, 1.5)], [(1.0, -0.1)], np.zeros((2, 2, 2))]
)
def test_bad_samples(samples: Any) -> None:
    with pytest.raises(ValueError, match="samples must"):
        saez.fill_buffer(saez.saez_state(1, 7, SMALL), samples)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"buffer_size": 0}, "buffer_size"),
        ({"n_bins": 0}, "n_bins"),
        ({"smoothing": 1.5}, "smoothing"),
        ({"pareto_weight_type": "inverse"}, "pareto_weight_type.*Did you mean 'inverse_income'"),
        ({"saez_fixed_elas": -1.0}, "saez_fixed_elas"),
        ({"rate_min": 2.0}, "rate_min"),
    ],
)
def test_bad_parameters(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        saez.saez_parameters(**options)


@given(st.floats(-1.0, 3.0), st.floats(0.5, 5.0), st.floats(0.0, 0.99))
def test_elasticity_of_exact_power_laws(slope: float, log_z0: float, smoothing: float) -> None:
    rates = np.linspace(0.0, 0.95, 40)
    samples = np.stack((np.exp(log_z0) * (1.0 - rates) ** slope, rates), axis=1)
    unused = np.array([[0.0, 0.3], [-4.0, 0.3], [50.0, 1.0]])
    for used in (samples, np.concatenate((unused, samples))):
        elasticity, intercept = saez.estimate_elasticity(used, len(used), 0.5, 0.0, smoothing)
        assert elasticity == pytest.approx((1.0 - smoothing) * max(slope, 0.0) + smoothing * 0.5, rel=1e-9, abs=1e-12)
        assert intercept == pytest.approx(log_z0, rel=1e-9)


@pytest.mark.parametrize(
    "samples",
    [
        random_samples(0, 9),
        np.stack((np.arange(1.0, 31.0), np.full(30, 0.4)), axis=1),
        np.stack((np.arange(1.0, 31.0), 0.4 + 1e-8 * np.arange(30)), axis=1),
        np.stack((-np.arange(30.0), np.linspace(0.0, 1.0, 30)), axis=1),
    ],
    ids=["few", "equal rates", "hardly different rates", "no income"],
)
def test_elasticity_stays_where_it_cannot_be_estimated(samples: np.ndarray) -> None:
    assert saez.estimate_elasticity(samples, len(samples), 0.7, 2.5, 0.98) == (0.7, 2.5)


@given(st.sampled_from([510.3, 60.0, 100.0, 0.7]), st.integers(1, 120), st.integers(0, 120), st.floats(0.0, 1.0))
def test_bins_are_those_of_numpy_histogram(top: float, bins: int, edge: int, share: float) -> None:
    edges = np.linspace(0.0, top, bins + 1)
    at_edge = edges[min(edge, bins)]
    for income in (share * top, at_edge, np.nextafter(at_edge, 0.0), min(np.nextafter(at_edge, 1e9), top)):
        counts, _ = np.histogram([income], edges)
        assert counts[saez.bin_of(income, top, bins)] == 1


@given(st.integers(0, 10_000), st.integers(1, 200))
def test_population_adds_up(seed: int, count: int) -> None:
    samples, work = random_samples(seed, count), saez.work_array(SMALL)
    below, above = saez.bin_population(samples, count, TOP, saez.INVERSE_INCOME, work[0], work[1])
    assert below + work[saez.MASS].sum() == pytest.approx(1.0, rel=1e-12)
    incomes = samples[:, 0]
    assert below == np.mean(incomes < 0.0)
    assert above == pytest.approx(incomes[incomes > TOP].mean() if (incomes > TOP).any() else 0.0, rel=1e-12)
    saez.relative_weights(work[saez.MASS], work[saez.WEIGHT], work[saez.G])
    assert np.all((work[saez.G] >= 0.0) & (work[saez.G] <= 1.0))  # so that no rate is negative


@given(st.lists(st.one_of(st.floats(0.0, 1.0), st.just(math.nan)), max_size=30), st.floats(0.0, 1.0))
def test_gaps_are_interpolated_from_zero_before_the_first_bin(values: list[float], last: float) -> None:
    rates = np.array([*values, last])
    valid = np.flatnonzero(~np.isnan(rates))
    expected = np.interp(np.arange(len(rates)), np.r_[-1, valid], np.r_[0.0, rates[valid]])
    saez.fill_gaps(rates)
    np.testing.assert_allclose(rates, expected, atol=1e-14)


def test_bracket_rates_are_means_of_bin_rates() -> None:
    out, cutoffs = np.empty(3), np.array([0.0, 2.5, 10.0])
    rates = np.array([0.1, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.5, 0.5, 0.6, 0.9])
    saez.bracket_rates(rates, cutoffs, 0.0, 1.0, out)
    np.testing.assert_allclose(out, [0.5 / 2.5, (0.2 + 4 * 0.4 + 2 * 0.5 + 0.6) / 7.5, 0.9], rtol=1e-14)
    saez.bracket_rates(rates, cutoffs, 0.3, 0.8, out)
    np.testing.assert_allclose(out, [0.3, 3.4 / 7.5, 0.8], rtol=1e-14)
    saez.bracket_rates(np.full(11, 0.35), cutoffs, 0.0, 1.0, out)
    np.testing.assert_allclose(out, 0.35, rtol=1e-14)


@given(st.integers(0, 10_000), st.integers(1, 300), st.floats(0.0, 0.5), st.floats(0.5, 1.0))
def test_rates_lie_within_their_limits_whatever_the_samples(seed: int, count: int, low: float, cap: float) -> None:
    rates = rates_of(random_samples(seed, count), saez.saez_parameters(rate_min=low), cap)
    assert np.all((rates >= low) & (rates <= cap))


@given(st.integers(0, 10_000))
def test_rates_do_not_depend_on_the_order_of_samples(seed: int) -> None:
    samples, parameters = random_samples(seed, 120), saez.saez_parameters()
    np.testing.assert_allclose(rates_of(samples[::-1], parameters), rates_of(samples, parameters), rtol=1e-10)


def test_without_taste_for_equality_there_is_hardly_a_tax() -> None:
    samples = random_samples(3, 400)
    samples[0, 0] = 2 * TOP  # without anybody in the top bracket its rate is 1
    assert rates_of(samples, saez.saez_parameters(pareto_weight_type="uniform")).max() < 1e-6


def test_elastic_incomes_are_taxed_less() -> None:
    samples = random_samples(4, 400)
    low, high = (rates_of(samples, saez.saez_parameters(saez_fixed_elas=elasticity)) for elasticity in (0.1, 2.0))
    assert np.all(high[:-1] < low[:-1])
    free = rates_of(samples, saez.saez_parameters(saez_fixed_elas=0.0))
    np.testing.assert_allclose(free[1:], 1.0, atol=1e-6)


def test_the_estimate_runs_on_beside_a_fixed_elasticity() -> None:
    states = []
    for fixed in (None, 0.1):
        parameters = saez.saez_parameters(saez_fixed_elas=fixed)
        state = saez.fill_buffer(saez.saez_state(1, 7, parameters), random_samples(5, 100))
        saez.saez_rates(state, 0, parameters, CUTOFFS, 1.0, saez.work_array(parameters), np.empty(7))
        states.append((state.elasticity[0], state.log_z0[0]))
    assert states[0] == states[1]
    assert states[0] != (saez.START_ELASTICITY, 0.0)


def test_random_rates_are_uniform_in_their_limits() -> None:
    rates = np.empty(20_000)
    saez.random_rates(ReplicaStreams(7, len(rates)).uniforms(), 0.2, 0.6, rates)
    assert rates.min() >= 0.2
    assert rates.max() < 0.6
    # Means of uniforms: 5 standard errors, a false alarm in 2 million seeds.
    assert abs(rates.mean() - 0.4) < 5 * 0.4 / math.sqrt(12 * len(rates))


@numba.njit
def many_periods(times: int, state: Any, parameters: Any, cutoffs: Any, work: Any, out: Any) -> None:
    for period in range(times):
        saez.append(state, 0, 5.0 * period, 0.3)
        if saez.saez_is_ready(state, 0, parameters):
            saez.saez_rates(state, 0, parameters, cutoffs, 1.0, work, out)


def test_rates_allocate_nothing() -> None:
    _nrt_python.memsys_enable_stats()
    state, work, out = saez.saez_state(1, 7, SMALL), saez.work_array(SMALL), np.empty(7)
    many_periods(5, state, SMALL, CUTOFFS, work, out)
    allocations = []
    for times in (1, 50):
        before = rtsys.get_allocation_stats().alloc
        many_periods(times, state, SMALL, CUTOFFS, work, out)
        allocations.append(rtsys.get_allocation_stats().alloc - before)
    assert allocations[0] == allocations[1]  # what passing the arguments takes
