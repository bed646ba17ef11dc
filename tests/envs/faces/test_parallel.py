"""The PettingZoo face of our games, as other libraries use it: infos, state, actions, registry, metadata."""

import subprocess
import sys
from typing import Any

import numpy as np
import pettingzoo
import pytest
from gymnasium import spaces

from ermas_envs import ParallelEnvBatch, PerturbedParallelEnv, bimatrix_v0, parallel_env, toll_v0
from ermas_envs.faces.parallel import EngineParallelEnv
from ermas_envs.make import environment_registry
from ermas_envs.perturbations import PlannerAdversity
from ermas_envs.planners import ConstantPlanner
from ermas_envs.testing import check_infos

GAMES: dict[str, dict[str, Any]] = {
    "bimatrix_v0": {"horizon": 3},
    "augmented_bimatrix_v0": {"horizon": 3},
    "contract_v0": {},
    "toll_v0": {"num_drivers": 3, "drives": 2},
    "one_step_economy_v0": {},
    "economy_v0": {"horizon": 4},
}


class Learning:
    """A tensor with a gradient, as PyTorch's is: it cannot become an array."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("detach it")


def test_all_games_are_looked_at() -> None:
    assert set(GAMES) == {name for name in environment_registry if ":" not in name}


@pytest.mark.parametrize("name", GAMES)
def test_infos_have_one_form(name: str) -> None:
    check_infos(lambda: parallel_env(name, **GAMES[name]))


@pytest.mark.parametrize("name", ["bimatrix_v0", "toll_v0"])
def test_infos_have_one_form_under_a_perturbation_and_a_planner_inside(name: str) -> None:
    check_infos(lambda: PerturbedParallelEnv(parallel_env(name, **GAMES[name]), PlannerAdversity(0.5)))
    action = parallel_env(name, **GAMES[name]).action_space("planner").sample()
    check_infos(lambda: parallel_env(name, planner=ConstantPlanner(action), **GAMES[name]))


def test_infos_hold_payoffs_of_the_step_and_zeros_at_a_reset() -> None:
    env = bimatrix_v0.parallel_env(horizon=2)
    _, infos = env.reset(seed=0)
    assert {(info["payoff"], info["planner_payoff"]) for info in infos.values()} == {(0.0, 0.0)}
    _, rewards, _, _, infos = env.step({"agent_0": 2, "agent_1": 1, "planner": 0})
    assert {agent: info["payoff"] for agent, info in infos.items()} == rewards
    assert {info["planner_payoff"] for info in infos.values()} == {rewards["planner"]}


# --- state for central critics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GAMES)
def test_state_is_what_all_roles_see(name: str) -> None:
    env = parallel_env(name, **GAMES[name])
    with pytest.raises(RuntimeError, match=r"call reset\(\) before state"):
        env.state()
    observations, infos = env.reset(seed=0)
    for _ in range(2):
        state = env.state()
        assert env.state_space.contains(state)
        seen = [spaces.flatten(env.observation_space(a), observations[a]) for a in env.possible_agents]
        assert np.array_equal(state, np.concatenate([np.ravel(part) for part in seen]).astype(np.float32))
        actions = {a: env.action_space(a).sample(infos[a].get("action_mask")) for a in env.agents}
        observations, _, _, _, infos = env.step(actions)


def test_state_may_be_kept_and_is_the_last_one_after_the_end() -> None:
    env = bimatrix_v0.parallel_env(horizon=1)
    env.reset(seed=0)
    before = env.state()
    kept = before.copy()
    observations, *_ = env.step({"agent_0": 2, "agent_1": 2, "planner": 0})
    assert not env.agents
    assert np.array_equal(env.state(), np.concatenate([observations[a] for a in env.possible_agents]))
    assert np.array_equal(before, kept)


# --- actions -----------------------------------------------------------------------------------------------------


def test_a_discrete_action_may_be_an_array_of_one_number() -> None:
    def rewards(one: Any) -> Any:
        env = bimatrix_v0.parallel_env()
        env.reset(seed=0)
        return env.step({"agent_0": one(2), "agent_1": one(0), "planner": one(0)})[1]

    assert rewards(lambda k: np.array([k])) == rewards(int) == rewards(np.int64)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.array([0, 0]), r"actions\['agent_0'\] must have shape \(\), got \(2,\)"),
        (np.array([9]), r"actions\['agent_0'\] must lie in Discrete\(3\)"),
        ([[1], [1, 2]], r"actions\['agent_0'\] must be an array of numbers"),
        (Learning(), r"actions\['agent_0'\] must be an array of numbers: detach it"),
    ],
)
def test_other_actions_are_refused_by_the_shape_of_one_action(action: Any, message: str) -> None:
    env = bimatrix_v0.parallel_env()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step({"agent_0": action, "agent_1": 0, "planner": 0})
    env = toll_v0.parallel_env()
    env.reset(seed=0)
    shape = env.action_space("planner").shape
    with pytest.raises(
        ValueError, match=rf"actions\['planner'\] must have shape \({shape[0]},\), got \(1, {shape[0]}\)"
    ):
        env.step({**dict.fromkeys(env.possible_agents, 0), "planner": np.zeros((1, *shape), np.float32)})


# --- PettingZoo's registry, names and habits ---------------------------------------------------------------------

needs_registry = pytest.mark.skipif(not hasattr(pettingzoo, "make"), reason="this PettingZoo has no registry")


@needs_registry
@pytest.mark.parametrize("name", GAMES)
def test_pettingzoo_makes_both_forms(name: str) -> None:
    theirs = "ermas/" + name.replace("_v", "-v")
    parallel = pettingzoo.make("parallel", theirs, **GAMES[name])
    turns = pettingzoo.make("aec", theirs, **GAMES[name])
    assert isinstance(parallel, pettingzoo.ParallelEnv)
    assert isinstance(turns, pettingzoo.AECEnv)
    turns.reset(seed=0)
    assert turns.possible_agents == parallel.possible_agents


@needs_registry
def test_loading_and_making_raises_no_deprecation_warning() -> None:
    code = "import pettingzoo, ermas_envs; [pettingzoo.make(f, 'ermas/bimatrix-v0') for f in ('parallel', 'aec')]"
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["bimatrix_v0", "augmented_bimatrix_v0", "one_step_economy_v0", "economy_v0"])
def test_max_cycles_is_the_horizon(name: str) -> None:
    assert parallel_env(name, max_cycles=4).batch.horizon == 4
    with pytest.raises(ValueError, match="max_cycles is PettingZoo's name of horizon: give one of them, got both"):
        parallel_env(name, max_cycles=4, horizon=4)
    assert environment_registry.make(name).env(max_cycles=4).unwrapped.batch.horizon == 4


@pytest.mark.parametrize(("name", "argument"), [("toll_v0", "drives"), ("contract_v0", "num_agents")])
def test_max_cycles_is_refused_where_other_arguments_say_how_long_an_episode_is(name: str, argument: str) -> None:
    with pytest.raises(ValueError, match=rf"max_cycles: how long an episode is follows from .*{argument}"):
        parallel_env(name, max_cycles=4)


def test_metadata_is_on_the_class_too() -> None:
    env = bimatrix_v0.parallel_env()
    assert env.metadata == {**EngineParallelEnv.metadata, "name": "bimatrix_v0"}
    assert "rgb_array" in EngineParallelEnv.metadata["render_modes"]


# --- planners ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda p: bimatrix_v0.batched_env(1, planner=p), lambda p: ParallelEnvBatch(toll_v0.parallel_env, 1, p)]
)
def test_a_function_as_planner_is_told_its_class(make: Any) -> None:
    with pytest.raises(ValueError, match=r"a function of an observation plays as FunctionPlanner\(function\)"):
        make(lambda observation: 0)
    with pytest.raises(ValueError, match=r"got <class .*ConstantPlanner'>\.$"):
        make(ConstantPlanner)


@pytest.mark.parametrize("actions", [None, [0, 0, 0], 3], ids=repr)
def test_what_is_no_table_of_actions_is_refused(actions: Any) -> None:
    env, batch = bimatrix_v0.parallel_env(), bimatrix_v0.batched_env(2)
    for one in (env, batch):
        one.reset(seed=0)
        with pytest.raises(ValueError, match="actions must be a mapping"):
            one.step(actions)


def test_a_truth_value_is_no_seed() -> None:
    for one in (bimatrix_v0.parallel_env(), bimatrix_v0.batched_env(2)):
        for seed in (True, np.bool_(False)):
            with pytest.raises(ValueError, match="seed must be an integer"):
                one.reset(seed=seed)


def test_a_wrong_length_is_told_by_the_name_that_was_used() -> None:
    with pytest.raises(ValueError, match="max_cycles must be an integer >= 1, got 0"):
        bimatrix_v0.parallel_env(max_cycles=0)
