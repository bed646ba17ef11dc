"""The proven bound of the worst ε-equilibrium of a tax schedule: its parts, and all of it by enumeration."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_envs.base.arrays import BoolArray, FloatArray
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.taxation.tax_schedule import US_FEDERAL_2018_RATES
from ermas_envs.oracles.taxes import Population, equilibrium, regrets, worst_case
from ermas_envs.oracles.taxes.bound import CLOSE, TOLERANCE, lower_bound
from ermas_envs.oracles.taxes.domination import survivals, without_dominated
from ermas_envs.oracles.taxes.losses import anything, least_losses
from ermas_envs.oracles.taxes.pairs import Pairs, expected_welfare
from ermas_envs.oracles.taxes.population import CHOICES, TaxedPopulation
from ermas_envs.oracles.taxes.relaxation import Relaxation
from ermas_envs.oracles.taxes.response import action_values, lump_distributions
from ermas_envs.oracles.taxes.vertices import Vertices

EQUALITY: dict[str, Any] = {"planner_reward_type": "coin_eq_times_productivity"}
ISOELASTIC: dict[str, Any] = {"agent_reward_type": "isoelastic_coin_minus_labor", "labor_cost": 0.3, **EQUALITY}
STUDY: dict[str, Any] = {"labor_cost": 0.012, "labor_exponent": 2.0, **EQUALITY}
STUDY_WAGES = [1.128, 1.321, 1.65, 2.256]
FEDERAL = list(US_FEDERAL_2018_RATES)
SCHEDULES = {
    "free market": [0.0] * 7,
    "US federal": FEDERAL,
    "Saez": [0.01, 0.038, 0.091, 0.063, 0.03, 0.51, 1.0],
    "published best": [0.766, 0.08, 0.007, 0.435, 0.052, 0.001, 0.538],
    "ours": [0.7, 0.4, 0.0, 0.6, 0.05, 0.0, 0.9],
}

rates_of = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.8, 1.0]), min_size=7, max_size=7)
seeds = st.integers(0, 2**31)


def economy(num_agents: int, rates: Any, **changes: Any) -> TaxedPopulation:
    return Population.of(OneStepSettings(num_agents=num_agents, **{**ISOELASTIC, **changes})).under(rates)


def linear(num_agents: int, rates: Any, **changes: Any) -> TaxedPopulation:
    return Population.of(OneStepSettings(num_agents=num_agents, **{**STUDY, **changes})).under(rates)


def some_vertices(pairs: Pairs, generator: np.random.Generator, count: int) -> list[Vertices]:
    """So many of each agent, for losses that are drawn."""
    found = []
    for agent in range(pairs.taxed.size):
        losses = generator.random(CHOICES) * 3.0
        losses[generator.integers(CHOICES)] = 0.0
        own = Vertices(pairs, agent, losses, 1.0)
        chosen: BoolArray = np.zeros(len(own), dtype=np.bool_)
        chosen[generator.choice(len(own), count, replace=False)] = True
        found.append(own.only(chosen))
    return found


def welfare_of(pairs: Pairs, vertices: list[Vertices], weights: list[FloatArray]) -> float:
    """Of agents who mix their vertices, by pairs."""
    count = len(pairs.widths)
    each = [
        weight @ np.stack([own.survival(v, count) for v in range(len(own))])
        for own, weight in zip(vertices, weights, strict=True)
    ]
    alone = sum(float(weight @ own.alone) for own, weight in zip(vertices, weights, strict=True))
    both = sum((first * second) @ pairs.widths for first, second in itertools.combinations(each, 2))
    return alone + pairs.weight * float(both)


# --- losses ----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(rates_of, st.sampled_from([0.0, 0.23, 0.9, 1.0, 3.0, None]), st.integers(2, 4), seeds)
def test_no_profile_loses_less_than_the_least_losses(
    rates: list[float], eta: float | None, agents: int, seed: int
) -> None:
    """Whatever agents play is an ε-equilibrium for ε = its largest regret, and has a mean lump sum."""
    generator = np.random.default_rng(seed)
    taxed = linear(agents, rates) if eta is None else economy(agents, rates, isoelastic_eta=eta)
    profile = np.zeros((agents, CHOICES))
    around = equilibrium(taxed).profile.argmax(axis=1)
    for agent, row in enumerate(profile):
        near = np.clip(around[agent] + generator.integers(-20, 10, 2), 0, CHOICES - 1)
        share = generator.random()
        row[near[0]] += share
        row[near[1]] += 1.0 - share
    epsilon = float(regrets(taxed, profile).max()) + 1e-5  # measured on a lattice
    paid = (profile * taxed.taxes).sum(axis=1) / agents
    half = float(generator.choice([1e-9, 0.1, 3.0]))
    known = least_losses(taxed, epsilon, anything(taxed))
    assert known is not None
    found = least_losses(taxed, epsilon, known, (paid.sum() - half, paid.sum() + half / 3))
    assert found is not None
    assert (found.least >= known.least).all()
    assert (found.paid_low <= paid + 1e-9).all()
    assert (found.paid_high >= paid - 1e-9).all()
    assert found.between[0] - 1e-9 <= paid.sum() <= found.between[1] + 1e-9
    for agent, lump in enumerate(lump_distributions(taxed, profile)):
        values = action_values(taxed, agent, lump)
        assert (found.least[agent] <= values.max() - values + 1e-5).all()


def test_losses_of_linear_utility_are_exact() -> None:
    taxed = linear(4, FEDERAL, skills=STUDY_WAGES)
    found = least_losses(taxed, 1.0, anything(taxed))
    assert found is not None
    for agent in range(4):
        values = taxed.utilities(agent, 5.0)
        np.testing.assert_allclose(found.least[agent], values.max() - values, atol=1e-12)


def test_a_mean_lump_sum_that_nobody_pays_is_impossible() -> None:
    taxed = economy(3, FEDERAL)
    known = least_losses(taxed, 0.1, anything(taxed))
    assert known is not None
    assert 0.0 < known.between[0] < known.between[1]
    assert least_losses(taxed, 0.1, known, (0.0, known.between[0] / 2)) is None
    assert least_losses(taxed, 0.1, known, (known.between[1] * 1.1, known.between[1] * 1.2)) is None


# --- vertices --------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=7, max_size=7), seeds)
def test_vertices_are_mixtures_that_spend_epsilon(rates: list[float], seed: int) -> None:
    pairs, generator = Pairs(economy(31, rates)), np.random.default_rng(seed)
    losses = generator.random(CHOICES) * 3
    losses[generator.integers(CHOICES)] = 0.0
    own = Vertices(pairs, 5, losses, 1.0)
    cheap, dear = np.flatnonzero(losses <= 1.0), np.flatnonzero(losses > 1.0)
    assert len(own) == len(cheap) * (1 + len(dear))
    mixtures = [np.eye(CHOICES)[choice] for choice in cheap]
    for low, high in itertools.product(cheap, dear):
        share = (1.0 - losses[low]) / (losses[high] - losses[low])
        mixtures.append((1.0 - share) * np.eye(CHOICES)[low] + share * np.eye(CHOICES)[high])
    chosen = generator.choice(len(own), 20)
    others = generator.random(len(pairs.widths))
    for vertex in chosen:
        mixture, survival = mixtures[vertex], own.survival(vertex, len(pairs.widths))
        np.testing.assert_allclose(survival, pairs.survival(5, mixture), atol=1e-12)
        assert own.square[vertex] == pytest.approx(survival**2 @ pairs.widths)
        assert own.mean_tax[vertex] == pytest.approx(mixture @ pairs.taxed.taxes[5] / 31)
        assert own.against(pairs.integral(others))[vertex] == pytest.approx((survival * others) @ pairs.widths)
        assert own.alone[vertex] == pytest.approx(mixture @ pairs.linear(5, np.zeros_like(others)))
    least, most = survivals(pairs, own)
    each = np.stack([pairs.survival(5, mixture) for mixture in mixtures])
    np.testing.assert_allclose(least, each.min(axis=0), atol=1e-14)
    np.testing.assert_allclose(most, each.max(axis=0), atol=1e-14)


@settings(max_examples=10, deadline=None)
@given(rates_of, seeds)
def test_what_is_not_dominated_has_the_least_welfare(rates: list[float], seed: int) -> None:
    pairs, generator = Pairs(economy(3, rates)), np.random.default_rng(seed)
    vertices = some_vertices(pairs, generator, 12)
    left = without_dominated(pairs, vertices)
    least = []
    for some in (vertices, left):
        outcomes = itertools.product(*(np.eye(len(own)) for own in some))
        least.append(min(welfare_of(pairs, some, list(weights)) for weights in outcomes))
    assert least[1] == pytest.approx(least[0], abs=1e-9)


# --- the relaxation --------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(rates_of, st.integers(2, 4), seeds)
def test_the_relaxation_is_below_all_choices_of_vertices(rates: list[float], agents: int, seed: int) -> None:
    pairs, generator = Pairs(economy(agents, rates)), np.random.default_rng(seed)
    vertices = some_vertices(pairs, generator, 5)
    relaxation = Relaxation(pairs, vertices, None, None)
    choices = list(itertools.product(range(5), repeat=agents))
    values = [welfare_of(pairs, vertices, [np.eye(5)[v] for v in outcome]) for outcome in choices]
    assert relaxation.bound <= min(values) + 1e-9
    for outcome, value in zip(choices, values, strict=True):  # costs say what a vertex adds at least
        dearest = max(relaxation.costs[agent][vertex] for agent, vertex in enumerate(outcome))
        assert relaxation.bound + dearest <= value + 1e-9
    # What the weights leave as mixtures is above the bound by the spread, but for the steps that were not taken.
    assert relaxation.bound + relaxation.spread().sum() >= min(values) - 0.02 * abs(min(values))
    one = [own.only(np.arange(5) == v) for own, v in zip(vertices, choices[int(np.argmin(values))], strict=True)]
    assert Relaxation(pairs, one, None, None).bound == pytest.approx(min(values))


@settings(max_examples=25, deadline=None)
@given(rates_of, st.integers(2, 5), seeds)
def test_the_relaxation_is_below_all_mixtures_with_such_a_lump_sum(rates: list[float], agents: int, seed: int) -> None:
    pairs, generator = Pairs(economy(agents, rates)), np.random.default_rng(seed)
    vertices = some_vertices(pairs, generator, 5)
    for _ in range(10):
        weights = [generator.dirichlet(np.full(5, 0.3)) for _ in range(agents)]
        lump = sum(float(weight @ own.mean_tax) for own, weight in zip(vertices, weights, strict=True))
        half = generator.choice([0.0, 0.1, 3.0])
        within = Relaxation(pairs, vertices, (lump - half, lump + half / 2), None)
        assert within.bound <= welfare_of(pairs, vertices, weights) + 1e-9


def test_the_halves_of_an_agent_part_its_two_heaviest_vertices() -> None:
    pairs = Pairs(economy(3, FEDERAL))
    relaxation = Relaxation(pairs, some_vertices(pairs, np.random.default_rng(1), 40), None, None)
    agent = int(relaxation.spread().argmax())
    side = relaxation.halves(agent)
    assert relaxation.spread()[agent] > 0.0
    assert side.any()
    assert not side.all()


# --- all of it -------------------------------------------------------------------------------------------------------


def least_by_enumeration(pairs: Pairs, epsilon: float) -> float:
    """The least welfare of two or three agents with linear utility, over all choices of their vertices."""
    taxed = pairs.taxed
    utilities = [taxed.utilities(agent, 0.0) for agent in range(taxed.size)]
    vertices = [Vertices(pairs, agent, each.max() - each, epsilon) for agent, each in enumerate(utilities)]
    count = len(pairs.widths)
    survival = [np.stack([own.survival(v, count) for v in range(len(own))]) for own in vertices]

    def both(first: int, second: int) -> FloatArray:
        return np.asarray(pairs.weight * (survival[first] * pairs.widths) @ survival[second].T)

    two = vertices[0].alone[:, None] + vertices[1].alone + both(0, 1)
    if taxed.size == 2:
        return float(two.min())
    first, second = both(0, 2), both(1, 2) + vertices[2].alone
    return min(float((row[:, None] + first[k] + second).min()) for k, row in enumerate(two))


@settings(max_examples=12, deadline=None)
@given(rates_of, st.sampled_from([0.01, 0.1, 0.5, 2.0]), seeds)
def test_two_agents_by_enumeration(rates: list[float], epsilon: float, seed: int) -> None:
    wages = np.sort(1.0 + 2.0 * np.random.default_rng(seed).random(2)).tolist()
    taxed = linear(2, rates, skills=wages)
    least = least_by_enumeration(Pairs(taxed), epsilon)
    assert least * (1 - CLOSE) - 1e-6 <= lower_bound(Pairs(taxed), epsilon, least) <= least
    # A worse profile than the worst one is all that is known: still a bound.
    assert lower_bound(Pairs(taxed), epsilon, 1.5 * least + 1.0) <= least + 1e-6
    found = worst_case(taxed, epsilon, equilibrium(taxed).profile)
    assert found.bound <= least + 1e-6
    assert found.found >= least - 1e-6 - 1e-7 * abs(least)


@settings(max_examples=6, deadline=None)
@given(rates_of, st.sampled_from([0.01, 0.03]), seeds)
def test_three_agents_by_enumeration(rates: list[float], epsilon: float, seed: int) -> None:
    wages = np.sort(1.0 + 2.0 * np.random.default_rng(seed).random(3)).tolist()
    taxed = linear(3, rates, skills=wages)
    least = least_by_enumeration(Pairs(taxed), epsilon)
    assert least * (1 - CLOSE) - 1e-6 <= lower_bound(Pairs(taxed), epsilon, least) <= least
    assert lower_bound(Pairs(taxed), epsilon, 1.5 * least + 1.0) <= least + 1e-6


@settings(max_examples=10, deadline=None)
@given(rates_of, st.sampled_from([0.0, 0.23, 0.6, 1.0]), st.sampled_from([2, 3, 31]), seeds)
def test_allowed_mixtures_are_above_the_bound(rates: list[float], eta: float, agents: int, seed: int) -> None:
    """Profiles drawn at random, each with the ε for which it is allowed and no better incumbent."""
    taxed, generator = economy(agents, rates, isoelastic_eta=eta), np.random.default_rng(seed)
    profile = equilibrium(taxed).profile.copy()
    for row in profile:
        share = 0.4 * generator.random() ** 2
        row *= 1.0 - share
        row[generator.integers(CHOICES)] += share
    epsilon, welfare = float(regrets(taxed, profile).max()) + 1e-5, expected_welfare(taxed, profile)
    assert lower_bound(Pairs(taxed), epsilon, 1.2 * welfare + 1.0) <= welfare + TOLERANCE


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("rates", SCHEDULES.values(), ids=SCHEDULES)
def test_the_public_studys_worst_cases_are_known_to_a_ten_thousandth(rates: list[float], epsilon: float) -> None:
    taxed = linear(4, rates, skills=STUDY_WAGES)
    assert worst_case(taxed, epsilon, equilibrium(taxed).profile).gap <= CLOSE


@pytest.mark.parametrize(
    ("rates", "epsilon", "most"),
    [([0.0] * 7, 1.0, 0.001), (FEDERAL, 0.25, 0.001), (FEDERAL, 0.5, 0.0015), (FEDERAL, 1.0, 0.005)],
    ids=["free market", "US federal 0.25", "US federal 0.5", "US federal 1"],
)
def test_ten_agents_worst_cases_are_known_to_half_a_percent(rates: list[float], epsilon: float, most: float) -> None:
    taxed = economy(10, rates)
    assert worst_case(taxed, epsilon, equilibrium(taxed).profile, starts=1).gap <= most
