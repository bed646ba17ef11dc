"""Pictures and text of one replica of the economy (`Scene`): the map, who has what, and the tax schedule."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ermas_envs.base.drawing import BLACK, WHITE, font
from ermas_envs.games.economy.pictures.map_picture import MapPicture
from ermas_envs.games.economy.pictures.panel_picture import PANEL_WIDTH, draw_panel, panel_height
from ermas_envs.games.economy.pictures.scene import Scene
from ermas_envs.games.economy.state import (
    STONE,
    STONE_SOURCE,
    STONE_UNITS,
    WATER,
    WOOD,
    WOOD_SOURCE,
    WOOD_UNITS,
)
from ermas_envs.games.taxation.holdings import COIN

HEADER_SIZE, SUBTITLE_SIZE = 20, 15
"""Font sizes."""
MARGIN, LINE_GAP = 18, 8
"""Pixels around the parts, and between lines of text."""
TOP = MARGIN + HEADER_SIZE + SUBTITLE_SIZE + 4 * LINE_GAP
"""y of the map and the panel."""


def picture(scene: Scene) -> NDArray[np.uint8]:
    """The map, beside it who has how much and the tax schedule.

    Returns:
        (height, width, 3) RGB; its size depends on the sizes of the map and of the population only.
    """
    drawn = MapPicture(scene)
    width = 3 * MARGIN + drawn.width + PANEL_WIDTH
    height = TOP + max(drawn.height, panel_height(scene)) + MARGIN
    image = Image.new("RGB", (width, height), WHITE)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), scene.header, BLACK, font(HEADER_SIZE))
    below = (MARGIN, MARGIN + HEADER_SIZE + LINE_GAP)
    draw.text(below, "   ".join(filter(None, (scene.clock, scene.welfare))), BLACK, font(SUBTITLE_SIZE))
    drawn.draw(image, MARGIN, TOP)
    draw_panel(image, scene, 2 * MARGIN + drawn.width, TOP)
    return np.array(image, dtype=np.uint8)


def text(scene: Scene) -> str:
    """The scene in plain characters: the map, the agents' holdings, the tax schedule.

    On the map `@3` is agent 3 and `h3` its house, S and W are units of stone and wood, s and w sources without any,
    ~ is water and . is land.
    """
    lines = [scene.header, *([scene.clock] if scene.clock else []), scene.welfare, "", *_text_map(scene), ""]
    lines += ["agent      coin   stone    wood  houses     labor   utility"]
    for agent in range(scene.num_agents):
        stone, wood, coin = scene.holdings[agent, [STONE, WOOD, COIN]]
        numbers = f"{coin:>10.1f}{stone:>8.0f}{wood:>8.0f}{scene.houses[agent]:>8}"
        lines.append(f"{agent:>5}{numbers}{scene.labor[agent]:>10.1f}{scene.utility[agent]:>10.1f}")
    if len(scene.cutoffs):
        brackets = (f"from {low:g}: {rate:.0%}" for low, rate in zip(scene.cutoffs, scene.rates, strict=True))
        lines += ["", "marginal tax rate by income in a period (coin): " + ", ".join(brackets)]
    return "\n".join(lines) + "\n"


def _text_map(scene: Scene) -> list[str]:
    height, width = scene.owners.shape
    tiles = np.full((height, width), ".", dtype=object)
    for plane, sign in (
        (WATER, "~"),
        (STONE_SOURCE, "s"),
        (WOOD_SOURCE, "w"),
        (STONE_UNITS, "S"),
        (WOOD_UNITS, "W"),
    ):
        tiles[scene.planes[plane] > 0] = sign
    for row, column in np.argwhere(scene.owners >= 0):
        tiles[row, column] = f"h{scene.owners[row, column]}"
    for agent, (row, column) in enumerate(scene.places):
        tiles[row, column] = f"@{agent}"
    size = 1 + len(str(scene.num_agents - 1))
    return [" ".join(f"{tile:<{size}}" for tile in row).rstrip() for row in tiles]
