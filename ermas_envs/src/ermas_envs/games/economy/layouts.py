"""Layouts of the gather-trade-build map: text, arrays, files, and our own generated quadrant maps (SPEC.md §2 and §3).

The generated maps follow the description of the original's quadrant maps, not its map files. The procedure is
deterministic and draws all of its randomness from `ReplicaStreams(seed, 1)`:

1. The world is cut into four equal quadrants by a cross of water through the middle, 1 tile thick where the side is odd
   and 2 where it is even. Each of the cross's four arms of a tiles has one gap of max(1, a // 3) tiles that starts
   round(5a / 12) tiles from the edge of the map. On 25×25 that is tiles 5-8 and, mirrored, 16-19: 33 tiles of water.
2. The sources: first wood in the north-west and the north-east, then stone in the north-west and the south-west. The
   north-west gets ⌈n / 2⌉ wood and ⌊n / 2⌋ stone sources of n each. A tile d tiles from the map's edge (the top one
   for wood, the left one for stone), in a quadrant of depth a, has weight (a − d)⁶, which puts sources near the edge.
3. Sources are placed one by one on tiles that hold none. With probability `clumpiness` the new one is drawn by weight
   among the 8-neighbours of its own kind's sources in its quadrant, otherwise (or if there is none) in all of it.

Water does not change the draws, so one seed gives the same sources on open, closed and water-free maps.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_integer, check_number, check_sequence, unknown_name
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray
from ermas_envs.base.registry import Registry
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.base.text import read_text
from ermas_envs.games.taxation.ranges import LARGEST_SIDE

SYMBOLS = ".WS@"
"""Symbol of each code in arrays of integers: 0 empty, 1 wood source, 2 stone source, 3 water."""
_CODES = {symbol: code for code, symbol in enumerate(SYMBOLS)} | {" ": 0, "A": 0}
_MEANING = "W (wood source), S (stone source), @ (water) and '.', blank or A (empty)"


@dataclass(frozen=True, eq=False)
class Layout:
    """Where sources and water are; layouts are equal if all their tiles are.

    Args:
        wood_source: (height, width) bool, True where wood regrows.
        stone_source: (height, width) bool, True where stone regrows.
        water: (height, width) bool, True where nobody can walk.

    The arrays are kept as read-only copies. ValueError if a shape or dtype is wrong, a tile is of two kinds, or no tile
    is free of water.
    """

    wood_source: BoolArray
    stone_source: BoolArray
    water: BoolArray

    def __post_init__(self) -> None:
        """Check the arrays and replace them by read-only copies."""
        shape = np.shape(self.wood_source)
        for name in ("wood_source", "stone_source", "water"):
            given = np.array(getattr(self, name))
            if given.dtype != bool or given.ndim != 2 or given.size == 0 or given.shape != shape:
                raise ValueError(
                    f"layout: {name} must be a (height, width) bool array as the others, got shape {given.shape}, "
                    f"dtype {given.dtype}."
                )
            given.flags.writeable = False
            object.__setattr__(self, name, given)
        kinds = self.wood_source.astype(np.int64) + self.stone_source + self.water
        if (kinds > 1).any():
            row, column = np.argwhere(kinds > 1)[0]
            raise ValueError(f"layout: the tile in row {row}, column {column} is of more than one kind.")
        if self.water.all():
            raise ValueError("layout: every tile is water, so no agent can stand anywhere.")

    @property
    def height(self) -> int:
        """Number of rows; row 0 is the top one."""
        return int(self.water.shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.water.shape[1])

    @classmethod
    def of_text(cls, rows: str | Sequence[str]) -> "Layout":
        """Read rows of symbols: W wood source, S stone source, @ water; '.', blank and A are empty tiles.

        Args:
            rows: one string whose rows are separated by ';' or newlines, or a sequence of one string per row. Empty
                rows at the start and the end are ignored, so a trailing ';' is allowed.

        Raises:
            ValueError: another symbol (named with its row and column), rows of unequal lengths (the row is named), no
                rows, or only water.
        """
        if not isinstance(rows, str):
            lines = list(check_sequence("layout: rows", rows, "['W.', '.S']"))
        else:
            lines = re.split(r";\r?\n|;|\r?\n", rows)
        for line in lines:
            if not isinstance(line, str):
                raise ValueError(f"layout: a row must be a string, got {line!r}.")
        while lines and not lines[-1]:
            lines.pop()
        while lines and not lines[0]:
            lines.pop(0)
        return cls._of_codes(_codes_of(lines))

    @classmethod
    def of_array(cls, tiles: Array | Sequence[Sequence[object]]) -> "Layout":
        """Read a (height, width) array of single characters (as in `of_text`) or of integer codes.

        The codes: 0 empty, 1 wood source, 2 stone source, 3 water. ValueError for other shapes, dtypes, symbols or
        codes; the latter two name the row and the column.
        """
        try:
            array = np.asarray(tiles)
        except ValueError as error:
            raise ValueError(f"layout: rows of an array must be equally long: {error}") from error
        if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "iuUS":
            raise ValueError(
                "layout: an array must be (height, width) single characters or integers, got shape "
                f"{array.shape}, dtype {array.dtype}."
            )
        if array.dtype.kind in "US":
            return cls._of_codes(_codes_of(array.astype(str).tolist()))
        wrong = (array < 0) | (array >= len(SYMBOLS))
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise ValueError(
                f"layout: unknown code {array[row, column]} in row {row}, column {column}; "
                "codes are 0 (empty), 1 (wood source), 2 (stone source) and 3 (water)."
            )
        return cls._of_codes(array.astype(np.int64))

    @classmethod
    def of_file(cls, path: str | Path) -> "Layout":
        """Read a text file as `of_text` does; ValueError, naming the file, if it cannot be read or is no layout."""
        try:
            return cls.of_text(read_text(Path(path)))
        except (OSError, ValueError) as error:
            raise ValueError(f"layout file {str(path)!r}: {error}") from error

    @classmethod
    def _of_codes(cls, codes: IntArray) -> "Layout":
        return cls(wood_source=codes == 1, stone_source=codes == 2, water=codes == 3)

    def to_text(self) -> str:
        """Rows of symbols separated by ';', empty tiles as '.'; `of_text` gives back an equal layout."""
        codes = self.wood_source + 2 * self.stone_source + 3 * self.water
        return ";".join("".join(SYMBOLS[code] for code in row) for row in codes.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and self.to_text() == other.to_text()

    def __hash__(self) -> int:
        return hash(self.to_text())


def _codes_of(rows: Sequence[Sequence[str]]) -> IntArray:
    """(height, width) int64 codes of rows of symbols; ValueError naming what is wrong where."""
    if not rows:
        raise ValueError("layout: there are no rows.")
    for row, symbols in enumerate(rows):
        for column, symbol in enumerate(symbols):
            if symbol not in _CODES:
                raise ValueError(
                    f"layout: unknown symbol {symbol!r} in row {row}, column {column}; symbols are {_MEANING}."
                )
        if len(symbols) != len(rows[0]) or not symbols:
            raise ValueError(
                f"layout: row {row} has {len(symbols)} tiles, row 0 has {len(rows[0])}; "
                "all rows must have the same number of tiles, at least 1 (write '.' for an empty tile)."
            )
    return np.array([[_CODES[symbol] for symbol in symbols] for symbols in rows], dtype=np.int64)


def as_layout(given: object) -> Layout:
    """The layout that `given` describes.

    Args:
        given: a Layout; a registered name; a path (a `Path`, or a string that ends in .txt); text or a sequence of
            rows as in `Layout.of_text`; or an array or nested sequence as in `Layout.of_array`.

    Raises:
        ValueError: it is none of these, or what the reader of its kind raises.
    """
    if isinstance(given, Layout):
        return given
    if isinstance(given, str):
        return _of_string(given)
    if isinstance(given, Path):
        return Layout.of_file(given)
    if isinstance(given, np.ndarray) and given.ndim != 1:
        return Layout.of_array(given)
    if isinstance(given, (Sequence, np.ndarray)):
        rows: list[Any] = list(given)
        return Layout.of_text(rows) if all(isinstance(row, str) for row in rows) else Layout.of_array(rows)
    raise ValueError(
        "layout must be a Layout, a registered name, the path of a .txt file, text, rows of text, or a "
        f"(height, width) array, got {given!r}."
    )


def _of_string(given: str) -> Layout:
    """A name, a path or text. Only text has separators or consists of symbols."""
    if given in layout_registry:
        return layout_registry.make(given)
    if given.endswith(".txt"):
        return Layout.of_file(given)
    if given and (";" in given or "\n" in given or set(given) <= set(_CODES)):
        return Layout.of_text(given)
    raise unknown_name("layout", given, layout_registry.names())


CLUMPINESS = 0.5
"""Of the default maps; over many seeds it gives about as many neighbours and clumps as the original's map has."""
SEED = 283
"""Of the default maps; among 0 … 299, one whose clumps and distances from the edge are near those of the original's."""


