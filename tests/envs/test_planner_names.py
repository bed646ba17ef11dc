"""What the planner of every game sees and does has names, for people who read a planner."""

from typing import Any

import numpy as np
import pytest

from ermas_envs import EnvironmentSpec
from ermas_envs.base.entries import entry_names

GAMES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("bimatrix_v0", {}),
    ("augmented_bimatrix_v0", {"planner_observes": False}),
    ("augmented_bimatrix_v0", {"payoffs": "strategically_robust_2022"}),
    ("toll_v0", {"roads": "three_roads"}),
    ("contract_v0", {"payments": "grid"}),
    ("one_step_economy_v0", {"num_agents": 4, "observations": "compact"}),
    ("one_step_economy_v0", {"num_agents": 4}),
    ("economy_v0", {"observations": "compact", "multi_action_mode_planner": False}),
)


def engine(name: str, arguments: dict[str, Any]) -> Any:
    return EnvironmentSpec(name, arguments)(1).engine  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "arguments"), GAMES, ids=[f"{k}-{game}" for k, (game, _) in enumerate(GAMES)])
def test_every_number_that_the_planner_sees_has_a_name_of_its_own(name: str, arguments: dict[str, Any]) -> None:
    game = engine(name, arguments)
    space, names = game.observation_spaces["planner"], game.planner_sees()
    parts = [space] if space.shape is not None else list(space.spaces.values())
    assert len(names) == len(set(names)) == sum(int(np.prod(part.shape)) for part in parts)


def test_names_of_entries() -> None:
    assert entry_names([("time", 1), ("tolls", 2), ("nothing", 0)]) == ("time", "tolls/0", "tolls/1")


def test_names_stand_where_the_numbers_do() -> None:
    game = EnvironmentSpec("toll_v0", {"tolled": [1]})(1)
    game.reset(0)
    idle = {agent: np.full(1, 1) for agent in game.agents}
    for toll in (0.25, 0.0):
        seen = game.step({**idle, "planner": np.array([[toll]], np.float32)}).observations["planner"][0]
    named = dict(zip(game.engine.planner_sees(), seen.tolist(), strict=True))  # type: ignore[attr-defined]
    assert (named["tolls/1"], named["loads/1"], named["mean_latency"]) == (0.25, 1.0, 1.0)


def test_what_a_bimatrix_planner_does() -> None:
    assert engine("bimatrix_v0", {}).planner_does(np.int64(0)) == {}
    assert engine("augmented_bimatrix_v0", {}).planner_does(np.int64(4)) == {"action": 4.0}


def test_tolls_and_payments_are_those_in_force() -> None:
    levels = engine("toll_v0", {"tolled": [1], "toll_levels": 21})
    assert levels.planner_does(np.array([13])) == {"toll/1": pytest.approx(0.65)}
    env = EnvironmentSpec("contract_v0", {"num_agents": 2})(1)
    env.reset(0)
    shares = np.linspace(-1, 1, 8, dtype=np.float32)
    env.step({**{agent: np.zeros(1, np.int64) for agent in env.agents}, "planner": shares[None]})
    named = env.engine.planner_does(shares)  # type: ignore[attr-defined]
    assert list(named.values()) == env.engine.payments[0].ravel().tolist()  # type: ignore[attr-defined]
    assert list(named)[-1] == "payment/agent_1/3"


@pytest.mark.parametrize("multi", [True, False])
def test_rates_are_those_in_force(multi: bool) -> None:
    arguments = {"num_agents": 2, "observations": "compact", "multi_action_mode_planner": multi}
    env = EnvironmentSpec("one_step_economy_v0", arguments)(1)
    env.reset(0)
    before = env.engine.state.taxes.rates[0].copy()  # type: ignore[attr-defined]
    action = np.array([0, 3, 1, 0, 21, 2, 5]) if multi else np.array(1 + 4 * 21 + 6)
    env.step({**{agent: np.zeros(1, np.int64) for agent in env.agents}, "planner": action[None]})
    after = env.engine.state.taxes.rates[0]  # type: ignore[attr-defined]
    does = env.engine.planner_does(action)  # type: ignore[attr-defined]
    told = [was if rate is None else rate for was, rate in zip(before, does.values(), strict=True)]
    assert told == after.tolist()
    assert (after != before).any()


def test_a_rule_for_taxes_leaves_the_planner_nothing_to_do() -> None:
    assert engine("one_step_economy_v0", {"planner": {"name": "us_federal"}}).planner_does(np.zeros(1)) == {}
