"""Pictures and text of a bimatrix game's payoff landscapes, as in the ERMAS paper's Figure 1.

Three heat maps side by side: r_1 of agent_0, r_2 of agent_1 and r_p of the planner by cell; the brighter a
square, the higher its payoff, each map on its own range. A frame and two disks mark the agents' current cell.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ermas_envs.base.arrays import FloatArray
from ermas_envs.base.drawing import BLACK, WHITE, Colour, font, text_width
from ermas_envs.games.bimatrix.rules import BimatrixRules

TITLES = ("agent_0: r_1", "agent_1: r_2", "planner: r_p")
ROW_LABEL, COLUMN_LABEL = "level of agent_0", "level of agent_1"
LEGEND = ("agent_0 (row)", "agent_1 (column)")

LONGEST_NUMBER = 10
"""Characters; a longer number is written with an exponent."""
NO_RANGE_BRIGHTNESS = 0.5
"""Brightness of every square where all payoffs of a map are equal."""
DARK_INK_FROM = 0.45
"""Brightness from which a square's number is black; white below."""

DARKEST: Colour = (16, 18, 38)
BRIGHTEST: Colour = (255, 248, 214)
GRID_COLOUR: Colour = (120, 118, 112)
FRAME_COLOUR: Colour = (0, 170, 85)
DISK_COLOURS: tuple[Colour, Colour] = (40, 120, 235), (225, 55, 45)
"""Of agent_0 and agent_1."""

# Sizes in pixels.
HEADER_SIZE, TITLE_SIZE, NUMBER_SIZE, LABEL_SIZE = 20, 17, 15, 14
"""Font sizes."""
LINE_GAP = 6
"""Between a line of text and the next thing."""
MARGIN = 18
"""Around the picture and between the maps."""
SMALLEST_SQUARE = 62
"""Side of a square: room for the number and, below it, the disks."""
NUMBER_PADDING = 9
"""Left and right of the widest number; more than the frame's width."""
FRAME_WIDTH, DISK_RADIUS, DISK_GAP = 4, 6, 2
SCALE_HEIGHT = 10
"""Of the bar that shows a map's brightness range."""


@dataclass(frozen=True)
class View:
    """What one replica looks like at one step."""

    rules: BimatrixRules
    """Tables of the game; the payoffs are read from them."""
    cell: int
    """Current cell, i · levels + j for agent_0's level i and agent_1's level j."""
    step: int
    """Steps taken in this episode."""
    horizon: int
    """Steps in an episode."""
    name: str
    """Registered name of the game."""

    @property
    def header(self) -> str:
        """First line of the picture and of the text."""
        return f"{self.name}   step {self.step} of {self.horizon}"

    @property
    def landscapes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """r_1, r_2 and r_p as (levels, levels) matrices."""
        shape = (self.rules.levels, self.rules.levels)
        agent_0, agent_1 = self.rules.agent_payoffs
        return agent_0.reshape(shape), agent_1.reshape(shape), self.rules.planner_outcome.reshape(shape)


def text(view: View) -> str:
    """The three matrices as aligned numbers; the current cell's stand in brackets."""
    maps = zip(TITLES, view.landscapes, strict=True)
    blocks = [f"{title}\n{_text_matrix(matrix, view.cell)}" for title, matrix in maps]
    return "\n\n".join([f"{view.header}\nrows: {ROW_LABEL}, columns: {COLUMN_LABEL}", *blocks]) + "\n"


def picture(view: View) -> NDArray[np.uint8]:
    """The three heat maps with the current cell marked.

    Returns:
        (height, width, 3) RGB; its size does not depend on the cell.
    """
    layout = _Layout.of(view)
    image = Image.new("RGB", (layout.width, layout.height), WHITE)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN), view.header, BLACK, font(HEADER_SIZE))
    _draw_legend(draw, MARGIN, MARGIN + HEADER_SIZE + 2 * LINE_GAP)
    for index, (title, matrix) in enumerate(zip(TITLES, view.landscapes, strict=True)):
        _draw_map(image, layout, layout.left(index), title, matrix)
        _draw_mark(draw, layout, layout.left(index), divmod(view.cell, layout.levels))
    return np.array(image, dtype=np.uint8)


