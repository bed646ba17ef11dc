"""Text and picture of one replica of `contract_v0`: rewards and payments, and what actions are worth to both sides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.base.drawing import BLACK, GRID_COLOUR, WHITE, Colour, font, text_width
from ermas_envs.games.contract.instances import Instances

SHOWN_AGENTS = 4
"""Most agents in the picture and the text."""
WIDTH, ROW_HEIGHT, MARGIN, FONT_SIZE, LINE_GAP = 720, 190, 20, 14, 4
"""Pixels: the picture, the part of an agent in it, its border, its text."""
HEADER = 2 * (FONT_SIZE + LINE_GAP) + MARGIN
"""Pixels above the first agent."""
REWARD_COLOUR: Colour = (150, 160, 175)
PAYMENT_COLOUR: Colour = (225, 120, 45)
AGENT_COLOUR: Colour = (40, 120, 235)
PRINCIPAL_COLOUR: Colour = (0, 150, 80)
LEGEND = (
    (REWARD_COLOUR, "reward"),
    (PAYMENT_COLOUR, "payment"),
    (AGENT_COLOUR, "action: expected for the agent"),
    (PRINCIPAL_COLOUR, "for the principal"),
)
_PHASES = ("to be signed", "signed", "over")


@dataclass(frozen=True)
class View:
    """What is drawn."""

    name: str
    """Registered name of the game."""
    time: int
    """Steps taken: 0, 1 or 2."""
    problems: Instances
    """Of all agents."""
    payments: FloatArray
    """(N, O) in force."""
    actions: IntArray
    """(N,) chosen last in this episode; −1: none yet."""
    outcomes: IntArray
    """(N,) that came of them; −1: none, or payoffs are expected ones."""

    @property
    def header(self) -> str:
        """First line."""
        return f"{self.name}   step {self.time} of {len(_PHASES) - 1}: contracts are {_PHASES[self.time]}"

    @property
    def shown(self) -> range:
        """Agents that are shown."""
        return range(min(self.problems.number, SHOWN_AGENTS))

    def worth(self, agent: int) -> tuple[FloatArray, FloatArray]:
        """(n,) what every action of an agent earns itself and the principal in expectation."""
        chances, payments = self.problems.probabilities[agent], self.payments[agent]
        own = chances @ payments - self.problems.costs[agent]
        return own, chances @ (self.problems.rewards[agent] - payments)


def text(view: View) -> str:
    """Two tables per agent: outcomes and actions; what was chosen and what came stands in brackets."""
    lines = [view.header]
    for agent in view.shown:
        own, principal = view.worth(agent)
        pairs = list(zip(view.problems.rewards[agent], view.payments[agent], strict=True))
        lines += [f"agent_{agent}", f"{'outcome':>10}{'reward':>10}{'payment':>10}"]
        for outcome, (reward, payment) in enumerate(pairs):
            lines.append(f"{_marked(outcome, view.outcomes[agent]):>10}{reward:>10.3f}{payment:>10.3f}")
        lines.append(f"{'action':>10}{'cost':>10}{'agent':>10}{'principal':>10}")
        for action, cost in enumerate(view.problems.costs[agent]):
            name = _marked(action, view.actions[agent])
            lines.append(f"{name:>10}{cost:>10.3f}{own[action]:>10.3f}{principal[action]:>10.3f}")
    return "\n".join(lines) + "\n"


def picture(view: View) -> NDArray[np.uint8]:
    """Per agent a panel of outcomes and one of actions; a frame marks what was chosen, and what came of it.

    Returns:
        (height, 720, 3) RGB; the height depends on the number of agents only.
    """
    image = Image.new("RGB", (WIDTH, HEADER + ROW_HEIGHT * len(view.shown) + MARGIN), WHITE)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, MARGIN // 2), view.header, BLACK, font(FONT_SIZE))
    x, y = MARGIN, MARGIN // 2 + FONT_SIZE + LINE_GAP
    for colour, written in LEGEND:
        draw.rectangle((x, y + 3, x + FONT_SIZE - 4, y + FONT_SIZE - 1), colour)
        draw.text((x + FONT_SIZE, y), written, BLACK, font(FONT_SIZE))
        x += FONT_SIZE + text_width(written, FONT_SIZE) + MARGIN
    middle = WIDTH // 2
    for row, agent in enumerate(view.shown):
        top = HEADER + row * ROW_HEIGHT
        worth = (view.problems.rewards[agent], view.payments[agent])
        colours = (REWARD_COLOUR, PAYMENT_COLOUR)
        _draw_bars(draw, (MARGIN, top, middle - MARGIN), worth, colours, int(view.outcomes[agent]), "outcome")
        colours = (AGENT_COLOUR, PRINCIPAL_COLOUR)
        box = (middle, top, WIDTH - MARGIN)
        _draw_bars(draw, box, view.worth(agent), colours, int(view.actions[agent]), f"agent_{agent}: action")
    return np.array(image, dtype=np.uint8)


def _marked(index: int, chosen: int) -> str:
    return f"[{index}]" if index == chosen else f"{index} "


def _draw_bars(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int],
    values: tuple[FloatArray, FloatArray],
    colours: tuple[Colour, Colour],
    chosen: int,
    what: str,
) -> None:
    """Pairs of bars from a common zero, with a number below each pair.

    Args:
        draw: the picture.
        box: left, top and right of the panel, pixels.
        values: heights of the first and the second bars.
        colours: of these.
        chosen: the pair that is framed; −1: none.
        what: the pairs are.
    """
    left, top, right = box
    left += 44
    low, high = top + LINE_GAP, top + ROW_HEIGHT - 2 * (FONT_SIZE + LINE_GAP) - LINE_GAP
    most = max(float(np.max(values)), 1e-12)
    least = min(float(np.min(values)), 0.0)
    scale = (high - low) / (most - least)

    def height(value: float) -> float:
        return high - (value - least) * scale

    for line in (0.0, most):
        draw.line((left, height(line), right, height(line)), GRID_COLOUR if line else BLACK)
        draw.text((left - LINE_GAP, height(line)), f"{line:.3g}", BLACK, font(FONT_SIZE), anchor="rm")
    slot = (right - left) / len(values[0])
    for index, pair in enumerate(zip(*values, strict=True)):
        start = left + index * slot
        for part, (value, colour) in enumerate(zip(pair, colours, strict=True)):
            begin = start + (0.12 + 0.38 * part) * slot
            ends = sorted((height(0.0), height(float(value))))
            draw.rectangle((begin, ends[0], begin + 0.36 * slot, ends[1]), colour)
        draw.text((start + slot / 2, high + LINE_GAP), str(index), BLACK, font(FONT_SIZE), anchor="mt")
        if index == chosen:
            draw.rectangle((start + 1, low - 2, start + slot - 1, high + LINE_GAP + FONT_SIZE), outline=BLACK, width=2)
    draw.text((left, high + 2 * LINE_GAP + FONT_SIZE), what, BLACK, font(FONT_SIZE))
