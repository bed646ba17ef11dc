"""The worst ε-equilibrium of a separable game for a blind planner, as one linear program per agent.

Where every agent sees and moves its own local state only, and all rewards are sums of a term in each agent's local
state and action, agents do not affect each other's regret. min J_p subject to regret_i ≤ ε_i is then, per agent, a
constrained Markov decision process, a linear program in occupation measures: E. Altman, "Constrained Markov Decision
Processes" (1999), chapter 3. The feasible set holds stochastic, time-dependent policies, so it is exact. In the
bimatrix games this is `agents_observe="own"` with payoffs that are sums of a term in each level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.game.tabular import Policies, TabularGame
from ermas_envs.oracles.linear_program import SLACK, Limits, LinearProgram, rounding

_INTERACTION = 1e-9
"""Share of a role's range of rewards up to which they count as a sum of terms."""


@dataclass(frozen=True)
class WorstEquilibrium:
    """The minimum, and policies that reach it."""

    planner_payoff: float
    """min J_p, per step: the bound of the dual programs, below which no ε-equilibrium is."""
    policies: Policies
    """Per role (H, S, number of actions), regrets ≤ ε_i up to 1e-8 of the agent's range; the planner's is as given."""
    multipliers: tuple[float, ...]
    """Per agent λ_i* = −∂(min J_p)/∂ε_i ≥ 0, planner payoff per agent payoff: what learned multipliers tend to."""


def worst_equilibrium(
    game: TabularGame, epsilon: float | Sequence[float], planner_policy: FloatArray | None = None
) -> WorstEquilibrium:
    """min J_p over agents with regret_i ≤ ε_i, for a fixed planner; the same in every unit of each role's payoffs.

    Args:
        game: N agents and the planner, H steps.
        epsilon: ε ≥ 0 of all agents, or one per agent; payoff per step.
        planner_policy: (H, S, number of planner actions), the same in all states at a step; None takes the game's fixed
            planner, or the only action of a passive one.

    Raises:
        ValueError: the game is not separable or the planner not blind, so that the program would not be exact; ε < 0.
        LinearProgramError: the solver's answer does not hold.
    """
    agents = game.roles[:-1]
    given = [epsilon] * len(agents) if np.ndim(epsilon) == 0 else list(epsilon)  # type: ignore[arg-type]
    if len(given) != len(agents):
        raise ValueError(f"epsilon must be one number or one per agent ({len(agents)}), got {len(given)}.")
    epsilons = [check_number("epsilon", value, minimum=0.0) for value in given]
    planner = _blind_planner(game, planner_policy)
    local = _LocalStates(game)
    stakes, constant = local.planner_terms(planner)
    total, multipliers = constant, []
    policies = {game.roles[-1]: np.repeat(planner[:, None, :], game.start.size, axis=1)}
    for k, agent in enumerate(agents):
        process = _Process(local.start(k), local.moves(k), local.agent_terms(k, planner), stakes[k])
        minimum, policy, multiplier = process.constrained_minimum(epsilons[k])
        total += minimum
        multipliers.append(multiplier)
        policies[agent] = policy[:, local.classes[k], :]
    return WorstEquilibrium(total, policies, tuple(multipliers))


def _blind_planner(game: TabularGame, given: FloatArray | None) -> FloatArray:
    """(H, number of planner actions) of a planner that does the same in all states of a step."""
    role = game.roles[-1]
    table = game.fixed_policies.get(role) if given is None else given
    num_actions = game.next_states.shape[-1]
    if table is None:
        if num_actions > 1:
            raise ValueError("planner_policy is needed: the planner acts, and the game fixes no policy of it.")
        table = np.ones((game.horizon, game.start.size, 1))
    shape = (game.horizon, game.start.size, num_actions)
    if table.shape != shape:
        raise ValueError(f"planner_policy must have shape {shape} (steps, states, actions), got {table.shape}.")
    if not (np.all(table >= 0) and np.allclose(table.sum(axis=-1), 1.0, atol=1e-5)):
        raise ValueError("planner_policy must hold probabilities that sum to 1 over actions.")
    if not np.allclose(table, table[:, :1], rtol=0.0, atol=1e-6):
        raise ValueError("not exact: the planner's policy depends on the state; the program needs a blind planner.")
    blind: FloatArray = table[:, 0] / table[:, 0].sum(axis=-1, keepdims=True)
    return blind