def open_quadrant(
    height: int = 25, width: int = 25, sources_each: int = 20, clumpiness: float = CLUMPINESS, seed: int = SEED
) -> Layout:
    """Four quadrants between arms of water with one gap each: wood and stone, wood, stone, nothing.

    North-west has both kinds, north-east wood, south-west stone and south-east none, as the paper's map of that name.
    The procedure stands at the head of this module. All tiles without water are connected.

    Args:
        height: rows, 3 … 1000.
        width: columns, 3 … 1000.
        sources_each: sources of wood, and as many of stone; 2 … the number of tiles of a quadrant.
        clumpiness: probability that a source is put beside an earlier one, in [0, 1].
        seed: of the positions, in [0, 2**63).

    Raises:
        ValueError: naming the argument that is out of range.
    """
    return _quadrants(height, width, sources_each, clumpiness, seed, _cross(height, width, gaps=True))


def closed_quadrant(
    height: int = 25, width: int = 25, sources_each: int = 20, clumpiness: float = CLUMPINESS, seed: int = SEED
) -> Layout:
    """`open_quadrant` without gaps in the water: nobody leaves the quadrant that they start in."""
    return _quadrants(height, width, sources_each, clumpiness, seed, _cross(height, width, gaps=False))


def no_water(
    height: int = 25, width: int = 25, sources_each: int = 20, clumpiness: float = CLUMPINESS, seed: int = SEED
) -> Layout:
    """The sources of `open_quadrant` without any water."""
    water = np.zeros_like(_cross(height, width, gaps=False))
    return _quadrants(height, width, sources_each, clumpiness, seed, water)


