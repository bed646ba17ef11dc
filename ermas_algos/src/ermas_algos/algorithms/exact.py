"""Exact values and regrets of the current learners where the game is tabular, logged beside the estimates."""

from collections.abc import Mapping
from typing import Any

from ermas_algos.learners.protocol import Learner
from ermas_envs import BatchedEnv
from ermas_envs.oracles import Policies, TabularGame, evaluate, exact_regret


def tables_of(env: BatchedEnv) -> TabularGame:
    """An environment's tables; ValueError where it has none."""
    game = env.tabular_game()
    if game is None:
        raise ValueError(f"a tabular game is needed; {env.name} has no tables, or its hooks have none.")
    return game


def tabular_policies(game: TabularGame, learners: Mapping[str, Learner]) -> Policies:
    """Every learner's policy as a table (H, S, number of actions); (K, H, S, number of actions) for K seeds."""
    return {
        role: game.as_policy(learner.action_probabilities(*game.decision_points(role)))
        for role, learner in learners.items()
    }


def exact_metrics(game: TabularGame, learners: Mapping[str, Learner]) -> dict[str, Any]:
    """`exact_reward/<role>` and `exact_regret/<agent>`, per step, undiscounted, in payoff units; (K,) for K seeds.

    The best response may use the whole state and the clock (`ermas_envs.oracles.best_response`).
    """
    policies = tabular_policies(game, learners)
    values = {f"exact_reward/{role}": value for role, value in evaluate(game, policies).items()}
    return {**values, **{f"exact_regret/{agent}": regret for agent, regret in exact_regret(game, policies).items()}}
