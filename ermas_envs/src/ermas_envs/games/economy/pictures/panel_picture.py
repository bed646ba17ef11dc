"""The panel beside the map: who has how much coin, stone, wood and houses, and the tax schedule."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ermas_envs.base.drawing import BLACK, GRID_COLOUR, Colour, font, text_width
from ermas_envs.games.economy.pictures.map_picture import agent_colour, draw_agent
from ermas_envs.games.economy.pictures.scene import Scene
from ermas_envs.games.economy.state import STONE, WOOD

MOST_BARS = 12
"""Agents up to which each has a bar; of more, the richest and poorest have, and quartiles of all are shown."""
EXTREMES = 4
"""Richest, and poorest, that have a bar among many agents."""
LONGEST_NUMBER = 1e5
"""Coin from which an amount is written with an exponent."""

# Sizes in pixels.
PANEL_WIDTH = 440
TITLE_SIZE, LABEL_SIZE = 16, 14
ROW_HEIGHT, MARKER = 22, 20
LABEL_WIDTH = 96
"""Of the names left of the bars."""
BAR_WIDTH = 118
"""Of the longest bar."""
VALUE_WIDTH = 70
"""Right of the bars."""
GAP = 8
SCHEDULE_HEIGHT = 120
"""Of a rate of 100 %."""
BAR_COLOUR: Colour = (120, 120, 120)
"""Of quartiles and tax rates."""


@dataclass(frozen=True)
class Row:
    """A bar."""

    label: str
    coin: float
    agent: int | None = None
    """None: a quartile of all agents."""


def rows_of(scene: Scene) -> list[Row]:
    """The bars: all agents in order of their index, or of many agents the richest, quartiles and the poorest."""
    coin = scene.coin
    if scene.num_agents <= MOST_BARS:
        return [Row(f"agent {agent}", float(coin[agent]), agent) for agent in range(scene.num_agents)]
    order = np.argsort(-coin, kind="stable").tolist()
    extremes = [Row(f"agent {agent}", float(coin[agent]), agent) for agent in order[:EXTREMES] + order[-EXTREMES:]]
    quartiles = zip(("upper quartile", "median", "lower quartile"), np.quantile(coin, (0.75, 0.5, 0.25)), strict=True)
    middle = [Row(name, float(value)) for name, value in quartiles]
    return [*extremes[:EXTREMES], *middle, *extremes[EXTREMES:]]


def panel_height(scene: Scene) -> int:
    """Pixels."""
    bars = TITLE_SIZE + GAP + ROW_HEIGHT * (1 + len(rows_of(scene)))
    return bars + (3 * GAP + TITLE_SIZE + 3 * LABEL_SIZE + SCHEDULE_HEIGHT + 2 * GAP if len(scene.cutoffs) else 0)


def draw_panel(image: Image.Image, scene: Scene, left: int, top: int) -> None:
    """Draw both parts, the schedule below the bars."""
    rows = rows_of(scene)
    draw = ImageDraw.Draw(image)
    many = scene.num_agents > MOST_BARS
    title = f"Richest, quartiles and poorest of {scene.num_agents} agents" if many else "Who has what"
    draw.text((left, top), title, BLACK, font(TITLE_SIZE))
    top += TITLE_SIZE + GAP
    _draw_heading(draw, left, top)
    largest = max(float(scene.coin.max()), 1.0)
    for index, row in enumerate(rows):
        _draw_row(image, scene, row, largest, left, top + (1 + index) * ROW_HEIGHT)
    if len(scene.cutoffs):
        _draw_schedule(draw, scene, left, top + (1 + len(rows)) * ROW_HEIGHT + 3 * GAP)


def _column(left: int, index: int) -> int:
    """Right edge of the column of stone, wood, houses; the last one has the longest heading."""
    return left + PANEL_WIDTH - (112, 62, 0)[index]


def _draw_heading(draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    middle = top + ROW_HEIGHT // 2
    draw.text((left + LABEL_WIDTH, middle), "coin", BLACK, font(LABEL_SIZE), anchor="lm")
    for index, name in enumerate(("stone", "wood", "houses")):
        draw.text((_column(left, index), middle), name, BLACK, font(LABEL_SIZE), anchor="rm")


def _draw_row(image: Image.Image, scene: Scene, row: Row, largest: float, left: int, top: int) -> None:
    draw, middle, start = ImageDraw.Draw(image), top + ROW_HEIGHT // 2, left + LABEL_WIDTH
    length = round(BAR_WIDTH * max(row.coin, 0.0) / largest)
    colour = BAR_COLOUR if row.agent is None else agent_colour(row.agent)
    if length:
        draw.rectangle((start, top + 4, start + length - 1, top + ROW_HEIGHT - 5), colour)
    draw.text((start + length + GAP // 2, middle), _number(row.coin), BLACK, font(LABEL_SIZE), anchor="lm")
    if row.agent is None:
        draw.text((left, middle), row.label, BLACK, font(LABEL_SIZE - 1), anchor="lm")
        return
    draw_agent(image, row.agent, MARKER, (left, top + (ROW_HEIGHT - MARKER) // 2))
    draw.text((left + MARKER + GAP // 2, middle), row.label, BLACK, font(LABEL_SIZE), anchor="lm")
    holdings = scene.holdings[row.agent]
    for index, number in enumerate((holdings[STONE], holdings[WOOD], scene.houses[row.agent])):
        draw.text((_column(left, index), middle), f"{number:.0f}", BLACK, font(LABEL_SIZE), anchor="rm")


def _number(coin: float) -> str:
    return f"{coin:.1f}" if abs(coin) < LONGEST_NUMBER else f"{coin:.1e}"


def _draw_schedule(draw: ImageDraw.ImageDraw, scene: Scene, left: int, top: int) -> None:
    """A bar per bracket, all equally wide; where a bracket begins stands below its left edge."""
    draw.text((left, top), "Marginal tax rate by income in a tax period", BLACK, font(TITLE_SIZE))
    axis = left + text_width("100%", LABEL_SIZE) + GAP
    ceiling = top + TITLE_SIZE + GAP + LABEL_SIZE
    bottom = ceiling + SCHEDULE_HEIGHT
    for share in (0.0, 0.5, 1.0):
        y = bottom - round(SCHEDULE_HEIGHT * share)
        draw.line((axis, y, left + PANEL_WIDTH, y), GRID_COLOUR)
        draw.text((axis - GAP, y), f"{share:.0%}", BLACK, font(LABEL_SIZE), anchor="rm")
    brackets = len(scene.cutoffs)
    edges = [axis + (left + PANEL_WIDTH - axis) * bracket // brackets for bracket in range(brackets + 1)]
    written = [f"{cutoff:.4g}" for cutoff in scene.cutoffs]
    widest = max(text_width(label, LABEL_SIZE) for label in (*written, "100%")) + GAP
    every = -(-widest * brackets // (edges[-1] - axis))
    for bracket, (cutoff, rate) in enumerate(zip(written, scene.rates.tolist(), strict=True)):
        height = round(SCHEDULE_HEIGHT * rate)
        draw.rectangle((edges[bracket], bottom - height, edges[bracket + 1] - 2, bottom), BAR_COLOUR)
        if bracket % every == 0:
            middle = (edges[bracket] + edges[bracket + 1]) // 2
            draw.text((middle, bottom - height - 2), f"{rate:.0%}", BLACK, font(LABEL_SIZE), anchor="ms")
            draw.text((edges[bracket], bottom + GAP // 2), cutoff, BLACK, font(LABEL_SIZE), anchor="lt")
    below = bottom + LABEL_SIZE + GAP
    draw.text((left + PANEL_WIDTH, below), "coin from which a bracket begins", BLACK, font(LABEL_SIZE), anchor="rt")
