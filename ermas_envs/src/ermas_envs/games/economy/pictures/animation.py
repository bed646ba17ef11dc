"""An episode as an animated GIF.

`python -m ermas_envs.games.economy.pictures.animation --out episode.gif` plays scripted agents.
"""

import argparse
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ermas_envs.base.arguments import check_integer
from ermas_envs.base.arrays import Array
from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.layouts import layout_registry
from ermas_envs.games.economy.scripted import ScriptedAgents
from ermas_envs.games.economy.settings import EconomySettings
from ermas_envs.games.taxation import tax_planners
from ermas_envs.games.taxation.tax_planners import tax_rule
from ermas_envs.testing.actions import BatchActionSource

FASTEST = 50
"""Pictures per second; most viewers play faster GIFs slowly."""
COLOURS = 128
"""Of the palette; more make larger files, and only the smooth edges better."""
PALETTE_FRAMES = 6
"""Frames, evenly spaced, of whose colours the palette is made."""
PLANNERS = {
    "free_market": tax_planners.FreeMarket,
    "us_federal": tax_planners.USFederal,
    "saez": tax_planners.Saez,
    "random": None,
}
"""Who sets the taxes in the command: a rule, or rates drawn anew in every period."""


def write_gif(path: Path | str, frames: Iterable[Array], fps: int) -> None:
    """Write an animated GIF that repeats for ever.

    Args:
        path: file to write.
        frames: pictures (height, width, 3) uint8 RGB of one size; they are kept compressed until all are there, since
            all share one palette.
        fps: pictures per second, 1 … `FASTEST`; GIFs count hundredths of a second, so that the true rate may differ.

    Raises:
        ValueError: no frames, one of another size or dtype, or fps out of range.
    """
    fps = check_integer("fps", fps, 1, FASTEST)
    shape: tuple[int, ...] | None = None
    packed = []
    for frame in frames:
        shape = shape or frame.shape
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.shape != shape:
            raise ValueError(f"frames must be (height, width, 3) uint8 of one size, got {frame.shape} {frame.dtype}.")
        packed.append(zlib.compress(frame.tobytes(), 1))
    if shape is None:
        raise ValueError("frames: there are none.")
    size = (shape[1], shape[0])
    palette = _palette(packed[:: max(len(packed) // PALETTE_FRAMES, 1)], size)
    pictures = (_unpacked(one, size).quantize(palette=palette, dither=Image.Dither.NONE) for one in packed)
    duration = max(round(100 / fps), 2) * 10
    next(pictures).save(path, "GIF", save_all=True, append_images=pictures, duration=duration, loop=0, optimize=True)


def _unpacked(packed: bytes, size: tuple[int, int]) -> Image.Image:
    return Image.frombytes("RGB", size, zlib.decompress(packed))


def _palette(packed: Sequence[bytes], size: tuple[int, int]) -> Image.Image:
    """A picture whose palette is the most frequent colours of some frames, exactly: flat areas keep theirs."""
    counts: Counter[Any] = Counter()
    for one in packed:
        for count, colour in _unpacked(one, size).getcolors(size[0] * size[1]) or ():
            counts[colour] += count
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour, _ in counts.most_common(COLOURS) for value in colour])
    return palette


def play(steps: int, planner: str, agents: int, layout: str, seed: int) -> Iterator[Array]:
    """Pictures of an episode of scripted agents: of its start, and after each step.

    Args:
        steps: length of the episode.
        planner: one of `PLANNERS`.
        agents: number of agents.
        layout: registered layout.
        seed: of everything.
    """
    steps = check_integer("steps", steps, 1)
    settings = EconomySettings(agents, steps, layout=layout, observations="compact")
    rule = PLANNERS[planner]
    hook = "learned" if rule is None else rule()
    batch = EngineBatch(EconomyEngine("economy_v0", 1, settings, tax_rule(hook, settings.taxes)), hook, autoreset=False)
    scripted, others = ScriptedAgents(settings, seed), BatchActionSource(batch, [seed])
    seen = batch.reset(seed)
    yield np.asarray(batch.render(mode="rgb_array"))
    for _ in range(steps):
        actions = others.draw(seen) | scripted.act(seen.observations, seen.action_masks)
        seen = batch.step(actions)
        yield np.asarray(batch.render(mode="rgb_array"))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(prog="python -m ermas_envs.games.economy.pictures.animation", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--steps", type=int, default=200, help="length of the episode (default: %(default)s)")
    parser.add_argument("--planner", choices=sorted(PLANNERS), default="us_federal", help="default: %(default)s")
    parser.add_argument("--agents", type=int, default=4, help="number of agents (default: %(default)s)")
    parser.add_argument(
        "--layout", choices=layout_registry.names(), default="open_quadrant", help="default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--fps", type=int, default=10, help="pictures per second (default: %(default)s)")
    given = parser.parse_args(arguments)
    if not given.out.parent.is_dir():
        parser.error(f"--out: there is no folder {given.out.parent}.")
    try:
        write_gif(given.out, play(given.steps, given.planner, given.agents, given.layout, given.seed), given.fps)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"Wrote {given.out} ({given.out.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
