"""Transfer evaluation: rows, shared agents, file, errors before training, frozen planners, exact values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ermas_algos import LearnedPlanner, SB3Learner, SB3LearnerConfig
from ermas_algos.evaluation import FreshAgentsConfig, TransferRow, read_rows, transfer_evaluation, write_rows
from ermas_envs import BatchedEnv, augmented_bimatrix_v0
from ermas_envs.planners import ConstantPlanner, Planner

SMALL = FreshAgentsConfig(num_envs=4, window=2, max_iterations=5, measured_envs=16)
COLUMNS = (
    "planner,gap,seed,planner_return,exact_planner_return,exact_regret,converged,iterations,env_steps,shared_agents"
)


def game(horizon: int = 4, **arguments: Any) -> Callable[[int, float, Planner], BatchedEnv]:
    def make(num_envs: int, gap: float, planner: Planner) -> BatchedEnv:
        return augmented_bimatrix_v0.batched_env(num_envs, q=gap, planner=planner, horizon=horizon, **arguments)

    return make


def learned_planner(seed: int = 0, horizon: int = 4, **arguments: Any) -> LearnedPlanner:
    env = augmented_bimatrix_v0.batched_env(1, horizon=horizon, **arguments)
    spaces = env.observation_spaces["planner"], env.action_spaces["planner"]
    return LearnedPlanner(SB3Learner(SB3LearnerConfig(), *spaces, seed))


def test_one_row_per_gap_seed_and_planner_in_this_order_and_told_at_once() -> None:
    planners = {"ERMAS": ConstantPlanner(1), "none": ConstantPlanner(0)}
    told: list[TransferRow] = []
    rows = transfer_evaluation(planners, game(), [0.3, 0.0], [7, 3], SMALL, progress=told.append)
    assert told == rows
    assert [(row.planner, row.gap, row.seed) for row in rows] == [
        (planner, gap, seed) for gap in (0.3, 0.0) for seed in (7, 3) for planner in planners
    ]
    assert all(row.planner_return == 0.0 for row in rows if row.planner == "none")  # a = 0 earns a·κ·r_p − a² = 0
    assert all(row.iterations <= 5 and row.env_steps == row.iterations * 4 * 4 for row in rows)


# Shared agents


def test_shared_agents_give_the_same_returns_as_agents_of_each_planners_own() -> None:
    """The planner's random numbers come from a stream of its own, so that agents who cannot see it learn the same."""
    planners = {"a": learned_planner(0), "b": ConstantPlanner(3), "c": learned_planner(1)}
    shared = transfer_evaluation(planners, game(), [0.0, 0.4], [1, 2], SMALL)
    own = transfer_evaluation(planners, game(), [0.0, 0.4], [1, 2], SMALL, share_agents=False)
    assert all(row.shared_agents for row in shared)
    assert not any(row.shared_agents for row in own)
    for one, other in zip(shared, own, strict=True):
        assert (one.planner_return, one.exact_regret, one.iterations) == (
            other.planner_return,
            other.exact_regret,
            other.iterations,
        )


def test_without_tables_agents_are_shared_only_when_told() -> None:
    noisy = game(action_noise=0.1)
    planners = {"a": ConstantPlanner(1), "b": ConstantPlanner(2)}
    assert not any(row.shared_agents for row in transfer_evaluation(planners, noisy, [0.0], [0], SMALL))
    assert all(row.shared_agents for row in transfer_evaluation(planners, noisy, [0.0], [0], SMALL, share_agents=True))


class PlannerShare:
    """A perturbation by which agents get a tenth of the planner's payoff, and so care for its action."""

    def bind(self, game: Any, num_envs: int) -> None:
        self.agents = game.agents

    def __call__(self, transition: Any) -> dict[str, Any]:
        return dict.fromkeys(self.agents, 0.1 * transition.payoffs["planner"])

    def tabular(self, game: Any) -> dict[str, Any]:
        return dict.fromkeys(self.agents, 0.1 * game.rewards["planner"])


def test_agents_who_can_tell_planners_apart_are_never_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    paid = game(perturbation=PlannerShare())
    planners = {"a": ConstantPlanner(1), "b": ConstantPlanner(2)}
    assert not any(row.shared_agents for row in transfer_evaluation(planners, paid, [0.0], [0], SMALL))
    forbid_training(monkeypatch)
    with pytest.raises(ValueError, match="share_agents: at gap 0 the agents' rewards or observations depend"):
        transfer_evaluation(planners, paid, [0.0], [0], SMALL, share_agents=True)


def test_the_same_planner_gets_the_same_row_whatever_stands_beside_it() -> None:
    (alone,) = transfer_evaluation({"x": ConstantPlanner(2)}, game(), [0.3], [3], SMALL)
    among = transfer_evaluation({"y": ConstantPlanner(1), "x": ConstantPlanner(2)}, game(), [0.0, 0.3], [3, 4], SMALL)
    assert alone in among


