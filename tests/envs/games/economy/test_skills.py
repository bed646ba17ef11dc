"""Skills: parity of the fixed tables with the original, closed forms, and the distributions of the sampled ones."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.goldens import golden
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ermas_envs.base.arrays import FloatArray
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.games.economy.skills import (
    DISTRIBUTIONS,
    LOGNORMAL,
    NONE,
    PARETO,
    fixed_four_skills,
    fixed_four_tiles,
    sample_build_skill,
    sample_gather_skill,
    skill_distribution_code,
)
from ermas_envs.games.one_step.rules import one_step_skills

FALSE_ALARM = 1e-6
"""Rate at which a statistical test below would fail with other seeds than its fixed ones, if the code is right."""
SAMPLES = 20_000


def test_fixed_skills_of_the_paper() -> None:
    skills = fixed_four_skills(4, 10.0, 3.0)
    np.testing.assert_allclose(skills, [11.33164062, 13.26711234, 16.47237295, 22.24961430], rtol=0, atol=5e-9)
    with pytest.raises(ValueError, match="read-only"):
        skills[0] = 1.0


def test_fixed_tables_are_the_originals() -> None:
    tables = golden("u1_pure_functions")["fixed_four_skill_and_loc_25x25_payment10_mult3"]
    assert len(tables) >= 5
    for agents, table in tables.items():
        skills = fixed_four_skills(int(agents), 10, 3)
        np.testing.assert_allclose(skills, table["build_payment_by_rank"], rtol=1e-12)
        np.testing.assert_array_equal(fixed_four_tiles(int(agents), 25, 25), table["start_loc_by_rank"])


def test_fixed_skills_scale_with_payment_and_leave_global_randomness_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[union-attr, index]  # noqa: NPY002
    np.testing.assert_allclose(fixed_four_skills(3, 20.0, 2.0), 2 * fixed_four_skills(3, 10.0, 2.0), rtol=1e-15)
    np.testing.assert_array_equal(fixed_four_skills(3, 10.0, 1.0), [10.0, 10.0, 10.0])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]  # noqa: NPY002


def test_fixed_tiles_of_four_follow_height_and_width() -> None:
    np.testing.assert_array_equal(fixed_four_tiles(4, 10, 20), [[0, 19], [9, 0], [0, 0], [9, 19]])


def test_fixed_tiles_fill_rows_of_four() -> None:
    """20 agents on 10 × 20: 5 per corner, the fifth in the next row inwards."""
    tiles = fixed_four_tiles(20, 10, 20)
    np.testing.assert_array_equal(tiles[:5], [[0, 19], [0, 18], [0, 17], [0, 16], [1, 19]])
    np.testing.assert_array_equal(tiles[5:10], [[9, 0], [9, 1], [9, 2], [9, 3], [8, 0]])
    np.testing.assert_array_equal(tiles[10:15], [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]])
    np.testing.assert_array_equal(tiles[15:], [[9, 19], [9, 18], [9, 17], [9, 16], [8, 19]])


@given(st.integers(1, 60), st.integers(8, 40), st.integers(8, 40))
def test_fixed_tiles_are_distinct_and_inside(agents: int, height: int, width: int) -> None:
    tiles = fixed_four_tiles(agents, height, width)  # 60 agents need 4 rows at the top and 4 at the bottom
    assert tiles.shape == (agents, 2)
    assert len({tuple(tile) for tile in tiles.tolist()}) == agents
    assert ((tiles >= 0) & (tiles < (height, width))).all()


@pytest.mark.parametrize(("agents", "height", "width"), [(4, 1, 5), (5, 4, 1), (20, 4, 5), (8, 1, 40)])
def test_maps_too_small_for_fixed_tiles(agents: int, height: int, width: int) -> None:
    with pytest.raises(ValueError, match=rf"a {height}×{width} map is too small for .* {agents} agents"):
        fixed_four_tiles(agents, height, width)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 10.0, 3.0), "num_agents must be an integer >= 1, got 0"),
        ((2, -1.0, 3.0), "payment must be a finite number >= 0, got -1.0"),
        ((2, 10.0, 0.5), "max_multiplier must be a finite number >= 1, got 0.5"),
        ((2, 10.0, math.nan), "max_multiplier must be a finite number >= 1, got nan"),
    ],
)
def test_bad_arguments_of_fixed_skills(arguments: tuple[int, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fixed_four_skills(*arguments)


@pytest.mark.parametrize(
    ("arguments", "name"), [((0, 9, 9), "num_agents"), ((4, 0, 9), "height"), ((4, 9, 0), "width")]
)
def test_bad_arguments_of_fixed_tiles(arguments: tuple[int, int, int], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be an integer >= 1, got 0"):
        fixed_four_tiles(*arguments)


def expected_multiplier(maximum: float, shape: float) -> tuple[float, float]:
    """Mean and standard deviation of min(M, (M − 1)·x + 1), x ~ Lomax(shape), by numerical integration."""
    x = stats.lomax(c=shape).ppf((np.arange(200_000) + 0.5) / 200_000)
    multiplier = np.minimum(maximum, (maximum - 1) * x + 1)
    return float(multiplier.mean()), float(multiplier.std())


@pytest.mark.parametrize(("maximum", "shape"), [(3.0, 4.0), (3.0, 1.5), (10.0, 2.0)])
def test_mean_of_one_step_skills(maximum: float, shape: float) -> None:
    """The mean over ranks is that of 1000·n draws; it honours pareto_param."""
    agents = 20
    skills = one_step_skills(agents, maximum, shape, np.random.default_rng(0))
    mean, deviation = expected_multiplier(maximum, shape)
    bound = stats.norm.isf(FALSE_ALARM / 2) * deviation / math.sqrt(1000 * agents)
    assert abs(skills.mean() - mean) < bound
    assert skills.shape == (agents,)
    assert (np.diff(skills) > 0).all()
    assert skills[0] >= 1
    assert skills[-1] <= maximum


def test_one_step_skills_are_reproducible() -> None:
    first, again, other = (one_step_skills(5, 3.0, 4.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize("name", ["g2_one_step_usfed_4agents", "g3_one_step_saez_100agents"])
def test_one_step_skills_are_distributed_as_the_originals(name: str) -> None:
    """Each rank's difference of two means of 1000, against the deviation of the rank, seen in 200 further draws."""
    recorded = golden(name)
    theirs = np.array([agent["skill"] for agent in recorded["episodes"][0]["initial"]["agents"]])
    maximum = recorded["config"]["SimpleLabor"]["payment_max_skill_multiplier"]
    ours = np.array([one_step_skills(len(theirs), maximum, 4.0, np.random.default_rng(seed)) for seed in range(200)])
    threshold = stats.t.isf(FALSE_ALARM / 2 / len(theirs), df=199)
    assert (np.abs(theirs - ours.mean(axis=0)) < threshold * ours.std(axis=0, ddof=1) * math.sqrt(1 + 1 / 200)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3.0, 4.0, np.random.default_rng(0)), "num_agents must be an integer >= 1, got 0"),
        ((2, 0.0, 4.0, np.random.default_rng(0)), "max_multiplier must be a finite number >= 1, got 0.0"),
        ((2, 3.0, -1.0, np.random.default_rng(0)), "pareto_param must be a finite number >= 0, got -1.0"),
        ((2, 3.0, 0, np.random.default_rng(0)), "pareto_param must be > 0, got 0"),
        ((2, 3.0, 4.0, 7), r"generator must be a numpy\.random\.Generator, got 7"),
    ],
)
def test_bad_arguments_of_one_step_skills(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one_step_skills(*arguments)


def test_codes_of_distributions() -> None:
    codes = [skill_distribution_code("skill_dist", name) for name in DISTRIBUTIONS]
    assert codes == [NONE, PARETO, LOGNORMAL] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"skill_dist: unknown name 'pareta'\. Did you mean 'pareto'\?"):
        skill_distribution_code("skill_dist", "pareta")


