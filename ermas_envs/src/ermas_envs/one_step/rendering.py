"""Text and picture of one replica of the one-step economy: the tax rates, and each agent's income and coin by skill."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ermas_envs.economy.state import COIN
from ermas_envs.one_step.state import OneStepState
from ermas_envs.one_step.step import OneStepRules

LINES = 10
"""Most agents that the text lists, evenly spread over the skills."""
WIDTH, HEIGHT, MARGIN, HEADER, FONT_SIZE = 640, 400, 20, 44, 14
"""Pixels: the picture, its border, room for two lines of text, their size."""
PRODUCTION_COLOUR, COIN_COLOUR, INK = (40, 120, 235), (225, 120, 45), (0, 0, 0)


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
    def header(self) -> tuple[str, str]:
        """Two lines: the clock; the rates in force, by where their bracket begins."""
        cutoffs, rates = self.rules.tax.cutoffs, self.state.taxes.rates[self.replica]
        schedule = ", ".join(f"{rate:.0%} from {cutoff:g}" for cutoff, rate in zip(cutoffs, rates, strict=True))
        step = int(self.state.progress.timestep[self.replica])
        return f"{self.name}   step {step} of {self.horizon}", f"tax rates: {schedule or 'none'}"


def text(view: View) -> str:
    """A table of some agents: wage, hours, production before taxes, and coin after them."""
    state, replica, skills = view.state, view.replica, view.rules.skills
    chosen = np.unique(np.linspace(0, len(skills) - 1, min(LINES, len(skills))).round().astype(int))
    lines = [*view.header, f"{'agent':>8}{'wage':>10}{'hours':>8}{'production':>12}{'coin':>12}"]
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
    image = Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(FONT_SIZE)
    for line, written in enumerate((*view.header, "blue: production before taxes, orange: coin after them")):
        draw.text((MARGIN, MARGIN // 2 + line * (FONT_SIZE + 3)), written, INK, font)
    production = view.state.production[view.replica]
    coins = view.state.agents.inventory[view.replica, :, COIN]
    top, bottom = MARGIN + HEADER, HEIGHT - MARGIN
    most = max(float(production.max()), float(coins.max()), 1.0)
    slot = (WIDTH - 2 * MARGIN) / len(coins)
    for agent in range(len(coins)):
        left = MARGIN + agent * slot
        for part, (value, colour) in enumerate(((production[agent], PRODUCTION_COLOUR), (coins[agent], COIN_COLOUR))):
            height = max(float(value), 0.0) / most * (bottom - top)
            start = left + part * 0.45 * slot
            draw.rectangle((start, bottom - height, start + 0.4 * slot, bottom), colour)
    draw.line((MARGIN, bottom, WIDTH - MARGIN, bottom), INK)
    return np.array(image, dtype=np.uint8)
