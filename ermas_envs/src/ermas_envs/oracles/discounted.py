"""Exact values and regret with an infinite horizon and a discount γ < 1, for stationary policies (paper section 2).

The tables of the game are used without its horizon and clock: V = (I − γ P)⁻¹ r, and policy iteration for the best
response (M. Puterman, "Markov Decision Processes", 1994, chapter 6). All values are (1 − γ) E[Σ_t γ^t r_t]: per step.
"""

from collections.abc import Mapping

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.game.tabular import TabularGame
from ermas_envs.oracles.evaluation import joint_probabilities

StationaryPolicies = Mapping[str, FloatArray]
"""Per role (S, number of actions): probability of each action in each state."""


def discounted_values(game: TabularGame, policies: StationaryPolicies, discount: float) -> dict[str, float]:
    """(1 − γ) E[Σ_t γ^t r_i,t] of every role, payoff per step.

    Args:
        game: rewards in payoff units.
        policies: stationary policies of the acting roles.
        discount: γ in [0, 1).

    Raises:
        ValueError: a policy is missing, has the wrong shape or does not sum to one, or a fixed policy of the game
            changes over the steps of an episode.
    """
    complete, gamma = _complete(game, policies), _discount(discount)
    found = {}
    for role in game.roles:
        rewards, moves, constant = _process(game, complete, role)
        policy = complete[role]
        value = _solve(policy, rewards, moves, gamma)
        found[role] = constant + (1 - gamma) * float(game.start @ value)
    return found


def discounted_best_response_value(
    game: TabularGame, policies: StationaryPolicies, role: str, discount: float
) -> float:
    """max over deviations of `role` of its value, the others' policies fixed; arguments as in `discounted_values`."""
    complete, gamma = _complete(game, policies), _discount(discount)
    rewards, moves, constant = _process(game, complete, role)
    pure = np.eye(rewards.shape[1])
    value = _solve(np.repeat(pure[:1], game.start.size, axis=0), rewards, moves, gamma)
    while True:
        greedy = (rewards + gamma * moves @ value).argmax(axis=1)
        improved = _solve(pure[greedy], rewards, moves, gamma)
        # No state loses by the greedy policy; once they do not gain either, what changes is ties and rounding.
        if improved.sum() <= value.sum():
            return constant + (1 - gamma) * float(game.start @ value)
        value = improved


def discounted_regret(game: TabularGame, policies: StationaryPolicies, discount: float) -> dict[str, float]:
    """Regret of every agent, payoff per step: best response value − value (Eq. 1), ≥ 0 up to rounding."""
    values = discounted_values(game, policies, discount)
    return {
        agent: discounted_best_response_value(game, policies, agent, discount) - values[agent]
        for agent in game.roles[:-1]
    }


def _discount(discount: float) -> float:
    if check_number("discount", discount, 0.0, 1.0) == 1.0:
        raise ValueError("discount must be < 1 where the horizon is infinite, got 1.")
    return discount


def _complete(game: TabularGame, policies: StationaryPolicies) -> dict[str, FloatArray]:
    """Policies of all roles, checked by the game's own rules at each of its steps."""
    for role, table in game.fixed_policies.items():
        if not np.allclose(table, table[:1]):
            raise ValueError(f"the game's fixed policy of {role!r} changes over the steps; it is not stationary.")
    for role, table in policies.items():
        if table.ndim != 2:
            raise ValueError(f"policies[{role!r}] must have two axes (states, actions), got shape {table.shape}.")
    repeated = {role: np.repeat(table[None], game.horizon, axis=0) for role, table in policies.items()}
    return {role: table[0] for role, table in game.complete(repeated).items()}


def _process(game: TabularGame, policies: Mapping[str, FloatArray], role: str) -> tuple[FloatArray, FloatArray, float]:
    """What `role` faces: mean rewards (S, actions) less a constant, transitions (S, actions, S), and the constant.

    What is added to all rewards has a value 1/(1 − γ) times larger, whose rounding would drown small gains.
    """
    own = game.axis(role)
    joint = joint_probabilities(game, policies, without=role)
    others = tuple(axis for axis in range(1, 1 + len(game.roles)) if axis != own)
    constant = float(game.rewards[role].min())
    rewards = (joint * (game.rewards[role] - constant)).sum(axis=others)
    moves = (joint[..., None] * np.eye(game.start.size)[game.next_states]).sum(axis=others)
    return rewards, moves, constant


def _solve(policy: FloatArray, rewards: FloatArray, moves: FloatArray, gamma: float) -> FloatArray:
    """V = (I − γ P)⁻¹ r, (S,)."""
    reward = (policy * rewards).sum(axis=1)
    transition = np.einsum("sa,sat->st", policy, moves)
    value: FloatArray = np.linalg.solve(np.eye(len(reward)) - gamma * transition, reward)
    return value
