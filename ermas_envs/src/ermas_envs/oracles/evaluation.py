"""Exact value of a joint policy in a tabular game, by backward induction over the finite horizon."""

import numpy as np

from ermas_envs.arrays import FloatArray
from ermas_envs.oracles.tabular import Policies, TabularGame


def joint_probabilities(game: TabularGame, policies: Policies, step: int, without: str | None = None) -> FloatArray:
    """Probability of each joint action at `step`, shape (S, A…); the axis of the role `without` has length 1."""
    joint = np.ones((game.start.size,) + (1,) * len(game.roles))
    for role in game.roles:
        if role != without:
            shape = [game.start.size] + [1] * len(game.roles)
            shape[game.axis(role)] = -1
            joint = joint * policies[role][step].reshape(shape)
    return joint


def evaluate(game: TabularGame, policies: Policies) -> dict[str, float]:
    """Undiscounted reward per step of every role, J_i = (1/H) E[Σ_t r_i,t].

    Args:
        game: rewards in payoff units.
        policies: per role that acts from outside (H, S, number of actions).

    Returns:
        J per step for every role, in payoff units.

    Raises:
        ValueError: a role is missing, or a policy has the wrong shape or does not sum to one.
    """
    policies = game.complete(policies)
    values = {role: np.zeros(game.start.size) for role in game.roles}
    axes = tuple(range(1, 1 + len(game.roles)))
    for step in reversed(range(game.horizon)):
        joint = joint_probabilities(game, policies, step)
        values = {
            role: (joint * (game.rewards[role] + values[role][game.next_states])).sum(axis=axes) for role in game.roles
        }
    return {role: float(game.start @ value) / game.horizon for role, value in values.items()}
