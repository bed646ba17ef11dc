"""The one-step economy against closed forms and laws: optimal hours, conserved coin, changes of objectives."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermas_envs import EnvironmentSpec, one_step_economy_v0
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.one_step.settings import OneStepSettings, SimpleLabor
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import FixedBrackets, FreeMarket, Saez, USFederal, tax_rule
from ermas_envs.games.taxation.tax_schedule import bracket_cutoffs, bracket_of, marginal_rate, tax_due
from ermas_envs.testing.actions import BatchActionSource

CUTOFFS = bracket_cutoffs()
HOURS = st.lists(st.integers(0, 100), min_size=4, max_size=4)
RATES = st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7)


def play(hours: Any, planner: Any = "learned", choices: Any = None, **options: Any) -> tuple[EngineBatch, Any]:
    """One episode of one replica with these hours (n,) in the second step; the batch and the agents' returns."""
    batch = started(len(hours), planner, **options)
    idle = actions(batch, np.zeros(len(hours)), choices)
    first = batch.step(idle)
    second = batch.step(actions(batch, hours))
    total = {agent: first.payoffs[agent] + second.payoffs[agent] for agent in second.payoffs}
    return batch, {agent: float(values[0]) for agent, values in total.items()}


def started(agents: int, planner: Any = "learned", **options: Any) -> EngineBatch:
    settings = OneStepSettings(num_agents=agents, **options)
    engine = OneStepEngine("test", 1, settings, tax_rule(planner, settings.taxes))
    batch = EngineBatch(engine, planner, autoreset=False)
    batch.reset(0)
    return batch


