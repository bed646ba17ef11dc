"""Check of a behaviour of agents (`ermas_envs.game.behaviours.Behaviour`)."""

import copy
from collections.abc import Callable

import numpy as np

from ermas_envs.base.arrays import Array
from ermas_envs.base.spaces import are_allowed, check_group_actions
from ermas_envs.game.batch import BatchedEnv
from ermas_envs.game.behaviours import Behaviour, Intentions
from ermas_envs.game.transitions import GameInfo
from ermas_envs.testing.actions import BatchActionSource
from ermas_envs.testing.batches import check_replica_independence, enough_steps
from ermas_envs.testing.comparison import difference

_REPLICAS = 6


def check_behaviour(
    make_behaviour: Callable[[], Behaviour], make_batch: Callable[[int, Behaviour], BatchedEnv]
) -> None:
    """A behaviour gives actions that agents may play, replica by replica, and begins anew with an episode.

    Args:
        make_behaviour: makes a fresh one.
        make_batch: num_envs and a behaviour → a fresh batch with auto-reset whose agents behave so.
    """
    observed = _Observed(make_behaviour())
    batch = make_batch(_REPLICAS, observed)
    first = _executed(batch, observed)
    assert first, "the batch never called the behaviour"
    changed = difference(first, _executed(batch, observed), "executed actions")
    assert changed is None, f"after a reset with the same seed, in the middle of an episode, others are done: {changed}"
    check_replica_independence(lambda num_envs: make_batch(num_envs, make_behaviour()))


def _executed(batch: BatchedEnv, observed: "_Observed") -> list[Array]:
    """All that is done from a reset on, for the same choices in every call; it ends in the middle of an episode."""
    observed.returned = []
    source = BatchActionSource(batch, list(range(_REPLICAS)))
    seen = batch.reset(2)
    for _ in range(enough_steps(batch)):
        seen = batch.step(source.draw(seen))
    return observed.returned


class _Observed:
    """Passes everything on to a behaviour, checks each of its answers and keeps it."""

    def __init__(self, inner: Behaviour) -> None:
        self.returned: list[Array] = []
        self._inner = inner
        self.noise_size = inner.noise_size

    def bind(self, game: GameInfo, num_envs: int) -> None:
        self._spaces = game.action_spaces
        self._inner.bind(game, num_envs)

    def __call__(self, intentions: Intentions) -> Array:
        before = copy.deepcopy(intentions.__dict__)
        done = self._inner(intentions)
        changed = difference(intentions.__dict__, before, "intentions")
        assert changed is None, f"the behaviour writes into what it sees: {changed}"
        agents, space = intentions.agents, self._spaces[intentions.agents[0]]
        try:
            checked = check_group_actions("agents", agents, space, done, len(intentions.steps))
        except ValueError as error:
            raise AssertionError(f"the behaviour's actions are not valid: {error}") from error
        if intentions.action_masks is not None:
            same = (checked == intentions.actions).reshape(*intentions.noise.shape[:2], -1).all(axis=-1)
            allowed = same | are_allowed(space, intentions.action_masks, checked)
            assert allowed.all(), f"the behaviour does what the mask forbids: {checked[~allowed]} of {agents}"
        self.returned.append(np.array(checked))
        return done
