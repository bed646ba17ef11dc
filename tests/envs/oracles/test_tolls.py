"""Oracles of the toll game: the reference of the issue, brute force over joint actions, convex programs, optima."""

import itertools
import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from ermas_envs import toll_v0
from ermas_envs.games.toll.latency import BPR, Polynomial, Table
from ermas_envs.games.toll.settings import TollSettings
from ermas_envs.oracles.tolls import (
    Traffic,
    best_response_equilibrium,
    best_tolls,
    bounded_coefficients,
    bounded_tolls,
    certify_tolls,
    expected_latencies,
    expected_mean_latency,
    externality_rule,
    flow_equilibrium,
    flow_optimum,
    marginal_cost_tolls,
    optimum,
    per_drive,
    per_step,
    pure_equilibria,
    regrets,
    robust_objective,
    unknown_value_objective,
    value_gap,
    worst_over_values,
    worst_traffic,
)
from ermas_envs.oracles.tolls.traffic import compositions

PIGOU = Traffic.of(TollSettings())
VALUES = (0.5, 1.0, 2.0)


def toll(size: float) -> Any:
    return np.array([0.0, size])


def random_traffic(seed: int, drivers: int | None = None) -> tuple[Traffic, Any]:
    """A small network of random roads with random tolls."""
    generator = np.random.default_rng(seed)
    number = int(generator.integers(2, 4))
    roads: list[Any] = []
    for _ in range(number):
        kind = generator.integers(3)
        if kind == 0:
            roads.append(Polynomial(generator.random(4).tolist()))
        elif kind == 1:
            roads.append(BPR(float(generator.random()), float(0.2 + generator.random()), float(generator.random())))
        else:
            roads.append(Table(np.sort(generator.random(4)).tolist()))
    size = int(generator.integers(2, 6)) if drivers is None else drivers
    traffic = Traffic.of(TollSettings(roads=roads, num_drivers=size))
    return traffic, generator.random(number)


# --- the reference ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epsilon", "naive", "robust", "best"),
    [(0.05, 0.660, 0.642, 0.65), (0.1, 0.795, 0.745, 0.6), (0.2, 1.000, 0.922, 0.55)],
)
def test_pigou_naive_and_robust(epsilon: float, naive: float, robust: float, best: float) -> None:
    assert worst_traffic(PIGOU, toll(0.75), epsilon).mean_latency == pytest.approx(naive, abs=5e-4)
    found = best_tolls(robust_objective(PIGOU, epsilon), 2, [1], refinements=0)
    assert found.value == pytest.approx(robust, abs=5e-4)
    assert found.tolls.tolist() == [0.0, pytest.approx(best)]
    refined = best_tolls(robust_objective(PIGOU, epsilon), 2, [1])
    assert refined.value <= found.value
    assert found.value - refined.value < 0.001


def test_pigou_without_gap() -> None:
    assert optimum(PIGOU)[1] == pytest.approx(0.466, abs=5e-4)
    assert worst_traffic(PIGOU, toll(0.0), 0.0).mean_latency == pytest.approx(1.0)
    naive = best_tolls(robust_objective(PIGOU, 0.0), 2, [1], refinements=0)
    assert naive.tolls[1] == pytest.approx(0.75)


def test_pigou_with_an_unknown_value_of_time() -> None:
    assert worst_over_values(PIGOU, toll(0.75), VALUES) == pytest.approx(1.0, abs=5e-4)
    found = best_tolls(unknown_value_objective(PIGOU, VALUES), 2, [1], refinements=0)
    assert found.value == pytest.approx(0.792, abs=5e-4)
    assert found.tolls[1] == pytest.approx(0.45)


def test_with_linear_latency_a_little_regret_moves_nothing() -> None:
    """The toll without gap is a best robust one, for every ε: a result of the issue that must not be hidden."""
    linear = Traffic.of(TollSettings(roads="linear_pigou"))
    naive = best_tolls(robust_objective(linear, 0.0), 2, [1], refinements=0).tolls
    for epsilon in (0.05, 0.1, 0.2):
        objective = robust_objective(linear, epsilon)
        assert objective(naive) == pytest.approx(best_tolls(objective, 2, [1], refinements=0).value, rel=1e-4), epsilon


# --- worst cases -----------------------------------------------------------------------------------------------------


