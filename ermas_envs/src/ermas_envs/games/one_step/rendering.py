"""Text and picture of one replica of the one-step economy: the tax rates, and each agent's income and coin by skill."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ermas_envs.base.drawing import BLACK, GRID_COLOUR, WHITE, Colour, font, text_width
from ermas_envs.games.one_step.state import OneStepState
from ermas_envs.games.one_step.step import OneStepRules
from ermas_envs.games.taxation.holdings import COIN

LINES = 10
"""Most agents that the text lists, evenly spread over the skills."""
WIDTH, HEIGHT, MARGIN, FONT_SIZE, LINE_GAP = 640, 400, 20, 14, 4
"""Pixels: the picture, its border, its text."""
LEFT, TOP, BOTTOM = MARGIN + 44, 128, HEIGHT - MARGIN - FONT_SIZE - LINE_GAP
"""Pixels: where the bars are."""
PRODUCTION_COLOUR: Colour = (40, 120, 235)
COIN_COLOUR: Colour = (225, 120, 45)


@dataclass(frozen=True)
class View:
    """What is drawn."""

    name: str
    """Registered name of the game."""
    horizon: int
    """Steps in an episode."""
    rules: OneStepRules
    """Constants of the game."""
    state: OneStepState
    """All replicas."""
    replica: int
    """Which of them."""

    @property
    def header(self) -> str:
        """The clock."""
        return f"{self.name}   step {int(self.state.progress.timestep[self.replica])} of {self.horizon}"

    @property
    def rates(self) -> Sequence[str]:
        """The rates in force, by the income from which their bracket begins."""
        pairs = zip(self.rules.tax.cutoffs, self.state.taxes.rates[self.replica], strict=True)
        return [f"{rate:.0%} from {cutoff:g}" for cutoff, rate in pairs] or ["none"]


def text(view: View) -> str:
    """A table of some agents: wage, hours, production before taxes, and coin after them."""
    state, replica, skills = view.state, view.replica, view.rules.skills
    chosen = np.unique(np.linspace(0, len(skills) - 1, min(LINES, len(skills))).round().astype(int))
    rates = "tax rates: " + ", ".join(view.rates)
    lines = [view.header, rates, f"{'agent':>8}{'wage':>10}{'hours':>8}{'production':>12}{'coin':>12}"]
    for agent in chosen:
        hours, coin = state.agents.labor[replica, agent], state.agents.inventory[replica, agent, COIN]
        production = state.production[replica, agent]
        lines.append(f"{agent:>8}{skills[agent]:>10.3f}{hours:>8.0f}{production:>12.2f}{coin:>12.2f}")
    return "\n".join(lines) + "\n"


def picture(view: View) -> NDArray[np.uint8]:
    """Two bars per agent, in order of skill: production (blue) and coin after taxes (orange).

    Returns:
        (400, 640, 3) RGB.
    """
    image = Image.new("RGB", (WIDTH, HEIGHT), WHITE)
    draw = ImageDraw.Draw(image)
    _draw_heading(draw, view)
    production = view.state.production[view.replica]
    coins = view.state.agents.inventory[view.replica, :, COIN]
    most = max(float(production.max()), float(coins.max()), 1.0)
    _draw_axes(draw, most)
    slot = (WIDTH - MARGIN - LEFT) / len(coins)
    for agent in range(len(coins)):
        for part, (value, colour) in enumerate(((production[agent], PRODUCTION_COLOUR), (coins[agent], COIN_COLOUR))):
            height = max(float(value), 0.0) / most * (BOTTOM - TOP)
            start = LEFT + (agent + 0.05 + part * 0.45) * slot
            draw.rectangle((start, BOTTOM - height, start + max(0.45 * slot - 1, 0), BOTTOM), colour)
    draw.line((LEFT, BOTTOM, WIDTH - MARGIN, BOTTOM), BLACK)
    return np.array(image, dtype=np.uint8)


def _draw_heading(draw: ImageDraw.ImageDraw, view: View) -> None:
    """The clock, the rates in as many lines as they take, and what the colours mean."""
    lines = [view.header, "tax rates by income:"]
    for number, rate in enumerate(view.rates):
        longer = f"{lines[-1]}{',' if number else ''} {rate}"
        if text_width(longer, FONT_SIZE) > WIDTH - 2 * MARGIN:
            lines[-1] += ","
            longer = rate
            lines.append(longer)
        lines[-1] = longer
    y = MARGIN // 2
    for line in lines:
        draw.text((MARGIN, y), line, BLACK, font(FONT_SIZE))
        y += FONT_SIZE + LINE_GAP
    x = MARGIN
    for colour, written in ((PRODUCTION_COLOUR, "production before taxes"), (COIN_COLOUR, "coin after taxes")):
        draw.rectangle((x, y + 3, x + FONT_SIZE - 4, y + FONT_SIZE - 1), colour)
        draw.text((x + FONT_SIZE, y), written, BLACK, font(FONT_SIZE))
        x += FONT_SIZE + text_width(written, FONT_SIZE) + MARGIN


def _draw_axes(draw: ImageDraw.ImageDraw, most: float) -> None:
    """Coin on the left, and what stands side by side."""
    for share in (0.0, 0.5, 1.0):
        y = BOTTOM - share * (BOTTOM - TOP)
        draw.line((LEFT, y, WIDTH - MARGIN, y), GRID_COLOUR)
        draw.text((LEFT - LINE_GAP, y), f"{share * most:.4g}", BLACK, font(FONT_SIZE), anchor="rm")
    draw.text((LEFT - LINE_GAP, TOP - FONT_SIZE), "coin", BLACK, font(FONT_SIZE), anchor="rb")
    draw.text((LEFT, BOTTOM + LINE_GAP), "agents, from the lowest wage to the highest", BLACK, font(FONT_SIZE))
