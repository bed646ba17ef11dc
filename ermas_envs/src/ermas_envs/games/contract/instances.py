"""Instances of the hidden-action problem: how likely and how good outcomes are after every action, and its cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ermas_envs.base.arguments import check_integer, unknown_name
from ermas_envs.base.arrays import FloatArray

REFERENCE_SEED, REFERENCE_INSTANCES = 7, 30
"""The first 30 instances of seed 7, of five actions and four outcomes, are those of the tables in docs/contracts.md."""
LARGEST_AMOUNT = 1e9
"""Largest reward or cost."""
LARGEST_ENTRIES = 2**22
"""Probabilities in all instances together."""
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Instances:
    """N hidden-action problems of n actions and O outcomes (S. Grossman, O. Hart, "An analysis of the principal-agent
    problem", Econometrica 1983), one per agent.

    Raises:
        ValueError: arrays that do not fit each other, rows that are no probabilities, numbers out of range.
    """

    probabilities: FloatArray
    """(N, n, O) of every outcome under every action, F; rows sum to 1."""
    rewards: FloatArray
    """(N, O) what an outcome is worth to the principal, ≥ 0, r."""
    costs: FloatArray
    """(N, n) what an action costs the agent, ≥ 0, c."""

    def __init__(self, probabilities: ArrayLike, rewards: ArrayLike, costs: ArrayLike) -> None:
        chances = _numbers("probabilities", probabilities, 3)
        number, actions, outcomes = chances.shape
        if not np.allclose(chances.sum(axis=-1), 1.0, atol=_SUM_TOLERANCE):
            raise ValueError("instances.probabilities must sum to 1 over the outcomes of every action.")
        worth, effort = _numbers("rewards", rewards, 2), _numbers("costs", costs, 2)
        for name, array, shape in (("rewards", worth, (number, outcomes)), ("costs", effort, (number, actions))):
            if array.shape != shape:
                raise ValueError(
                    f"instances.{name} must have shape {shape} to fit the probabilities, got {array.shape}."
                )
        kept = {"probabilities": chances / chances.sum(axis=-1, keepdims=True), "rewards": worth, "costs": effort}
        for name, array in kept.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def number(self) -> int:
        """N."""
        return int(self.probabilities.shape[0])

    @property
    def num_actions(self) -> int:
        """n."""
        return int(self.probabilities.shape[1])

    @property
    def num_outcomes(self) -> int:
        """O."""
        return int(self.probabilities.shape[2])

    @property
    def expected_rewards(self) -> FloatArray:
        """(N, n) what the principal expects of every action before it pays, F r."""
        return np.asarray((self.probabilities * self.rewards[:, None, :]).sum(axis=-1))


def drawn_instances(seed: int, number: int, num_actions: int = 5, num_outcomes: int = 4, first: int = 0) -> Instances:
    """Instances number first, first + 1, … of a seed's sequence, which does not depend on how many are taken.

    Each draws, in this order: the outcomes' probabilities, uniformly from the simplex for every action; twice sorted
    uniform numbers as rewards; 0 and .4 times sorted uniform numbers as costs.

    Args:
        seed: of the sequence, ≥ 0.
        number: N ≥ 1.
        num_actions: n ≥ 2.
        num_outcomes: O ≥ 2.
        first: instances of the sequence that are passed over, ≥ 0.
    """
    generator = np.random.default_rng(check_integer("seed", seed, 0))
    drawn = []
    for _ in range(first + number):
        chances = generator.dirichlet(np.ones(num_outcomes), num_actions)
        rewards = 2.0 * np.sort(generator.random(num_outcomes))
        drawn.append((chances, rewards, np.concatenate([[0.0], 0.4 * np.sort(generator.random(num_actions - 1))])))
    return Instances(*(np.stack(part) for part in zip(*drawn[first:], strict=True)))


def reference_instances() -> Instances:
    """The 30 instances of the tables in docs/contracts.md."""
    return drawn_instances(REFERENCE_SEED, REFERENCE_INSTANCES)


def as_instances(given: object) -> Instances:
    """Instances from arrays by name, or as they are; one instance may lack the first axis of all three arrays.

    Raises:
        ValueError: anything else, or arrays that do not fit.
    """
    if isinstance(given, Instances):
        return given
    names = ("probabilities", "rewards", "costs")
    if not isinstance(given, Mapping):
        raise ValueError(f"instances must be a seed, or arrays {list(names)} by name, got {given!r}.")
    for name in given:
        if name not in names:
            raise unknown_name("instances", name, names)
    missing = [name for name in names if name not in given]
    if missing:
        raise ValueError(f"instances need {', '.join(missing)}.")
    arrays: list[Any] = [given[name] for name in names]
    try:
        of_one = np.ndim(arrays[0]) == 2
    except ValueError:  # rows of different lengths, which are refused by name below
        of_one = False
    return Instances(*([array] for array in arrays) if of_one else arrays)


def _numbers(name: str, given: ArrayLike, axes: int) -> FloatArray:
    """A float copy of an array of numbers in [0, `LARGEST_AMOUNT`]; ValueError for anything else."""
    try:
        numbers = np.asarray(given)
    except ValueError:  # rows of different lengths
        numbers = np.empty(0, dtype=object)
    if numbers.dtype.kind not in "iuf" or numbers.ndim != axes or numbers.size > LARGEST_ENTRIES:
        raise ValueError(
            f"instances.{name} must be an array of numbers with {axes} axes and at most {LARGEST_ENTRIES} entries."
        )
    if min(numbers.shape[1:]) < 2 or numbers.shape[0] < 1:
        raise ValueError(
            f"instances.{name} must have at least two actions and two outcomes, got shape {numbers.shape}."
        )
    array = np.array(numbers, dtype=np.float64)
    if not (np.isfinite(array).all() and array.min() >= 0.0 and array.max() <= LARGEST_AMOUNT):
        raise ValueError(f"instances.{name} must lie in [0, {LARGEST_AMOUNT:g}].")
    return array
