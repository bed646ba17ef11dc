"""Every bad input is refused by an error that names the argument and what is allowed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pettingzoo.classic import rps_v2

from ermas_envs import ParallelEnvBatch, PerturbedParallelEnv, batched_env, parallel_env
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs
from ermas_envs.perturbations import Bounded, PlannerAdversity, RandomTables, SumOf, perturbation_registry
from ermas_envs.planners import ConstantPlanner, planner_registry

NAN, INF = float("nan"), float("inf")
EYE = np.eye(2)
STAY = {"agent_0": [1, 1], "agent_1": [1, 1], "planner": [0, 0]}


def game(**arguments: Any) -> Any:
    return batched_env("bimatrix_v0", 2, **arguments)


def augmented(**arguments: Any) -> Any:
    return batched_env("augmented_bimatrix_v0", 2, **arguments)


def started(**arguments: Any) -> Any:
    env = game(**arguments)
    env.reset(0)
    return env


def single_started() -> Any:
    env = parallel_env("bimatrix_v0")
    env.reset(seed=0)
    return env


BAD_PAYOFFS = {
    "not square": (np.ones((2, 3)), r"square.*\(2, 3\)"),
    "too small": ([[1.0]], r"at least 2×2.*\(1, 1\)"),
    "one row": ([1.0, 2.0], r"square.*\(2,\)"),
    "not finite: NaN": ([[0, NAN], [0, 0]], "finite everywhere"),
    "not finite: infinity": ([[0, INF], [0, 0]], "finite everywhere"),
    "words": ([["a", "b"], ["c", "d"]], "finite numbers, got"),
    "digits in strings": ([["1", "2"], ["3", "4"]], "finite numbers, got"),
    "complex": (EYE * 1j, "finite numbers, got"),
    "ragged": ([[1, 2], [3]], "finite numbers, got"),
    "nothing": (None, "finite numbers, got"),
}


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("case", list(BAD_PAYOFFS))
def test_payoffs_that_are_no_square_finite_matrices(case: str, position: int) -> None:
    bad, message = BAD_PAYOFFS[case]
    matrices: list[Any] = [EYE, EYE, EYE]
    matrices[position] = bad
    name = ("agent_0", "agent_1", "planner")[position]
    with pytest.raises(ValueError, match=rf"payoffs\.{name} must be .*{message}"):
        BimatrixPayoffs(*matrices)


@pytest.mark.parametrize("position", [1, 2])
def test_payoffs_of_different_shapes(position: int) -> None:
    matrices = [EYE, EYE, EYE]
    matrices[position] = np.eye(3)
    with pytest.raises(ValueError, match=r"must have agent_0's shape \(2, 2\), got \(3, 3\)"):
        BimatrixPayoffs(*matrices)


@pytest.mark.parametrize("name", ["horizon", "num_envs", "max_action"])
@pytest.mark.parametrize("bad", [0, -3, 1.5, 2.0, True, np.True_, None, "3", np.array([3]), np.array(1.5)], ids=repr)
def test_counts_that_are_no_positive_integers(name: str, bad: Any) -> None:
    arguments = {"num_envs": 2, name: bad}
    with pytest.raises(ValueError, match=rf"{name} must be an integer >= 1, got"):
        batched_env("augmented_bimatrix_v0", **arguments)


@pytest.mark.parametrize("good", [3, np.int32(3), np.array(3)], ids=repr)
def test_integers_of_every_kind_are_counts(good: Any) -> None:
    assert game(horizon=good).horizon == 3


@pytest.mark.parametrize("bad", [NAN, INF, -INF, "0.5", True, None, 1j, np.array([1.0, 2.0])], ids=repr)
@pytest.mark.parametrize("name", ["q", "planner_gain"])
def test_coefficients_that_are_no_finite_numbers(name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be a finite number, got"):
        augmented(**{name: bad})


@pytest.mark.parametrize("bad", [-1e-9, NAN, INF, "0.1"], ids=repr)
def test_bounds_and_scales_that_are_negative_or_not_finite(bad: Any) -> None:
    with pytest.raises(ValueError, match="epsilon must be a finite number >= 0, got"):
        Bounded(PlannerAdversity(1.0), bad)
    with pytest.raises(ValueError, match="scale must be a finite number >= 0, got"):
        RandomTables(scale=bad)


UNKNOWN_NAMES: dict[str, tuple[Callable[[], Any], str]] = {
    "environment, batched": (lambda: batched_env("bimatrx_v0", 1), "environment: .*'bimatrx_v0'.*'bimatrix_v0'"),
    "environment, parallel": (lambda: parallel_env("bimatrix_v1"), "environment: .*'bimatrix_v1'.*'bimatrix_v0'"),
    "payoffs": (lambda: game(payoffs="tragedy"), "payoffs: .*'tragedy'.*'tragedy_of_commons'"),
    "planner rule": (
        lambda: augmented(payoffs=BimatrixPayoffs(EYE, EYE, EYE, "amplfy")),
        "payoffs.planner_rule: .*'amplfy'.*'amplify'",
    ),
    "planner": (lambda: game(planner="leraned"), "planner.*: .*'leraned'.*'learned'"),
    "planner, registered": (lambda: planner_registry.make("constnt"), "planner: .*'constnt'.*'constant'"),
    "perturbation": (
        lambda: perturbation_registry.make("planner_adversty", q=1.0),
        "perturbation: .*'planner_adversty'.*'planner_adversity'",
    ),
    "agents_observe": (lambda: game(agents_observe="jont"), "agents_observe: .*'jont'.*'joint'"),
    "render_mode": (lambda: parallel_env("bimatrix_v0", render_mode="rgb"), "render_mode: .*'rgb'.*'rgb_array'"),
    "planner of a third-party environment": (
        lambda: ParallelEnvBatch(rps_v2.parallel_env, 1, "player1"),
        "planner.*possible_agents.*'player1'.*'player_1'.*Known: player_0, player_1",
    ),
    "planner of a wrapped environment": (
        lambda: PerturbedParallelEnv(rps_v2.parallel_env(), PlannerAdversity(1.0)),
        "planner.*possible_agents.*'planner'.*Known: player_0, player_1",
    ),
}


@pytest.mark.parametrize("case", list(UNKNOWN_NAMES))
def test_unknown_names_get_the_nearest_match(case: str) -> None:
    call, message = UNKNOWN_NAMES[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_hooks_that_are_no_hooks() -> None:
    with pytest.raises(ValueError, match='planner must be "learned" or a planner object, got 3'):
        game(planner=3)
    for call in (
        lambda: game(perturbation="random_tables"),
        lambda: augmented(perturbation="random_tables"),
        lambda: SumOf(["random_tables"]),
        lambda: Bounded("random_tables", 0.1),
        lambda: PerturbedParallelEnv(parallel_env("bimatrix_v0"), "random_tables"),
    ):
        with pytest.raises(ValueError, match=r"perturbation must be an object .*got 'random_tables'"):
            call()
    with pytest.raises(ValueError, match="perturbations must name at least one"):
        SumOf([])
    with pytest.raises(ValueError, match="payoffs must be a registered name or BimatrixPayoffs, got int"):
        game(payoffs=3)


@pytest.mark.parametrize("bad", [7, -1, 1.5, NAN, "x", [1]], ids=repr)
def test_constant_planner_outside_its_action_space(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"action of the constant planner must lie in Discrete\(7\), got"):
        augmented(planner=ConstantPlanner(bad))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([0, 3], r"must lie in Discrete\(3\)"),
        ([0, -1], r"must lie in Discrete\(3\)"),
        (np.array([2**63, 0], dtype=np.uint64), r"must lie in Discrete\(3\)"),
        ([0.0, 1.0], "must be integers"),
        ([True, False], "must be integers"),
        ([None, 1], "must be integers"),
        ([0], r"must have shape \(2,\), got \(1,\)"),
        ([[0], [0]], r"must have shape \(2,\), got \(2, 1\)"),
        (0, r"must have shape \(2,\), got \(\)"),
    ],
    ids=repr,
)
def test_batched_actions_outside_their_space(bad: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"actions\['agent_1'\] {message}"):
        started().step({**STAY, "agent_1": bad})


@pytest.mark.parametrize("bad", [3, -1, 0.5, None, [1, 1], [3]], ids=repr)
def test_single_actions_outside_their_space(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"actions\['agent_1'\] must"):
        single_started().step({"agent_0": 1, "agent_1": bad, "planner": 0})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_integer_actions_of_every_dtype_do_the_same(dtype: Any) -> None:
    actions = {agent: np.array([2, 0]) * (agent != "planner") for agent in STAY}
    expected = started().step(actions)
    given = started().step({agent: values.astype(dtype) for agent, values in actions.items()})
    assert np.array_equal(given.rewards["agent_0"], expected.rewards["agent_0"])


@pytest.mark.parametrize(
    "actions",
    [
        {"agent_0": [1, 1], "planner": [0, 0]},
        {**STAY, "agent_2": [1, 1]},
        {},
    ],
    ids=["missing", "unknown", "empty"],
)
def test_missing_and_unknown_agents(actions: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"actions must name exactly \['agent_0', 'agent_1', 'planner'\], got"):
        started().step(actions)
    with pytest.raises(ValueError, match=r"actions must name exactly \['agent_0', 'agent_1', 'planner'\], got"):
        single_started().step({agent: 1 for agent in actions})


def test_planner_inside_the_environment_takes_no_action_from_outside() -> None:
    env = augmented(planner=ConstantPlanner(3))
    env.reset(0)
    with pytest.raises(ValueError, match=r"actions must name exactly \['agent_0', 'agent_1'\], got"):
        env.step(STAY)


def test_stepping_before_reset() -> None:
    with pytest.raises(RuntimeError, match=r"call reset\(\) before step\(\)"):
        game().step(STAY)
    with pytest.raises(RuntimeError, match=r"call reset\(\) before step\(\)"):
        parallel_env("bimatrix_v0").step({"agent_0": 1, "agent_1": 1, "planner": 0})


def test_stepping_a_finished_episode() -> None:
    env = parallel_env("bimatrix_v0", horizon=1)
    env.reset(seed=0)
    env.step({"agent_0": 1, "agent_1": 1, "planner": 0})
    with pytest.raises(RuntimeError, match=r"the episode is over.*call reset\(\)"):
        env.step({"agent_0": 1, "agent_1": 1, "planner": 0})
    batch = started(horizon=1, autoreset=False)
    batch.step(STAY)
    with pytest.raises(RuntimeError, match=r"the episode is over; call reset\(\)"):
        batch.step(STAY)
    batch.reset()
    batch.step(STAY)


@pytest.mark.parametrize("bad", [-1, 2**63, 2**64, [3, -1]], ids=repr)
def test_seeds_out_of_range(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"seed must lie in \[0, 2\*\*63\), got"):
        game().reset(bad)


@pytest.mark.parametrize("bad", [1.5, "1", [1], [1, 2, 3], [1.0, 2.0]], ids=repr)
def test_seeds_that_are_no_integers_or_too_few(bad: Any) -> None:
    with pytest.raises(ValueError, match="seed must be an integer or 2 integers, one per replica"):
        game().reset(bad)


def test_negative_seed_of_the_parallel_face_and_of_random_tables() -> None:
    with pytest.raises(ValueError, match=r"seed must lie in \[0, 2\*\*63\), got -1"):
        parallel_env("bimatrix_v0").reset(seed=-1)
    with pytest.raises(ValueError, match="seed must be an integer >= 0, got -1"):
        RandomTables(seed=-1)
    with pytest.raises(ValueError, match="redraw_every must be an integer >= 1, got 0"):
        RandomTables(redraw_every=0)


@pytest.mark.parametrize("bad", [-1, 0.5, True], ids=repr)
def test_first_episode_that_is_no_index(bad: Any) -> None:
    with pytest.raises(ValueError, match="first_episode must be an integer >= 0, got"):
        game().reset(0, first_episode=bad)
    with pytest.raises(ValueError, match="first_episode must be an integer >= 0, got"):
        parallel_env("bimatrix_v0").reset(seed=0, options={"first_episode": bad})