def test_a_plain_function_is_a_planner() -> None:
    planners = {"function": lambda observation: 2, "object": ConstantPlanner(2)}
    function, constant = transfer_evaluation(planners, game(), [0.2], [0], SMALL)
    assert function.planner_return == constant.planner_return
    assert function.exact_planner_return == constant.exact_planner_return


def test_learned_planners_stay_frozen() -> None:
    planner = learned_planner()
    before = planner.learner.state()
    transfer_evaluation({"MARL": planner}, game(), [0.0, 0.3], [0], SMALL)
    after = planner.learner.state()
    assert after.facts == before.facts
    assert all(bool((tensor == after.tensors[name]).all()) for name, tensor in before.tensors.items())


# Errors


def forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def learn(*_: Any, **__: Any) -> None:
        raise AssertionError("training started")

    monkeypatch.setattr("ermas_algos.algorithms.trainer.Trainer.learn", learn)


ONE = {"constant": ConstantPlanner(1)}


@pytest.mark.parametrize(
    ("planners", "gaps", "seeds", "message"),
    [
        ({}, [0.0], [0], "planners, gaps and seeds must each name at least one"),
        (ONE, [], [0], "planners, gaps and seeds must each name at least one"),
        (ONE, [0.0], [], "planners, gaps and seeds must each name at least one"),
        (ONE, [0.0, float("nan")], [0], "gaps must be a finite number"),
        (ONE, [0.1, 0.1], [0], "gaps and seeds must not repeat"),
        (ONE, [0.1], [0, 0], "gaps and seeds must not repeat"),
        (ONE, [0.1], [-1], "seeds must be an integer >= 0"),
        ({**ONE, "no": ConstantPlanner(7)}, [0.0], [0], "action of the constant planner must lie in Discrete"),
        ({"text": "MARL"}, [0.0], [0], "planner"),
    ],
)
def test_errors_come_before_any_training(
    planners: Any, gaps: list[float], seeds: list[int], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_training(monkeypatch)
    with pytest.raises(ValueError, match=message):
        transfer_evaluation(planners, game(), gaps, seeds, SMALL)


def test_a_planner_of_another_game_is_refused_before_any_training(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_training(monkeypatch)
    blind = {**ONE, "MARL": learned_planner(planner_observes=False)}
    with pytest.raises(ValueError, match="the planner was trained with observation space"):
        transfer_evaluation(blind, game(), [0.0], [0], SMALL)


def test_training_would_have_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard of the tests above works."""
    forbid_training(monkeypatch)
    with pytest.raises(AssertionError, match="training started"):
        transfer_evaluation(ONE, game(), [0.0], [0], SMALL)


# The table as a file

numbers = st.floats(allow_nan=False, allow_infinity=False)
rows_of_a_table = st.builds(
    TransferRow,
    planner=st.text(st.characters(blacklist_categories=["Cs", "Cc"])),
    gap=numbers,
    seed=st.integers(0, 2**63),
    planner_return=numbers,
    exact_planner_return=st.none() | numbers,
    exact_regret=st.none() | numbers,
    converged=st.booleans(),
    iterations=st.integers(0, 10**6),
    env_steps=st.integers(0, 10**12),
    shared_agents=st.booleans(),
)


@given(st.lists(rows_of_a_table, max_size=5))
def test_rows_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, rows: list[TransferRow]) -> None:
    path = tmp_path_factory.mktemp("table") / "transfer.csv"
    write_rows(path, rows)
    assert read_rows(path) == rows


def test_the_file_as_written(tmp_path: Path) -> None:
    path = tmp_path / "transfer.csv"
    write_rows(path, [TransferRow("MARL", 0.1, 1, 1 / 3, None, None, True, 5, 80, False)])
    assert path.read_text() == f"{COLUMNS}\nMARL,0.1,1,0.3333333333333333,,,True,5,80,False\n"


def test_numpy_numbers_are_written_as_plain_ones(tmp_path: Path) -> None:
    path = tmp_path / "transfer.csv"
    gap: Any = np.float64(0.1)
    row = TransferRow("MARL", gap, 1, np.float64(1 / 3), None, None, True, 5, 80, False)
    write_rows(path, [row])
    assert read_rows(path) == [row]


@pytest.mark.parametrize(
    "header", ["", "planner,gap", COLUMNS.replace("seed", "sed"), COLUMNS + ",extra", "a\n" + COLUMNS]
)
def test_foreign_columns_are_refused(header: str, tmp_path: Path) -> None:
    path = tmp_path / "transfer.csv"
    path.write_text(f"{header}\nMARL,,1,0.1,0.3\n" if header else "")
    with pytest.raises(ValueError, match="columns must be") as caught:
        read_rows(path)
    assert str(path) in str(caught.value)
