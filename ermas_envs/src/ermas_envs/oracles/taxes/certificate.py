"""Certificates of tax schedules: what is exactly true of a schedule, its worst ε-equilibrium, and agents under it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_number, check_probabilities
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.taxes.equilibrium import Equilibrium, equilibrium
from ermas_envs.oracles.taxes.pairs import check_objective, expected_welfare
from ermas_envs.oracles.taxes.population import CHOICES, Population, TaxedPopulation
from ermas_envs.oracles.taxes.response import Profile, regrets
from ermas_envs.oracles.taxes.worst_case import WorstCase, worst_case

SEARCHES, SEARCHES_OF_MANY, MANY = 4, 1, 30
"""Searches for the worst case, and those among more than `MANY` agents, where one takes seconds."""
MOST_AGENTS = 300
"""Agents among whom the worst case is searched: its time and memory grow with the square of their number."""


@dataclass(frozen=True)
class AgentsUnder:
    """Given agents under a schedule, who mix independently."""

    hours: FloatArray
    """(n,) expected hours."""
    regrets: FloatArray
    """(n,) exact regrets, payoff per step."""
    welfare: float | None
    """The planner's objective at the end of an episode, expected; None where it is not known."""
    welfare_reason: str | None
    """Why not; None where it is known."""

    @property
    def largest_regret(self) -> float:
        """Of all agents, payoff per step."""
        return float(self.regrets.max())


@dataclass(frozen=True)
class ScheduleCertificate:
    """Facts about a tax schedule in the one-step economy.

    Regrets and ε are payoff per step; welfare is the planner's objective at the end of an episode. Payoffs are those of
    the rules: perturbed rewards do not count.
    """

    rates: FloatArray
    """(B,) marginal rates."""
    cutoffs: FloatArray
    """(B,) coin at which the brackets begin."""
    wages: FloatArray
    """(n,) coin per hour."""
    epsilon: float
    """The ε that was asked about."""
    equilibrium: Equilibrium
    """What the schedule leads to, if agents respond to each other."""
    agents: AgentsUnder | None
    """The agents that were given; None where there were none."""
    worst: WorstCase | None
    """The worst ε-equilibrium, found and bounded; None where it is not known."""
    worst_reason: str | None
    """Why not; None where it is known."""
    searches: int
    """Searches for it, of which `worst` is the best; 0 where it is not known."""

    @property
    def holds(self) -> bool:
        """Whether the given agents, or else the equilibrium, have a regret of at most ε."""
        largest = self.equilibrium.largest_regret if self.agents is None else self.agents.largest_regret
        return largest <= self.epsilon

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        found: dict[str, Any] = {
            "rates": self.rates.tolist(),
            "cutoffs": self.cutoffs.tolist(),
            "wages": self.wages.tolist(),
            "epsilon": self.epsilon,
            "equilibrium": {
                "kind": self.equilibrium.kind,
                "hours": self.equilibrium.hours.tolist(),
                "regrets": self.equilibrium.regrets.tolist(),
                "largest_regret": self.equilibrium.largest_regret,
                "welfare": self.equilibrium.welfare,
            },
            "agents": None,
            "worst_welfare_found": None if self.worst is None else self.worst.found,
            "worst_welfare_bound": None if self.worst is None else self.worst.bound,
            "worst_welfare_gap": None if self.worst is None else self.worst.gap,
            "worst_reason": self.worst_reason,
            "searches": self.searches,
        }
        if self.agents is not None:
            found["agents"] = {
                "hours": self.agents.hours.tolist(),
                "regrets": self.agents.regrets.tolist(),
                "largest_regret": self.agents.largest_regret,
                "welfare": self.agents.welfare,
                "welfare_reason": self.agents.welfare_reason,
            }
        return found


def certify_schedule(
    population: Population,
    rates: Any,
    epsilon: float | None = None,
    agents: Profile | None = None,
) -> ScheduleCertificate:
    """The certificate of a schedule, and of agents under it.

    Args:
        population: who is taxed.
        rates: (B,) marginal rates in [0, 1].
        epsilon: ε ≥ 0 of the worst equilibrium, payoff per step; None takes the largest regret of the agents, or of the
            equilibrium where none are given.
        agents: (n, 101) their probabilities of hours.

    Raises:
        ValueError: rates that do not fit the brackets, ε < 0, or agents that are no probabilities.
    """
    taxed = population.under(rates)
    found = equilibrium(taxed)
    if agents is not None:
        agents = check_probabilities("agents", agents, (population.size, CHOICES))
    given = None if agents is None else agents_under(taxed, agents)
    largest = found.largest_regret if given is None else given.largest_regret
    wanted = largest if epsilon is None else check_number("epsilon", epsilon, 0.0)
    searches = SEARCHES if population.size <= MANY else SEARCHES_OF_MANY
    worst, reason = None, None
    try:
        worst = worst_case(taxed, wanted, _start(taxed, found, given, agents, wanted), searches)
    except ValueError as error:
        reason = str(error)
    return ScheduleCertificate(
        taxed.rates, population.cutoffs, population.wages, wanted, found, given, worst, reason, searches if worst else 0
    )


def agents_under(taxed: TaxedPopulation, profile: Profile) -> AgentsUnder:
    """Exact facts about what agents do, (n, 101) probabilities of hours."""
    welfare, reason = None, None
    try:
        welfare = expected_welfare(taxed, profile)
    except ValueError as error:
        reason = str(error)
    hours = np.asarray(profile @ np.arange(CHOICES))
    return AgentsUnder(hours, regrets(taxed, profile), welfare, reason)


def _start(
    taxed: TaxedPopulation, found: Equilibrium, given: AgentsUnder | None, agents: Profile | None, epsilon: float
) -> Profile:
    """The worse of what is known to be an ε-equilibrium, so that the search ends below both; ValueError where nothing
    is, or for too many agents."""
    check_objective(taxed)
    if taxed.size > MOST_AGENTS:
        raise ValueError(f"it is searched for among up to {MOST_AGENTS} agents, there are {taxed.size}.")
    known = [(found.welfare, found.profile)] if found.largest_regret <= epsilon else []
    if given is not None and agents is not None and given.welfare is not None and given.largest_regret <= epsilon:
        known.append((given.welfare, agents))
    if not known:
        raise ValueError(f"no ε-equilibrium for ε = {epsilon:g} was found to begin with.")
    return min(known, key=lambda pair: pair[0])[1]