class _LocalStates:
    """A game whose state is one local state per agent; tables in the order (local states…, agents' actions…, planner).

    Attributes:
        classes: per agent (S,) its local state in each state.
    """

    def __init__(self, game: TabularGame) -> None:
        self._game = game
        self._count = len(game.roles) - 1
        self.classes = [_classes(game, agent) for agent in game.roles[:-1]]
        self._sizes = tuple(int(own.max()) + 1 for own in self.classes)
        index = np.ravel_multi_index(tuple(self.classes), self._sizes)
        if len(set(index.tolist())) != game.start.size or game.start.size != np.prod(self._sizes):
            raise ValueError("not exact: the state is not a combination of what each agent sees of it.")
        self._order = np.argsort(index)

    def _table(self, table: FloatArray | IntArray) -> np.ndarray:
        """(S, A…) as (local states…, A…)."""
        return table[self._order].reshape(*self._sizes, *table.shape[1:])

    def start(self, agent: int) -> FloatArray:
        """(local states,) where an episode starts."""
        others = tuple(k for k in range(self._count) if k != agent)
        start: FloatArray = self._table(self._game.start).sum(axis=others)
        return start

    def moves(self, agent: int) -> IntArray:
        """(local states, actions) next local state; ValueError where it depends on anything else."""
        following = self._table(self.classes[agent][self._game.next_states])
        own = np.moveaxis(following, (agent, self._count + agent), (0, 1)).reshape(
            self._sizes[agent], following.shape[self._count + agent], -1
        )
        if not np.all(own == own[..., :1]):
            raise ValueError(f"not exact: where agent {agent} goes depends on more than what it sees and does.")
        moves: IntArray = own[..., 0]
        return moves

    def _means(self, role: str, planner: FloatArray) -> tuple[FloatArray, float]:
        """(H, local states…, agents' actions…) mean reward of a role less a constant; and the constant."""
        rewards = self._game.rewards[role]
        constant = _middle(rewards)
        means: FloatArray = np.tensordot(planner, self._table(rewards - constant), axes=(1, -1))
        return means, constant

    def agent_terms(self, agent: int, planner: FloatArray) -> "_Terms":
        """(H, local states, actions) own part of the agent's reward; ValueError where the rest depends on its own."""
        rewards = self._game.rewards[self._game.roles[agent]]
        means, _ = self._means(self._game.roles[agent], planner)
        own_axes = (1 + agent, 1 + self._count + agent)
        own = _part(means, own_axes)
        rest = (means - own).mean(axis=own_axes, keepdims=True)
        if not _same(means, own + rest, rewards):
            raise ValueError(f"not exact: the reward of agent {agent} is not a sum of its own term and the others'.")
        return _Terms(own.reshape(len(planner), self._sizes[agent], -1), _magnitude(rewards))

    def planner_terms(self, planner: FloatArray) -> tuple[list["_Terms"], float]:
        """Per agent (H, local states, actions) its part of the planner's reward; and the rest of J_p, per step."""
        rewards = self._game.rewards[self._game.roles[-1]]
        means, added = self._means(self._game.roles[-1], planner)
        constant = means.mean(axis=tuple(range(1, means.ndim)), keepdims=True)
        parts = [_part(means, (1 + k, 1 + self._count + k)) for k in range(self._count)]
        if not _same(means, constant + sum(parts), rewards):
            raise ValueError("not exact: the planner's reward is not a sum of terms in what each agent sees and does.")
        shaped = [p.reshape(len(planner), size, -1) for p, size in zip(parts, self._sizes, strict=True)]
        return [_Terms(part, _magnitude(rewards)) for part in shaped], added + float(constant.mean())