def actions(batch: EngineBatch, hours: Any, choices: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = {agent: np.array([int(h)]) for agent, h in zip(batch.agents, hours, strict=True)}
    if "planner" in batch.action_spaces:
        shape = batch.action_spaces["planner"].shape
        found["planner"] = np.zeros((1, *(shape or ())), np.int64) if choices is None else np.array([choices])
    return found


def coins(batch: EngineBatch) -> Any:
    return batch.engine.state.agents.inventory[0, :, COIN]


# --- closed forms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.6])
def test_optimal_hours_under_a_flat_tax(rate: float) -> None:
    """With δ = 2 an agent with wage w works w(1 − τ + τ/n)/2c hours: it keeps 1 − τ, and gets its share of its tax."""
    cost, agents, wages = 0.02, 3, [1.0, 1.5, 2.0]
    options: dict[str, Any] = {"labor_cost": cost, "labor_exponent": 2.0}
    planner = FixedBrackets([rate] * 7)
    for index, wage in enumerate(wages):
        returns = []
        for hours in range(101):
            settings = OneStepSettings(num_agents=agents, skills=wages, **options)
            engine = OneStepEngine("test", 1, settings, tax_rule(planner, settings.taxes))
            batch = EngineBatch(engine, planner, autoreset=False)
            batch.reset(0)
            batch.step(actions(batch, np.zeros(agents)))
            chosen = np.full(agents, 7)
            chosen[index] = hours
            returns.append(float(batch.step(actions(batch, chosen)).payoffs[f"agent_{index}"][0]))
        best = wage * (1.0 - rate + rate / agents) / (2.0 * cost)
        assert abs(int(np.argmax(returns)) - min(best, 100.0)) <= 0.5


def test_returns_by_hand_under_us_federal_taxes() -> None:
    hours = np.array([10, 40, 100, 0])
    batch, returns = play(hours, USFederal(), labor_cost=0.01, labor_exponent=1.5)
    wages = batch.engine.rules.skills
    incomes = hours * wages
    rates = np.array([0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37])
    paid = np.array([tax_due(income, CUTOFFS, rates) for income in incomes])
    coin = incomes - paid + paid.sum() / 4
    np.testing.assert_allclose(coins(batch), coin, rtol=1e-12)
    utility = coin - 0.01 * hours**1.5
    np.testing.assert_allclose([returns[agent] for agent in batch.agents], utility, rtol=1e-12)
    weights = 1.0 / np.maximum(incomes, 1.0)
    assert returns["planner"] == pytest.approx(np.average(utility, weights=weights), rel=1e-12)


def test_isoelastic_utility_and_equality_times_productivity() -> None:
    hours = np.array([5, 50])
    batch, returns = play(
        hours,
        FreeMarket(),
        agent_reward_type="isoelastic_coin_minus_labor",
        isoelastic_eta=(0.5, 1.0),
        labor_cost=0.1,
        planner_reward_type="coin_eq_times_productivity",
    )
    coin = hours * batch.engine.rules.skills
    assert returns["agent_0"] == pytest.approx(2.0 * np.sqrt(coin[0]) - 0.1 * 5, rel=1e-12)
    assert returns["agent_1"] == pytest.approx(np.log(coin[1]) - np.log(1e-10) - 0.1 * 50, rel=1e-12)
    equality = 1.0 - abs(coin[0] - coin[1]) / coin.sum()
    assert returns["planner"] == pytest.approx(equality * coin.mean(), rel=1e-9)


def test_the_planners_choice_of_the_first_step_counts() -> None:
    batch, _ = play([10, 20, 30, 40], choices=[1, 3, 5, 7, 9, 11, 21])
    np.testing.assert_allclose(batch.engine.state.taxes.rates[0], [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0])
    single = started(4, multi_action_mode_planner=False)
    single.step(actions(single, [0, 0, 0, 0], 1 + 2 * 21 + 5))
    np.testing.assert_allclose(single.engine.state.taxes.rates[0], [0, 0, 0.25, 0, 0, 0, 0])
    single.step(actions(single, [0, 0, 0, 0], 1))
    np.testing.assert_allclose(single.engine.state.taxes.rates[0], [0, 0, 0.25, 0, 0, 0, 0])


# --- laws --------------------------------------------------------------------------------------------------------


@given(HOURS, RATES)
@settings(max_examples=40)
def test_taxes_conserve_coin_and_keep_its_order(hours: list[int], rates: list[float]) -> None:
    batch, _ = play(hours, FixedBrackets(rates))
    production, coin = batch.engine.state.production[0], coins(batch)
    assert coin.sum() == pytest.approx(production.sum(), rel=1e-12)
    order = np.argsort(production, kind="stable")
    assert (np.diff(coin[order]) >= -1e-9).all()
    assert (coin >= -1e-12).all()


@given(HOURS, HOURS, st.sampled_from(["coin_minus_labor_cost", "isoelastic_coin_minus_labor"]))
@settings(max_examples=25)
def test_rewards_sum_to_the_change_of_objectives_and_labor_is_the_last_worked(
    first: list[int], second: list[int], kind: str
) -> None:
    batch = started(4, USFederal(), agent_reward_type=kind, labor_cost=0.3)
    progress = batch.engine.state.progress
    before = progress.utility[0].copy(), progress.planner_objective[0]
    steps = [batch.step(actions(batch, hours)) for hours in (first, second)]
    total = np.array([sum(float(step.payoffs[agent][0]) for step in steps) for agent in batch.agents])
    np.testing.assert_allclose(total, progress.utility[0] - before[0], rtol=1e-9, atol=1e-9)
    planner = sum(float(step.payoffs["planner"][0]) for step in steps)
    assert planner == pytest.approx(progress.planner_objective[0] - before[1], rel=1e-9, abs=1e-9)
    np.testing.assert_array_equal(batch.engine.state.agents.labor[0], np.where(second, second, first))


def test_wages_are_drawn_once_by_their_own_seed() -> None:
    one, other = (OneStepEngine("test", 1, OneStepSettings(), num_threads=1).rules.skills for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert (np.diff(one) > 0).all()
    assert one[0] >= 1.0
    assert one[-1] <= 3.0
    third = OneStepEngine("test", 1, OneStepSettings(skill_seed=1)).rules.skills
    assert (third != one).any()


def test_given_wages_are_those_of_the_game_and_need_no_seed() -> None:
    for wages in ((0.5, 1.0, 1.0, 2.5), np.array([0.5, 1, 1, 2.5])):  # below the least drawn one; two alike
        spec = EnvironmentSpec("one_step_economy_v0", {"num_agents": 4, "skills": wages, "skill_seed": 7})
        rules: Any = [
            spec(2).engine.rules,  # type: ignore[attr-defined]
            one_step_economy_v0.parallel_env(num_agents=4, skills=wages).batch.engine.rules,
            one_step_economy_v0.env(num_agents=4, skills=wages).unwrapped.batch.engine.rules,
        ]
        for found in rules:
            assert found.skills.tolist() == [0.5, 1.0, 1.0, 2.5]
    assert OneStepSettings(num_agents=2, skills=np.array([1, 2])).skills == (1.0, 2.0)
    largest = {"payment_max_skill_multiplier": 1.1, "pareto_param": 0.01}  # nearly all draws are the largest wage
    drawn = started(3, components=[{"SimpleLabor": largest}]).engine.rules.skills
    assert started(3, components=[{"SimpleLabor": largest}], skills=drawn).engine.rules.skills.tolist() == list(drawn)


@pytest.mark.parametrize("observations", ["original", "compact"])
def test_drawn_wages_given_explicitly_are_the_same_game_bit_for_bit(observations: str) -> None:
    options: dict[str, Any] = {"num_agents": 5, "labor_cost": 0.01, "observations": observations}
    drawn = one_step_economy_v0.batched_env(3, skill_seed=4, **options)
    wages = drawn.engine.rules.skills.tolist()  # type: ignore[attr-defined]
    envs = [drawn, one_step_economy_v0.batched_env(3, skills=wages, **options)]
    sources = [BatchActionSource(env, [1, 2, 3]) for env in envs]
    seen: list[Any] = [env.reset(3) for env in envs]
    for _ in range(5):
        seen = [env.step(source.draw(last)) for env, source, last in zip(envs, sources, seen, strict=True)]
        for name in ("rewards", "payoffs", "observations", "action_masks"):
            first, second = (getattr(step, name).by_group for step in seen)
            np.testing.assert_equal(first, second)


def test_no_taxes_leave_the_planner_without_a_choice() -> None:
    batch, returns = play([10, 20, 30], components=[SimpleLabor()], labor_cost=0.0)
    np.testing.assert_allclose([returns[agent] for agent in batch.agents], coins(batch))
    assert batch.action_spaces["planner"].nvec.tolist() == [1]
    assert not batch.engine.planner_acts().any()


def test_saez_knows_incomes_of_earlier_episodes_and_forgets_them_with_a_new_seed() -> None:
    engine = OneStepEngine("test", 1, OneStepSettings(num_agents=100), tax_rule(Saez(), OneStepSettings().taxes))
    batch = EngineBatch(engine, Saez())
    generator = np.random.default_rng(0)
    batch.reset(0)
    for _ in range(12):
        batch.step(actions(batch, generator.integers(1, 101, 100)))
    assert engine.state.saez.available[0] == 500
    rates = engine.state.taxes.rates[0]
    assert engine.state.saez.ready[0] == (engine.state.saez.seen[0] > 500)
    assert ((rates >= 0) & (rates <= 1)).all()
    batch.reset()
    assert engine.state.saez.available[0] == 500
    batch.reset(1)
    assert engine.state.saez.available[0] == 0


# --- masks, observations, metrics --------------------------------------------------------------------------------


def test_masks_forbid_work_before_the_first_step_only_and_bind_nobody() -> None:
    batch = started(3)
    seen = batch.reset(0)
    assert seen.action_masks["agent_0"].sum() == 1
    assert seen.action_masks["planner"].all()
    assert seen.planner_acts is not None
    assert seen.planner_acts.all()
    step = batch.step(actions(batch, [5, 5, 5]))
    assert (coins(batch) > 0).all()
    assert step.action_masks["agent_2"].all()
    assert step.action_masks["planner"].sum() == 7
    assert step.planner_acts is not None
    assert not step.planner_acts.any()
    free = started(3, components=[{"SimpleLabor": {"mask_first_step": False}}])
    assert free.reset(0).action_masks["agent_0"].all()


def test_original_observations_have_the_originals_form() -> None:
    batch = started(30)
    seen = batch.reset(0).observations
    assert {name: values.shape for name, values in seen["agent_0"].items()} == {"flat": (1, 43), "time": (1, 1)}
    assert set(seen["planner"]) == {"flat", "time", *(f"p{index}" for index in range(30))}
    assert seen["planner"]["flat"].shape == (1, 43)
    assert seen["planner"]["flat"][0, -2] == 0.0  # equality of 30 agents without coin, as the original has it
    named = started(3, flatten_observations=False).reset(0).observations
    assert named["agent_2"]["SimpleLabor-skill"].shape == (1, 1)
    assert named["planner"]["PeriodicBracketTax-last_incomes"].shape == (1, 3)
    assert "p2-PeriodicBracketTax-last_income" in named["planner"]


def test_compact_observations_do_not_grow_with_the_agents() -> None:
    for agents in (2, 100):
        batch = started(agents, observations="compact")
        assert batch.observation_spaces["agent_0"].shape == (16,)
        assert batch.observation_spaces["planner"].shape == (24,)


def test_compact_observations_by_hand() -> None:
    options: dict[str, Any] = {"observations": "compact"}
    batch, _ = play([100, 50, 0], USFederal(), **options)
    step = batch.engine.observe()[0]
    wages = batch.engine.rules.skills
    incomes = wages * [100, 50, 0]
    agent, planner = step["agent_0"][0], step["planner"][0]
    rates = [0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37]
    expected = [1.0, *rates, 1.0, 0.0, 0.5, incomes.mean() / 100, wages[0] / 3, coins(batch)[0] / 100, 0.1]
    np.testing.assert_allclose(agent, [*expected, incomes[0] / 100], rtol=1e-6)
    deciles = np.sort(incomes)[np.arange(11) * 2 // 10] / 100
    np.testing.assert_allclose(planner[:-2], [1.0, *rates, 1.0, 0.0, 0.5, *deciles], rtol=1e-6)
    assert planner[-1] == pytest.approx(coins(batch).mean() / 100, rel=1e-6)
    untaxed = started(2, components=["SimpleLabor"], observations="compact")
    assert untaxed.observation_spaces["agent_0"].shape == (3,)
    assert untaxed.observation_spaces["planner"].shape == (3,)


def test_metrics_of_an_episode() -> None:
    batch, returns = play([10, 100], USFederal(), labor_cost=0.0)
    found = {name: float(values[0]) for name, values in batch.engine.metrics().items()}
    assert found["social/productivity"] == pytest.approx(coins(batch).sum())
    assert found["endogenous/avg_agent/Labor"] == 55.0
    assert found["util/planner"] == pytest.approx(returns["planner"])
    assert found["PeriodicTax/total_collected_taxes"] > 0
    occupied = [found[f"PeriodicTax/bracket_occupancy/{bracket}"] for bracket in range(7)]
    assert sum(occupied) == pytest.approx(1.0)


def test_metrics_of_an_episode_are_those_of_its_end_whenever_they_are_read() -> None:
    generator = np.random.default_rng(0)
    at_once, later = (one_step_economy_v0.batched_env(8, num_agents=40) for _ in range(2))
    kept: list[Any] = []
    read: list[dict[str, Any]] = []
    at_once.reset(0)
    later.reset(0)
    for _ in range(3 * later.horizon):
        played = {role: generator.integers(0, 22, (8, *space.shape)) for role, space in later.action_spaces.items()}
        for batch, found in ((at_once, read), (later, kept)):
            metrics = batch.step(played).final_metrics
            if metrics is not None:
                found.append(metrics if found is kept else {name: values.copy() for name, values in metrics.items()})
    assert len(kept) == len(read) == 3
    for one, other in zip(kept, read, strict=True):
        assert list(one) == list(other)
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])
    assert not np.array_equal(kept[0]["social/productivity"], kept[1]["social/productivity"])


@settings(max_examples=50)
@given(
    hours=st.lists(st.sampled_from([0, 0, 1, 7, 50, 100]), min_size=35, max_size=35),
    rates=RATES,
    steps=st.integers(1, 4),
)
def test_taxes_of_many_agents_are_those_of_each_one(hours: list[int], rates: list[float], steps: int) -> None:
    """To the last bit: what is due, marginal rates, brackets, and incomes in ascending order."""
    tax = PeriodicBracketTax(period=2 * steps, tax_annealing_schedule=None)
    batch = started(35, FixedBrackets(rates), horizon=2 * steps, components=[SimpleLabor(), tax])
    for step in range(2 * steps):
        batch.step(actions(batch, hours if step % 2 else np.zeros(35)))
    taxes = batch.engine.state.taxes
    incomes = taxes.last_income[0]
    due = [tax_due(income, CUTOFFS, taxes.rates[0]) for income in incomes]
    assert taxes.last_paid[0].tolist() == np.minimum(incomes, due).tolist()
    marginal = [marginal_rate(income, CUTOFFS, taxes.rates[0]) for income in incomes]
    assert taxes.last_marginal_rate[0].tolist() == marginal
    occupied = np.bincount([bracket_of(income, CUTOFFS) for income in incomes], minlength=7)
    assert batch.engine.state.tax_tallies.occupancy[0].tolist() == occupied.tolist()
    assert taxes.sorted_income[0].tolist() == sorted(incomes)


def test_a_step_in_which_nobody_works_changes_nothing_but_the_clock() -> None:
    components = [SimpleLabor(), PeriodicBracketTax(period=3)]
    batch = started(40, USFederal(), horizon=9, observations="compact", components=components)
    generator = np.random.default_rng(0)
    for working in (False, True, True, True, False):
        before = batch.engine.state.progress._replace(utility=batch.engine.state.progress.utility.copy())
        held, objective = coins(batch).copy(), float(before.planner_objective[0])
        step = batch.step(actions(batch, generator.integers(1, 101, 40) if working else np.zeros(40)))
    assert step.payoffs.by_group["agent"].tolist() == [[0.0] * 40]
    assert step.payoffs["planner"].tolist() == [0.0]
    assert batch.engine.state.progress.utility.tobytes() == before.utility.tobytes()
    assert batch.engine.state.progress.planner_objective[0] == objective
    assert coins(batch).tobytes() == held.tobytes()
    shown = np.array(batch.engine.observe()[0]["planner"])[0]
    assert shown[-1] == np.float32(np.cumsum(held)[-1] / 40 * 0.01)
    worked = np.array(step.observations.by_group["agent"])[0, :, 13]
    assert (worked == (held * 0.01).astype(np.float32)).all()


def test_text_and_picture() -> None:
    batch, _ = play([10, 100], USFederal())
    text = batch.render(0, "ansi")
    assert isinstance(text, str)
    for part in ("step 2 of 2", "10% from 0", "100"):
        assert part in text
    picture = batch.render(0, "rgb_array")
    assert not isinstance(picture, str)
    assert picture.shape == (400, 640, 3)
    env = one_step_economy_v0.parallel_env(num_agents=3, render_mode="ansi")
    env.reset(seed=0)
    assert "tax rates" in env.render()


def test_schedules_over_episodes_follow_the_episode() -> None:
    taxes = PeriodicBracketTax(period=2, tax_annealing_schedule=(0.0, 0.25))
    settings_ = OneStepSettings(num_agents=2, components=[SimpleLabor(), taxes])
    engine = OneStepEngine("test", 2, settings_, tax_rule(USFederal(), settings_.taxes))
    engine.reset(np.arange(2), ReplicaStreams(0, 2), np.array([0, 1]), from_scratch=True)
    np.testing.assert_allclose(engine.state.taxes.rate_cap, [0.0, 0.25])
