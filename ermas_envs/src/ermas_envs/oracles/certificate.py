"""Certificates: what is exactly true of given agents and a given planner in a tabular game (paper Eqs. 1, 6 and 7)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ermas_envs.base.arguments import check_number
from ermas_envs.game.tabular import Policies, TabularGame
from ermas_envs.oracles.best_response import exact_regret
from ermas_envs.oracles.evaluation import evaluate
from ermas_envs.oracles.linear_program import LinearProgramError
from ermas_envs.oracles.worst_equilibrium import worst_equilibrium


@dataclass(frozen=True)
class Certificate:
    """Exact facts about a joint policy; all numbers are undiscounted mean rewards per step over the finite horizon.

    It says nothing about agents other than these, except `worst_planner_payoff`, which holds for *all* agents that see
    what the game shows them and whose regret is at most `epsilon`. It says nothing about other planners, a longer
    horizon or a discount. Best responses may use the whole state and the clock: regret within a narrower class of
    policies is at most this.
    """

    values: Mapping[str, float]
    """J of every role."""
    regrets: Mapping[str, float]
    """Exact regret of every agent."""
    certified_epsilon: float
    """The largest of them: the agents are an ε-equilibrium for this ε and for no smaller one."""
    epsilon: float
    """The ε that was asked about."""
    planner_payoff: float
    """J_p with these agents."""
    worst_planner_payoff: float | None
    """min J_p over all ε-equilibria at `epsilon`, for this planner: a bound that no ε-equilibrium is below.

    None where no exact program is known, or its solution did not hold.
    """
    worst_reason: str | None
    """Why not; None where it is known."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def certify(game: TabularGame, policies: Policies, epsilon: float | None = None) -> Certificate:
    """The certificate of a joint policy.

    Args:
        game: rewards in payoff units.
        policies: per acting role (H, S, number of actions).
        epsilon: ε ≥ 0 of the worst equilibrium, payoff per step; None takes the largest regret found.

    Raises:
        ValueError: policies that do not fit the game, or ε < 0.
    """
    complete = game.complete(policies)
    values, regrets = evaluate(game, complete), exact_regret(game, complete)
    certified = max(max(regrets.values()), 0.0)
    wanted = certified if epsilon is None else check_number("epsilon", epsilon, minimum=0.0)
    planner = game.roles[-1]
    worst, reason = None, None
    try:
        worst = worst_equilibrium(game, wanted, complete[planner]).planner_payoff
    except (ValueError, LinearProgramError) as error:
        reason = str(error)
    return Certificate(values, regrets, certified, wanted, values[planner], worst, reason)
