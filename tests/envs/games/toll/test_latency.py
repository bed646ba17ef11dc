"""Latency functions: values by hand, slopes by differences, data, and refused input."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ermas_envs import toll_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.toll.latency import BPR, Latency, Polynomial, Table, as_roads, latency_table, roads_registry

LOADS = np.linspace(0.0, 1.0, 11)
KINDS = (Polynomial([1.0]), Polynomial([0.5, 2.0, 0.0, 1.0]), BPR(2.0, 0.5, 0.3, 3.0), Table([0.1, 0.4, 0.4, 2.0]))


def test_values_by_hand() -> None:
    np.testing.assert_allclose(Polynomial([1.0, 0.0, 2.0]).at(np.array([0.0, 0.5])), [1.0, 1.5])
    np.testing.assert_allclose(BPR(2.0, 0.5).at(np.array([0.0, 0.5, 1.0])), [2.0, 2.3, 2.0 + 0.3 * 16])
    np.testing.assert_allclose(Table([1.0, 3.0]).at(np.array([0.0, 0.25, 1.0])), [1.0, 1.5, 3.0])


@pytest.mark.parametrize("latency", KINDS, ids=repr)
def test_slopes_are_those_of_the_values(latency: Latency) -> None:
    inside = np.array([0.07, 0.21, 0.48, 0.73, 0.96])  # between the kinks of the table
    differences = (latency.at(inside + 1e-6) - latency.at(inside - 1e-6)) / 2e-6
    np.testing.assert_allclose(latency.slope(inside), differences, rtol=1e-5, atol=1e-7)
    assert latency.slope(LOADS).shape == LOADS.shape


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=6), st.integers(1, 30))
def test_more_drivers_are_never_faster(coefficients: list[float], drivers: int) -> None:
    table = latency_table([Polynomial(coefficients), BPR(*(1.0, 0.5))], drivers)
    assert table.shape == (2, drivers + 1)
    assert (np.diff(table) >= 0.0).all()


def test_roads_as_data_are_the_same_as_objects() -> None:
    data: list[Any] = [
        {"kind": "polynomial", "coefficients": [1.0]},
        {"kind": "bpr", "free_flow": 1.0, "capacity": 0.5},
        {"kind": "table", "values": [0.0, 1.0]},
    ]
    assert as_roads(data) == (Polynomial([1.0]), BPR(1.0, 0.5), Table([0.0, 1.0]))
    for name in roads_registry.names():
        assert as_roads(name) == tuple(roads_registry.make(name))


class Falling:
    """A road that gets faster."""

    def at(self, load: Any) -> Any:
        return 1.0 - 0.5 * load

    def slope(self, load: Any) -> Any:
        return np.full_like(load, -0.5)


@pytest.mark.parametrize(
    ("roads", "message"),
    [
        ("pigu", "Did you mean 'pigou'"),
        ([{"kind": "polynomial", "coefficients": [1.0]}], "roads must be 2 to 32, got 1"),
        ([{"coefficients": [1.0]}] * 2, r"roads\[0\]: a latency as data needs its 'kind'"),
        ([{"kind": "polynomal", "coefficients": [1.0]}] * 2, "Did you mean 'polynomial'"),
        (
            [{"kind": "polynomial", "coefficients": [-1.0]}] * 2,
            r"roads\[0\]: coefficients must be a finite number >= 0",
        ),
        ([{"kind": "polynomial", "power": 2}] * 2, r"roads\[0\]: .*power"),
        ([{"kind": "polynomial", "coefficients": [1.0] * 22}] * 2, "coefficients must be 1 to 21 numbers, got 22"),
        ([{"kind": "bpr", "free_flow": 1.0, "capacity": 0.0}] * 2, "capacity must be a finite number >= 0.01"),
        ([{"kind": "table", "values": [1.0, 0.5]}] * 2, "values must be at least two latencies that do not fall"),
        ([3, 4], r"roads\[0\] must be a latency"),
    ],
)
def test_refused_roads(roads: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_roads(roads)


class Own:
    """A road of somebody else's."""

    def __init__(self, at: Any) -> None:
        self._at = at

    def at(self, load: FloatArray) -> Any:
        return self._at(load)

    def slope(self, load: FloatArray) -> FloatArray:
        return 0.0 * load


@pytest.mark.parametrize(
    ("road", "message"),
    [
        (BPR(1e6, 1e-2, 1e6, 20.0), r"roads\[1\]: latencies must be numbers from 0 to 1e.09"),
        (Own(lambda load: 1e308 * load), r"roads\[1\]: latencies must be numbers from 0 to 1e.09"),
        (Own(lambda load: np.nan * load), r"roads\[1\]: latencies must be numbers"),
        (Own(lambda load: load[:-1]), r"roads\[1\]: latencies must be numbers"),
        (Own(lambda load: load + 1j), r"roads\[1\]: its latency at the loads 0 … 1 cannot be had: Cannot cast"),
        (Own(lambda load: ["slow"] * len(load)), r"roads\[1\]: its latency at the loads 0 … 1 cannot be had"),
        (Own(lambda load: {}["nothing"]), r"roads\[1\]: its latency at the loads 0 … 1 cannot be had: 'nothing'"),
        (Polynomial, r"roads\[1\]: its latency at the loads 0 … 1 cannot be had: .*missing"),
        (Own(3), r"roads\[1\]: its latency at the loads 0 … 1 cannot be had: 'int' object is not callable"),
    ],
    ids=["BPR", "huge", "NaN", "shape", "complex", "words", "KeyError", "class", "number"],
)
def test_roads_whose_latencies_cannot_be_used_are_named(road: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toll_v0.batched_env(1, roads=[Polynomial([1.0]), road])


def test_a_road_that_calculates_in_place_leaves_the_others_alone() -> None:
    def in_place(load: FloatArray) -> FloatArray:
        load *= 0.0
        load += 1.0
        return load

    table = latency_table(as_roads([Own(in_place), Polynomial([0.0, 1.0])]), 4)
    assert table.tolist() == [[1.0] * 5, [0.0, 0.25, 0.5, 0.75, 1.0]]


def test_a_road_that_gets_faster_is_refused() -> None:
    with pytest.raises(ValueError, match=r"roads\[1\]: latencies must be numbers from 0 to 1e.09 that do not fall"):
        latency_table(as_roads([Polynomial([1.0]), Falling()]), 5)
