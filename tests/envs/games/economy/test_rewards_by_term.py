"""Rewards of both economies keep the cost of labor, however large the utility of coin is or however far below zero."""

from typing import Any

import numpy as np
import pytest

from ermas_envs import economy_v0
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.games.economy.settings import Build, ContinuousDoubleAuction, Gather
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.one_step.settings import OneStepSettings, SimpleLabor
from ermas_envs.games.taxation.tax_planners import FreeMarket
from ermas_envs.games.taxation.welfare import COIN_FLOOR
from ermas_envs.perturbations import RiskAversion
from ermas_envs.testing.actions import BatchActionSource

EMPTY: dict[str, Any] = {
    "planner": FreeMarket(),
    "layout": ["......"] * 6,
    "fixed_four_skill_and_loc": False,
    "observations": "compact",
}
RICH: dict[str, Any] = {
    "num_agents": 3,
    "horizon": 30,
    "layout": ["WSW.", "..S.", "SW.."],
    "components": [Build(payment=7.5), ContinuousDoubleAuction(max_bid_ask=3, order_duration=4), Gather()],
    "fixed_four_skill_and_loc": False,
    "wood": {"regen_weight": 0.5},
    "stone": {"regen_weight": 0.5},
    "observations": "compact",
}


def first_move(**arguments: Any) -> dict[str, float]:
    """Rewards of a step in which agent_0 moves and nobody gains or pays anything."""
    env = economy_v0.parallel_env(horizon=5, **EMPTY, **arguments)
    _, infos = env.reset(seed=0)
    move = 46 + int(np.flatnonzero(infos["agent_0"]["action_mask"][46:])[0])
    return env.step({"agent_0": move, "agent_1": 0, "agent_2": 0, "agent_3": 0})[1]


@pytest.mark.parametrize("eta", [0.0, 0.23, 1.0, 2.5, 3.0, 30.0])
@pytest.mark.parametrize("how", ["isoelastic_eta", "perturbation"])
def test_a_move_costs_its_labor_at_every_risk_aversion(eta: float, how: str) -> None:
    rewards = first_move(**{how: RiskAversion(eta) if how == "perturbation" else eta})
    assert rewards["agent_0"] == pytest.approx(-0.21, abs=1e-15)
    assert rewards["agent_1"] == 0.0


@pytest.mark.parametrize("eta", [0.23, 3.0, 30.0])
def test_risk_aversion_leaves_the_labor_of_agents_who_are_risk_averse_themselves(eta: float) -> None:
    for other in (0.0, 3.0, 29.0):
        rewards = first_move(isoelastic_eta=eta, perturbation=RiskAversion(other))
        assert rewards["agent_0"] == pytest.approx(-0.21, abs=1e-15)


def test_labor_counts_beside_much_coin() -> None:
    """With linear utility the totals are the coin itself, 10⁹ of it."""
    rewards = first_move(isoelastic_eta=0.0, starting_agent_coin=1e9)
    assert rewards["agent_0"] == pytest.approx(-0.21, abs=1e-15)


@pytest.mark.parametrize("eta", [0.0, 0.23, 3.0, 30.0])
def test_the_planner_who_weighs_utilities_feels_labor(eta: float) -> None:
    env = economy_v0.batched_env(
        2, horizon=5, **EMPTY, isoelastic_eta=eta, planner_reward_type="inv_income_weighted_utility"
    )
    seen = env.reset(0)
    moves = 46 + seen.action_masks["agent_0"][:, 46:].argmax(axis=1)
    seen = env.step({agent: moves if agent == "agent_0" else np.zeros(2, np.int64) for agent in env.agents})
    np.testing.assert_allclose(seen.payoffs["planner"], -0.21 / 4, atol=1e-15)


@pytest.mark.parametrize("eta", [0.23, 1.0, 3.0, 12.0])
@pytest.mark.parametrize("warmup", [{}, {"energy_warmup_constant": 20.0, "energy_warmup_method": "auto"}], ids=repr)
def test_rewards_are_the_change_of_each_term(eta: float, warmup: dict[str, Any]) -> None:
    """Random play from no coin on, agents with many risk aversions; the two terms in plain NumPy."""
    env = economy_v0.batched_env(6, **RICH, isoelastic_eta=[eta, 0.0, 0.5], **warmup)
    engine, source = env.engine, BatchActionSource(env, list(range(6)))
    state = engine.state

    def terms() -> tuple[Any, Any]:
        coin = np.maximum((state.agents.inventory + state.agents.escrow)[:, :, 2], 0.0)
        values = []
        for column, curvature in zip(coin.T, 1.0 - np.array([eta, 0.0, 0.5]), strict=True):
            held = np.maximum(column, COIN_FLOOR) if curvature <= 0.0 else column
            values.append(np.log(held) if curvature == 0.0 else (held**curvature - 1.0) / curvature)
        return np.array(values), 0.21 * state.progress.energy_weight * state.agents.labor.T

    seen: Any = env.reset(3)
    idle_of_coin = 0
    for _ in range(29):
        value, cost = terms()
        seen = env.step(source.draw(seen))
        new_value, new_cost = terms()
        expected = (new_value - value) - (new_cost - cost)
        rewards = np.array([seen.rewards[agent] for agent in ("agent_0", "agent_1", "agent_2")])
        np.testing.assert_allclose(rewards, expected, rtol=1e-9, atol=1e-12)
        idle_of_coin += int(((new_value == value) & (new_cost > cost))[0].sum())
    assert idle_of_coin > 10  # steps in which the first agents worked and their coin stayed


@pytest.mark.parametrize("eta", [0.3, 3.0, 30.0])
def test_hours_cost_their_labor_in_the_one_step_economy(eta: float) -> None:
    """Wages of next to nothing: hours change labor alone."""
    settings = OneStepSettings(
        num_agents=2,
        skills=[1e-300, 1e-300],
        components=(SimpleLabor(),),
        agent_reward_type="isoelastic_coin_minus_labor",
        isoelastic_eta=eta,
        labor_cost=0.01,
    )
    engine = OneStepEngine("one_step_economy_v0", 3, settings)
    env = EngineBatch(engine, "learned")
    hours = np.array([[10, 20, 30], [0, 0, 5]])
    for _ in range(2):  # nothing of an episode is left in the next one
        env.reset(0)
        seen = env.step({"agent_0": hours[0], "agent_1": hours[1], "planner": np.zeros((3, 1), np.int64)})
        for agent, worked in zip(("agent_0", "agent_1"), hours, strict=True):
            np.testing.assert_allclose(seen.rewards[agent], -0.01 * worked, atol=1e-15)
        np.testing.assert_allclose(seen.rewards["planner"], -0.01 * hours.mean(axis=0), atol=1e-15)
