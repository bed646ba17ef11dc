"""Layouts: text, arrays, files and names, and the counts, water and connectedness of the generated maps."""

from pathlib import Path

import numpy as np
import pytest
from helpers.goldens import golden
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from ermas_envs.base.arrays import BoolArray
from ermas_envs.games.economy.layouts import (
    Layout,
    as_layout,
    closed_quadrant,
    layout_registry,
    no_water,
    open_quadrant,
)

SMALL = "W.S;.@."
EIGHT = np.ones((3, 3))


def test_text_becomes_arrays() -> None:
    layout = Layout.of_text(SMALL)
    assert (layout.height, layout.width) == (2, 3)
    np.testing.assert_array_equal(layout.wood_source, [[True, False, False], [False, False, False]])
    np.testing.assert_array_equal(layout.stone_source, [[False, False, True], [False, False, False]])
    np.testing.assert_array_equal(layout.water, [[False, False, False], [False, True, False]])


@pytest.mark.parametrize(
    "rows",
    ["W S; @ ", "WAS;A@A;", "W.S;\n.@.;\n", "\nW.S\n.@.\n", "W.S\r\n.@.\r\n", ["W.S", " @A"], ("W.S", ".@.", "")],
)
def test_spellings_of_one_layout(rows: str | list[str]) -> None:
    assert Layout.of_text(rows) == Layout.of_text(SMALL)
    assert hash(Layout.of_text(rows)) == hash(Layout.of_text(SMALL))


def test_different_layouts_differ() -> None:
    assert Layout.of_text(SMALL) != Layout.of_text("W.S;.@W")
    assert Layout.of_text(SMALL) != SMALL


layouts = st.integers(1, 6).flatmap(
    lambda width: st.lists(st.text("WS@.", min_size=width, max_size=width), min_size=1, max_size=6)
)


@given(layouts.filter(lambda rows: set("".join(rows)) != {"@"}))
def test_text_round_trip(rows: list[str]) -> None:
    layout = Layout.of_text(rows)
    assert layout.to_text() == ";".join(rows)
    assert Layout.of_text(layout.to_text()) == layout
    assert Layout.of_array([list(row) for row in rows]) == layout


def test_arrays_of_characters_bytes_and_codes() -> None:
    expected = Layout.of_text(SMALL)
    assert Layout.of_array(np.array([["W", " ", "S"], ["A", "@", "."]])) == expected
    assert Layout.of_array(np.array([[b"W", b" ", b"S"], [b"A", b"@", b"."]])) == expected
    assert Layout.of_array(np.array([[1, 0, 2], [0, 3, 0]], dtype=np.uint8)) == expected


def test_arrays_are_read_only_copies() -> None:
    wood, none = np.ones((2, 2), dtype=bool), np.zeros((2, 2), dtype=bool)
    layout = Layout(wood_source=wood, stone_source=none, water=none)
    wood[0, 0] = False
    assert layout.wood_source.all()
    with pytest.raises(ValueError, match="read-only"):
        layout.water[0, 0] = True


def test_as_layout_takes_all_forms(tmp_path: Path) -> None:
    path, expected = tmp_path / "mine.txt", Layout.of_text(SMALL)
    path.write_text("W S; @ ;", encoding="utf-8")
    for given_ in (expected, SMALL, path, str(path), ["W.S", ".@."], [[1, 0, 2], [0, 3, 0]]):
        assert as_layout(given_) == expected
    assert as_layout(np.array([list("W.S"), list(".@.")])) == expected
    assert as_layout(np.array(["W.S", ".@."])) == expected
    assert as_layout("W.S") == Layout.of_text(["W.S"])
    assert as_layout("no_water") == no_water()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("W.;.X", "unknown symbol 'X' in row 1, column 1; symbols are W "),
        ("W.;.", r"row 1 has 1 tiles, row 0 has 2; all rows .*'\.' for an empty tile"),
        ("W.;;.S", "row 1 has 0 tiles, row 0 has 2"),
        ("", "there are no rows"),
        (";;", "there are no rows"),
        ("@@;@@", "every tile is water"),
        (["W.", 3], "a row must be a string, got 3"),
    ],
)
def test_bad_text(rows: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"layout: {message}"):
        Layout.of_text(rows)


