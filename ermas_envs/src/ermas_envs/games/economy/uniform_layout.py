"""Maps redrawn at every reset: wood at the bottom, stone at the top, no water (SPEC.md §17, "uniform").

One map is drawn as follows, first for wood, then for stone on the tiles without wood:

1. Seeds: each tile becomes a source with a small probability proportional to (distance from the far side)^steepness. It
   is multiplied by 1 / 0.9 again and again, against the same uniform numbers, until the share 1 − clumpiness is placed.
2. Clumps: (source map + 0.2·normal noise − 0.25), padded with zeros, is convolved with a random 7×7 kernel of zeros and
   ones. Tiles where the sum is positive become sources too. This is repeated until the coverage is reached.

If either resource then has more than 1.4 times its coverage, both are drawn again, up to 100 times. The original gives
stone the probabilities of wood's coverage, a defect: here each resource has its own.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ermas_envs.base.arguments import check_flag, check_integer, check_number, keep
from ermas_envs.base.arrays import Array, FloatArray, UIntArray
from ermas_envs.kernels.compiled import compiled
from ermas_envs.kernels.random_draws import next_word, normal, uniform

TOLERANCE = 1.4
"""Most that sources may be above or below the coverage by, as a factor."""
MAX_ATTEMPTS = 100
MAX_SEED_ROUNDS = 200
MAX_CLUMP_ROUNDS = 1000
"""Rounds of step 2 in one attempt; the original has no limit. The defaults need 3 (wood) and 5 (stone) on average."""
KERNEL_SIDE = 7
HALFWIDTH = KERNEL_SIDE // 2


class ResourceParameters(NamedTuple):
    """How one resource is spread."""

    probability: FloatArray
    """(height,) float64, of a seed on a tile of each row, before it is multiplied."""
    seeds: float
    """Tiles that step 1 places at least."""
    sources: float
    """Tiles that step 2 reaches at least."""


class UniformParameters(NamedTuple):
    """What the kernel needs, for one size of map."""

    wood: ResourceParameters
    stone: ResourceParameters
    checker: bool
    """Whether sources on tiles with even row + column are removed at the end."""


class UniformScratch(NamedTuple):
    """Memory of one draw, to be reused; its contents are of no use to anybody else. One per thread."""

    field: FloatArray
    """(height + 6, width + 6) float64, a map with a border of 3."""
    total: FloatArray
    """(height, width) float64."""


def uniform_scratch(height: int, width: int) -> UniformScratch:
    """Scratch for maps of height × width tiles."""
    return UniformScratch(np.zeros((height + KERNEL_SIDE - 1, width + KERNEL_SIDE - 1)), np.zeros((height, width)))


@dataclass(frozen=True)
class UniformLayoutSettings:
    """Settings of the maps that are redrawn at every reset, with the original's names and defaults.

    Raises:
        ValueError: naming the field and the allowed range.
    """

    starting_wood_coverage: float = 0.025
    """Share of the tiles that are wood sources, in (0, 1); with stone's it must be below 0.5."""
    starting_stone_coverage: float = 0.025
    """Share of the tiles that are stone sources, in (0, 1)."""
    wood_clumpiness: float = 0.35
    """Share of the wood sources that grow from others, in [0, 0.99]."""
    stone_clumpiness: float = 0.5
    """Share of the stone sources that grow from others, in [0, 0.99]."""
    gradient_steepness: float = 8.0
    """Exponent ≥ 1 of the fall of the sources' probability away from the bottom (wood) or the top (stone)."""
    checker_source_blocks: bool = False
    """Whether sources lie on tiles with odd row + column only; the same number of tiles on average."""

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("starting_wood_coverage", "starting_stone_coverage"):
            coverage = check_number(name, getattr(self, name))
            if not 0 < coverage < 1:
                raise ValueError(f"{name} must be > 0 and < 1, got {coverage!r}.")
            keep(self, **{name: coverage})
        if self.starting_wood_coverage + self.starting_stone_coverage >= 0.5:
            raise ValueError(
                "starting_wood_coverage + starting_stone_coverage must be < 0.5, got "
                f"{self.starting_wood_coverage!r} + {self.starting_stone_coverage!r}."
            )
        keep(
            self,
            wood_clumpiness=check_number("wood_clumpiness", self.wood_clumpiness, 0, 0.99),
            stone_clumpiness=check_number("stone_clumpiness", self.stone_clumpiness, 0, 0.99),
            gradient_steepness=check_number("gradient_steepness", self.gradient_steepness, 1),
            checker_source_blocks=check_flag("checker_source_blocks", self.checker_source_blocks),
        )

    def parameters(self, height: int, width: int) -> UniformParameters:
        """What the kernel needs on maps of height × width tiles.

        Args:
            height: rows, ≥ 2.
            width: columns, ≥ 2.

        Raises:
            ValueError: a side is too short, or no whole number of tiles is within a factor 1.4 of a coverage.
        """
        height, width = check_integer("height", height, 2), check_integer("width", width, 2)
        gradient = np.linspace(0.0, 1.0, height) ** self.gradient_steepness
        gradient /= gradient.mean()
        tiles = height * width * (2 if self.checker_source_blocks else 1)
        resources = []
        for name, clumpiness, falling in (
            ("starting_wood_coverage", self.wood_clumpiness, gradient),
            ("starting_stone_coverage", self.stone_clumpiness, gradient[::-1]),
        ):
            sources = tiles * float(getattr(self, name))
            if math.ceil(sources) > TOLERANCE * sources:
                raise ValueError(
                    f"{name} asks for {sources:g} tiles of a {height}×{width} map; no whole number of tiles is that "
                    f"many or up to {TOLERANCE:g} times as many."
                )
            seeds = (1.0 - clumpiness) * sources
            resources.append(ResourceParameters(falling * (0.1 * seeds / (height * width)), seeds, sources))
        return UniformParameters(resources[0], resources[1], self.checker_source_blocks)


