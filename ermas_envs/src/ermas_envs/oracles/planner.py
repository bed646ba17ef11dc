"""Best constant planner action against agents that play a deterministic Nash equilibrium, of tables or in closed form.

In the augmented bimatrix game this is a closed form of the rules in `augmented_bimatrix_v0`: under adversity Q the
agents settle on one level, the planner's payoff is a·κ·r_p − a², and the first steps of an episode, while agents walk
there, are counted.
"""

from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.game.tabular import TabularGame
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs
from ermas_envs.games.bimatrix.rules import amplify
from ermas_envs.oracles.evaluation import evaluate
from ermas_envs.oracles.linear_program import rounding

_TIE = 1e-12
"""Share of the range of payoffs up to which they count as equal."""


@dataclass(frozen=True)
class PlannerOptimum:
    """The best constant planner action and the planner's payoff of every constant action."""

    action: int
    """Index of the best constant action, the first of equal ones."""
    planner_return: float
    """Its planner payoff per step."""
    planner_returns: FloatArray
    """(number of planner actions,) planner payoff per step of each constant action."""


def equilibrium_policies(game: TabularGame) -> dict[str, FloatArray]:
    """A pure subgame-perfect equilibrium of the agents as tables (H, S, actions), by backward induction.

    At each step and state the first joint action from which no agent gains by deviating alone is played; gains up to
    1e-12 of the range of the agent's rewards count as none.

    Raises:
        ValueError: some stage has no pure equilibrium, or the planner's action changes the agents' rewards or the
            states they can reach, so that there is no equilibrium for all planner actions at once.
    """
    agents = game.roles[:-1]
    rewards, next_states = _without_planner(game)
    shape = next_states.shape
    values = {agent: np.zeros(shape[0]) for agent in agents}
    ties = {agent: _tie(game.rewards[agent], game.horizon * _size(game.rewards[agent])) for agent in agents}
    policies = {agent: np.zeros((game.horizon, shape[0], shape[1 + k])) for k, agent in enumerate(agents)}
    for step in reversed(range(game.horizon)):
        action_values = {agent: rewards[agent] + values[agent][next_states] for agent in agents}
        stable = np.ones(shape, dtype=bool)
        for k, agent in enumerate(agents):
            best = action_values[agent].max(axis=1 + k, keepdims=True)
            stable &= action_values[agent] >= best - ties[agent]
        flat = stable.reshape(shape[0], -1)
        if not flat.any(axis=1).all():
            raise ValueError(f"no pure equilibrium at step {step} in state {int(np.argmin(flat.any(axis=1)))}.")
        chosen = np.unravel_index(flat.argmax(axis=1), shape[1:])
        states = np.arange(shape[0])
        for k, agent in enumerate(agents):
            policies[agent][step, states, chosen[k]] = 1.0
        values = {agent: action_values[agent][(states, *chosen)] for agent in agents}
    return policies


def best_constant_planner(game: TabularGame) -> PlannerOptimum:
    """Best constant planner action when the agents play `equilibrium_policies(game)`; payoffs per step, exact."""
    agents = equilibrium_policies(game)
    planner = game.roles[-1]
    num_actions = game.next_states.shape[-1]
    returns = np.empty(num_actions)
    for action in range(num_actions):
        table = np.zeros((game.horizon, game.start.size, num_actions))
        table[..., action] = 1.0
        returns[action] = evaluate(game, {**agents, planner: table})[planner]
    return _optimum(returns)


def _tie(payoffs: FloatArray, magnitude: float) -> float:
    """Up to which difference payoffs that were computed from numbers of this size count as equal."""
    return _TIE * float(np.ptp(payoffs)) + rounding(magnitude)


def _size(payoffs: FloatArray) -> float:
    return float(np.abs(payoffs).max())


def _optimum(returns: FloatArray) -> PlannerOptimum:
    best = int(np.argmax(returns >= returns.max() - _tie(returns, _size(returns))))
    return PlannerOptimum(best, float(returns[best]), returns)


def _without_planner(game: TabularGame) -> tuple[dict[str, FloatArray], np.ndarray]:
    """Agents' rewards and next states with the planner's axis dropped; ValueError where they depend on it."""
    tables = {"next_states": game.next_states, **{agent: game.rewards[agent] for agent in game.roles[:-1]}}
    for name, table in tables.items():
        if not np.all(table == table[..., :1]):
            raise ValueError(f"the planner's action changes {name}; a constant-planner optimum is not defined.")
    # What is added to all rewards changes no equilibrium, and would only cost digits.
    rewards = {agent: game.rewards[agent][..., 0] - game.rewards[agent].min() for agent in game.roles[:-1]}
    return rewards, game.next_states[..., 0]


def stationary_planner_optimum(
    payoffs: BimatrixPayoffs, q: float, planner_gain: float = 12.0, max_action: int = 6
) -> PlannerOptimum:
    """Best planner action of the augmented game in closed form, once the agents are at their equilibrium.

    The stage game r_i − Q·r_p must have one pure Nash equilibrium value of r_p; then the planner earns a·κ·r_p − a²,
    largest at the integer next to κ·r_p/2 (of a·κ·r_p − a²). `best_constant_planner` counts the way there, too.

    Args:
        payoffs: with the planner rule `amplify`.
        q: adversity Q.
        planner_gain: κ.
        max_action: largest a.

    Raises:
        ValueError: another planner rule; no pure equilibrium, or several with different r_p.
    """
    if payoffs.planner_rule != "amplify":
        raise ValueError(f"payoffs.planner_rule must be 'amplify', got {payoffs.planner_rule!r}.")
    taken = check_number("q", q) * payoffs.planner
    first, second = payoffs.agent_0 - taken, payoffs.agent_1 - taken
    # A difference is known up to the rounding of both its parts.
    first_tie, second_tie = (
        _tie(left, max(_size(own), _size(taken))) for own, left in ((payoffs.agent_0, first), (payoffs.agent_1, second))
    )
    stable = (first >= first.max(axis=0) - first_tie) & (second >= second.max(axis=1, keepdims=True) - second_tie)
    outcomes = payoffs.planner[stable]
    steps = (outcomes - payoffs.planner.min()) / (np.ptp(payoffs.planner) or 1.0)
    number = np.unique(steps.round(9)).size
    if number != 1:
        raise ValueError(f"the stage game at Q = {q} has {number} pure equilibrium values of r_p, not one.")
    rule = amplify(planner_gain, max_action)
    return _optimum(rule.weight[0] * float(outcomes[0]) - rule.cost[0])