def over_joint_actions(traffic: Traffic, tolls: Any, epsilon: float) -> float:
    """The worst ε-coarse-correlated equilibrium with a variable for every joint action and a limit for every driver."""
    size, roads = traffic.num_drivers, traffic.num_roads
    joint = list(itertools.product(range(roads), repeat=size))
    costs = traffic.costs(tolls)
    counts = np.array([[row.count(road) for road in range(roads)] for row in joint])
    limits = []
    for driver, instead in itertools.product(range(size), range(roads)):
        gains = []
        for row, count in zip(joint, counts, strict=True):
            own = row[driver]
            there = count[instead] + (own != instead)
            gains.append(costs[own, count[own]] - costs[instead, there])
        limits.append(gains)
    found = linprog(
        -traffic.mean_latencies(counts), limits, np.full(len(limits), epsilon), np.ones((1, len(joint))), [1.0]
    )
    assert found.success
    return float(-found.fun)


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1.0, 1e6])
def test_flow_and_best_responses_do_not_depend_on_the_unit_of_time(size: float) -> None:
    tolls = np.array([0.0, 0.75])
    roads = [Polynomial([size]), Polynomial([0.0, 0.0, 0.0, 0.0, size])]
    assert flow_equilibrium(roads, size * tolls)[1] == pytest.approx(0.25**0.25, abs=1e-8)
    traffic = Traffic.of(TollSettings(num_drivers=20, roads=roads))
    assert best_response_equilibrium(traffic, size * tolls).counts.tolist() == [6, 14]


@pytest.mark.parametrize("seed", range(40))
def test_worst_case_is_that_over_joint_actions(seed: int) -> None:
    traffic, tolls = random_traffic(seed)
    epsilon = (0.0, 0.02, 0.1, 0.5)[seed % 4]
    found = worst_traffic(traffic, tolls, epsilon).mean_latency
    assert found == pytest.approx(over_joint_actions(traffic, tolls, epsilon), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.5))
def test_every_pure_and_mixed_play_with_little_regret_is_below_the_worst_case(seed: int, epsilon: float) -> None:
    traffic, tolls = random_traffic(seed)
    generator = np.random.default_rng(seed)
    profile = generator.dirichlet(np.full(traffic.num_roads, 0.3), traffic.num_drivers)
    lost = float(regrets(traffic, tolls, profile).max())
    found = worst_traffic(traffic, tolls, lost)
    assert expected_mean_latency(traffic, profile) <= found.mean_latency + 1e-7
    assert found.mean_latency >= worst_traffic(traffic, tolls, 0.5 * lost).mean_latency - 1e-7
    assert found.probabilities @ traffic.mean_latencies(found.counts) == pytest.approx(found.mean_latency, abs=1e-6)


def test_multipliers_are_the_price_of_regret() -> None:
    tolls, step = toll(0.62), 1e-4
    low, high = (worst_traffic(PIGOU, tolls, 0.1 + move).mean_latency for move in (-step, step))
    assert worst_traffic(PIGOU, tolls, 0.1).multipliers.sum() == pytest.approx((high - low) / (2 * step), rel=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 4.0))
def test_another_value_of_time_is_an_epsilon(seed: int, value: float) -> None:
    """Whatever drivers of value v call a best road costs drivers of value 1 at most `value_gap` more than theirs."""
    traffic, tolls = random_traffic(seed)
    bound = value_gap(tolls, value)
    others = pure_equilibria(traffic.with_value_of_time(value), tolls)
    assert len(others)
    costs = traffic.costs(tolls)
    for counts in others:
        for road in np.flatnonzero(counts):
            there = [costs[k, counts[k] + (k != road)] for k in range(traffic.num_roads)]
            assert costs[road, counts[road]] <= min(there) + bound + 1e-9
    worst = worst_traffic(traffic.with_value_of_time(value), tolls, 0.0).mean_latency
    assert worst <= worst_traffic(traffic, tolls, bound).mean_latency + 1e-7


def test_the_bound_of_another_value_of_time_is_reached() -> None:
    """Two roads of constant latency, the second dearer by the toll: drivers of v = ½ see them equal where the latencies
    differ by twice the toll."""
    roads = [Polynomial([1.0]), Polynomial([1.0 - 2 * 0.3])]
    traffic, tolls = Traffic.of(TollSettings(roads=roads, num_drivers=3)), toll(0.3)
    worst = worst_traffic(traffic.with_value_of_time(0.5), tolls, 0.0)
    assert worst.mean_latency == pytest.approx(1.0)
    assert worst_traffic(traffic, tolls, value_gap(tolls, 0.5)).mean_latency == pytest.approx(1.0)
    assert worst_traffic(traffic, tolls, 0.9 * value_gap(tolls, 0.5)).mean_latency < 0.95


# --- equilibria and regret -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_flow_equilibrium_solves_beckmanns_convex_program(seed: int) -> None:
    traffic, tolls = random_traffic(seed)
    grid = np.linspace(0.0, 1.0, 2001)

    def potential(loads: Any) -> float:
        parts = [np.interp(grid * load, grid, road.at(grid)) for road, load in zip(traffic.roads, loads, strict=True)]
        areas = [np.trapezoid(part, grid * load) for part, load in zip(parts, loads, strict=True)]
        return float(sum(areas) + tolls @ loads)

    start = np.full(traffic.num_roads, 1 / traffic.num_roads)
    whole = {"type": "eq", "fun": lambda loads: loads.sum() - 1.0}
    program = minimize(potential, start, bounds=[(0, 1)] * traffic.num_roads, constraints=whole, method="SLSQP")
    found = flow_equilibrium(traffic.roads, tolls)
    assert found.sum() == pytest.approx(1.0)
    assert potential(found) <= program.fun + 1e-6


