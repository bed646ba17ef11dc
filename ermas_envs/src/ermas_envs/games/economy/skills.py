"""Skills: fixed by rank, with start tiles (SPEC.md §4.3); drawn at a reset (§4.4)."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from ermas_envs.base.arguments import check_choice, check_integer, check_number
from ermas_envs.base.arrays import FloatArray, IntArray, UIntArray
from ermas_envs.games.taxation.skill_ranks import rank_means
from ermas_envs.kernels.compiled import compiled
from ermas_envs.kernels.random_draws import lomax, normal

NONE = 0
"""Code of equal skills."""
PARETO = 1
"""Code of skills from a Lomax distribution."""
LOGNORMAL = 2
"""Code of skills from a lognormal distribution."""
DISTRIBUTIONS: Sequence[str] = ("none", "pareto", "lognormal")
"""The name of each code."""


def skill_distribution_code(argument: str, name: object) -> int:
    """The code of a distribution's name; ValueError naming `argument` and the known names for any other."""
    return DISTRIBUTIONS.index(check_choice(argument, name, DISTRIBUTIONS))


@compiled
def sample_build_skill(
    streams: UIntArray, replica: int, distribution_code: int, max_multiplier: float, payment: float
) -> tuple[float, float]:
    """Draw one agent's building skill, for a reset (SPEC.md §4.4).

    Args:
        streams: (num_envs, 2) uint64, advanced in the replica's row unless the code is NONE.
        replica: whose stream.
        distribution_code: NONE, PARETO (x ~ Lomax(4)) or LOGNORMAL (ln x ~ N(−1, 0.5)); not checked.
        max_multiplier: M ≥ 1, the most that skill multiplies the payment by.
        payment: coin per house at multiplier 1.

    Returns:
        (coin per house, min(M, (M − 1)·x + 1) · payment; the skill x itself). With NONE (payment, 1).
    """
    if distribution_code == NONE:
        return payment, 1.0
    skill = lomax(streams, replica, 4.0) if distribution_code == PARETO else lognormal(streams, replica, -1.0, 0.5)
    return min(max_multiplier, (max_multiplier - 1.0) * skill + 1.0) * payment, skill


@compiled
def sample_gather_skill(streams: UIntArray, replica: int, distribution_code: int) -> float:
    """Draw one agent's probability, in [0, 1], of a bonus unit when it gathers, for a reset (SPEC.md §4.4).

    Args:
        streams: (num_envs, 2) uint64, advanced in the replica's row unless the code is NONE.
        replica: whose stream.
        distribution_code: NONE (0), PARETO (min(2, Lomax(3)) / 2) or LOGNORMAL (min(2, exp N(−2.022, 0.938)) / 2);
            not checked.
    """
    if distribution_code == NONE:
        return 0.0
    skill = lomax(streams, replica, 3.0) if distribution_code == PARETO else lognormal(streams, replica, -2.022, 0.938)
    return min(2.0, skill) / 2.0


@compiled
def lognormal(streams: UIntArray, replica: int, mean: float, deviation: float) -> float:
    """exp of a normal with this mean and standard deviation."""
    return math.exp(mean + deviation * normal(streams, replica))


@cache
def fixed_four_skills(num_agents: int, payment: float, max_multiplier: float) -> FloatArray:
    """Coin per house of each skill rank (SPEC.md §4.3), the same numbers in every environment.

    Args:
        num_agents: n ≥ 1.
        payment: coin per house at multiplier 1, ≥ 0.
        max_multiplier: M ≥ 1.

    Returns:
        (n,) float64, read-only, ascending: rank means of 100 000 sorted rows of n multipliers, times the payment. They
        come from a private legacy generator with seed 1, which is frozen, so that they are the original's to the last
        digits. For n = 4, payment 10, M = 3: 11.3316, 13.2671, 16.4724, 22.2496.

    Raises:
        ValueError: naming the argument that is out of range.
    """
    num_agents, payment = check_integer("num_agents", num_agents, 1), check_number("payment", payment, 0)
    samples = np.random.RandomState(1).pareto(4.0, size=(100_000, num_agents))
    skills = rank_means(samples, max_multiplier) * payment
    skills.flags.writeable = False
    return skills


def fixed_four_tiles(num_agents: int, height: int, width: int) -> IntArray:
    """Start tile of each skill rank (SPEC.md §4.3).

    Rank r of n belongs to corner ⌊4r / n⌋: top right, bottom left, top left, bottom right. A corner is filled in rows
    of 4 tiles, away from the corner along the map's top or bottom edge and then inwards. The last corner is in row
    height − 1; the original has width − 1 there, and rounds 4r / n down wrongly for some n from 98 on.

    Args:
        num_agents: n ≥ 1.
        height: rows of the map.
        width: columns of the map.

    Returns:
        (n, 2) int64, (row, column).

    Raises:
        ValueError: an argument is no integer ≥ 1, or the map is too small, so that tiles of two corners coincide or
            lie outside.
    """
    num_agents = check_integer("num_agents", num_agents, 1)
    height, width = check_integer("height", height, 1), check_integer("width", width, 1)
    corners = np.arange(num_agents) * 4 // num_agents
    places = np.arange(num_agents) - np.searchsorted(corners, corners)  # how many of the corner come before
    down, right = places // 4, places % 4
    at_top, at_left = np.isin(corners, (0, 2)), np.isin(corners, (1, 2))
    rows = np.where(at_top, down, height - 1 - down)
    columns = np.where(at_left, right, width - 1 - right)
    tiles = np.stack([rows, columns], axis=1).astype(np.int64)
    inside = bool(((tiles >= 0) & (tiles < (height, width))).all())
    if not inside or len(np.unique(tiles, axis=0)) < num_agents:
        raise ValueError(
            f"fixed_four_skill_and_loc: a {height}×{width} map is too small for the fixed start tiles of {num_agents} "
            "agents."
        )
    return tiles