def _number(value: float) -> str:
    plain = f"{round(value, 2) + 0.0:.2f}"  # + 0.0 turns −0.0 into 0.0
    return plain if len(plain) <= LONGEST_NUMBER else f"{value:.2e}"


def _text_matrix(matrix: FloatArray, cell: int) -> str:
    levels = matrix.shape[1]
    numbers = map(_number, matrix.ravel().tolist())
    marked = [f"[{number}]" if k == cell else f"{number} " for k, number in enumerate(numbers)]
    width = max(map(len, marked)) + 2
    rows = [marked[start : start + levels] for start in range(0, len(marked), levels)]
    heading = [f"{level} " for level in range(levels)]
    lines = [("", heading), *((str(level), row) for level, row in enumerate(rows))]
    return "\n".join((f"{label:>4}" + "".join(f"{x:>{width}}" for x in row)).rstrip() for label, row in lines)


def _scale_labels(matrix: FloatArray) -> tuple[str, str]:
    return f"min {_number(float(matrix.min()))}", f"max {_number(float(matrix.max()))}"


@dataclass(frozen=True)
class _Layout:
    """Where things stand; a map is `levels` squares wide and its title, labels and scale are no wider."""

    levels: int
    side: int
    width: int

    top = MARGIN + HEADER_SIZE + LABEL_SIZE + TITLE_SIZE + 6 * LINE_GAP
    """y of the first row of squares."""
    gutter = 2 * LABEL_SIZE + 3 * LINE_GAP
    """Room left of a map for the row label and the ticks."""

    @classmethod
    def of(cls, view: View) -> "_Layout":
        levels, maps = view.rules.levels, view.landscapes
        number = max(text_width(_number(x), NUMBER_SIZE) for matrix in maps for x in matrix.ravel().tolist())
        under = MARGIN + max(text_width("".join(_scale_labels(matrix)), LABEL_SIZE) for matrix in maps)
        above = max(text_width(title, TITLE_SIZE) for title in TITLES)
        label = max(text_width(name, LABEL_SIZE) for name in (ROW_LABEL, COLUMN_LABEL))
        side = max(SMALLEST_SQUARE, number + 2 * NUMBER_PADDING, math.ceil(max(under, above, label) / levels))
        panels = len(TITLES) * (cls.gutter + levels * side + MARGIN) + MARGIN
        return cls(levels, side, max(panels, text_width(view.header, HEADER_SIZE) + 2 * MARGIN))

    @property
    def extent(self) -> int:
        """Width and height of a map's squares together."""
        return self.levels * self.side

    @property
    def height(self) -> int:
        return self.top + self.extent + 3 * LABEL_SIZE + SCALE_HEIGHT + 5 * LINE_GAP + MARGIN

    def left(self, index: int) -> int:
        """x of the first column of squares of a map."""
        return MARGIN + self.gutter + index * (self.gutter + self.extent + MARGIN)

    def square(self, left: int, row: int, column: int) -> tuple[int, int, int, int]:
        """Corners of a square; both lie inside it."""
        x, y = left + column * self.side, self.top + row * self.side
        return x, y, x + self.side - 1, y + self.side - 1


def _brightness(matrix: FloatArray) -> FloatArray:
    low, high = matrix.min(), matrix.max()
    return np.full(matrix.shape, NO_RANGE_BRIGHTNESS) if low == high else (matrix - low) / (high - low)


def _colour(brightness: float) -> Colour:
    red, green, blue = (round(d + (b - d) * brightness) for d, b in zip(DARKEST, BRIGHTEST, strict=True))
    return red, green, blue