def _classes(game: TabularGame, agent: str) -> IntArray:
    """(S,) which states the agent tells apart; ValueError if that changes over time."""
    seen = game.observations[agent].reshape(game.horizon, game.start.size, -1)
    _, classes = np.unique(seen[0], axis=0, return_inverse=True)
    for step in range(1, game.horizon):
        _, now = np.unique(seen[step], axis=0, return_inverse=True)
        pairs = set(zip(classes.tolist(), now.tolist(), strict=True))
        if not len(pairs) == classes.max() + 1 == now.max() + 1:
            raise ValueError(f"not exact: what {agent} tells apart changes during the episode.")
    return np.asarray(classes, dtype=np.int64)


def _same(means: FloatArray, sums: FloatArray, rewards: FloatArray) -> bool:
    """Equal, measured by the range of the rewards that were averaged, up to the rounding of the rewards."""
    allowed = _INTERACTION * float(np.ptp(rewards)) + rounding(_magnitude(rewards))
    return np.allclose(means, sums, rtol=0.0, atol=allowed)


def _middle(rewards: FloatArray) -> float:
    """The middle of their range; what is added to all rewards changes no equilibrium, and would only cost digits."""
    return float(rewards.min() / 2 + rewards.max() / 2)


def _magnitude(rewards: FloatArray) -> float:
    return float(np.abs(rewards).max())


def _part(table: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """What the mean over all but the axes 0 and `axes` adds to the mean over all but axis 0; dimensions are kept."""
    others = tuple(axis for axis in range(1, table.ndim) if axis not in axes)
    part: FloatArray = table.mean(axis=others, keepdims=True) - table.mean(
        axis=tuple(range(1, table.ndim)), keepdims=True
    )
    return part


class _Terms(NamedTuple):
    """What an agent adds to a role's reward."""

    table: FloatArray
    """(H, local states, actions)."""
    magnitude: float
    """The largest of the rewards that it was computed from."""


@dataclass(frozen=True)
class _Process:
    """One agent's constrained Markov decision process over n local states and H steps."""

    start: FloatArray
    """(n,) probabilities."""
    moves: IntArray
    """(n, actions) next local state."""
    own: _Terms
    """In the agent's reward."""
    stake: _Terms
    """In the planner's reward."""

    def constrained_minimum(self, epsilon: float) -> tuple[float, FloatArray, float]:
        """min of the mean stake over policies whose mean own reward is within ε of the best; a policy, and λ*."""
        shape = self.own.table.shape
        horizon, states, actions = shape
        # The variables are shares of the episode, which sum to 1, so that means per step are plain sums.
        bound = np.array([epsilon - self._best()])
        solution = LinearProgram(
            cost=self.stake.table.ravel(),
            limits=[Limits(-self.own.table.reshape(1, -1), bound, self.own.magnitude, SLACK)],
            sums=_flow(self.moves, horizon),
            totals=np.concatenate([self.start / horizon, np.zeros((horizon - 1) * states)]),
            magnitude=self.stake.magnitude,
        ).solve()
        occupation = solution.point.reshape(shape)
        visits = occupation.sum(axis=2, keepdims=True)
        policy = np.divide(occupation, visits, out=np.full(shape, 1 / actions), where=visits > 0)
        return solution.minimum, policy, float(solution.multipliers[0][0])

    def _best(self) -> float:
        """Largest mean own reward per step."""
        value = np.zeros(len(self.start))
        for own in self.own.table[::-1]:
            value = (own + value[self.moves]).max(axis=1)
        return float(self.start @ value) / len(self.own.table)


def _flow(moves: IntArray, horizon: int) -> sparse.csr_matrix:
    """Occupation flows: what is in a local state at step t left it by some action, and had come there at step t − 1."""
    states, actions = moves.shape
    leaves = np.kron(np.eye(states), np.ones(actions))
    comes = (moves.ravel()[None, :] == np.arange(states)[:, None]).astype(np.float64)
    return sparse.csr_matrix(sparse.kron(sparse.eye(horizon), leaves) - sparse.kron(sparse.eye(horizon, k=-1), comes))
