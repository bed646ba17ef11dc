"""Exact value of a joint policy in a tabular game, by backward induction over the finite horizon."""

from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.game.tabular import Policies, TabularGame


def joint_probabilities(game: TabularGame, policies: Policies, without: str | None = None) -> FloatArray:
    """Probability of each joint action, (…, S, A…), for tables (…, S, number of actions) of all roles.

    The axis of the role `without` has length 1.
    """
    joint: Any = np.ones((game.start.size,) + (1,) * len(game.roles))
    for role in game.roles:
        if role != without:
            table = policies[role]
            shape = [*table.shape[:-1]] + [1] * len(game.roles)
            shape[len(table.shape) - 2 + game.axis(role)] = table.shape[-1]
            joint = joint * table.reshape(shape)
    return np.asarray(joint)


def at_step(policies: Policies, step: int) -> Policies:
    """Per role the table (…, S, number of actions) of one step."""
    return {role: table[..., step, :, :] for role, table in policies.items()}


def per_step(game: TabularGame, values: FloatArray, discount: float) -> Any:
    """Value of the first states (…, S) as a mean per step: divided by Σ_t γ^t; a float, or (K,) for a batch."""
    mean = (values * game.start).sum(axis=-1) / sum(discount**t for t in range(game.horizon))
    return float(mean) if mean.ndim == 0 else mean


def check_discount(discount: float) -> float:
    """Return γ; ValueError unless 0 < γ ≤ 1."""
    if check_number("discount", discount, 0.0, 1.0) == 0.0:
        raise ValueError("discount must be > 0, got 0.")
    return discount


def evaluate(game: TabularGame, policies: Policies, discount: float = 1.0) -> dict[str, Any]:
    """Reward per step of every role, J_i = E[Σ_t γ^t r_i,t] / Σ_t γ^t; undiscounted, (1/H) E[Σ_t r_i,t], at γ = 1.

    Args:
        game: rewards in payoff units.
        policies: per role that acts from outside (…, H, S, number of actions).
        discount: γ in (0, 1].

    Returns:
        J per step for every role, in payoff units: a float, or (K,) float64 for a batch of K joint policies.

    Raises:
        ValueError: a role is missing, or a policy has the wrong shape or does not sum to one.
    """
    policies = game.complete(policies)
    gamma = check_discount(discount)
    values: dict[str, Any] = {role: np.zeros(game.start.size) for role in game.roles}
    axes = tuple(range(-len(game.roles), 0))
    for step in reversed(range(game.horizon)):
        joint = joint_probabilities(game, at_step(policies, step))
        values = {
            role: (joint * (game.rewards[role] + gamma * values[role][..., game.next_states])).sum(axis=axes)
            for role in game.roles
        }
    return {role: per_step(game, value, gamma) for role, value in values.items()}
