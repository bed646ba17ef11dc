"""Certificates of tax schedules: they say what the oracles say, and what they do not know."""

import itertools
import json
from typing import Any

import numpy as np
import pytest

from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.oracles.taxes import Population, best_schedule, certify_schedule, equilibrium, pure, regrets, worst_case
from ermas_envs.oracles.taxes import certificate as certificates
from ermas_envs.oracles.taxes.pairs import MOST_OUTCOMES, Pairs, Welfare, expected_welfare
from ermas_envs.oracles.taxes.population import CHOICES

RATES = [0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37]
ISOELASTIC: dict[str, Any] = {
    "agent_reward_type": "isoelastic_coin_minus_labor",
    "labor_cost": 0.3,
    "planner_reward_type": "coin_eq_times_productivity",
}


def population(num_agents: int = 4, **changes: Any) -> Population:
    return Population.of(OneStepSettings(num_agents=num_agents, **{**ISOELASTIC, **changes}))


def test_a_schedules_certificate_is_the_oracles() -> None:
    found = certify_schedule(population(), RATES, 0.5)
    taxed = population().under(RATES)
    reached = equilibrium(taxed)
    worst = worst_case(taxed, 0.5, reached.profile, starts=found.searches)
    assert found.worst is not None
    assert (found.equilibrium.kind, found.equilibrium.welfare) == ("pure", reached.welfare)
    assert (found.worst.found, found.worst.bound) == (worst.found, worst.bound)
    assert found.worst.bound < found.worst.found < reached.welfare
    assert found.holds
    assert found.agents is None
    told = json.loads(json.dumps(found.as_dict()))
    assert told["worst_welfare_gap"] == pytest.approx(1 - worst.bound / worst.found)
    assert told["equilibrium"]["regrets"] == [0.0] * 4


def test_without_an_epsilon_it_is_the_largest_regret() -> None:
    assert certify_schedule(population(), RATES).epsilon == 0.0
    given = pure([0, 50, 100, 100])
    found = certify_schedule(population(), RATES, agents=given)
    assert found.epsilon == regrets(population().under(RATES), given).max() > 0.0
    assert found.holds
    assert not certify_schedule(population(), RATES, 0.1, given).holds


def test_the_worst_case_is_at_most_what_feasible_agents_leave() -> None:
    taxed = population().under(RATES)
    start = equilibrium(taxed)
    given = worst_case(taxed, 0.4, start.profile).profile
    found = certify_schedule(population(), RATES, 0.5, given)
    assert found.agents is not None
    assert found.agents.welfare is not None
    assert found.worst is not None
    assert found.worst.found <= found.agents.welfare < start.welfare


def test_what_agents_do_is_known_by_all_outcomes() -> None:
    generator = np.random.default_rng(2)
    profile = np.zeros((3, CHOICES))
    for row in profile:
        row[generator.choice(CHOICES, 2, replace=False)] = 0.5
    for changes in ({"planner_reward_type": "inv_income_weighted_utility"}, {"mixing_weight_gini_vs_coin": 0.3}):
        taxed = population(3, **changes).under(RATES)
        outcomes = itertools.product(*(np.flatnonzero(row) for row in profile))
        expected = np.mean([taxed.welfare(np.array(hours)) for hours in outcomes])
        assert expected_welfare(taxed, profile) == pytest.approx(expected)
        found = certify_schedule(taxed.population, RATES, 0.5, profile)
        assert found.agents is not None
        assert found.agents.welfare == pytest.approx(expected)
        assert found.worst is None
        assert "'coin_eq_times_productivity' without a mixing weight, got" in str(found.worst_reason)
    taxed = population(3).under(RATES)
    assert expected_welfare(taxed, profile) == pytest.approx(Welfare(Pairs(taxed), profile).value())


def test_what_is_not_known_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = np.full((4, CHOICES), 1 / CHOICES)
    assert CHOICES**4 > MOST_OUTCOMES
    found = certify_schedule(population(planner_reward_type="inv_income_weighted_utility"), RATES, 9.0, everything)
    assert found.agents is not None
    assert found.agents.welfare is None
    assert "mixed choices and worst cases are known for" in str(found.agents.welfare_reason)
    assert found.agents.largest_regret > 0
    monkeypatch.setattr(certificates, "MOST_AGENTS", 3)
    assert certify_schedule(population(), RATES, 0.5).worst_reason == (
        "it is searched for among up to 3 agents, there are 4."
    )


def test_where_no_equilibrium_is_found_the_worst_case_has_no_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    far = equilibrium(population().under(RATES), price_taking=True, start=np.array([0, 0, 0, 0]))
    object.__setattr__(far, "regrets", np.array([0.0, 0.0, 0.7, 0.2]))
    monkeypatch.setattr(certificates, "equilibrium", lambda taxed: far)
    found = certify_schedule(population(), RATES, 0.5)
    assert (found.worst, found.searches, found.holds) == (None, 0, False)
    assert found.worst_reason == "no ε-equilibrium for ε = 0.5 was found to begin with."
    feasible = certify_schedule(population(), RATES, 0.5, equilibrium(population().under(RATES)).profile)
    assert feasible.worst is not None


def test_rates_that_do_not_fit_are_refused() -> None:
    for rates, message in ((RATES[:3], "that is 7, got 3"), ([1.5] * 7, r"rates\[0\] must be"), (0.1, "rates must be")):
        with pytest.raises(ValueError, match=message):
            certify_schedule(population(), rates)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: certify_schedule(population(), RATES, 0.5, np.ones((4, CHOICES))),
            "agents must be probabilities: numb",
        ),
        (lambda: certify_schedule(population(), RATES, 0.5, -np.eye(4, CHOICES)), "agents must be probabilities: numb"),
        (lambda: certify_schedule(population(), RATES, 0.5, np.eye(3, CHOICES)), r"of shape \(4, 101\), got shape"),
        (lambda: worst_case(population().under(RATES), 0.5, np.eye(4)), r"start must be .* of shape \(4, 101\)"),
        (
            lambda: worst_case(population().under(RATES), 99.0, pure(np.ones(4, int)), seed=-1),
            "seed must be an integer",
        ),
        (lambda: equilibrium(population().under(RATES), np.full(4, 150)), "start must be at most 100"),
        (lambda: equilibrium(population().under(RATES), np.full(4, 1.5)), "start must be an integer"),
        (lambda: equilibrium(population().under(RATES), np.full(3, 50)), "start must have 4 numbers of hours"),
        (lambda: best_schedule(population(), seed=-1), "seed must be an integer >= 0"),
    ],
)
def test_profiles_and_starts_that_are_none_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