def test_flow_of_pigou_in_closed_form() -> None:
    for size in (0.2, 0.6, 0.75):
        assert flow_equilibrium(PIGOU.roads, toll(size))[1] == pytest.approx((1 - size) ** 0.25)
        assert flow_equilibrium(PIGOU.roads, toll(size), 2.0)[1] == pytest.approx((1 - size / 2) ** 0.25)
    assert flow_optimum(PIGOU.roads)[1] == pytest.approx(0.2**0.25)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_best_responses_end_where_nobody_gains(seed: int) -> None:
    traffic, tolls = random_traffic(seed)
    alike = best_response_equilibrium(traffic, tolls)
    assert alike.counts.tolist() in pure_equilibria(traffic, tolls).tolist()
    values = np.random.default_rng(seed).uniform(0.2, 3.0, traffic.num_drivers)
    different = Traffic(traffic.roads, traffic.latencies, values)
    found = best_response_equilibrium(different, tolls)
    profile = np.eye(traffic.num_roads)[found.choices]
    assert regrets(different, tolls, profile).max() <= 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_regret_and_latency_by_brute_force(seed: int) -> None:
    traffic, tolls = random_traffic(seed, drivers=4)
    roads, generator = traffic.num_roads, np.random.default_rng(seed)
    profile = generator.dirichlet(np.ones(roads), 4)
    expected, mean = np.zeros((4, roads)), 0.0
    for joint in itertools.product(range(roads), repeat=4):
        chance = math.prod(profile[driver, road] for driver, road in enumerate(joint))
        mean += chance * np.mean([traffic.latencies[road, joint.count(road)] for road in joint])
        for driver, road in itertools.product(range(4), range(roads)):
            others = sum(1 for k, taken in enumerate(joint) if k != driver and taken == road)
            expected[driver, road] += chance * traffic.latencies[road, others + 1]
    np.testing.assert_allclose(expected_latencies(traffic, profile), expected, atol=1e-12)
    assert expected_mean_latency(traffic, profile) == pytest.approx(mean)
    costs = expected + tolls
    np.testing.assert_allclose(
        regrets(traffic, tolls, profile), (profile * costs).sum(axis=1) - costs.min(axis=1), atol=1e-12
    )


def test_compositions_are_all_of_them() -> None:
    found = compositions(6, 3)
    assert len(found) == math.comb(8, 2)
    assert (found.sum(axis=1) == 6).all()
    assert len({tuple(row) for row in found.tolist()}) == len(found)
    assert compositions(100, 3).shape == (5151, 3)


# --- rules and certificates ------------------------------------------------------------------------------------------


def test_marginal_cost_tolls_make_the_flow_optimal_and_the_externality_rule_finds_them() -> None:
    for name in ("pigou", "linear_pigou", "three_roads"):
        roads = TollSettings(roads=name).network
        tolls = marginal_cost_tolls(roads)
        np.testing.assert_allclose(flow_equilibrium(roads, tolls), flow_optimum(roads), atol=1e-6)
        np.testing.assert_allclose(externality_rule(roads, rate=0.3, rounds=60)[-1], tolls, atol=1e-5)
    assert marginal_cost_tolls(PIGOU.roads)[1] == pytest.approx(0.8)


def test_bounded_tolls() -> None:
    """κ_2 by hand; both ends of the range equally far off; with a large bound the optimum for everybody."""
    assert bounded_coefficients(1.0, 0.5, 2.0) == (1.0, 0.0)
    steep, flat = bounded_coefficients(3.0, 0.5, 2.0)
    assert flat == pytest.approx((9 * 1.0 - 1) / (2.5 + 6.0))
    off = [s * (steep - flat) / (1 + s * flat) for s in (0.5, 2.0)]
    assert off[0] * off[1] == pytest.approx(1.0)
    roads = (Polynomial([1.0]), Polynomial([0.0, 1.0]))
    np.testing.assert_allclose(bounded_tolls(roads, 1.0, 0.5, 2.0), [0.0, 0.5])
    with pytest.raises(ValueError, match=r"roads\[1\]: bounded tolls are for affine latencies"):
        bounded_tolls(PIGOU.roads, 1.0, 0.5, 2.0)


