"""The reward-perturbation hook (paper Eqs. 3 and 5): additive changes ξ_i of the agents' rewards, and a registry."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import check_integer, check_magnitude, check_number
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.base.registry import Registry
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.game.tabular import TabularGame
from ermas_envs.game.transitions import GameInfo, Transition

LARGEST_ADVERSITY = 1e9


class RewardPerturbation(Protocol):
    """Additive reward ξ_i of each agent for a batch of transitions.

    What it adds in a replica may depend on that replica's transitions and episode index only, never on `num_envs`.
    """

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """Prepare for a game, once, before the first step; ValueError if it does not fit."""

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        """Per agent that it changes: (num_envs,) float64, in payoff units, for this step."""

    def tabular(self, game: TabularGame) -> Mapping[str, FloatArray] | None:
        """The same as (S, A…) tables if it is a fixed function of state and action, else None."""


@runtime_checkable
class DrawnPerturbation(RewardPerturbation, Protocol):
    """A perturbation that depends on numbers that every episode draws, and that agents see: domain randomisation in
    which people know who they are. The planner does not see them."""

    def draw(self, replicas: IntArray, streams: ReplicaStreams) -> None:
        """An episode begins in these replicas, (R,) int64; only their streams may be drawn from."""

    def shown(self) -> FloatArray:
        """(num_envs, k) float32: what every agent sees of the replica's draw; the same k ≥ 1 from `bind` on."""


def check_perturbation_object(given: RewardPerturbation, drawn: bool = False) -> RewardPerturbation:
    """Return `given`; ValueError if it is no perturbation but, say, the registered name of one.

    Args:
        given: an object.
        drawn: whether it may be a `DrawnPerturbation`.
    """
    if not callable(given) or not hasattr(given, "bind"):
        known = ", ".join(perturbation_registry.names())
        raise ValueError(f"perturbation must be an object such as registry.make gives ({known}), got {given!r}.")
    if isinstance(given, DrawnPerturbation) and not drawn:
        raise ValueError(
            f"{type(given).__name__} is drawn for every episode and seen by agents; it can be the perturbation of a "
            "game of ours only, not a part of another perturbation."
        )
    return given


class PlannerAdversity:
    """ξ_i = −q · planner outcome for every agent: agents dislike what the planner wants (paper section 4.3).

    Args:
        q: adversity Q, within ±10⁹.
    """

    def __init__(self, q: float) -> None:
        self.q = check_magnitude("q", q, LARGEST_ADVERSITY)
        self._agents: tuple[str, ...] = ()

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """Remember the agents' ids."""
        self._agents = game.agents

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        """−q · planner outcome."""
        return dict.fromkeys(self._agents, -self.q * transition.planner_outcome)

    def tabular(self, game: TabularGame) -> Mapping[str, FloatArray]:
        """−q · planner outcome over all states and joint actions."""
        return dict.fromkeys(game.roles[:-1], -self.q * game.planner_outcome)


class _Redrawn:
    """Random numbers that are redrawn every k episodes: the m-th draw is a function of (seed, m) alone."""

    def __init__(self, scale: float, redraw_every: int, seed: int) -> None:
        self.scale = check_magnitude("scale", scale, minimum=0.0)
        self.redraw_every = check_integer("redraw_every", redraw_every, 1)
        self.seed = check_integer("seed", seed, 0)

    def _draws(self, transition: Transition) -> IntArray:
        """(num_envs,) which draw each replica's episode has."""
        return transition.episodes // self.redraw_every

    def _uniform(self, draw: int, shapes: Sequence[tuple[int, ...]]) -> list[FloatArray]:
        """The numbers of a draw, uniform in [−scale, scale], one array per shape."""
        generator = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(draw,)))
        return [generator.uniform(-self.scale, self.scale, shape) for shape in shapes]


class RandomTables(_Redrawn):
    """One random value per agent, state and own action, redrawn every k episodes: domain randomisation that changes
    incentives. All replicas in the same episode share the table, so that agents can adapt to it.

    Args:
        scale: at most 10³⁰; values are uniform in [−scale, scale]; the paper's domain randomisation has scale 1.
        redraw_every: episodes between two draws, at least 1.
        seed: the table of the m-th draw is a function of (seed, m) alone.
    """

    def __init__(self, scale: float = 1.0, redraw_every: int = 1, seed: int = 0) -> None:
        super().__init__(scale, redraw_every, seed)
        self._shapes: dict[str, tuple[int, int]] = {}
        self._drawn: dict[int, dict[str, FloatArray]] = {}

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """ValueError unless the game has tabular states and every agent a Discrete action space."""
        if game.num_states is None:
            raise ValueError(
                "RandomTables needs a game with tabular states: num_states is None (PerturbedParallelEnv takes "
                "state_index and num_states)."
            )
        self._shapes = {}
        for agent in game.agents:
            space = game.action_spaces[agent]
            if not isinstance(space, spaces.Discrete):
                raise ValueError(f"RandomTables needs Discrete actions; {agent!r} has {space}.")
            self._shapes[agent] = (game.num_states, int(space.n))

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        """The value at (state before the step, own action) in the table of the replica's episode."""
        draws = self._draws(transition)
        current = np.unique(draws)
        self._drawn = {int(draw): self._table(int(draw)) for draw in current}
        stacked = {agent: np.stack([self._drawn[int(m)][agent] for m in current]) for agent in self._shapes}
        index = np.searchsorted(current, draws)
        return {agent: t[index, transition.states, transition.actions[agent]] for agent, t in stacked.items()}

    def _table(self, draw: int) -> dict[str, FloatArray]:
        if draw in self._drawn:
            return self._drawn[draw]
        return dict(zip(self._shapes, self._uniform(draw, list(self._shapes.values())), strict=True))

    def tabular(self, game: TabularGame) -> None:
        """None: the tables change over episodes."""