@pytest.mark.parametrize(
    ("tiles", "message"),
    [
        (np.array([[0, 4]]), r"unknown code 4 in row 0, column 1; codes are 0 \(empty\)"),
        (np.array([[0], [-1]]), "unknown code -1 in row 1, column 0"),
        (np.zeros((2, 2)), r"single characters or integers, got shape \(2, 2\), dtype float64"),
        (np.zeros((2, 2), dtype=bool), "got shape .*dtype bool"),
        (np.zeros(3, dtype=int), r"an array must be \(height, width\) .* got shape \(3,\)"),
        (np.zeros((0, 3), dtype=int), r"got shape \(0, 3\)"),
        (np.array([["W", "WS"]]), "unknown symbol 'WS' in row 0, column 1"),
        ([["W"], ["W", "."]], "rows of an array must be equally long"),
    ],
)
def test_bad_arrays(tiles: BoolArray, message: str) -> None:
    with pytest.raises(ValueError, match=f"layout: .*{message}"):
        Layout.of_array(tiles)


def test_bad_fields() -> None:
    none, one = np.zeros((2, 2), dtype=bool), np.array([[False, False], [True, False]])
    with pytest.raises(ValueError, match="the tile in row 1, column 0 is of more than one kind"):
        Layout(wood_source=one, stone_source=none, water=one)
    with pytest.raises(ValueError, match=r"layout: water must be .* as the others, got shape \(2, 3\), dtype bool"):
        Layout(wood_source=none, stone_source=none, water=np.zeros((2, 3), dtype=bool))
    with pytest.raises(ValueError, match=r"layout: stone_source must be a .* dtype float64"):
        Layout(wood_source=none, stone_source=np.zeros((2, 2)), water=none)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"W.;.X", "unknown symbol 'X' in row 1, column 1"),
        (b"\xff", "'utf-8' codec can't decode"),
        (None, "No such file"),
    ],
)
def test_errors_name_the_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_bytes(content)
    for read in (Layout.of_file, as_layout):
        with pytest.raises(ValueError, match=rf"layout file '.*mine\.txt': .*{message}"):
            read(str(path))


