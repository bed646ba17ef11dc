"""Maps that are redrawn at every reset: coverage, gradient, clumps, replica independence, and what is refused."""

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import ndimage

from ermas_envs.base.arrays import Array
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.games.economy.uniform_layout import (
    UniformLayoutSettings,
    _convolve,
    generate_uniform,
    uniform_scratch,
)

TOLERANCE = 1.4


def drawn(
    num_envs: int, height: int = 25, width: int = 25, seed: int = 0, settings: UniformLayoutSettings | None = None
) -> tuple[Array, Array, Array]:
    """Wood and stone (num_envs, height, width) uint8, and attempts (num_envs,)."""
    parameters = (settings or UniformLayoutSettings()).parameters(height, width)
    streams, scratch = ReplicaStreams(seed, num_envs).state, uniform_scratch(height, width)
    wood, stone = np.full((2, num_envs, height, width), 7, dtype=np.uint8)
    attempts = [generate_uniform(streams, k, parameters, wood[k], stone[k], scratch) for k in range(num_envs)]
    return wood, stone, np.array(attempts)


@cache
def default_maps() -> tuple[Array, Array, Array]:
    return drawn(200)


def test_maps_are_zeros_and_ones_without_overlap() -> None:
    wood, stone, attempts = default_maps()
    assert set(np.unique(wood)) == set(np.unique(stone)) == {0, 1}
    assert not (wood & stone).any()
    assert (attempts >= 1).all()


def test_coverage_is_within_the_tolerance() -> None:
    target = 0.025 * 625
    for sources in default_maps()[:2]:
        counts = sources.sum(axis=(1, 2))
        assert ((counts >= target / TOLERANCE) & (counts <= target * TOLERANCE)).all()
        assert len(np.unique(counts)) > 1


@pytest.mark.parametrize(("wood_coverage", "stone_coverage"), [(0.02, 0.2), (0.2, 0.02)])
def test_each_resource_has_its_own_coverage(wood_coverage: float, stone_coverage: float) -> None:
    settings = UniformLayoutSettings(starting_wood_coverage=wood_coverage, starting_stone_coverage=stone_coverage)
    wood, stone, attempts = drawn(20, settings=settings)
    assert attempts.all()
    for sources, coverage in ((wood, wood_coverage), (stone, stone_coverage)):
        ratio = sources.mean(axis=(1, 2)) / coverage
        assert ((ratio >= 1 / TOLERANCE) & (ratio <= TOLERANCE)).all()


def mean_rows(sources: Array) -> Array:
    rows = np.arange(sources.shape[1])
    means: Array = (sources.sum(axis=2) @ rows) / sources.sum(axis=(1, 2))
    return means


def test_wood_is_at_the_bottom_and_stone_at_the_top() -> None:
    """On every map; and on average about as far as in 200 maps of the original's procedure (22.39 and 1.43)."""
    wood, stone, _ = default_maps()
    assert (mean_rows(wood) > 16).all()
    assert (mean_rows(stone) < 8).all()
    assert mean_rows(wood).mean() == pytest.approx(22.4, abs=0.3)
    assert mean_rows(stone).mean() == pytest.approx(1.45, abs=0.3)


def test_a_flatter_gradient_spreads_the_sources() -> None:
    wood, stone, _ = drawn(50, settings=UniformLayoutSettings(gradient_steepness=1))
    assert mean_rows(wood).mean() < 20
    assert mean_rows(stone).mean() > 4


def clumps(sources: Array) -> float:
    """Mean number of 8-connected clumps."""
    return float(np.mean([ndimage.label(tiles, np.ones((3, 3)))[1] for tiles in sources]))


def test_clumpiness_clumps() -> None:
    settings = UniformLayoutSettings(wood_clumpiness=0.0, stone_clumpiness=0.9)
    wood, stone, attempts = drawn(20, settings=settings)
    assert attempts.all()
    assert clumps(wood) > 2 * clumps(stone)


def test_checkered_sources() -> None:
    """Only tiles with odd row + column, and about as many sources as without the checker."""
    wood, stone, _ = drawn(100, settings=UniformLayoutSettings(checker_source_blocks=True))
    row, column = np.indices(wood.shape[1:])
    for sources in (wood, stone):
        assert not sources[:, (row + column) % 2 == 0].any()
        assert 1 / TOLERANCE < sources.mean() / 0.025 < TOLERANCE


def test_replica_does_not_see_the_others() -> None:
    few, many = drawn(3, seed=4), drawn(8, seed=4)
    for mine, theirs in zip(few, many, strict=True):
        np.testing.assert_array_equal(mine, theirs[:3])
    alone = ReplicaStreams(4, 8).state
    untouched = alone.copy()
    wood, stone = np.zeros((2, 25, 25), dtype=np.uint8)
    parameters = UniformLayoutSettings().parameters(25, 25)
    generate_uniform(alone, 2, parameters, wood, stone, uniform_scratch(25, 25))
    np.testing.assert_array_equal(wood, many[0][2])
    np.testing.assert_array_equal(np.delete(alone, 2, axis=0), np.delete(untouched, 2, axis=0))


def test_scratch_may_hold_anything_and_views_are_fine() -> None:
    expected = drawn(1, 10, 12, seed=3)
    scratch = uniform_scratch(10, 12)
    scratch.field[:], scratch.total[:] = np.nan, np.nan
    planes = np.zeros((2, 14, 16), dtype=np.uint8)
    parameters = UniformLayoutSettings().parameters(10, 12)
    generate_uniform(ReplicaStreams(3, 1).state, 0, parameters, planes[0, 2:-2, 2:-2], planes[1, 2:-2, 2:-2], scratch)
    for plane, maps in zip(planes, expected[:2], strict=True):
        np.testing.assert_array_equal(plane[2:-2, 2:-2], maps[0])
        assert plane.sum() == maps.sum()