class RandomOffset(_Redrawn):
    """The same random number in every state and for every action of an agent, redrawn every k episodes: the paper's
    domain randomisation (r'_i = r_i + σ, section 4.3). It moves every policy's value alike, so no incentive changes.

    Args:
        scale: at most 10³⁰; the number is uniform in [−scale, scale].
        redraw_every: episodes between two draws, at least 1.
        seed: the m-th draw is a function of (seed, m) alone.
    """

    def __init__(self, scale: float = 1.0, redraw_every: int = 1, seed: int = 0) -> None:
        super().__init__(scale, redraw_every, seed)
        self._agents: tuple[str, ...] = ()

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """Remember the agents' ids."""
        self._agents = game.agents

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        """The number of each replica's episode."""
        current, index = np.unique(self._draws(transition), return_inverse=True)
        drawn = np.array([self._uniform(int(draw), [(len(self._agents),)])[0] for draw in current])
        return {agent: drawn[index, k] for k, agent in enumerate(self._agents)}

    def tabular(self, game: TabularGame) -> None:
        """None: the number changes over episodes."""


class Bounded:
    """Another perturbation, clipped so that |ξ_i(τ)| ≤ ε for every trajectory τ (Eq. 5), ξ_i(τ) being the mean per
    step like regret. It holds for every prefix of an episode: after t steps the running sum lies in [−ε·t, ε·t].

    Args:
        perturbation: what is bounded.
        epsilon: ε ≥ 0, payoff per step.
    """

    def __init__(self, perturbation: RewardPerturbation, epsilon: float) -> None:
        self.perturbation = check_perturbation_object(perturbation)
        self.epsilon = check_number("epsilon", epsilon, minimum=0.0)
        self._sums: dict[str, FloatArray] = {}

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """Bind the inner perturbation and start every running sum at zero."""
        self.perturbation.bind(game, num_envs)
        self._sums = {agent: np.zeros(num_envs) for agent in game.agents}

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        """The inner values, clipped by what is left of the bound."""
        bound = self.epsilon * (transition.steps + 1)
        added: dict[str, FloatArray] = {}
        for agent, values in self.perturbation(transition).items():
            before = np.where(transition.steps == 0, 0.0, self._sums[agent])
            self._sums[agent] = np.clip(before + values, -bound, bound)
            added[agent] = self._sums[agent] - before
        return added

    def tabular(self, game: TabularGame) -> None:
        """None: what is left of the bound depends on the trajectory."""


class SumOf:
    """The sum of several perturbations.

    Args:
        perturbations: at least one.
    """

    def __init__(self, perturbations: Sequence[RewardPerturbation]) -> None:
        self.perturbations = tuple(perturbations)
        if not self.perturbations:
            raise ValueError("perturbations must name at least one perturbation.")
        for part in self.perturbations:
            check_perturbation_object(part)

    def bind(self, game: GameInfo, num_envs: int) -> None:
        """Bind every part."""
        for part in self.perturbations:
            part.bind(game, num_envs)

    def __call__(self, transition: Transition) -> Mapping[str, FloatArray]:
        """Sum of the parts, agent by agent."""
        return _sum([part(transition) for part in self.perturbations])

    def tabular(self, game: TabularGame) -> Mapping[str, FloatArray] | None:
        """Sum of the parts' tables, or None if one has none."""
        tables = [part.tabular(game) for part in self.perturbations]
        return None if any(table is None for table in tables) else _sum([t for t in tables if t is not None])


def _sum(parts: Sequence[Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
    total: dict[str, FloatArray] = {}
    for part in parts:
        for agent, values in part.items():
            total[agent] = total[agent] + values if agent in total else values
    return total


def keeps_the_protocol(perturbation: RewardPerturbation) -> bool:
    """Whether additions are known, without a look, to have the right shape and to be finite: it is all code of ours."""
    if type(perturbation) is SumOf:
        return all(keeps_the_protocol(part) for part in perturbation.perturbations)
    if type(perturbation) is Bounded:
        return keeps_the_protocol(perturbation.perturbation)
    return type(perturbation) in _OURS


_OURS: set[type] = set()
perturbation_registry: Registry[RewardPerturbation] = Registry("perturbation")


def register_own(name: str, kind: type[RewardPerturbation]) -> None:
    """Register a perturbation of this package, whose additions need no look; not one that passes on others'."""
    perturbation_registry.register(name, kind)
    _OURS.add(kind)


register_own("planner_adversity", PlannerAdversity)
register_own("random_tables", RandomTables)
register_own("random_offset", RandomOffset)
perturbation_registry.register("bounded", Bounded)
perturbation_registry.register("sum", SumOf)
