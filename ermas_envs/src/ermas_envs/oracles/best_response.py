"""Exact best response and exact regret of one role in a tabular game (finite-horizon dynamic programming).

The deviation may use the whole state and the clock, whatever the role observes in the game: exact regret bounds the
regret within every class of policies from above. In games where the role's payoff and transitions separate (payoff set
`tragedy_of_commons`) the best response needs its own level and the clock only.
"""

import numpy as np

from ermas_envs.oracles.evaluation import evaluate, joint_probabilities
from ermas_envs.oracles.tabular import Policies, TabularGame


def best_response_value(game: TabularGame, policies: Policies, role: str) -> float:
    """max over deviations of `role` of its undiscounted reward per step, the others' policies fixed (payoff units)."""
    policies = game.complete(policies)
    own = game.axis(role)
    others = tuple(axis for axis in range(1, 1 + len(game.roles)) if axis != own)
    value = np.zeros(game.start.size)
    for step in reversed(range(game.horizon)):
        joint = joint_probabilities(game, policies, step, without=role)
        action_values = (joint * (game.rewards[role] + value[game.next_states])).sum(axis=others)
        value = action_values.max(axis=1)
    return float(game.start @ value) / game.horizon


def exact_regret(game: TabularGame, policies: Policies) -> dict[str, float]:
    """Regret per step of every agent, in payoff units: best response value − value (Eqs. 1 and 6), ≥ 0 up to rounding.

    The planner, the last of `game.roles`, has no regret in the sense of the paper and is left out.
    """
    values = evaluate(game, policies)
    return {agent: best_response_value(game, policies, agent) - values[agent] for agent in game.roles[:-1]}