@compiled
def generate_uniform(
    streams: UIntArray,
    replica: int,
    parameters: UniformParameters,
    wood_source: Array,
    stone_source: Array,
    scratch: UniformScratch,
) -> int:
    """Draw a replica's map from its stream; the procedure stands at the head of this module.

    Args:
        streams: (num_envs, 2) uint64, advanced in the replica's row.
        replica: whose stream.
        parameters: of the map's size.
        wood_source: (height, width) uint8, written: 1 where wood regrows, else 0. Views are fine.
        stone_source: (height, width) uint8, written likewise; no tile has both.
        scratch: of the map's size.

    Returns:
        The number of attempts, 1 … 100, or 0 if none of 100 met the coverages; then the last attempt is left there.
    """
    scratch.field[:, :] = 0.0
    taken = 0
    for attempt in range(1, MAX_ATTEMPTS + 1):
        wood_source[:, :] = 0
        stone_source[:, :] = 0
        wood = _spread(streams, replica, parameters.wood, wood_source, stone_source, scratch)
        stone = _spread(streams, replica, parameters.stone, stone_source, wood_source, scratch)
        if _within(wood, parameters.wood.sources) and _within(stone, parameters.stone.sources):
            taken = attempt
            break
    if parameters.checker:
        _remove_even_tiles(wood_source)
        _remove_even_tiles(stone_source)
    return taken


@compiled
def _within(sources: int, target: float) -> bool:
    return target <= TOLERANCE * sources and sources <= TOLERANCE * target


@compiled
def _remove_even_tiles(source: Array) -> None:
    height, width = source.shape
    for row in range(height):
        for column in range(row % 2, width, 2):
            source[row, column] = 0


@compiled
def _spread(
    streams: UIntArray,
    replica: int,
    resource: ResourceParameters,
    source: Array,
    other: Array,
    scratch: UniformScratch,
) -> int:
    """Both steps for one resource, off the other's sources; returns how many sources there are."""
    count = _place_seeds(streams, replica, resource, source, other, scratch.total)
    for _ in range(MAX_CLUMP_ROUNDS):
        if count >= resource.sources:
            break
        _noisy_field(streams, replica, source, scratch.field)
        _convolve(next_word(streams, replica), scratch)
        count = _add_positive(scratch.total, source, other)
    return count


@compiled
def _place_seeds(
    streams: UIntArray, replica: int, resource: ResourceParameters, source: Array, other: Array, drawn: FloatArray
) -> int:
    """Step 1; drawn: (height, width) scratch. Returns the number of seeds."""
    height, width = source.shape
    for row in range(height):
        for column in range(width):
            drawn[row, column] = uniform(streams, replica)
    count = 0
    for _ in range(MAX_SEED_ROUNDS + 1):
        count = 0
        for row in range(height):
            for column in range(width):
                is_seed = drawn[row, column] < resource.probability[row] and other[row, column] == 0
                source[row, column] = is_seed
                count += is_seed
                drawn[row, column] *= 0.9
        if count >= resource.seeds:
            break
    return count


@compiled
def _noisy_field(streams: UIntArray, replica: int, source: Array, field: FloatArray) -> None:
    """Write the map that step 2 convolves into the interior of `field`, whose border stays zero."""
    height, width = source.shape
    for row in range(height):
        for column in range(width):
            noise = 0.2 * normal(streams, replica)
            field[row + HALFWIDTH, column + HALFWIDTH] = source[row, column] + noise - 0.25


@compiled
def _convolve(word: np.uint64, scratch: UniformScratch) -> None:
    """Convolve `field` with the kernel of the word's 49 highest bits, into `total`."""
    total = scratch.total
    height, width = total.shape
    total[:, :] = 0.0
    for cell in range(KERNEL_SIDE * KERNEL_SIDE):
        if (word >> np.uint64(63 - cell)) & np.uint64(1) == np.uint64(1):
            down, right = cell // KERNEL_SIDE, cell % KERNEL_SIDE
            for row in range(height):
                for column in range(width):
                    total[row, column] += scratch.field[row + down, column + right]


@compiled
def _add_positive(total: FloatArray, source: Array, other: Array) -> int:
    """Make tiles with a positive total, and without the other resource, sources; returns how many sources there are."""
    height, width = source.shape
    count = 0
    for row in range(height):
        for column in range(width):
            if total[row, column] > 0.0 and other[row, column] == 0:
                source[row, column] = 1
            count += source[row, column]
    return count
