"""Exact best response and exact regret of one role in a tabular game (finite-horizon dynamic programming).

The deviation may use the whole state and the clock, whatever the role observes in the game: exact regret bounds the
regret within every class of policies from above. In games where the role's payoff and transitions separate (payoff set
`tragedy_of_commons`) the best response needs its own level and the clock only.
"""

from typing import Any

import numpy as np

from ermas_envs.game.tabular import Policies, TabularGame
from ermas_envs.oracles.evaluation import at_step, check_discount, evaluate, joint_probabilities, per_step


def best_response_value(game: TabularGame, policies: Policies, role: str, discount: float = 1.0) -> Any:
    """max over deviations of `role` of its reward per step, the others' policies fixed; as in `evaluate`."""
    policies = game.complete(policies)
    gamma = check_discount(discount)
    own = game.axis(role) - 1 - len(game.roles)
    others = tuple(axis for axis in range(-len(game.roles), 0) if axis != own)
    value: Any = np.zeros(game.start.size)
    for step in reversed(range(game.horizon)):
        joint = joint_probabilities(game, at_step(policies, step), without=role)
        action_values = (joint * (game.rewards[role] + gamma * value[..., game.next_states])).sum(axis=others)
        value = action_values.max(axis=-1)
    return per_step(game, value, gamma)


def exact_regret(game: TabularGame, policies: Policies, discount: float = 1.0) -> dict[str, Any]:
    """Regret per step of every agent, in payoff units: best response value − value (Eqs. 1 and 6), ≥ 0 up to rounding.

    Undiscounted at γ = 1. The planner, the last of `game.roles`, has no regret in the sense of the paper. A float per
    agent, or (K,) for a batch of K joint policies.
    """
    values = evaluate(game, policies, discount)
    return {agent: best_response_value(game, policies, agent, discount) - values[agent] for agent in game.roles[:-1]}
