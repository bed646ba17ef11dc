"""The parts of the search for the worst ε-equilibrium of a tax schedule, each against a plain computation."""

from typing import Any

import numpy as np
import pytest

from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.oracles.taxes import Population, equilibrium, pure, worst_case
from ermas_envs.oracles.taxes.pairs import Pairs
from ermas_envs.oracles.taxes.population import CHOICES, TaxedPopulation
from ermas_envs.oracles.taxes.response import action_values, lump_distribution
from ermas_envs.oracles.taxes.turns import Turns

ISOELASTIC: dict[str, Any] = {
    "agent_reward_type": "isoelastic_coin_minus_labor",
    "labor_cost": 0.3,
    "planner_reward_type": "coin_eq_times_productivity",
}


def economy(num_agents: int, rates: Any) -> TaxedPopulation:
    return Population.of(OneStepSettings(num_agents=num_agents, **ISOELASTIC)).under(rates)


def test_survival_functions_are_sums_over_choices() -> None:
    pairs = Pairs(economy(3, [0.0, 0.5, 1.0, 0.2, 1.0, 0.0, 0.1]))  # where income after taxes stands still, too
    mixture = np.random.default_rng(0).dirichlet(np.ones(CHOICES))
    above = pairs.taxed.kept[1][:, None] > pairs.grid[None, :-1]
    np.testing.assert_allclose(pairs.survival(1, mixture), mixture @ above, atol=1e-14)
    others = pairs.survival(0, mixture)
    expected = pairs.taxed.taxes[1] / 3 + pairs.weight * (above @ (others * pairs.widths))
    np.testing.assert_allclose(pairs.linear(1, others), expected, rtol=1e-12)


def test_turns_give_what_the_others_pay_when_it_is_ones_turn() -> None:
    taxed, generator = economy(8, [0.3] * 7), np.random.default_rng(1)
    profile = np.zeros((8, CHOICES))
    for row in profile:
        low, high = generator.choice(CHOICES, 2, replace=False)
        share = generator.choice([0.0, 0.2])  # some mix
        row[low], row[high] = 1.0 - share, share
    order = generator.permutation(8)
    turns = Turns(taxed, profile, order)
    for agent in order:
        lump, exact = turns.others(), lump_distribution(taxed, profile, agent)
        assert lump.probabilities @ lump.values == pytest.approx(exact.probabilities @ exact.values)
        np.testing.assert_allclose(action_values(taxed, agent, lump), action_values(taxed, agent, exact), atol=1e-4)
        profile[agent] = np.roll(profile[agent], 7)
        turns.end(agent, profile[agent])


def test_what_is_certain_is_exact_in_turns() -> None:
    taxed = economy(5, [0.3] * 7)
    hours = np.array([0, 3, 17, 50, 99])
    turns = Turns(taxed, pure(hours), np.arange(5))
    for agent in range(5):
        paid = taxed.taxes[np.arange(5), hours] / 5
        lump = turns.others()
        assert lump.values == pytest.approx([paid.sum() - paid[agent]], rel=1e-12)
        turns.end(agent, pure(hours)[agent])


def test_a_hundred_agents_take_seconds() -> None:
    taxed = economy(100, [0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37])
    start = equilibrium(taxed)
    worst = worst_case(taxed, 0.5, start.profile, starts=1)
    assert worst.found == pytest.approx(86.2097, abs=1e-3)
    assert worst.bound == pytest.approx(85.949, abs=2e-3)
    assert worst.regrets.max() <= 0.5 * (1 + 1e-8)