@pytest.mark.parametrize("name", ["open_quadrnt", "paper"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(
        ValueError, match=f"layout: unknown name '{name}'.* Known: closed_quadrant, no_water, open_quad"
    ):
        as_layout(name)


@pytest.mark.parametrize("given_", [None, 3, {"rows": SMALL}])
def test_what_is_no_layout(given_: object) -> None:
    with pytest.raises(ValueError, match="layout must be a Layout, a registered name, the path"):
        as_layout(given_)


def test_empty_string_and_empty_list() -> None:
    with pytest.raises(ValueError, match="layout: unknown name ''"):
        as_layout("")
    with pytest.raises(ValueError, match="layout: there are no rows"):
        as_layout([])


def regions(layout: Layout) -> int:
    """Parts of the map between which nobody can walk."""
    return int(ndimage.label(~layout.water)[1])


sizes = st.tuples(st.integers(3, 32), st.integers(3, 32)).flatmap(
    lambda size: st.tuples(
        st.just(size[0]), st.just(size[1]), st.integers(2, max(2, ((size[0] - 1) // 2) * ((size[1] - 1) // 2)))
    )
)


@given(sizes, st.floats(0, 1), st.integers(0, 2**32))
def test_generated_maps(size: tuple[int, int, int], clumpiness: float, seed: int) -> None:
    height, width, sources = size
    north, west = (height - 1) // 2, (width - 1) // 2
    if sources > north * west:
        with pytest.raises(ValueError, match="sources_each must be <="):
            open_quadrant(height, width, sources)
        return
    layout, closed, dry = (
        make(height, width, sources, clumpiness, seed) for make in (open_quadrant, closed_quadrant, no_water)
    )
    assert (layout.height, layout.width) == (height, width)
    wood, stone = layout.wood_source, layout.stone_source
    assert wood.sum() == stone.sum() == sources
    assert (wood[:north, :west].sum(), stone[:north, :west].sum()) == ((sources + 1) // 2, sources // 2)
    assert (wood[:north, width - west :].sum(), stone[height - north :, :west].sum()) == (
        sources // 2,
        (sources + 1) // 2,
    )
    assert (regions(layout), regions(closed), regions(dry)) == (1, 4, 1)
    for other in (closed, dry):
        np.testing.assert_array_equal(other.wood_source, wood)
        np.testing.assert_array_equal(other.stone_source, stone)
    np.testing.assert_array_equal(layout.water, layout.water[::-1, ::-1])
    assert not dry.water.any()
    assert (layout.water & ~closed.water).sum() == 0


def test_default_map_is_frozen() -> None:
    """Trained policies and published numbers refer to this map: a change of it is a change of the environment."""
    layout = layout_registry.make("open_quadrant")
    assert layout.to_text().replace(";", "\n") == DEFAULT.strip()
    assert (layout.wood_source.sum(), layout.stone_source.sum(), layout.water.sum()) == (20, 20, 33)
    assert closed_quadrant().water.sum() == 49


def test_water_of_the_described_maps() -> None:
    """SPEC section 3: gaps at 5-8 and 16-19 of row and column 12; 108 tiles in two lines on 40×40."""
    water = open_quadrant().water
    gaps = [5, 6, 7, 8, 16, 17, 18, 19]
    np.testing.assert_array_equal(np.flatnonzero(~water[12]), gaps)
    np.testing.assert_array_equal(np.flatnonzero(~water[:, 12]), gaps)
    assert open_quadrant(40, 40, 50).water.sum() == 108


def test_clumpiness_clumps() -> None:
    """Means over 40 seeds; isolated sources at 0, and every quadrant's sources in one piece at 1."""
    pieces = [
        np.mean([ndimage.label(open_quadrant(clumpiness=c, seed=seed).wood_source, EIGHT)[1] for seed in range(40)])
        for c in (0.0, 0.5, 1.0)
    ]
    assert pieces[0] > pieces[1] > pieces[2] == 2


def clump_statistics(sources: BoolArray) -> tuple[float, int]:
    """Mean number of 8-neighbours of the same kind; number of 8-connected clumps."""
    neighbours = ndimage.convolve(sources.astype(int), EIGHT.astype(int), mode="constant") - 1
    return float(neighbours[sources].mean()), int(ndimage.label(sources, EIGHT)[1])


def test_statistics_of_the_originals_map() -> None:
    """Ours is another map of the same kind, not the same map."""
    original = Layout.of_text(golden("layouts")["layouts"]["quadrant_25x25_20each_30clump.txt"])
    ours = open_quadrant()
    np.testing.assert_array_equal(ours.water, original.water)
    for kind, axis, quadrant in (("wood_source", 0, np.s_[:12, 13:]), ("stone_source", 1, np.s_[13:, :12])):
        mine, theirs = getattr(ours, kind), getattr(original, kind)
        assert mine.sum() == theirs.sum()
        assert abs(int(mine[:12, :12].sum()) - int(theirs[:12, :12].sum())) <= 2
        assert abs(int(mine[quadrant].sum()) - int(theirs[quadrant].sum())) <= 2
        (neighbours, clumps), (their_neighbours, their_clumps) = clump_statistics(mine), clump_statistics(theirs)
        assert abs(neighbours - their_neighbours) <= 0.3
        assert abs(clumps - their_clumps) <= 2
        assert abs(np.nonzero(mine)[axis].mean() - np.nonzero(theirs)[axis].mean()) <= 0.3
        assert not np.array_equal(mine, theirs)


def test_the_originals_files_are_read() -> None:
    files = golden("layouts")["layouts"]
    assert len(files) >= 10
    for rows in files.values():
        text = ";".join(rows)
        layout = Layout.of_text(text)
        assert (layout.wood_source.sum(), layout.stone_source.sum()) == (text.count("W"), text.count("S"))
        assert layout.water.sum() == text.count("@")
        assert layout.width == len(rows[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 2}, "height must be an integer >= 3, got 2"),
        ({"width": 4.0}, "width must be an integer >= 3, got 4.0"),
        ({"sources_each": 1}, "sources_each must be an integer >= 2, got 1"),
        ({"sources_each": 145}, "sources_each must be <= 144, the tiles of a quadrant of a 25×25 map, got 145"),
        ({"clumpiness": 1.5}, "clumpiness must be a finite number >= 0 and <= 1, got 1.5"),
        ({"seed": -1}, "seed must be an integer >= 0, got -1"),
    ],
)
@pytest.mark.parametrize("name", [name for name in layout_registry.names() if name != "village"])  # which takes none
def test_bad_arguments(name: str, arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layout_registry.make(name, **arguments)


DEFAULT = """
W....WW.WW..@.......W...W
.....W.W.W..@.........WW.
..........W.@..W......WWW
............@........W...
.....S......@.......W....
.S....W..................
S..S.....................
SSS......................
S..S.....................
S...........@............
............@............
............@............
@@@@@....@@@@@@@....@@@@@
............@............
S..S........@............
............@............
.........................
SS..S....................
.S.......................
.S.......................
..S.........@............
..S.........@............
............@............
............@............
.S..........@............
"""
