"""Collection and redistribution of taxes (SPEC 11), restated in plain Python, and compared with the kernel."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ermas_envs import economy_v0
from ermas_envs.games.economy.settings import (
    Build,
    Component,
    ContinuousDoubleAuction,
    Gather,
    WealthRedistribution,
)
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import FixedBrackets, FreeMarket, USFederal
from ermas_envs.planners import ConstantPlanner, FunctionPlanner

US_CUTOFFS = [0, 9.7, 39.475, 84.2, 160.725, 204.1, 510.3]
US_RATES = [0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37]


def bracket(income: float, cutoffs: list[float]) -> int:
    return max([0, *(k for k, cutoff in enumerate(cutoffs) if income >= cutoff)])


def tax_due(income: float, cutoffs: list[float], rates: list[float]) -> float:
    due = 0.0
    for k, rate in enumerate(rates):
        size = cutoffs[k + 1] - cutoffs[k] if k + 1 < len(cutoffs) else float("inf")
        due += rate * min(size, max(0.0, income - cutoffs[k]))
    return due


def taxed(agents: int, planner: Any = "learned", horizon: int = 1000, **options: Any) -> Any:
    batch = economy_v0.batched_env(
        1,
        num_agents=agents,
        layout=["." * agents],
        components=[{"PeriodicBracketTax": options}],
        planner=planner,
        horizon=horizon,
        fixed_four_skill_and_loc=False,
        mobile_agent_observation_range=1,
        starting_agent_coin=300.0,
    )
    batch.reset(0)
    return batch


def advance(batch: Any, planner_action: Any = 0) -> None:
    engine = batch.engine
    planner = np.zeros((1, engine.planner_entries), np.int64)
    planner[0] = planner_action
    engine.advance(np.zeros((1, len(engine.agents), 1), np.int64), planner, writes_observations=False)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(agents=st.integers(2, 9), period=st.integers(1, 4), seed=st.integers(0, 2**20))
def test_kernel_collects_as_plain_python_does(agents: int, period: int, seed: int) -> None:
    """A learned planner sets random rates; coin comes, goes and lies in escrow at random."""
    generator = np.random.default_rng(seed)
    batch = taxed(agents, period=period)
    state = batch.engine.state
    base, rates, choices = [300.0] * agents, [0.0] * 7, np.arange(0, 1.05, 0.05)
    paid_in_all, income_in_all = np.zeros(agents), np.zeros(agents)
    for time in range(1, 3 * period + 1):
        position = 1 + (time - 1) % period
        state.agents.inventory[0, :, COIN] += generator.normal(0, 250, agents)
        state.agents.inventory[0, :, COIN] = np.maximum(state.agents.inventory[0, :, COIN], 0)
        held = state.agents.inventory[0, :, COIN] * generator.random(agents) * generator.integers(0, 2, agents)
        state.agents.inventory[0, :, COIN] -= held
        state.agents.escrow[0, :, COIN] += held
        inventory, escrow = state.agents.inventory[0, :, COIN].tolist(), state.agents.escrow[0, :, COIN].tolist()
        action = generator.integers(0, 22, 7)
        advance(batch, action)
        if position == 1:
            rates = [choices[a - 1] if a else old for a, old in zip(action, rates, strict=True)]
        np.testing.assert_allclose(state.taxes.rates[0], rates, rtol=1e-12)
        assert state.taxes.collected[0] == (position == period)
        if position < period:
            assert state.agents.inventory[0, :, COIN].tolist() == inventory
            continue
        incomes = [i + e - b for i, e, b in zip(inventory, escrow, base, strict=True)]
        paid = [min(i, tax_due(z, US_CUTOFFS, rates)) for i, z in zip(inventory, incomes, strict=True)]
        lump = sum(paid) / agents
        after = [i - p + lump for i, p in zip(inventory, paid, strict=True)]
        base = [i + e for i, e in zip(after, escrow, strict=True)]
        paid_in_all += paid
        income_in_all += np.maximum(incomes, 0)
        np.testing.assert_allclose(state.agents.inventory[0, :, COIN], after, rtol=1e-12, atol=1e-12)
        assert state.agents.escrow[0, :, COIN].tolist() == escrow
        np.testing.assert_allclose(state.taxes.last_income[0], incomes, atol=1e-9)
        np.testing.assert_allclose(state.taxes.sorted_income[0], sorted(incomes), atol=1e-9)
        np.testing.assert_allclose(state.taxes.last_paid[0], paid, atol=1e-9)
        marginal = [0.0 if z < 0 else rates[bracket(z, US_CUTOFFS)] for z in incomes]
        np.testing.assert_allclose(state.taxes.last_marginal_rate[0], marginal, rtol=1e-12)
    metrics = batch.engine.metrics()
    np.testing.assert_allclose(metrics["PeriodicTax/total_collected_taxes"], paid_in_all.sum())
    richest = int(np.argmax((state.agents.inventory + state.agents.escrow)[0, :, COIN]))
    expected = paid_in_all[richest] / max(0.001, income_in_all[richest])
    np.testing.assert_allclose(metrics["PeriodicTax/avg_tax_rate/richest"], expected)


@pytest.mark.parametrize(
    ("planner", "options", "rates"),
    [
        (FreeMarket(), {}, [0.0] * 7),
        (USFederal(), {}, US_RATES),
        (USFederal(), {"rate_max": 0.3}, [0.10, 0.12, 0.22, 0.24, 0.3, 0.3, 0.3]),
        (USFederal(), {"tax_annealing_schedule": [-2, 0.1]}, [0.1, 0.12, *[0.2] * 5]),
        (USFederal(), {"disable_taxes": True}, [0.0] * 7),
        (FixedBrackets([0.3, 0.9]), {"bracket_spacing": "linear", "n_brackets": 2}, [0.3, 0.9]),
    ],
    ids=["free market", "US federal", "largest rate", "annealed", "disabled", "fixed"],
)
def test_rules_set_their_rates_from_the_first_observation_on(planner: Any, options: Any, rates: list[float]) -> None:
    batch = taxed(2, planner, period=2, **options)
    taxes = batch.engine.state.taxes
    np.testing.assert_allclose(taxes.shown_rates[0], rates, rtol=1e-12)
    for _ in range(4):
        advance(batch)
        np.testing.assert_allclose(taxes.rates[0], rates, rtol=1e-12)
        np.testing.assert_allclose(taxes.shown_rates[0], rates, rtol=1e-12)


def test_a_planner_with_one_action_changes_one_bracket() -> None:
    batch = economy_v0.batched_env(
        2,
        num_agents=2,
        layout="...",
        components=[{"PeriodicBracketTax": {"period": 2}}],
        multi_action_mode_planner=False,
        fixed_four_skill_and_loc=False,
    )
    batch.reset(0)
    step = {"agent_0": [0, 0], "agent_1": [0, 0]}
    batch.step({**step, "planner": [0, 1 + 2 * 21 + 7]})
    rates = batch.engine.state.taxes.rates
    np.testing.assert_allclose(rates, [[0] * 7, [0, 0, 0.35, 0, 0, 0, 0]])
    batch.step({**step, "planner": [147, 147]})  # not its turn
    np.testing.assert_allclose(rates, [[0] * 7, [0, 0, 0.35, 0, 0, 0, 0]])


def test_annealing_widens_the_learned_planner_s_choice_by_episodes() -> None:
    batch = taxed(2, period=2, horizon=2, tax_annealing_schedule=[-1, 0.26])
    limits = []
    for _ in range(4):
        mask = batch.engine.observe()[1]["planner"][0].reshape(7, 22)
        assert (mask == mask[0]).all()
        limits.append(int(mask[0].sum()) - 1)  # rates 0, 0.05, …
        for _ in range(2):
            batch.step({"agent_0": [0], "agent_1": [0], "planner": [[0] * 7]})
    assert limits == [6, 11, 16, 21]
    batch.reset(0, first_episode=2)
    assert batch.engine.observe()[1]["planner"][0, :22].sum() == 17


def test_a_negative_inventory_is_paid_for_as_in_the_original() -> None:
    """SPEC 11 and 17: paid = min(inventory coin, tax due), and redistribution of wealth leaves escrow where it is."""
    parts: tuple[Component, ...] = (
        Build(),
        ContinuousDoubleAuction(),
        WealthRedistribution(),
        PeriodicBracketTax(period=1),
    )
    env = economy_v0.batched_env(
        1,
        components=parts,
        planner=USFederal(),
        layout=["...."] * 4,
        horizon=1,
        fixed_four_skill_and_loc=False,
        multi_action_mode_agents=True,
        autoreset=False,
    )
    env.reset(0)
    state = env.engine.state
    state.agents.inventory[0, 0, :2] = 1  # a stone and a wood, as if gathered
    actions = {agent: np.zeros((1, 5), np.int64) for agent in env.agents}
    actions["agent_0"][0, :2] = 1, 11  # a house for 10 coin, all of which go into a bid
    metrics = env.step(actions).final_metrics
    assert metrics is not None
    np.testing.assert_allclose(state.taxes.last_paid[0], [-7.5, 0.25, 0.25, 0.25])
    np.testing.assert_allclose(metrics["PeriodicTax/total_collected_taxes"], -6.75)
    np.testing.assert_allclose(metrics["PeriodicTax/avg_effective_tax_rate"], -0.675)


@pytest.mark.parametrize(
    ("planner", "rate"),
    [(FunctionPlanner(lambda seen: [21] * 7), 1.0), (ConstantPlanner([11] * 7), 0.5), (FixedBrackets([1.0] * 7), 0.1)],
    ids=["function", "constant", "rule"],
)
def test_annealing_caps_rules_and_only_masks_the_planners_actions(planner: Any, rate: float) -> None:
    """SPEC 11: of the model_wrapper only the mask knows the annealed maximum, here 0.1; other models are capped."""
    env = economy_v0.batched_env(
        1,
        planner=planner,
        horizon=10,
        observations="compact",
        components=(
            Build("pareto", 10.0, 3.0),
            Gather(),
            PeriodicBracketTax(period=5, tax_annealing_schedule=[-100, 0.001]),
        ),
    )
    env.reset(0)
    for _ in range(10):
        seen = env.step({agent: np.zeros(1, np.int64) for agent in env.agents})
    assert seen.final_metrics is not None
    np.testing.assert_allclose(seen.final_metrics["PeriodicTax/avg_bracket_rate/0"], rate)


@pytest.mark.parametrize(
    ("rate_max", "rate_disc", "largest"),
    [(0.3, 0.1, 0.2), (0.6, 0.2, 0.4), (0.35, 0.05, 0.3), (0.5, 0.1, 0.5), (0.3000001, 0.1, 0.3)],
)
def test_steps_that_round_to_above_the_largest_rate_are_left_out(
    rate_max: float, rate_disc: float, largest: float
) -> None:
    """SPEC 11: arange(rate_min, rate_max + rate_disc, rate_disc), kept <= rate_max."""
    batch = taxed(2, rate_max=rate_max, rate_disc=rate_disc)
    assert (batch.action_spaces["planner"].nvec == round(largest / rate_disc) + 2).all()
    assert batch.engine.rules.tax.choices[-1] == pytest.approx(largest)
