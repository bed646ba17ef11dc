"""Check of a reward perturbation (`ermas_envs.game.perturbations.RewardPerturbation`)."""

import copy
from collections.abc import Callable, Mapping

import numpy as np

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.game.batch import BatchedEnv
from ermas_envs.game.perturbations import DrawnPerturbation, RewardPerturbation
from ermas_envs.game.tabular import TabularGame
from ermas_envs.game.transitions import GameInfo, Transition
from ermas_envs.testing.actions import BatchActionSource
from ermas_envs.testing.batches import check_replica_independence, enough_steps
from ermas_envs.testing.comparison import difference

_REPLICAS = 6
_ROUNDING = 1e-9


def check_perturbation(
    make_perturbation: Callable[[], RewardPerturbation],
    make_batch: Callable[[int, RewardPerturbation], BatchedEnv],
    bound: float | None = None,
) -> None:
    """A perturbation adds finite rewards to agents only, replica by replica, and as its own tables say.

    Args:
        make_perturbation: makes a fresh one.
        make_batch: num_envs and a perturbation → a fresh batch with auto-reset that applies it.
        bound: ε, payoff per step: after every step of an episode, the mean of what an agent got so far in it
            must lie in [−ε, ε] (Eq. 5).
    """
    inner = make_perturbation()
    observed = _ObservedDraw(inner, bound) if isinstance(inner, DrawnPerturbation) else _Observed(inner, bound)
    batch = make_batch(_REPLICAS, observed)
    source = BatchActionSource(batch, list(range(_REPLICAS)))
    batch.tabular_game()  # asks `observed` for its tables, if the game has any
    seen = batch.reset(2)
    for _ in range(enough_steps(batch)):
        seen = batch.step(source.draw(seen))
    assert observed.calls > 0, "the batch never called the perturbation"
    check_replica_independence(lambda num_envs: make_batch(num_envs, make_perturbation()))


class _Observed:
    """Passes everything on to a perturbation and checks each of its answers."""

    def __init__(self, inner: RewardPerturbation, bound: float | None) -> None:
        self.calls = 0
        self._inner, self._bound = inner, bound
        self._agents: tuple[str, ...] = ()
        self._sums: dict[str, FloatArray] = {}
        self._game: TabularGame | None = None
        self._tables: Mapping[str, FloatArray] | None = None

    def bind(self, game: GameInfo, num_envs: int) -> None:
        self._inner.bind(game, num_envs)
        self._agents = game.agents
        self._sums = {agent: np.zeros(num_envs) for agent in game.agents}

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        self.calls += 1
        before = copy.deepcopy(transition.__dict__)
        added = self._inner(transition)
        changed = difference(transition.__dict__, before, "transition")
        assert changed is None, f"the perturbation writes into what it sees: {changed}"
        self._well_formed(added, transition)
        self._within_bound(added, transition)
        self._as_tables_say(added, transition)
        return added

    def tabular(self, game: TabularGame) -> Mapping[str, FloatArray] | None:
        self._game, self._tables = game, self._inner.tabular(game)
        return self._tables

    def _well_formed(self, added: Mapping[str, FloatArray], transition: Transition) -> None:
        for agent, values in added.items():
            assert agent in self._agents, f"{agent!r} is perturbed, but only {list(self._agents)} may be"
            shape = transition.steps.shape
            assert np.shape(values) == shape, f"perturbation of {agent!r} has shape {np.shape(values)}, not {shape}"
            assert np.isfinite(values).all(), f"perturbation of {agent!r} is not finite: {values}"

    def _within_bound(self, added: Mapping[str, FloatArray], transition: Transition) -> None:
        if self._bound is None:
            return
        steps = transition.steps + 1
        for agent, values in added.items():
            self._sums[agent] = np.where(steps == 1, 0.0, self._sums[agent]) + values
            worst = float((np.abs(self._sums[agent]) / steps).max())
            assert worst <= self._bound + _ROUNDING, (
                f"perturbation of {agent!r} has mean {worst} per step so far, bound {self._bound}"
            )

    def _as_tables_say(self, added: Mapping[str, FloatArray], transition: Transition) -> None:
        if self._game is None or self._tables is None:
            return
        index = (transition.states, *(transition.actions[role] for role in self._game.roles))
        for agent in self._tables.keys() | added.keys():
            told = self._tables[agent][index] if agent in self._tables else 0.0
            given = added.get(agent, np.zeros(transition.steps.shape))
            assert np.allclose(given, told, rtol=_ROUNDING, atol=_ROUNDING), (
                f"perturbation of {agent!r} is {given} where tabular() says {told}"
            )


class _ObservedDraw(_Observed):
    """The same for a `DrawnPerturbation`."""

    _inner: DrawnPerturbation

    def draw(self, replicas: IntArray, streams: ReplicaStreams) -> None:
        before = streams.state.copy()
        self._inner.draw(replicas, streams)
        others = np.setdiff1d(np.arange(len(before)), replicas)
        assert np.array_equal(streams.state[others], before[others]), "a draw uses streams of other replicas"

    def shown(self) -> FloatArray:
        return self._inner.shown()