def village() -> Layout:
    """A small `open_quadrant`, 13 × 13 with 16 sources of each kind: a few steps from everywhere to everywhere."""
    return open_quadrant(13, 13, sources_each=16)


layout_registry: Registry[Layout] = Registry("layout")
layout_registry.register("open_quadrant", open_quadrant)
layout_registry.register("closed_quadrant", closed_quadrant)
layout_registry.register("no_water", no_water)
layout_registry.register("village", village)


def _arm(side: int) -> int:
    """Tiles from the edge of the map to the cross."""
    return (side - 1) // 2


def _middle(side: int) -> slice:
    """The cross's lines: 1 of an odd side, 2 of an even one."""
    return slice(_arm(side), side - _arm(side))


def _cross(height: int, width: int, gaps: bool) -> BoolArray:
    """(height, width) bool, step 1 of the module's head."""
    height, width = check_integer("height", height, 3, LARGEST_SIDE), check_integer("width", width, 3, LARGEST_SIDE)
    water = np.zeros((height, width), dtype=bool)
    horizontal, vertical = water[_middle(height)], water.T[_middle(width)]  # views
    horizontal[:], vertical[:] = True, True
    if gaps:
        for lines, side in ((horizontal, width), (vertical, height)):
            start = (5 * _arm(side) + 6) // 12
            stop = start + max(1, _arm(side) // 3)
            lines[:, start:stop] = False
            lines[:, side - stop : side - start] = False
    return water


def _quadrants(height: int, width: int, sources_each: int, clumpiness: float, seed: int, water: BoolArray) -> Layout:
    """Steps 2 and 3 of the module's head."""
    rows, columns = _arm(height), _arm(width)
    sources_each = check_integer("sources_each", sources_each, 2)
    if sources_each > rows * columns:
        raise ValueError(
            f"sources_each must be <= {rows * columns}, the tiles of a quadrant of a {height}×{width} map, "
            f"got {sources_each}."
        )
    clumpiness = check_number("clumpiness", clumpiness, 0, 1)
    streams = ReplicaStreams(check_integer("seed", seed, 0), 1)
    north, south = slice(0, rows), slice(height - rows, height)
    west, east = slice(0, columns), slice(width - columns, width)
    from_top = np.broadcast_to(_edge_weights(rows)[:, None], (rows, columns))
    from_left = np.broadcast_to(_edge_weights(columns), (rows, columns))
    wood, stone = np.zeros((height, width), dtype=bool), np.zeros((height, width), dtype=bool)
    larger, smaller = (sources_each + 1) // 2, sources_each // 2
    for kind, quadrant, weights, count in (
        (wood, (north, west), from_top, larger),
        (wood, (north, east), from_top, smaller),
        (stone, (north, west), from_left, smaller),
        (stone, (south, west), from_left, larger),
    ):
        allowed = np.where(wood[quadrant] | stone[quadrant], 0.0, weights)
        kind[quadrant] = _scattered(streams, allowed, count, clumpiness)
    return Layout(wood_source=wood, stone_source=stone, water=water)


def _edge_weights(depth: int) -> FloatArray:
    """(a − d)⁶ of tiles d = 0 … a − 1, (depth,) float64; by products, which are exact on every machine."""
    distance = depth - np.arange(depth, dtype=np.float64)
    cube = distance * distance * distance
    weights: FloatArray = cube * cube
    return weights


def _scattered(streams: ReplicaStreams, weights: FloatArray, count: int, clumpiness: float) -> BoolArray:
    """`count` tiles of one kind, step 3 of the module's head; weights (rows, columns), 0 where no source may be."""
    placed = np.zeros(weights.shape, dtype=bool)
    for _ in range(count):
        free = np.where(placed, 0.0, weights)
        adjoining = free * _neighbours(placed).astype(bool)
        beside = streams.uniforms()[0] < clumpiness and adjoining.any()
        cumulative = np.cumsum(adjoining if beside else free)
        drawn = min(streams.uniforms()[0] * cumulative[-1], np.nextafter(cumulative[-1], 0.0))
        placed.flat[np.searchsorted(cumulative, drawn, side="right")] = True
    return placed


def _neighbours(tiles: BoolArray) -> IntArray:
    """How many of the (up to) 8 neighbours of each tile are True, (rows, columns) int64."""
    rows, columns = tiles.shape
    padded = np.pad(tiles.astype(np.int64), 1)
    windows = [padded[r : r + rows, c : c + columns] for r in range(3) for c in range(3) if (r, c) != (1, 1)]
    total: IntArray = np.sum(windows, axis=0)
    return total
