"""Exact oracles of the one-step economy: against the engine, by enumeration, and against known numbers."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.one_step.settings import OneStepSettings, SimpleLabor
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import FixedBrackets, tax_rule
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_2018_RATES
from ermas_envs.oracles.taxes import Population, best_schedule, equilibrium, pure, regrets, worst_case
from ermas_envs.oracles.taxes.pairs import expected_welfare, worst_mixture
from ermas_envs.oracles.taxes.population import CHOICES, TaxedPopulation
from ermas_envs.oracles.taxes.response import LATTICE, action_values, lump_distribution, lump_distributions
from ermas_envs.oracles.taxes.schedules import mean_welfare, worst_welfare

ISOELASTIC: dict[str, Any] = {
    "agent_reward_type": "isoelastic_coin_minus_labor",
    "isoelastic_eta": 0.23,
    "labor_cost": 0.3,
    "planner_reward_type": "coin_eq_times_productivity",
}
STUDY: dict[str, Any] = {
    "num_agents": 4,
    "labor_cost": 0.012,
    "labor_exponent": 2.0,
    "planner_reward_type": "coin_eq_times_productivity",
}
STUDY_WAGES = [1.128, 1.321, 1.65, 2.256]
FREE = [0.0] * 7


def economy(rates: Any, num_agents: int = 10, **changes: Any) -> TaxedPopulation:
    return Population.of(OneStepSettings(num_agents=num_agents, **{**ISOELASTIC, **changes})).under(rates)


rates_of = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.8, 1.0]), min_size=7, max_size=7)


# --- against the engine ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ISOELASTIC,
        {**ISOELASTIC, "isoelastic_eta": 1.0, "num_agents": 31},
        {**STUDY, "num_agents": 6},
        {**ISOELASTIC, "planner_reward_type": "inv_income_weighted_utility"},
        {**ISOELASTIC, "mixing_weight_gini_vs_coin": 0.4},
    ],
    ids=["isoelastic", "log, 31 agents", "linear", "weighted utilities", "mixed objective"],
)
def test_payoffs_and_welfare_are_the_engines(options: dict[str, Any]) -> None:
    generator = np.random.default_rng(3)
    chosen = OneStepSettings(**{"num_agents": 5, **options})
    rates = generator.integers(0, 21, 7) / 20
    planner = FixedBrackets(rates.tolist())
    engine = OneStepEngine("one", 4, chosen, tax_rule(planner, chosen.taxes))
    env = EngineBatch(engine, planner)
    hours = generator.integers(0, CHOICES, (4, chosen.num_agents))
    env.reset(0)
    total = 0.0
    for actions in (np.zeros_like(hours), hours):
        step = env.step({"agent": actions})
        total = total + step.payoffs.by_group["agent"]
    taxed = Population.of(chosen).under(rates)
    for replica, own in enumerate(hours):
        lumps = lump_distributions(taxed, pure(own))
        expected = [action_values(taxed, k, lumps[k])[own[k]] for k in range(chosen.num_agents)]
        np.testing.assert_allclose(total[replica] / 2, expected, rtol=1e-9, atol=1e-9)
        assert step.final_metrics is not None
        assert taxed.welfare(own) == pytest.approx(step.final_metrics["util/planner"][replica], rel=1e-9)


def test_other_games_are_refused() -> None:
    with pytest.raises(ValueError, match="one period of two steps"):
        Population.of(OneStepSettings(horizon=4))
    with pytest.raises(ValueError, match="one period of two steps"):
        Population.of(OneStepSettings(components=[SimpleLabor(), PeriodicBracketTax(True, period=2)]))
    with pytest.raises(ValueError, match="mask_first_step must be True"):
        Population.of(OneStepSettings(components=[SimpleLabor(False), PeriodicBracketTax(period=2)]))
    with pytest.raises(ValueError, match="rates"):
        economy([0.1, 0.2])
    weighted = economy(FREE, planner_reward_type="inv_income_weighted_utility")
    with pytest.raises(ValueError, match="planner_reward_type 'coin_eq_times_productivity'"):
        worst_case(weighted, 1.0, pure([100] * 10))


# --- by enumeration --------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(rates_of, st.integers(2, 3), st.integers(0, 2**31))
@example([0.1, 0.5, 0.8, 1.0, 0.0, 0.0, 0.0], 2, 469)
def test_regret_of_mixtures_is_that_of_all_their_outcomes(rates: list[float], agents: int, seed: int) -> None:
    """Up to the lattice: each of the others moves to its neighbours, which costs an eighth of the utility's second
    difference over a step."""
    generator = np.random.default_rng(seed)
    taxed = economy(rates, agents)
    profile = np.zeros((agents, CHOICES))
    support = [generator.choice(CHOICES, 2, replace=False) for _ in range(agents)]
    for agent, choices in enumerate(support):
        share = generator.random()
        profile[agent, choices] = share, 1 - share
    found = regrets(taxed, profile)
    for agent in range(agents):
        values, bend = np.zeros(CHOICES), 0.0
        others = [k for k in range(agents) if k != agent]
        step = sum(taxed.taxes[k, support[k]].max() for k in range(agents)) / agents / (LATTICE - 1)
        for outcome in itertools.product(*(support[k] for k in others)):
            chance = np.prod([profile[k, hours] for k, hours in zip(others, outcome, strict=True)])
            lump = sum(taxed.taxes[k, hours] for k, hours in zip(others, outcome, strict=True)) / agents
            values += chance * taxed.utilities(agent, lump)
            low, middle, high = (taxed.utilities(agent, max(lump - step, 0.0) + k * step) for k in range(3))
            bend = max(bend, float(np.abs(low - 2.0 * middle + high).max()))
        expected = values.max() - profile[agent] @ values
        assert found[agent] == pytest.approx(expected, abs=1e-8 + 2.0 * len(others) * bend / 8.0)
    welfare = 0.0
    for outcome in itertools.product(*support):
        chance = np.prod([profile[k, hours] for k, hours in enumerate(outcome)])
        welfare += chance * taxed.welfare(np.array(outcome))
    assert expected_welfare(taxed, profile) == pytest.approx(welfare, rel=1e-9, abs=1e-9)


def test_interpolation_gives_what_the_whole_distribution_gives() -> None:
    taxed = economy([0.3] * 7, 6)
    profile = np.full((6, CHOICES), 1 / CHOICES)
    for agent in (0, 5):
        lump = lump_distribution(taxed, profile, agent)
        direct = lump.probabilities @ taxed.utilities(agent, lump.values)
        np.testing.assert_allclose(action_values(taxed, agent, lump), direct, atol=1e-7)
        assert lump.probabilities @ lump.values == pytest.approx(
            (taxed.taxes.mean(axis=1).sum() - taxed.taxes[agent].mean()) / 6
        )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 2.0))
def test_the_worst_mixture_is_that_of_the_linear_program(seed: int, epsilon: float) -> None:
    from scipy.optimize import linprog

    generator = np.random.default_rng(seed)
    coefficients, losses = generator.normal(size=8), generator.random(8) * 3
    losses[generator.integers(8)] = 0.0
    mixture = worst_mixture(coefficients, losses, epsilon)
    solved = linprog(coefficients, A_ub=[losses], b_ub=[epsilon], A_eq=[np.ones(8)], b_eq=[1.0])
    assert mixture.sum() == pytest.approx(1.0)
    assert (mixture >= 0).all()
    assert mixture @ losses <= epsilon + 1e-12
    assert mixture @ coefficients == pytest.approx(solved.fun, abs=1e-9)


# --- equilibria: numbers that are known ------------------------------------------------------------------------------


def test_reference_of_ten_agents() -> None:
    free, federal = (equilibrium(economy(rates)) for rates in (FREE, list(US_FEDERAL_2018_RATES)))
    assert (free.kind, federal.kind) == ("pure", "pure")
    assert free.welfare == pytest.approx(128.0, abs=0.05)
    assert federal.welfare == pytest.approx(126.0, abs=0.05)
    assert free.largest_regret == federal.largest_regret == 0.0


@pytest.mark.parametrize(
    ("rates", "exact", "price_taking"),
    [
        (FREE, 278.8, 278.8),
        (list(US_FEDERAL_2018_RATES), 260.7, 246.1),
        ([0.01, 0.038, 0.091, 0.063, 0.03, 0.51, 1.0], 272.0, 265.8),
        ([0.766, 0.08, 0.007, 0.435, 0.052, 0.001, 0.538], 294.8, 294.8),
        ([0.7, 0.4, 0.0, 0.6, 0.05, 0.0, 0.9], 307.1, None),
    ],
    ids=["free market", "US federal", "Saez", "published best", "ours"],
)
def test_the_public_studys_schedules(rates: Any, exact: float, price_taking: float | None) -> None:
    taxed = Population.of(OneStepSettings(**STUDY, skills=STUDY_WAGES)).under(rates)
    assert 4 * equilibrium(taxed).welfare == pytest.approx(exact, abs=0.06)
    if price_taking is not None:
        found = equilibrium(taxed, price_taking=True)
        assert 4 * found.welfare == pytest.approx(price_taking, abs=0.06)
        assert (found.largest_regret > 0) == (abs(exact - price_taking) > 0.1)


@settings(max_examples=15, deadline=None)
@given(rates_of, st.sampled_from([0.11, 0.23, 0.35, 1.0]), st.integers(2, 12))
def test_what_is_returned_has_the_regret_that_it_says(rates: list[float], eta: float, agents: int) -> None:
    taxed = economy(rates, agents, isoelastic_eta=eta)
    found = equilibrium(taxed)
    np.testing.assert_allclose(regrets(taxed, found.profile), found.regrets, atol=1e-12)
    if found.kind == "pure":
        assert found.largest_regret == 0.0


def test_four_thousand_agents() -> None:
    taxed = Population.of(OneStepSettings(num_agents=4000, **ISOELASTIC)).under([0.3] * 7)
    assert equilibrium(taxed).largest_regret < 1e-9


# --- worst ε-equilibria ----------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(rates_of, st.integers(2, 4), st.sampled_from([0.1, 0.5, 1.5]), st.integers(0, 2**31))
def test_no_feasible_profile_is_below_the_bound(rates: list[float], agents: int, epsilon: float, seed: int) -> None:
    taxed = economy(rates, agents)
    start = equilibrium(taxed)
    if start.largest_regret > epsilon:
        return
    worst = worst_case(taxed, epsilon, start.profile, starts=2)
    assert worst.regrets.max() <= epsilon * (1 + 1e-8)
    np.testing.assert_allclose(regrets(taxed, worst.profile), worst.regrets, atol=1e-9)
    assert worst.bound <= worst.found <= start.welfare + 1e-9
    generator = np.random.default_rng(seed)
    for _ in range(20):
        profile = start.profile.copy()
        for agent in range(agents):
            share = generator.random() ** 2
            profile[agent] *= 1 - share
            profile[agent, generator.integers(CHOICES)] += share
        if regrets(taxed, profile).max() <= epsilon:
            assert expected_welfare(taxed, profile) >= worst.bound - 1e-9


def test_more_regret_is_worse_and_none_is_the_equilibrium() -> None:
    taxed = economy(FREE)
    start = equilibrium(taxed).profile
    values = [worst_case(taxed, epsilon, start) for epsilon in (0.0, 0.25, 0.5, 1.0)]
    assert values[0].found == pytest.approx(equilibrium(taxed).welfare)
    assert all(first.found > second.found for first, second in itertools.pairwise(values))
    assert values[1].gap < 0.005
    assert values[2].gap < 0.01


def test_a_start_with_too_much_regret_is_refused() -> None:
    with pytest.raises(ValueError, match=r"start must have a regret of at most epsilon = 0\.1"):
        worst_case(economy(FREE), 0.1, pure([0] * 10))


# --- best schedules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("eta", "best"), [(0.23, 138.96), (0.27, 132.8), (0.31, 101.8)])
def test_the_best_schedule_of_ten_agents(eta: float, best: float) -> None:
    population = Population.of(OneStepSettings(num_agents=10, **{**ISOELASTIC, "isoelastic_eta": eta}))
    found = best_schedule(population, starts=3)
    assert found.value == pytest.approx(best, abs=0.05)
    assert equilibrium(population.under(found.rates)).welfare == found.value
    assert found.rates[-1] == 0.0  # nobody earns 510 coin
    assert 1 <= found.agreed <= found.starts


def test_the_best_schedule_is_the_best_of_all_on_a_small_grid() -> None:
    population = Population.of(OneStepSettings(num_agents=3, **ISOELASTIC))
    found = best_schedule(population, step=0.5, starts=8)
    grid = [np.array([*rates, 0.0]) for rates in itertools.product((0.0, 0.5, 1.0), repeat=6)]
    assert found.value == pytest.approx(max(equilibrium(population.under(rates)).welfare for rates in grid))


def test_what_is_maximised_may_be_anything() -> None:
    population = Population.of(OneStepSettings(num_agents=3, **ISOELASTIC))
    several = [
        Population.of(OneStepSettings(num_agents=3, **{**ISOELASTIC, "isoelastic_eta": eta})) for eta in (0.2, 0.4)
    ]
    over_the_range = best_schedule(population, mean_welfare(several), step=0.5, starts=2)
    assert over_the_range.value == pytest.approx(
        np.mean([equilibrium(one.under(over_the_range.rates)).welfare for one in several])
    )
    robust = best_schedule(population, worst_welfare(population, 0.5), step=0.5, starts=1)
    start = equilibrium(population.under(robust.rates)).profile
    assert robust.value == pytest.approx(worst_case(population.under(robust.rates), 0.5, start, starts=1).found)
