"""Pictures and text of the economy: what stands where, for any number of agents and size of map."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ermas_envs.base.arrays import Array
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.pictures import map_picture, panel_picture, rendering
from ermas_envs.games.economy.pictures.scene import Scene, scene_of
from ermas_envs.games.economy.settings import (
    Build,
    ContinuousDoubleAuction,
    EconomySettings,
    Gather,
)
from ermas_envs.games.economy.state import (
    HOUSE,
    INSIDE,
    NUM_PLANES,
    STONE_SOURCE,
    STONE_UNITS,
    WATER,
    WOOD_SOURCE,
    WOOD_UNITS,
)
from ermas_envs.games.taxation.tax_planners import USFederal, tax_rule
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_2018_RATES, bracket_cutoffs


def make_scene(agents: int = 4, height: int = 8, width: int = 8, brackets: int = 7) -> Scene:
    """Agents in the first rows, in order; nothing else but coin."""
    planes = np.zeros((NUM_PLANES, height, width), np.uint8)
    planes[INSIDE] = 1
    holdings = np.zeros((agents, 3))
    holdings[:, 2] = 10.0 * np.arange(agents)
    return Scene(
        name="economy_v0",
        step=120,
        horizon=1000,
        planes=planes,
        owners=np.full((height, width), -1),
        places=np.stack(divmod(np.arange(agents), width), axis=1),
        holdings=holdings,
        labor=np.ones(agents),
        utility=np.ones(agents),
        cutoffs=bracket_cutoffs("us-federal")[:brackets],
        rates=np.array(US_FEDERAL_2018_RATES)[:brackets],
        tax_period=100,
        equality=0.75,
        productivity=float(holdings[:, 2].sum()),
    )


def with_tile(scene: Scene, row: int, column: int, owner: int = -1, **planes: int) -> Scene:
    """The scene with values of planes, by number, and a house on a tile."""
    changed, owners = scene.planes.copy(), scene.owners.copy()
    for name, value in planes.items():
        changed[int(name[1:]), row, column] = value
    owners[row, column] = owner
    if owner >= 0:
        changed[HOUSE, row, column] = 1
    return replace(scene, planes=changed, owners=owners)


def tile(scene: Scene, row: int, column: int) -> Array:
    """Pixels of a tile of the map."""
    side = map_picture.MapPicture(scene).tile
    top, left = rendering.TOP + row * side, rendering.MARGIN + column * side
    return rendering.picture(scene)[top : top + side, left : left + side]


def share(pixels: Array, colour: tuple[int, int, int]) -> float:
    return float((pixels == np.array(colour)).all(axis=-1).mean())


# Pictures


@pytest.mark.parametrize(("agents", "size"), [(2, 8), (4, 25), (12, 8), (13, 25), (100, 40), (100, 60), (250, 60)])
def test_shape_dtype_and_that_frames_of_an_episode_have_one_size(agents: int, size: int) -> None:
    scene = make_scene(agents, size, size)
    first = rendering.picture(scene)
    assert first.dtype == np.uint8
    assert first.ndim == 3
    assert first.shape[2] == 3
    later = replace(scene, step=999, holdings=scene.holdings * 1234.5, rates=np.ones(7), productivity=1e7)
    assert rendering.picture(later).shape == first.shape
    np.testing.assert_array_equal(rendering.picture(scene), first)


@pytest.mark.parametrize("size", [(8, 60), (60, 8), (25, 25)])
def test_maps_need_not_be_square(size: tuple[int, int]) -> None:
    scene = make_scene(4, *size)
    assert share(tile(scene, size[0] - 1, size[1] - 1), map_picture.LAND) == 1.0


@pytest.mark.parametrize(("agents", "size"), [(7, 8), (100, 60)])
def test_agents_are_disks_of_their_colour_where_they_stand(agents: int, size: int) -> None:
    scene = make_scene(agents, size, size)
    for agent in range(0, agents, 7):
        row, column = divmod(agent, size)
        assert share(tile(scene, row, column), map_picture.agent_colour(agent)) > 0.15
    assert share(tile(scene, size - 1, size - 1), map_picture.LAND) == 1.0


def test_agents_differ_by_their_index_where_colours_repeat() -> None:
    scene = make_scene(8, 8, 8)
    assert map_picture.agent_colour(0) == map_picture.agent_colour(7)
    assert (tile(scene, 0, 0) != tile(scene, 0, 7)).any()


@pytest.mark.parametrize("size", [8, 60])
@pytest.mark.parametrize(
    ("units", "source", "colour"),
    [
        (STONE_UNITS, STONE_SOURCE, map_picture.STONE_COLOUR),
        (WOOD_UNITS, WOOD_SOURCE, map_picture.WOOD_COLOUR),
    ],
)
def test_sources_with_and_without_units_differ_by_shape(
    units: int, source: int, colour: tuple[int, int, int], size: int
) -> None:
    scene = make_scene(4, size, size)
    full = tile(with_tile(scene, 5, 5, **{f"p{units}": 1, f"p{source}": 1}), 5, 5)
    empty = tile(with_tile(scene, 5, 5, **{f"p{source}": 1}), 5, 5)
    assert share(full, colour) > 0.2
    assert share(empty, colour) < 0.5 * share(full, colour)
    assert share(empty, map_picture.LAND) > 0.3
    assert (full != empty).any()


def test_water_and_several_units() -> None:
    scene = make_scene()
    assert share(tile(with_tile(scene, 5, 5, **{f"p{WATER}": 1}), 5, 5), map_picture.WATER_COLOUR) > 0.4
    one, three = (tile(with_tile(scene, 5, 5, **{f"p{WOOD_UNITS}": n}), 5, 5) for n in (1, 3))
    assert (one != three).any()


@pytest.mark.parametrize("size", [8, 60])
def test_houses_have_their_owners_colour_and_index_and_agents_stand_on_them(size: int) -> None:
    scene = make_scene(100 if size == 60 else 4, size, size)
    house = tile(with_tile(scene, 5, 5, owner=2), 5, 5)
    assert share(house, map_picture.agent_colour(2)) > 0.3
    if size == 60:
        assert (house != tile(with_tile(scene, 5, 5, owner=2 + 7), 5, 5)).any()
    occupied = tile(with_tile(scene, 0, 1, owner=2), 0, 1)
    assert share(occupied, map_picture.agent_colour(1)) > 0.15
    assert (occupied != tile(scene, 0, 1)).any()


def test_bars_grow_with_coin() -> None:
    scene = make_scene(3)
    lengths = []
    for coin in (0.0, 50.0, 100.0):
        holdings = scene.holdings.copy()
        holdings[:, 2] = coin, 0.0, 100.0
        left = 2 * rendering.MARGIN + map_picture.MapPicture(scene).width + panel_picture.LABEL_WIDTH
        bars = rendering.picture(replace(scene, holdings=holdings))[rendering.TOP :, left:]
        lengths.append(int((bars == np.array(map_picture.agent_colour(0))).all(axis=-1).any(axis=0).sum()))
    assert lengths == [0, panel_picture.BAR_WIDTH // 2, panel_picture.BAR_WIDTH]


@pytest.mark.parametrize(("rate", "height"), [(0.0, 1), (0.5, 61), (1.0, 121)])
def test_rates_are_bars_of_their_height(rate: float, height: int) -> None:
    scene = replace(make_scene(2), rates=np.array([rate, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    left = 2 * rendering.MARGIN + map_picture.MapPicture(scene).width
    panel = rendering.picture(scene)[:, left:]
    grey = (panel == np.array(panel_picture.BAR_COLOUR)).all(axis=-1)
    assert abs(int(grey.sum(axis=0)[60]) - height) <= 16 * (rate == 0.5)  # the grid's line, and the number above


def test_up_to_twelve_agents_all_have_bars_of_more_the_extremes_and_quartiles() -> None:
    assert [row.label for row in panel_picture.rows_of(make_scene(12))] == [f"agent {agent}" for agent in range(12)]
    rows = panel_picture.rows_of(make_scene(100, 25, 25))
    assert [row.agent for row in rows] == [99, 98, 97, 96, None, None, None, 3, 2, 1, 0]
    assert [row.coin for row in rows][4:7] == [742.5, 495.0, 247.5]


def test_without_taxes_there_is_no_schedule() -> None:
    with_taxes, without = make_scene(12), make_scene(12, brackets=0)
    assert rendering.picture(without).shape[0] < rendering.picture(with_taxes).shape[0]
    assert "tax" not in rendering.text(without)


@pytest.mark.parametrize("brackets", [2, 10, 60])
def test_any_number_of_brackets(brackets: int) -> None:
    scene = replace(make_scene(), cutoffs=np.linspace(0, 100, brackets), rates=np.linspace(0, 1, brackets))
    assert rendering.picture(scene).shape == rendering.picture(make_scene()).shape


def test_penniless_and_very_rich_agents() -> None:
    scene = make_scene()
    for coin in (0.0, 1e12):
        assert rendering.picture(replace(scene, holdings=np.full((4, 3), coin))).dtype == np.uint8


@pytest.mark.parametrize(
    ("step", "clock"),
    [
        (0, "tax period 1, step 0 of 100"),
        (1, "tax period 1, step 1 of 100"),
        (100, "tax period 1, step 100 of 100"),
        (101, "tax period 2, step 1 of 100"),
        (1000, "tax period 10, step 100 of 100"),
    ],
)
def test_clock(step: int, clock: str) -> None:
    scene = replace(make_scene(), step=step)
    assert scene.clock == clock
    assert rendering.text(scene).startswith(f"economy_v0   step {step} of 1000\n{clock}\nequality 0.75   ")
    assert (rendering.picture(scene) != rendering.picture(make_scene())).any()


# Text


def test_text_map() -> None:
    scene = with_tile(make_scene(2, 2, 4, brackets=2), 1, 0, **{f"p{WATER}": 1})
    scene = with_tile(scene, 1, 1, **{f"p{STONE_SOURCE}": 1, f"p{STONE_UNITS}": 1})
    scene = with_tile(with_tile(scene, 1, 2, **{f"p{WOOD_SOURCE}": 1}), 1, 3, owner=1)
    assert rendering.text(scene).splitlines()[4:6] == ["@0 @1 .  .", "~  S  w  h1"]
    assert rendering.text(scene).splitlines()[-1].endswith("from 0: 10%, from 9.7: 12%")


def test_text_lists_all_agents() -> None:
    lines = rendering.text(make_scene(100, 25, 25)).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("agent "))
    assert [line.split()[0] for line in lines[start + 1 : start + 101]] == [str(agent) for agent in range(100)]
    assert len({len(line) for line in lines[start : start + 101]}) == 1


# The engine


def make_batch(num_envs: int = 1, **settings: Any) -> EngineBatch:
    planner, given = USFederal(), EconomySettings(**settings)
    return EngineBatch(EconomyEngine("economy_v0", num_envs, given, tax_rule(planner, given.taxes)), planner)


def test_a_scene_is_a_copy_of_the_replicas_state() -> None:
    batch = make_batch(2, observations="compact", horizon=50)
    batch.reset(3)
    engine = batch.engine
    assert isinstance(engine, EconomyEngine)
    scenes = [scene_of(engine.name, engine.rules, engine.state, replica) for replica in (0, 1)]
    for replica, scene in enumerate(scenes):
        assert scene.planes.shape == (NUM_PLANES, 25, 25)
        assert (scene.planes[INSIDE] == 1).all()
        pad = engine.rules.observations.pad
        standing = engine.state.world.standing[replica]
        for agent, (row, column) in enumerate(scene.places):
            assert standing[row + pad, column + pad] == agent + 2
        assert (scene.owners == -1).all()
        assert (scene.step, scene.horizon, scene.tax_period) == (0, 50, 100)
        assert scene.planes.sum() == engine.state.world.planes[replica].sum()
    before = scenes[0].planes.copy()
    engine.state.world.planes[:] = 9
    engine.state.agents.inventory[:] = 9
    np.testing.assert_array_equal(scenes[0].planes, before)
    assert scenes[0].coin.sum() == 0.0


def test_render_of_the_engine() -> None:
    batch = make_batch(2, observations="compact", horizon=50)
    batch.reset(3)
    pictures = [batch.render(replica, "rgb_array") for replica in (0, 1)]
    assert (np.asarray(pictures[0]) != np.asarray(pictures[1])).any()  # skills and places differ
    assert str(batch.render(1)).startswith("economy_v0   step 0 of 50\ntax period 1, step 0 of 100\nequality ")


def test_render_without_a_tax_component() -> None:
    components = (Build("pareto"), ContinuousDoubleAuction(), Gather())
    settings = EconomySettings(components=components, observations="compact")
    batch = EngineBatch(EconomyEngine("economy_v0", 1, settings))
    batch.reset(0)
    assert "tax" not in str(batch.render())
    assert np.asarray(batch.render(mode="rgb_array")).ndim == 3
