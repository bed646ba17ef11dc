"""The map of the economy as a picture: land, water, resources, houses in their owner's colour, agents with their index.

Whether a source has something to gather is told by shape, not by colour alone: filled for yes, an outline for no.
"""

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

from PIL import Image, ImageDraw

from ermas_envs.base.drawing import BLACK, WHITE, Colour, font, text_width
from ermas_envs.games.economy.pictures.scene import Scene
from ermas_envs.games.economy.state import (
    STONE_SOURCE,
    STONE_UNITS,
    WATER,
    WOOD_SOURCE,
    WOOD_UNITS,
)

Outline: TypeAlias = tuple[tuple[float, float], ...]

AGENT_COLOURS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
"""Of agents and their houses, from index 0; again from the start after the last, so that the index tells them apart.
The palette of M. Okabe and K. Ito, "Color universal design" (2008), without black."""
LAND: Colour = (238, 234, 224)
WATER_COLOUR: Colour = (205, 216, 224)
WAVE_COLOUR: Colour = (140, 164, 184)
WOOD_COLOUR: Colour = (84, 66, 40)
STONE_COLOUR: Colour = (118, 120, 126)
DARK_INK_FROM = 120.0
"""Luminance from which ink on a colour is black; white below."""

MAP_SIDE = 640
"""Pixels of the longer side of the map, as far as the limits of a tile's side allow."""
SMALLEST_TILE, LARGEST_TILE = 16, 44
SMALLEST_INDEX = 8
"""Font size of an index on the smallest tiles."""
LEGEND_TILE, LEGEND_SIZE, LEGEND_GAP = 20, 14, 6
OVERSAMPLING = 4
"""Tiles are drawn this much larger and reduced, for smooth edges."""

# Corners, in shares of a tile.
_TREE: Outline = ((0.5, 0.1), (0.86, 0.68), (0.58, 0.68), (0.58, 0.9), (0.42, 0.9), (0.42, 0.68), (0.14, 0.68))
_ROCK: Outline = ((0.12, 0.8), (0.1, 0.52), (0.34, 0.24), (0.68, 0.26), (0.9, 0.56), (0.86, 0.8))
_HOUSE: Outline = ((0.06, 0.94), (0.06, 0.4), (0.5, 0.04), (0.94, 0.4), (0.94, 0.94))
_LEGEND = (
    ("wood", WOOD_COLOUR, "wood"),
    ("no wood", WOOD_COLOUR, "wood gone"),
    ("stone", STONE_COLOUR, "stone"),
    ("no stone", STONE_COLOUR, "stone gone"),
    ("water", WATER_COLOUR, "water"),
    ("agent", AGENT_COLOURS[0], "agent 0"),
    ("house", AGENT_COLOURS[0], "its house"),
)
"""Shape, colour, meaning."""


