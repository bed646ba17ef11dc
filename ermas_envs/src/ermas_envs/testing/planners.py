"""Check of a planner object (`ermas_envs.game.planners.Planner`)."""

import copy
from collections.abc import Callable

import numpy as np

from ermas_envs.base.arrays import Array, BoolArray, FloatArray, Observation, num_rows, select
from ermas_envs.base.spaces import check_action_batch
from ermas_envs.game.batch import BatchedEnv
from ermas_envs.game.planners import Planner
from ermas_envs.testing.actions import BatchActionSource
from ermas_envs.testing.batches import check_replica_independence
from ermas_envs.testing.comparison import difference, exposed_global_generators

_REPLICAS, _STEPS = 6, 30
_DRAWS = 2000


def check_planner(planner: Planner, make_batch: Callable[[int, Planner | str], BatchedEnv]) -> None:
    """A planner decides row by row, by observation, mask and noise alone, and always inside its action space.

    Args:
        planner: the object.
        make_batch: num_envs and either "learned" or the planner → a fresh batch of the game it is made for.
    """
    size = planner.noise_size
    assert isinstance(size, int), f"noise_size must be an integer, got {size!r}"
    assert size >= 0, f"noise_size must not be negative, got {size}"
    batch = make_batch(_REPLICAS, "learned")
    space = batch.action_spaces[batch.planner]
    planner.bind(batch.observation_spaces[batch.planner], space)
    noise = np.random.default_rng(0)
    source = BatchActionSource(batch, list(range(_REPLICAS)))
    seen = batch.reset(1)
    for _ in range(_STEPS):
        mask = seen.action_masks.get(batch.planner)
        rows = seen.observations[batch.planner]
        chosen = _checked_act(planner, rows, noise.random((_REPLICAS, size)), mask)
        try:
            check_action_batch(batch.planner, space, chosen, _REPLICAS)
        except ValueError as error:
            raise AssertionError(f"the planner's actions are not valid: {error}") from error
        seen = batch.step(source.draw(seen))
    _check_probabilities(planner, seen.observations[batch.planner], seen.action_masks.get(batch.planner))
    check_replica_independence(lambda num_envs: make_batch(num_envs, planner))


def _checked_act(planner: Planner, rows: Observation, noise: FloatArray, masks: BoolArray | None) -> Array:
    """The planner's actions, compared with a second call, with single rows and with the rows reversed."""

    def act(order: slice) -> Array:
        generators.disturb()
        seen = copy.deepcopy(select(rows, order))
        allowed = None if masks is None else masks[order].copy()  # contiguous, as an environment gives them
        return np.array(planner.act(seen, noise[order].copy(), allowed))

    with exposed_global_generators() as generators:
        chosen = act(slice(None))
        again = difference(chosen, act(slice(None)), "actions")
        assert again is None, f"the same observations and noise give different actions: {again}"
        turned = difference(chosen[::-1], act(slice(None, None, -1)), "actions")
        assert turned is None, f"the actions depend on the order of the replicas: {turned}"
        for k in range(num_rows(rows)):
            alone = difference(chosen[k : k + 1], act(slice(k, k + 1)), "actions")
            assert alone is None, f"the actions depend on the number of replicas: {alone}"
    return chosen


def _check_probabilities(planner: Planner, rows: Observation, masks: BoolArray | None) -> None:
    """`tabular` gives probabilities, and `act` follows them within six standard errors over `_DRAWS` draws."""
    probabilities = planner.tabular(rows, masks)
    if probabilities is None:
        return
    count = num_rows(rows)
    assert probabilities.shape[:1] == (count,), f"tabular() has shape {probabilities.shape} for {count} rows"
    sums = probabilities.sum(axis=-1)
    assert (probabilities >= 0).all(), f"tabular() gives a negative probability: {probabilities.min()}"
    assert np.allclose(sums, 1.0, atol=1e-5), f"tabular() gives probabilities that sum to {sums}"
    noise = np.random.default_rng(1)
    for row, expected in enumerate(probabilities):
        repeated = select(rows, np.full(_DRAWS, row))
        mask = None if masks is None else np.repeat(masks[row : row + 1], _DRAWS, axis=0)
        chosen = planner.act(repeated, noise.random((_DRAWS, planner.noise_size)), mask)
        frequencies = np.bincount(chosen, minlength=expected.size) / _DRAWS
        allowed = 6 * np.sqrt(expected * (1 - expected) / _DRAWS) + 1e-6
        assert (np.abs(frequencies - expected) <= allowed).all(), (
            f"act() plays with frequencies {frequencies} where tabular() says {expected}"
        )
