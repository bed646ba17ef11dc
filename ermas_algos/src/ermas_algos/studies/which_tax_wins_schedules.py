"""The schedules of the public study and better ones, among four agents: who wins (E3), and for which weights (E7)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ermas_algos.experiments.jobs import Row, Tables
from ermas_algos.studies.which_tax_wins_published import AGENTS, PUBLISHED_BEST, SCHEDULES, population
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.taxes import (
    WELFARE,
    Outcome,
    Population,
    Support,
    best_schedule,
    equilibrium,
    outcome,
    supporting_weights,
)
from ermas_envs.oracles.taxes.population import pair_weights
from ermas_envs.oracles.taxes.schedules import equilibrium_welfare, weighted_utility

TABLE, WELFARES, WEIGHTS = "which-tax-wins", "which-tax-wins-welfare", "which-tax-wins-weights"
BEST, PRICE_TAKERS_BEST = "best on the 5 % grid", "price-takers' best on the 5 % grid"
STEP = 0.05
ROUNDS = 30
"""Schedules that E7 adds to what a schedule is compared with, at most."""
COMPARED, ALL, RANKS = "the compared schedules", "all schedules on the grid", "all, weights of ranks"
"""What E7 compares a schedule with."""
RESPONSES = {"exact": False, "price-taking": True}
"""What agents make of the lump sum, and `price_taking` of the oracles."""


@dataclass(frozen=True)
class Schedules:
    """The table of schedules, E3 and E7."""

    starts: int
    """Of the search for the best schedule, for exact and for price-taking agents each."""
    weight_starts: int
    """Of every search for a schedule that is better under weights."""

    key = "schedules"

    def configuration(self) -> dict[str, Any]:
        return asdict(self) | {"step": STEP, "rounds": ROUNDS}

    def run(self) -> Tables:
        """Search, compare, weigh."""
        people = population()
        compared: dict[str, FloatArray] = {name: np.array(row.rates) for name, row in SCHEDULES.items()}
        agreed: dict[str, int] = {}
        for name, price_taking in ((BEST, False), (PRICE_TAKERS_BEST, True)):
            found = best_schedule(people, equilibrium_welfare(people, price_taking), STEP, self.starts)
            compared[name], agreed[name] = found.rates, found.agreed
        reached = {
            (name, responses): outcome_under(people, rates, price_taking)
            for name, rates in compared.items()
            for responses, price_taking in RESPONSES.items()
        }
        weights = [
            row
            for name in (PUBLISHED_BEST, BEST)
            for row in self._weights(people, name, compared[name], [v for k, v in compared.items() if k != name])
        ]
        return {TABLE: _table(compared, reached, agreed), WELFARES: welfare_rows(reached), WEIGHTS: weights}

    def _weights(self, people: Population, name: str, rates: FloatArray, others: Sequence[FloatArray]) -> list[Row]:
        """Among the compared schedules, among all on the grid, and under the weights that eq × prod gives to coin."""
        few = supporting_weights(*_utilities(people, rates, others))
        ranks = rank_weights(people.size)
        rival = best_schedule(people, weighted_utility(people, ranks), STEP, self.weight_starts).rates
        own, rivals = _utilities(people, rates, [rival])
        fixed = Support(ranks, float(ranks @ (own - rivals[0])), np.ones(1), rivals[0] - own)
        known, support = self.all_schedules(people, rates, [*others, rival])
        return [
            _weight_row(name, COMPARED, others, few),
            _weight_row(name, ALL, known, support),
            _weight_row(name, RANKS, [rival], fixed),
        ]

    def all_schedules(
        self, people: Population, rates: FloatArray, others: Sequence[FloatArray]
    ) -> tuple[list[FloatArray], Support]:
        """Weights under which no schedule that a search finds is better, or a lottery that leaves no such weights.

        Round by round the schedule that is best under the weights found so far joins those that the next weights must
        stand against (cutting planes).
        """
        known = list(others)
        for seed in range(ROUNDS):
            own, rivals = _utilities(people, rates, known)
            support = supporting_weights(own, rivals)
            if support.margin < 0.0:
                break
            worth = weighted_utility(people, support.weights)
            better = best_schedule(people, worth, STEP, self.weight_starts, seed)
            if better.value <= worth(rates) + 1e-9:
                break
            known.append(better.rates)
        return known, support


def rank_weights(agents: int) -> FloatArray:
    """(n,) weights with which equality times mean coin is a sum of coins, from the poorest on; fewer than 30 agents.

    It is the mean of min(C_i, C_j) over pairs (`pair_weights`), and the k-th poorest is the poorer one in n − k pairs.
    """
    pairs, _ = pair_weights(agents)
    return np.asarray(pairs * np.arange(agents - 1, -1, -1.0))


def outcome_under(people: Population, rates: FloatArray, price_taking: bool = False) -> Outcome:
    """What a schedule (B,) comes to; RuntimeError where its equilibrium is not in pure choices."""
    taxed = people.under(rates)
    found = equilibrium(taxed, price_taking=price_taking)
    if found.profile.max(axis=1).min() < 1.0:
        raise RuntimeError(f"the equilibrium under {np.round(rates, 3).tolist()} is {found.kind}.")
    return outcome(taxed, found.profile.argmax(axis=1))


def _utilities(people: Population, rates: FloatArray, others: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """(n,) and (k, n) utilities."""
    return outcome_under(people, rates).utilities, np.array([outcome_under(people, o).utilities for o in others])


def _table(
    compared: Mapping[str, FloatArray], reached: Mapping[tuple[str, str], Outcome], agreed: Mapping[str, int]
) -> list[Row]:
    """A row per schedule and kind of responses."""
    rows: list[Row] = []
    for (name, responses), of in reached.items():
        published = SCHEDULES.get(name)
        rows.append(
            {
                "schedule": name,
                "responses": responses,
                "equality": of.equality,
                "productivity": of.productivity,
                "eq_times_prod": of.equality * of.productivity,
                "equality_published": published.equality if published else None,
                "productivity_published": published.productivity if published else None,
                "eq_times_prod_published": published.welfare if published else None,
                "starts_that_agree": agreed.get(name),
                **{f"rate_{bracket}": float(rate) for bracket, rate in enumerate(compared[name])},
                **{f"hours_{agent}": int(of.hours[agent]) for agent in range(AGENTS)},
                **{f"utility_{agent}": float(of.utilities[agent]) for agent in range(AGENTS)},
            }
        )
    return rows


def welfare_rows(reached: Mapping[tuple[str, str], Outcome]) -> list[Row]:
    """A row per welfare function, schedule and kind of responses; the best of the study's four, and of all, is told."""
    rows: list[Row] = []
    for responses in RESPONSES:
        mine = {name: of for (name, kind), of in reached.items() if kind == responses}
        for function, value in WELFARE.items():
            values = {name: value(of) for name, of in mine.items()}
            best_of_four = max(SCHEDULES, key=lambda name: values[name])
            best = max(values, key=lambda name: values[name])
            for name, found in values.items():
                rows.append(
                    {
                        "responses": responses,
                        "welfare": function,
                        "schedule": name,
                        "value": found,
                        "best_of_the_four": name == best_of_four,
                        "best_of_all": name == best,
                    }
                )
    return rows


def _weight_row(name: str, against: str, others: Sequence[FloatArray], support: Support) -> Row:
    """Weights with the largest margin, and the lottery over the others with the smallest gain."""
    lottery = [
        f"{chance:.3f}: " + " ".join(f"{100 * rate:g}" for rate in np.round(rates, 4))
        for chance, rates in zip(support.mixture, others, strict=True)
        if chance > 1e-9
    ]
    return {
        "schedule": name,
        "against": against,
        "others": len(others),
        "wins": support.margin >= -1e-9,
        "margin": support.margin,
        **{f"weight_{agent}": float(weight) for agent, weight in enumerate(support.weights)},
        **{f"gain_{agent}": float(gain) for agent, gain in enumerate(support.gains)},
        "lottery": " | ".join(lottery),
    }
