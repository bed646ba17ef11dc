"""Text and picture of one replica of the toll game: who drove where in the last step, latencies and tolls."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.base.drawing import BLACK, GRID_COLOUR, WHITE, Colour, font, text_width

WIDTH, MARGIN, FONT_SIZE, ROW, TOP = 640, 20, 14, 46, 64
"""Pixels: the picture's width, its border, its text, the height of a road, and where roads begin."""
LABEL, DOTS = 70, 250
"""Pixels: room for a road's name, and for its drivers."""
LATENCY_COLOUR: Colour = (40, 120, 235)
TOLL_COLOUR: Colour = (225, 120, 45)
CAR_COLOUR: Colour = (90, 90, 90)


@dataclass(frozen=True)
class View:
    """What is drawn."""

    name: str
    """Registered name of the game."""
    clock: str
    """Where the episode is."""
    counts: IntArray
    """(L,) drivers on each road."""
    latencies: FloatArray
    """(L,) of each road."""
    tolls: FloatArray
    """(L,) in force."""
    mean_latency: float
    """Of the last drive."""
    most: float
    """Largest latency plus largest toll, > 0."""

    @property
    def header(self) -> str:
        """Name, clock and mean latency."""
        return f"{self.name}   {self.clock}   mean latency {self.mean_latency:.3f}"


def text(view: View) -> str:
    """A line per road."""
    lines = [view.header, f"{'road':>6}{'drivers':>9}{'latency':>10}{'toll':>10}"]
    rows = zip(view.counts.tolist(), view.latencies.tolist(), view.tolls.tolist(), strict=True)
    lines += [f"{road:>6}{count:>9}{latency:>10.3f}{toll:>10.3f}" for road, (count, latency, toll) in enumerate(rows)]
    return "\n".join(lines) + "\n"


def picture(view: View) -> NDArray[np.uint8]:
    """Per road its drivers as dots, then latency (blue) and toll (orange) as one bar.

    Returns:
        (height, 640, 3) RGB; the height grows with the number of roads.
    """
    image = Image.new("RGB", (WIDTH, TOP + ROW * len(view.counts) + MARGIN), WHITE)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN // 2), view.header, BLACK, font(FONT_SIZE))
    x = MARGIN
    for colour, written in ((CAR_COLOUR, "drivers"), (LATENCY_COLOUR, "latency"), (TOLL_COLOUR, "toll")):
        draw.rectangle((x, TOP - 27, x + FONT_SIZE - 4, TOP - 17), colour)
        draw.text((x + FONT_SIZE, TOP - 30), written, BLACK, font(FONT_SIZE))
        x += FONT_SIZE + text_width(written, FONT_SIZE) + MARGIN
    for road in range(len(view.counts)):
        _draw_road(draw, view, road, TOP + ROW * road)
    return np.array(image, dtype=np.uint8)


def _draw_road(draw: ImageDraw.ImageDraw, view: View, road: int, top: int) -> None:
    middle, total = top + ROW // 2, max(int(view.counts.sum()), 1)
    draw.text((MARGIN, middle), f"road {road}", BLACK, font(FONT_SIZE), anchor="lm")
    draw.rectangle((MARGIN + LABEL, middle - 13, MARGIN + LABEL + DOTS, middle + 13), GRID_COLOUR)
    width = DOTS / total
    for car in range(int(view.counts[road])):
        left = MARGIN + LABEL + car * width
        draw.rectangle(
            (left + 0.15 * width, middle - 6, left + max(0.85 * width, 0.15 * width), middle + 6), CAR_COLOUR
        )
    start, room = MARGIN + LABEL + DOTS + MARGIN, WIDTH - 3 * MARGIN - LABEL - DOTS - 90
    between = start + room * float(view.latencies[road]) / view.most
    end = between + room * float(view.tolls[road]) / view.most
    draw.rectangle((start, middle - 10, between, middle + 10), LATENCY_COLOUR)
    if end > between:
        draw.rectangle((between, middle - 10, end, middle + 10), TOLL_COLOUR)
    written = f"{view.latencies[road]:.3g} + {view.tolls[road]:.3g}"
    draw.text((end + 6, middle), written, BLACK, font(FONT_SIZE), anchor="lm")
