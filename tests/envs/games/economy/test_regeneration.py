"""Growth of resources against the probabilities of SPEC section 8, worked out in plain Python.

Statistical tests: fixed seeds, each with a false-alarm rate of 1e-6 over all its comparisons together.
"""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from ermas_envs import economy_v0
from ermas_envs.base.arrays import Array
from ermas_envs.games.economy.state import STONE_SOURCE

FALSE_ALARM = 1e-6
REPLICAS = 4000
LAYOUT = ["SS.W", "S.@W", "...S", "WW.."]


def unattended(**resource: Any) -> Any:
    """Replicas in which nobody gathers, so that a source has whatever has grown."""
    options: dict[str, Any] = {"components": [], "num_agents": 2, "fixed_four_skill_and_loc": False, "horizon": 50}
    env = economy_v0.batched_env(REPLICAS, layout=LAYOUT, stone=resource, wood=resource, **options)
    env.reset(seed=0)
    return env


def units(env: Any) -> Array:
    """Units on the map, (R, 2, rows, columns)."""
    pad = env.engine.reset_parameters.pad
    return env.engine.state.world.planes[:, :2, pad:-pad, pad:-pad].astype(int)


def sources(env: Any) -> Array:
    """Where the sources are, (2, rows, columns) bool."""
    pad = env.engine.reset_parameters.pad
    return env.engine.state.world.planes[0, STONE_SOURCE : STONE_SOURCE + 2, pad:-pad, pad:-pad] > 0


def step(env: Any) -> None:
    """Everybody does nothing."""
    env.step({role: np.zeros((env.num_envs, *space.shape), np.int64) for role, space in env.action_spaces.items()})


def check_frequency(hits: int, trials: int, probability: float, comparisons: int) -> None:
    tail = FALSE_ALARM / comparisons / 2
    low, high = binom.ppf(tail, trials, probability), binom.isf(tail, trials, probability)
    assert low <= hits <= high, (hits, trials, probability)


def test_a_source_grows_with_its_weight_times_its_units_up_to_the_largest_number() -> None:
    env = unattended(regen_weight=0.1, max_health=3)
    where = sources(env)
    assert (units(env) == where).all()
    steps = 6
    for _ in range(steps):
        before = units(env)
        step(env)
        grown = units(env) - before
        assert set(grown.flat) <= {0, 1}
        assert not grown[:, ~where].any()
        for held in (1, 2):
            of_these = grown[(before == held) & where]
            if len(of_these):
                check_frequency(of_these.sum(), len(of_these), 0.1 * held, 2 * steps)
    assert units(env).max() == 3
    assert not (units(env)[:, where] > 3).any()


def mean_of_neighbours(held: Array, where: Array, halfwidth: int, row: int, column: int) -> float:
    """Of max(units, source) in the square around a tile; what lies outside counts as 0."""
    total = 0
    for near_row in range(row - halfwidth, row + halfwidth + 1):
        for near_column in range(column - halfwidth, column + halfwidth + 1):
            if 0 <= near_row < held.shape[0] and 0 <= near_column < held.shape[1]:
                total += max(held[near_row, near_column], int(where[near_row, near_column]))
    return total / (2 * halfwidth + 1) ** 2


@pytest.mark.parametrize("halfwidth", [1, 2])
def test_a_neighbourhood_is_looked_at_before_any_of_its_tiles_has_grown(halfwidth: int) -> None:
    """All sources have one unit at first; growth then depends on each tile's neighbours alone."""
    env = unattended(regen_weight=0.9, regen_halfwidth=halfwidth, max_health=2)
    where, before = sources(env), units(env)
    step(env)
    grown = units(env) - before
    tiles = np.argwhere(where)
    for resource, row, column in tiles:
        chance = 0.9 * mean_of_neighbours(where[resource], where[resource], halfwidth, row, column)
        check_frequency(grown[:, resource, row, column].sum(), REPLICAS, chance, len(tiles))


def test_neighbours_grow_independently_of_each_other_in_a_step() -> None:
    env = unattended(regen_weight=0.9, regen_halfwidth=1, max_health=2)
    before = units(env)
    step(env)
    first, second = ((units(env) - before)[:, 0, 0, column] for column in (0, 1))
    check_frequency((first & second).sum(), first.sum(), second.mean(), 1)


def test_nothing_grows_without_a_weight() -> None:
    env = unattended(regen_weight=0.0, max_health=2)
    before = units(env)
    step(env)
    assert (units(env) == before).all()


def test_an_emptied_source_grows_back() -> None:
    """Agents on the only sources collect at once; at weight 1 a unit is there again after every step."""
    options: dict[str, Any] = {"components": ["Gather"], "num_agents": 2, "fixed_four_skill_and_loc": False}
    env = economy_v0.batched_env(8, layout=["SW"], stone={"regen_weight": 1.0}, wood={"regen_weight": 1.0}, **options)
    env.reset(seed=0)
    for count in range(1, 4):
        step(env)
        assert (env.engine.state.agents.inventory[:, :, :2].sum(axis=(1, 2)) >= 2 * count).all()
        assert (units(env).sum(axis=(1, 2, 3)) == 2).all()