class MapPicture:
    """The map and, below it, its legend.

    Attributes:
        tile: side of a tile, pixels.
        width, height: of all, pixels.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rows, self._columns = scene.owners.shape
        self.tile = min(max(MAP_SIDE // max(self._rows, self._columns), SMALLEST_TILE), LARGEST_TILE)
        self.width = max(self._columns * self.tile, MAP_SIDE // 2)
        self._legend = self._place_legend()
        lines = 1 + self._legend[-1][1]
        self.height = self._rows * self.tile + lines * (LEGEND_TILE + LEGEND_GAP)

    def draw(self, image: Image.Image, left: int, top: int) -> None:
        """Paste it into an RGB image."""
        tile = self.tile
        image.paste(LAND, (left, top, left + self._columns * tile, top + self._rows * tile))
        draw = ImageDraw.Draw(image)
        for row in range(self._rows):
            for column in range(self._columns):
                self._draw_tile(image, draw, row, column, (left + column * tile, top + row * tile))
        for agent, (row, column) in enumerate(self._scene.places.tolist()):
            draw_agent(image, agent, tile, (left + column * tile, top + row * tile))
        corner = (left + self._columns * tile - 1, top + self._rows * tile - 1)
        draw.rectangle((left - 1, top - 1, corner[0] + 1, corner[1] + 1), outline=WAVE_COLOUR)
        self._draw_legend(image, left, top + self._rows * tile + LEGEND_GAP)

    def _draw_tile(
        self, image: Image.Image, draw: ImageDraw.ImageDraw, row: int, column: int, corner: tuple[int, int]
    ) -> None:
        planes, owner = self._scene.planes[:, row, column], int(self._scene.owners[row, column])
        if planes[WATER]:
            _paste(image, "water", WATER_COLOUR, self.tile, corner)
        for units, source, name, colour in (
            (STONE_UNITS, STONE_SOURCE, "stone", STONE_COLOUR),
            (WOOD_UNITS, WOOD_SOURCE, "wood", WOOD_COLOUR),
        ):
            if planes[units] or planes[source]:
                _paste(image, name if planes[units] else f"no {name}", colour, self.tile, corner)
            if planes[units] > 1:
                below = (corner[0] + self.tile - 1, corner[1] + self.tile - 1)
                draw.text(below, str(planes[units]), BLACK, font(_index_size("00", self.tile)), anchor="rb")
        if owner >= 0:
            _paste(image, "house", agent_colour(owner), self.tile, corner)
            _write_index(draw, owner, self.tile, corner, 0.62)

    def _place_legend(self) -> Sequence[tuple[int, int]]:
        """(x, line) of each entry, in lines no wider than the map."""
        places, x, line = [], 0, 0
        for _, _, written in _LEGEND:
            wide = LEGEND_TILE + LEGEND_GAP // 2 + text_width(written, LEGEND_SIZE) + LEGEND_GAP
            if x + wide > self.width:
                x, line = 0, line + 1
            places.append((x, line))
            x += wide + LEGEND_GAP
        return places

    def _draw_legend(self, image: Image.Image, left: int, top: int) -> None:
        draw = ImageDraw.Draw(image)
        for (x, line), (name, colour, written) in zip(self._legend, _LEGEND, strict=True):
            corner = (left + x, top + line * (LEGEND_TILE + LEGEND_GAP))
            image.paste(LAND, (*corner, corner[0] + LEGEND_TILE, corner[1] + LEGEND_TILE))
            _paste(image, name, colour, LEGEND_TILE, corner)
            if name in ("house", "agent"):
                _write_index(draw, 0, LEGEND_TILE, corner, 0.62 if name == "house" else 0.5)
            middle = (corner[0] + LEGEND_TILE + LEGEND_GAP // 2, corner[1] + LEGEND_TILE // 2)
            draw.text(middle, written, BLACK, font(LEGEND_SIZE), anchor="lm")


def agent_colour(agent: int) -> Colour:
    """Colour of an agent and its houses."""
    return AGENT_COLOURS[agent % len(AGENT_COLOURS)]


def draw_agent(image: Image.Image, agent: int, tile: int, corner: tuple[int, int]) -> None:
    """Paste the marker of an agent into the square of side `tile` at `corner` (x, y): a disk with its index."""
    _paste(image, "agent", agent_colour(agent), tile, corner)
    _write_index(ImageDraw.Draw(image), agent, tile, corner, 0.5)


def _write_index(draw: ImageDraw.ImageDraw, agent: int, tile: int, corner: tuple[int, int], height: float) -> None:
    red, green, blue = agent_colour(agent)
    ink = BLACK if 0.299 * red + 0.587 * green + 0.114 * blue >= DARK_INK_FROM else WHITE
    middle = (corner[0] + tile / 2, corner[1] + height * tile)
    draw.text(middle, str(agent), ink, font(_index_size(str(agent), tile)), anchor="mm")


def _index_size(written: str, tile: int) -> int:
    """Font size with which a number fits into a tile."""
    return max(round(tile * (0.56 if len(written) < 3 else 0.42)), SMALLEST_INDEX)


def _paste(image: Image.Image, name: str, colour: Colour, tile: int, corner: tuple[int, int]) -> None:
    sprite = _sprite(name, colour, tile)
    image.paste(sprite, corner, sprite)


@cache
def _sprite(name: str, colour: Colour, tile: int) -> Image.Image:
    """(tile, tile) RGBA, transparent around the shape."""
    side = tile * OVERSAMPLING
    sprite = Image.new("RGBA", (side, side), (*colour, 0))
    draw = ImageDraw.Draw(sprite)
    line = max(round(0.06 * side), OVERSAMPLING)
    if name == "water":
        draw.rectangle((0, 0, side, side), (*colour, 255))
        for height in (0.3, 0.7):
            box = ((0.1, height - 0.12), (0.5, height + 0.12), (0.5, height - 0.12), (0.9, height + 0.12))
            (a, b, c, d) = [(round(x * side), round(y * side)) for x, y in box]
            draw.arc((*a, *b), 180, 360, WAVE_COLOUR, line)
            draw.arc((*c, *d), 0, 180, WAVE_COLOUR, line)
    elif name == "agent":
        margin = 0.05 * side
        draw.ellipse((margin, margin, side - 1 - margin, side - 1 - margin), (*colour, 255), BLACK, line)
    else:
        shape = _HOUSE if name == "house" else _ROCK if "stone" in name else _TREE
        corners = [(x * side, y * side) for x, y in shape]
        if not name.startswith("no "):
            draw.polygon(corners, (*colour, 255))
        if name == "house" or name.startswith("no "):
            outline = BLACK if name == "house" else colour
            draw.line([*corners, *corners[:2]], (*outline, 255), line, joint="curve")
    return sprite.resize((tile, tile), Image.Resampling.BOX)
