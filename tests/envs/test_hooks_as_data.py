"""An `EnvironmentSpec` whose hooks are data; domain randomisation by one number; whether agents ignore the planner."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ermas_envs import EnvironmentSpec, augmented_bimatrix_v0
from ermas_envs.oracles import TabularGame, agents_ignore_planner
from ermas_envs.perturbations import Bounded, RandomOffset, RandomTables, SumOf
from ermas_envs.planners import ConstantPlanner
from ermas_envs.testing import check_perturbation


def play(env: Any) -> Any:
    env.reset(5)
    step = env.step({role: np.ones(env.num_envs, dtype=np.int64) for role in env.possible_agents})
    return step.rewards


def test_hooks_as_data_are_the_hooks() -> None:
    given = EnvironmentSpec(
        "augmented_bimatrix_v0",
        {
            "planner": {"name": "constant", "action": 4},
            "perturbation": {
                "name": "sum",
                "perturbations": [
                    {"name": "bounded", "epsilon": 0.1, "perturbation": {"name": "random_tables", "seed": 3}},
                    {"name": "random_offset", "seed": 2},
                ],
            },
        },
    )
    hooks = SumOf([Bounded(RandomTables(seed=3), 0.1), RandomOffset(seed=2)])
    same = augmented_bimatrix_v0.batched_env(6, planner=ConstantPlanner(4), perturbation=hooks)
    for agent, rewards in play(given(6)).items():
        np.testing.assert_array_equal(rewards, play(same)[agent])


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ({"planner": {"action": 4}}, "planner: a hook as data needs its registered 'name'"),
        ({"planner": {"name": "constnt", "action": 4}}, "Did you mean 'constant'"),
        ({"perturbation": {"name": "random_table"}}, "Did you mean 'random_tables'"),
        (
            {"perturbation": {"name": "random_tables", "sede": 3}},
            "argument of perturbation random_tables: unknown name 'sede'. Did you mean 'seed'[?] Known: .*scale, seed",
        ),
        (
            {"perturbation": {"name": "bounded", "epsilon": 0.1}},
            "perturbation bounded needs the argument 'perturbation'",
        ),
        ({"planner": {"name": "constant"}}, "planner constant needs the argument 'action'"),
    ],
)
def test_bad_hooks_as_data(hook: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnvironmentSpec("augmented_bimatrix_v0", hook)(1)


# Domain randomisation by one number


def test_the_offset_is_the_same_for_every_state_and_action_of_an_agent() -> None:
    env, plain = (augmented_bimatrix_v0.batched_env(64, perturbation=p) for p in (RandomOffset(0.5, 2, 1), None))
    generator = np.random.default_rng(0)
    drawn: dict[int, set[float]] = {}
    for episode in range(4):
        env.reset(1, first_episode=episode)
        plain.reset(1, first_episode=episode)
        actions = {role: generator.integers(0, 3, 64) for role in env.possible_agents}
        added = env.step(actions).rewards["agent_0"] - plain.step(actions).rewards["agent_0"]
        drawn[episode] = set(added.round(9))
        assert len(drawn[episode]) == 1
        assert abs(added[0]) <= 0.5
    assert drawn[0] == drawn[1] != drawn[2] == drawn[3]


def test_agents_have_different_offsets() -> None:
    offset = RandomOffset(1.0, 1, 4)
    env = augmented_bimatrix_v0.batched_env(3, perturbation=offset)
    env.reset(0)
    rewards = env.step({role: np.ones(3, dtype=np.int64) for role in env.possible_agents}).rewards
    assert not np.allclose(rewards["agent_0"], rewards["agent_1"])


def test_the_offset_conforms() -> None:
    def batch(num_envs: int, perturbation: Any) -> Any:
        return augmented_bimatrix_v0.batched_env(num_envs, perturbation=perturbation)

    check_perturbation(lambda: RandomOffset(seed=3), batch, bound=1.0)


@pytest.mark.parametrize("bad", [{"scale": -1.0}, {"redraw_every": 0}, {"seed": -1}])
def test_bad_offsets(bad: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        RandomOffset(**bad)


# Whether agents can tell what the planner does


def tables(**arguments: Any) -> TabularGame:
    game = augmented_bimatrix_v0.batched_env(1, **arguments).tabular_game()
    assert game is not None
    return game


@pytest.mark.parametrize("payoffs", ["tragedy_of_commons", "strategically_robust_2022"])
@pytest.mark.parametrize("agents_observe", ["own", "joint"])
def test_agents_of_the_augmented_game_cannot(payoffs: str, agents_observe: str) -> None:
    assert agents_ignore_planner(tables(payoffs=payoffs, agents_observe=agents_observe, q=0.4))


def test_agents_paid_by_the_planner_can() -> None:
    game = tables()
    assert not agents_ignore_planner(game.with_added_rewards({"agent_1": game.rewards["planner"]}))


def test_agents_that_see_the_planners_level_can() -> None:
    """What agent_0 sees gets the planner's own level, which its actions move."""
    game = tables(payoffs="strategically_robust_2022")
    level = (np.arange(game.start.size) % 13)[None, :, None].repeat(game.horizon, axis=0)
    seen = np.concatenate([game.observations["agent_0"], level], axis=-1)
    assert not agents_ignore_planner(replace(game, observations={**game.observations, "agent_0": seen}))
