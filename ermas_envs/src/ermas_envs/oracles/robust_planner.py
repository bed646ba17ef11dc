"""The most robust planner over several games, exactly: a linear program over everything that the planner may do.

The games differ in what the agents want (a reality gap), not in states, actions and what the planner sees. Where agents
cannot tell what the planner does, their play and so the visits of all states are fixed in each game; the planner's
return is then linear in its policy, and the best worst case over the games, given a least return in one of them, is a
linear program.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.game.tabular import Policies, TabularGame
from ermas_envs.oracles.evaluation import at_step, joint_probabilities
from ermas_envs.oracles.linear_program import TOLERANCE, Limits, LinearProgram
from ermas_envs.oracles.planner_free import agents_ignore_planner


@dataclass(frozen=True)
class RobustOptimum:
    """The planner with the best worst case."""

    worst_case: float
    """Its smallest return over the games, payoff per step."""
    returns: FloatArray
    """(games,) its return in each game, payoff per step."""
    policy: FloatArray
    """(H, S, number of actions) its policy, a function of what the planner sees."""


def robust_planner(
    games: Sequence[TabularGame], agents: Sequence[Policies], training: int = 0, at_least: float = -np.inf
) -> RobustOptimum:
    """The planner whose smallest return over the games is largest, among those that earn enough in one of them.

    Within 1e-8 of the range of its returns, in every unit of the planner's payoffs and whatever is added to them.

    Args:
        games: alike but for the agents' rewards; payoffs per step.
        agents: per game the policies of its agents, (H, S, number of actions) each, such as `equilibrium_policies`.
        training: index of the game in which `at_least` must be earned.
        at_least: payoff per step.

    Raises:
        ValueError: agents who can tell what the planner does, or more is asked for than any planner earns.
        LinearProgramError: the solver's answer does not hold.
    """
    for game in games:
        if not agents_ignore_planner(game):
            raise ValueError("games: the agents of one can tell what the planner does, and would play otherwise.")
    game = games[0]
    rewards = game.rewards[game.roles[-1]]
    # What is added to all rewards changes no choice, and would only cost digits.
    constant = float(rewards.min())
    point = _distinct_observations(game)
    values = np.stack([_values(game, own, point, constant) for game, own in zip(games, agents, strict=True)])
    policy = _solve(values, training, at_least, constant, float(np.abs(rewards).max()))
    returns: FloatArray = constant + (values * policy).sum(axis=(1, 2))
    return RobustOptimum(float(returns.min()), returns, policy[point].reshape(game.horizon, game.start.size, -1))


def _distinct_observations(game: TabularGame) -> IntArray:
    """(H·S,) index of what the planner sees at every step in every state."""
    seen, _ = game.decision_points(game.roles[-1])
    _, index = np.unique(seen, axis=0, return_inverse=True)
    return np.asarray(index, dtype=np.int64)


def _values(game: TabularGame, agents: Policies, point: IntArray, constant: float) -> FloatArray:
    """(observations, actions): J_p = constant + Σ_o,a values(o, a)·π(a | o)."""
    planner = game.roles[-1]
    actions = game.next_states.shape[-1]
    axes = tuple(range(1, len(game.roles)))
    values = np.zeros((int(point.max()) + 1, actions))
    visits = game.start
    for step in range(game.horizon):
        joint = joint_probabilities(game, at_step(agents, step), without=planner)
        expected = (joint * (game.rewards[planner] - constant)).sum(axis=axes)
        rows = point.reshape(game.horizon, -1)[step]
        np.add.at(values, rows, visits[:, None] * expected / game.horizon)
        flow = np.zeros(game.start.size)
        # Where the planner's own level is part of the state, its first action stands for all: agents see none of it.
        np.add.at(flow, game.next_states[..., :1], visits.reshape(-1, *(1,) * len(game.roles)) * joint)
        visits = flow
    return values


def _solve(values: FloatArray, training: int, at_least: float, constant: float, magnitude: float) -> FloatArray:
    """(observations, actions) policy; variables are π and where the worst case is between the least and the most."""
    games, observations, actions = values.shape
    lowest, highest = values.min(axis=2).sum(axis=1), values.max(axis=2).sum(axis=1)
    least, span = lowest.min(), highest.min() - lowest.min()
    missing = (at_least - constant) - highest[training]
    if missing > TOLERANCE * np.ptp(values):
        most = constant + highest[training]
        raise ValueError(f"at_least: no planner earns {at_least:g} in game {training}; the most is {most:g}.")
    above_least = (values - values.min(axis=2, keepdims=True)).reshape(games, -1)
    rows, bounds = np.hstack([-above_least, np.full((games, 1), span)]), lowest - least
    if at_least > -np.inf:
        rows = np.vstack([rows, np.append(-above_least[training], 0.0)])
        bounds = np.append(bounds, lowest[training] - (at_least - constant) + max(missing, 0.0))
    found = LinearProgram(
        cost=np.append(np.zeros(observations * actions), -span),
        limits=[Limits(rows, bounds, magnitude)],
        sums=sparse.csr_matrix(
            sparse.hstack([sparse.kron(sparse.eye(observations), np.ones((1, actions))), np.zeros((observations, 1))])
        ),
        totals=np.ones(observations),
        magnitude=magnitude,
    ).solve()
    policy: FloatArray = found.point[:-1].reshape(observations, actions)
    return np.asarray(policy / policy.sum(axis=1, keepdims=True))