def test_the_second_map_of_a_replica_is_another() -> None:
    parameters, scratch = UniformLayoutSettings().parameters(25, 25), uniform_scratch(25, 25)
    streams, maps = ReplicaStreams(0, 1).state, np.zeros((2, 2, 25, 25), dtype=np.uint8)
    for wood, stone in maps:
        generate_uniform(streams, 0, parameters, wood, stone, scratch)
    assert (maps[0] != maps[1]).any(axis=(1, 2)).all()


def test_convolution_is_scipys() -> None:
    scratch, kernel = uniform_scratch(9, 11), np.zeros(49)
    generator = np.random.default_rng(0)
    tiles = generator.normal(size=(9, 11))
    scratch.field[3:-3, 3:-3] = tiles
    word = int(generator.integers(2**63))
    for cell in range(49):
        kernel[cell] = (word >> (63 - cell)) & 1
    _convolve(np.uint64(word), scratch)
    expected = ndimage.correlate(tiles, kernel.reshape(7, 7), mode="constant")
    np.testing.assert_allclose(scratch.total, expected, atol=1e-12)


coverages, shares = st.floats(0.05, 0.2), st.floats(0, 0.9)
any_settings = st.builds(UniformLayoutSettings, coverages, coverages, shares, shares, st.floats(1, 12), st.booleans())


@hypothesis_settings(max_examples=25)
@given(any_settings, st.integers(6, 30), st.integers(6, 30), st.integers(0, 1000))
def test_any_settings(settings: UniformLayoutSettings, height: int, width: int, seed: int) -> None:
    try:
        settings.parameters(height, width)
    except ValueError:
        assume(False)
    wood, stone, attempts = drawn(1, height, width, seed, settings)
    assert not (wood & stone).any()
    assert wood.max() <= 1
    if attempts[0] and not settings.checker_source_blocks:
        for sources, coverage in ((wood, settings.starting_wood_coverage), (stone, settings.starting_stone_coverage)):
            assert 1 / TOLERANCE <= sources.mean() / coverage <= TOLERANCE * (1 + 1e-12)


def test_impossible_maps_report_no_attempt() -> None:
    """Parameters that the settings refuse: at least 1.42 tiles are 2, which is more than 1.4 · 1.42."""
    parameters = UniformLayoutSettings(0.2, 0.2).parameters(6, 6)
    parameters = parameters._replace(wood=parameters.wood._replace(sources=1.42))
    wood, stone = np.zeros((2, 6, 6), dtype=np.uint8)
    assert generate_uniform(ReplicaStreams(0, 1).state, 0, parameters, wood, stone, uniform_scratch(6, 6)) == 0
    assert wood.sum() > 1


def test_parameters_are_probabilities_by_row() -> None:
    settings = UniformLayoutSettings(0.1, 0.2, wood_clumpiness=0.0, stone_clumpiness=0.5, gradient_steepness=1)
    wood, stone, checker = settings.parameters(3, 10)
    np.testing.assert_allclose(wood.probability, 0.1 * 0.1 * np.array([0, 1, 2]))
    np.testing.assert_allclose(stone.probability, 0.1 * 0.5 * 0.2 * np.array([2, 1, 0]))
    assert (wood.seeds, wood.sources, stone.seeds, stone.sources, checker) == (3, 3, 3, 6, False)


def test_defaults_are_the_originals() -> None:
    assert dataclasses.asdict(UniformLayoutSettings()) == {
        "starting_wood_coverage": 0.025,
        "starting_stone_coverage": 0.025,
        "wood_clumpiness": 0.35,
        "stone_clumpiness": 0.5,
        "gradient_steepness": 8,
        "checker_source_blocks": False,
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"starting_wood_coverage": 0.0}, "starting_wood_coverage must be > 0 and < 1, got 0.0"),
        ({"starting_stone_coverage": 1}, "starting_stone_coverage must be > 0 and < 1, got 1.0"),
        ({"starting_stone_coverage": "much"}, "starting_stone_coverage must be a finite number, got 'much'"),
        (
            {"starting_wood_coverage": 0.3, "starting_stone_coverage": 0.2},
            r"starting_wood_coverage \+ starting_stone_coverage must be < 0.5, got 0.3 \+ 0.2",
        ),
        ({"wood_clumpiness": 1.0}, "wood_clumpiness must be a finite number >= 0 and <= 0.99, got 1.0"),
        ({"stone_clumpiness": -0.1}, "stone_clumpiness must be a finite number >= 0 and <= 0.99, got -0.1"),
        ({"gradient_steepness": 0.5}, "gradient_steepness must be a finite number >= 1, got 0.5"),
        ({"checker_source_blocks": 1}, "checker_source_blocks must be True or False, got 1"),
    ],
)
def test_bad_settings(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UniformLayoutSettings(**fields)


@pytest.mark.parametrize(
    ("height", "width", "message"),
    [
        (1, 9, "height must be an integer >= 2, got 1"),
        (9, 1.5, "width must be an integer >= 2, got 1.5"),
        (7, 7, r"starting_wood_coverage asks for 1.225 tiles of a 7×7 map; no whole number"),
        (5, 5, r"starting_wood_coverage asks for 0.625 tiles of a 5×5 map"),
    ],
)
def test_bad_sizes(height: int, width: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UniformLayoutSettings().parameters(height, width)
