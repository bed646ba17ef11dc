"""Whole episodes of the economy: what agents of each skill end with, incomes of periods, welfare functions."""

import numpy as np
import pytest

from ermas_algos.algorithms.run import Run
from ermas_algos.evaluation.economy_episodes import WELFARE, Episodes, play_episodes
from ermas_envs import EnvironmentSpec

ECONOMY = {"observations": "compact", "horizon": 12, "layout": "village", "starting_agent_coin": 10.0}
TAXES = {"components": {"PeriodicBracketTax": {"period": 4}}}


def episodes(seed: int = 3, number: int = 5, iteration: int = 7, **arguments: object) -> Episodes:
    """Of agents that have learned nothing."""
    settings = {"num_envs": 2, "policy_sharing": "group"}
    run = Run.from_options(
        {"environment": "economy_v0", "preset": "none", "algorithm": "MARL", "iterations": 1}
        | {"arguments": {**ECONOMY, **TAXES, **arguments}, "settings": {**settings, **masked()}}
    )
    return play_episodes(run.environment, run.trainer().learners, number, seed, iteration)


def masked() -> dict[str, object]:
    learner = {"algorithm": "MaskablePPO", "hidden_layers": [8]}
    return {"agent_learner": learner, "planner_learner": learner}


def test_agents_stand_in_the_order_of_their_skill() -> None:
    played = episodes()
    assert played.coins.shape == (5, 4)
    assert np.all(np.diff(played.skills, axis=1) > 0.0)
    np.testing.assert_allclose(played.skills[0], [1.133, 1.327, 1.647, 2.225], atol=2e-3)
    by_agent = np.stack([played.metrics[f"endow/agent_{agent}/Coin"] for agent in range(4)], axis=1)
    np.testing.assert_array_equal(np.sort(played.coins, axis=1), np.sort(by_agent, axis=1))
    assert not np.array_equal(played.coins, by_agent)  # who is skilled differs from episode to episode


def test_what_is_sold_is_bought() -> None:
    played = episodes()
    np.testing.assert_array_equal(played.sold.sum(axis=1), played.bought.sum(axis=1))
    np.testing.assert_array_equal(played.sold.sum(axis=1), played.metrics["Trade/n_trades"])
    np.testing.assert_array_equal(played.houses.sum(axis=1), played.metrics["Build/total_builds"])


def test_incomes_of_the_periods_are_what_all_coin_grew_by() -> None:
    """Taxes and trades move coin, houses alone make it; two of three periods are seen."""
    played = episodes(number=64, horizon=120, **{"components": {"PeriodicBracketTax": {"period": 40}}})
    assert played.incomes.shape == (64, 2, 4)
    grown = played.coins.sum(axis=1) - 40.0
    earned = played.incomes.sum(axis=(1, 2))
    assert np.all(earned <= grown + 1e-3)
    assert np.all(earned[played.houses.sum(axis=1) == 0] == pytest.approx(0.0, abs=1e-3))
    assert earned.max() > 10.0


def test_without_taxes_there_are_no_periods() -> None:
    played = episodes(components=["Build", "ContinuousDoubleAuction", "Gather"], fixed_four_skill_and_loc=False)
    assert played.incomes.shape == (5, 0, 4)
    assert played.rates() == []
    assert played.outcome()["tax_rate"] == 0.0


def test_welfare_functions_of_known_coins() -> None:
    def of(coins: list[float], utilities: list[float]) -> dict[str, float]:
        columns = dict.fromkeys(("skills", "labor", "houses", "sold", "bought"), np.zeros((1, 2)))
        metrics = {"social_welfare/coin_eq_times_productivity": np.array([3.0, np.nan])}
        metrics["social_welfare/inv_income_weighted_utility"] = np.array([1.5])
        incomes = np.zeros((1, 0, 2))
        arrays = {"coins": np.array([coins]), "utilities": np.array([utilities]), "incomes": incomes}
        return Episodes(**columns, **arrays, metrics=metrics).welfare()

    found = of([1.0, 9.0], [-2.0, 4.0])
    assert tuple(found) == WELFARE
    expected = {"eq_times_prod": 3.0, "utilitarian": 1.0, "rawls": -2.0, "inverse_income_weighted_utility": 1.5}
    expected |= {"atkinson_0.5": 4.0, "atkinson_1": 3.0, "atkinson_2": 1.8}
    assert found == pytest.approx(expected)
    nothing = of([0.0, 9.0], [0.0, 0.0])  # the limit of coins near 0
    assert nothing["atkinson_0.5"] == pytest.approx(2.25)
    assert (nothing["atkinson_1"], nothing["atkinson_2"]) == (0.0, 0.0)
    assert of([0.0, 0.0], [0.0, 0.0])["atkinson_0.5"] == 0.0


def test_episodes_follow_from_their_seed_and_the_age_of_the_training() -> None:
    first, again, other = episodes(), episodes(), episodes(seed=4)
    np.testing.assert_array_equal(first.utilities, again.utilities)
    assert not np.array_equal(first.utilities, other.utilities)
    warm = {"energy_warmup_constant": 10.0, "energy_warmup_method": "decay"}
    young, old = episodes(iteration=0, **warm), episodes(iteration=1000, **warm)
    np.testing.assert_array_equal(young.labor, old.labor)
    assert young.utilities.mean() > old.utilities.mean()  # labor costs more in the end


def test_other_environments_are_refused() -> None:
    run = Run.from_options({"environment": "one_step_economy_v0", "algorithm": "MARL"})
    with pytest.raises(ValueError, match="play_episodes needs economy_v0"):
        play_episodes(run.environment, run.trainer().learners, 2, 0, 0)
    with pytest.raises(ValueError, match="play_episodes needs economy_v0 with observations='compact'"):
        play_episodes(EnvironmentSpec("economy_v0", {"horizon": 4}), {}, 2, 0, 0)
