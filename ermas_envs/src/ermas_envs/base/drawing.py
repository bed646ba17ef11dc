"""What all pictures share: Pillow's built-in font at any size, and the width of a text in it."""

import math
from functools import cache
from typing import TypeAlias

from PIL import ImageFont

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0 … 255."""
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
GRID_COLOUR: Colour = (215, 215, 215)


@cache
def font(size: int) -> Font:
    """The font at a size in pixels."""
    return ImageFont.load_default(size)


def text_width(written: str, size: int) -> int:
    """Width in pixels, rounded up."""
    return math.ceil(font(size).getlength(written))