def drawn(seed: int, sample: Callable[..., Any], *arguments: float) -> FloatArray:
    """SAMPLES draws from one replica's stream."""
    streams = ReplicaStreams(seed, 1).state
    return np.array([sample(streams, 0, *arguments) for _ in range(SAMPLES)])


@pytest.mark.parametrize(
    ("code", "distribution"), [(PARETO, stats.lomax(c=4)), (LOGNORMAL, stats.lognorm(s=0.5, scale=math.exp(-1)))]
)
def test_build_skills(code: int, distribution: Any) -> None:
    payments, skills = drawn(code, sample_build_skill, code, 3.0, 10.0).T
    assert stats.kstest(skills, distribution.cdf).pvalue > FALSE_ALARM
    np.testing.assert_allclose(payments, 10 * np.minimum(3, 2 * skills + 1), rtol=1e-15)
    assert payments.max() == 30


@pytest.mark.parametrize(
    ("code", "distribution"), [(PARETO, stats.lomax(c=3)), (LOGNORMAL, stats.lognorm(s=0.938, scale=math.exp(-2.022)))]
)
def test_gather_skills(code: int, distribution: Any) -> None:
    """Below 1 the law is that of X / 2 given X < 2; the share of ones is P(X ≥ 2)."""
    bonuses = drawn(10 + code, sample_gather_skill, code)
    capped = distribution.sf(2.0)
    assert stats.binomtest(int((bonuses == 1).sum()), SAMPLES, capped).pvalue > FALSE_ALARM
    below = bonuses[bonuses < 1]
    assert stats.kstest(below, lambda bonus: distribution.cdf(2 * bonus) / (1 - capped)).pvalue > FALSE_ALARM
    assert bonuses.min() >= 0
    assert bonuses.max() == 1


def test_equal_skills_draw_nothing() -> None:
    streams = ReplicaStreams(0, 2).state
    before = streams.copy()
    assert sample_build_skill(streams, 1, NONE, 3.0, 10.0) == (10.0, 1.0)
    assert sample_gather_skill(streams, 1, NONE) == 0.0
    np.testing.assert_array_equal(streams, before)


def test_samples_depend_on_the_replica_only() -> None:
    small, large = ReplicaStreams(5, 3).state, ReplicaStreams(5, 7).state
    assert sample_build_skill(small, 2, PARETO, 3.0, 10.0) == sample_build_skill(large, 2, PARETO, 3.0, 10.0)
    np.testing.assert_array_equal(small[:2], ReplicaStreams(5, 3).state[:2])
    assert sample_gather_skill(small, 0, LOGNORMAL) != sample_gather_skill(small, 1, LOGNORMAL)