def test_a_certificate_agrees_with_what_it_is_made_of() -> None:
    drives = np.stack([np.tile([0.3, 0.7], (20, 1)), np.tile([0.1, 0.9], (20, 1))])
    found = certify_tolls(PIGOU, [0.0, 0.6], 0.1, drives)
    assert found.worst is not None
    assert found.drivers is not None
    assert found.worst.mean_latency == pytest.approx(worst_traffic(PIGOU, toll(0.6), 0.1).mean_latency, abs=1e-12)
    assert found.drivers.regrets[0] == pytest.approx(
        np.mean([regrets(PIGOU, toll(0.6), profile)[0] for profile in drives])
    )
    assert found.holds == (found.drivers.largest_regret <= 0.1)
    np.testing.assert_allclose(found.drivers.loads, [0.2, 0.8])
    assert certify_tolls(PIGOU, [0.0, 0.6]).epsilon == 0.0


def test_a_certificate_of_a_hundred_drivers_takes_less_than_a_second() -> None:
    traffic = Traffic.of(TollSettings(roads="three_roads", num_drivers=100))
    certify_tolls(traffic, [0.0, 0.1, 0.2], 0.05)  # SciPy is imported
    began = time.process_time()
    found = certify_tolls(traffic, [0.0, 0.2, 0.3], 0.05)
    assert time.process_time() - began < 1.0
    assert found.worst is not None


def test_what_is_not_known_has_a_reason() -> None:
    mixed = Traffic.of(TollSettings(num_drivers=2, value_of_time=[1.0, 2.0]))
    found = certify_tolls(mixed, [0.0, 0.5], 0.1)
    assert found.worst is None
    assert found.flow is None
    assert found.worst_reason is not None
    assert "not anonymous" in found.worst_reason
    many = Traffic.of(TollSettings(roads="three_roads", num_drivers=5000))
    assert "more than the 500000" in (certify_tolls(many, [0.0, 0.5, 0.1], 0.1).worst_reason or "")


def test_per_drive_and_per_step() -> None:
    settings = TollSettings(drives=4)
    assert per_drive(settings, 0.08) == pytest.approx(0.1)
    assert per_step(settings, per_drive(settings, 0.3)) == pytest.approx(0.3)
    env = toll_v0.batched_env(1, drives=4, num_drivers=1)
    env.reset(0)
    paid = [env.step({"agent_0": np.array([0]), "planner": np.zeros((1, 2), np.float32)}).payoffs for _ in range(5)]
    assert per_drive(settings, float(np.mean([step["planner"] for step in paid]))) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PIGOU.tolls([0.1]), "tolls must be 2 numbers, one per road, got 1"),
        (lambda: PIGOU.tolls([0.1, -1.0]), "tolls must be a finite number >= 0"),
        (lambda: worst_traffic(PIGOU, toll(0.1), -1.0), "epsilon must be a finite number >= 0"),
        (lambda: worst_over_values(PIGOU, toll(0.1), []), "values must name at least one"),
        (lambda: value_gap(toll(0.1), 0.0), "value must be > 0"),
        (lambda: best_tolls(lambda _: 0.0, 3, [0, 1, 2], step=0.001), "the grid has 1001\\^3 points or more"),
        (lambda: best_tolls(lambda _: 0.0, 2, [0], step=1e-320), "the grid has 100001\\^1 points or more"),
        (lambda: bounded_coefficients(1.0, 2.0, 1.0), "highest must be a finite number >= 2"),
        (lambda: certify_tolls(PIGOU, [0, 0.5], 0.1, np.ones((1, 20, 2))), "drives must be probabilities: numbers"),
        (lambda: certify_tolls(PIGOU, [0, 0.5], 0.1, np.ones((1, 19, 2)) / 2), r"of shape \(1, 20, 2\), got shape"),
        (lambda: certify_tolls(PIGOU, [0, 0.5], 0.1, np.ones(())), r"of shape \(0, 20, 2\), got shape"),
    ],
)
def test_refused_input(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("unit", [1e-12, 1e-9, 1e-6, 1e6])
def test_equilibria_and_best_tolls_are_the_same_in_every_unit_of_cost(unit: float) -> None:
    def found(size: float) -> tuple[Any, Any]:
        roads = [{"kind": "polynomial", "coefficients": [size]}, {"kind": "polynomial", "coefficients": [0, size]}]
        traffic = Traffic.of(TollSettings(roads=roads, num_drivers=12, max_toll=size))
        best = best_tolls(robust_objective(traffic, 0.05 * size), 2, [1], max_toll=size, step=0.1 * size)
        return pure_equilibria(traffic, size * np.array([0.0, 0.3])), best

    (counts, best), (others, scaled) = found(1.0), found(unit)
    np.testing.assert_array_equal(counts, others)
    assert scaled.tolls / unit == pytest.approx(best.tolls, abs=0.005)
    assert scaled.value / unit == pytest.approx(best.value, rel=1e-6)