def _draw_map(image: Image.Image, layout: _Layout, left: int, title: str, matrix: FloatArray) -> None:
    draw = ImageDraw.Draw(image)
    above = (left + layout.extent // 2, layout.top - LINE_GAP)
    draw.text(above, title, BLACK, font(TITLE_SIZE), anchor="md")
    for (row, column), brightness in np.ndenumerate(_brightness(matrix)):
        corners = layout.square(left, row, column)
        draw.rectangle(corners, _colour(brightness), outline=GRID_COLOUR)
        centre = ((corners[0] + corners[2]) / 2, (corners[1] + corners[3]) / 2)
        ink = BLACK if brightness >= DARK_INK_FROM else WHITE
        draw.text(centre, _number(float(matrix[row, column])), ink, font(NUMBER_SIZE), anchor="mm")
    _draw_axes(image, layout, left)
    _draw_scale(draw, layout, left, matrix)


def _draw_axes(image: Image.Image, layout: _Layout, left: int) -> None:
    draw, label_font = ImageDraw.Draw(image), font(LABEL_SIZE)
    bottom = layout.top + layout.extent
    for level in range(layout.levels):
        along = level * layout.side + layout.side // 2
        draw.text((left - LINE_GAP, layout.top + along), str(level), BLACK, label_font, anchor="rm")
        draw.text((left + along, bottom + LINE_GAP), str(level), BLACK, label_font, anchor="mt")
    label_top = bottom + LABEL_SIZE + 2 * LINE_GAP
    draw.text((left + layout.extent // 2, label_top), COLUMN_LABEL, BLACK, label_font, anchor="mt")
    upright = Image.new("RGB", (layout.extent, LABEL_SIZE + LINE_GAP), WHITE)
    centre = (upright.width // 2, upright.height // 2)
    ImageDraw.Draw(upright).text(centre, ROW_LABEL, BLACK, label_font, anchor="mm")
    image.paste(upright.transpose(Image.Transpose.ROTATE_90), (left - layout.gutter, layout.top))


def _draw_scale(draw: ImageDraw.ImageDraw, layout: _Layout, left: int, matrix: FloatArray) -> None:
    top = layout.top + layout.extent + 2 * LABEL_SIZE + 4 * LINE_GAP
    bottom, last = top + SCALE_HEIGHT - 1, layout.extent - 1
    for x in range(layout.extent):
        draw.line((left + x, top, left + x, bottom), _colour(x / last))
    draw.rectangle((left, top, left + last, bottom), outline=BLACK)
    low, high = _scale_labels(matrix)
    draw.text((left, bottom + LINE_GAP), low, BLACK, font(LABEL_SIZE), anchor="lt")
    draw.text((left + last, bottom + LINE_GAP), high, BLACK, font(LABEL_SIZE), anchor="rt")


def _draw_mark(draw: ImageDraw.ImageDraw, layout: _Layout, left: int, cell: tuple[int, int]) -> None:
    corners = layout.square(left, *cell)
    draw.rectangle(corners, outline=WHITE, width=FRAME_WIDTH + 1)
    draw.rectangle(corners, outline=FRAME_COLOUR, width=FRAME_WIDTH)
    middle, apart = (corners[0] + corners[2]) // 2, DISK_RADIUS + DISK_GAP
    for x, colour in zip((middle - apart, middle + apart), DISK_COLOURS, strict=True):
        draw.circle((x, corners[3] - FRAME_WIDTH - apart), DISK_RADIUS, colour, outline=WHITE)


def _draw_legend(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    middle, label_font = y + LABEL_SIZE // 2, font(LABEL_SIZE)
    for name, colour in zip(LEGEND, DISK_COLOURS, strict=True):
        draw.circle((x + DISK_RADIUS, middle), DISK_RADIUS, colour, outline=WHITE)
        draw.text((x + 2 * DISK_RADIUS + LINE_GAP, middle), name, BLACK, label_font, anchor="lm")
        x += 2 * DISK_RADIUS + LINE_GAP + text_width(name, LABEL_SIZE) + MARGIN
    frame = (x, middle - DISK_RADIUS, x + 2 * DISK_RADIUS, middle + DISK_RADIUS)
    draw.rectangle(frame, outline=FRAME_COLOUR, width=FRAME_WIDTH)
    draw.text((frame[2] + LINE_GAP, middle), "current cell", BLACK, label_font, anchor="lm")
