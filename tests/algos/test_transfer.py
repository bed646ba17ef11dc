"""Transfer evaluation: rows, file, errors before training, frozen planners, exact values of constant ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ermas_algos import LearnedPlanner, MARLConfig, SB3Learner, SB3LearnerConfig
from ermas_algos.evaluation import (
    Contender,
    TransferRow,
    read_rows,
    transfer_evaluation,
    write_rows,
)
from ermas_envs import BatchedEnv, augmented_bimatrix_v0
from ermas_envs.oracles import best_constant_planner
from ermas_envs.planners import ConstantPlanner, Planner

SMALL = MARLConfig(num_envs=4, agent_learner=SB3LearnerConfig())
CONVERGING = SB3LearnerConfig(learning_rate=0.02, algorithm_kwargs={"n_epochs": 4, "ent_coef": 0.01, "clip_range": 0.3})
COLUMNS = "method,epsilon,seed,q_test,planner_return"


def game(horizon: int = 4) -> Callable[[int, float, Planner], BatchedEnv]:
    def make(num_envs: int, gap: float, planner: Planner) -> BatchedEnv:
        return augmented_bimatrix_v0.batched_env(num_envs, q=gap, planner=planner, horizon=horizon)

    return make


def constant(action: int, seed: int = 0, method: str = "constant") -> Contender:
    return Contender(method, None, seed, ConstantPlanner(action))


def learned_planner(seed: int = 0, horizon: int = 4, **arguments: Any) -> LearnedPlanner:
    env = augmented_bimatrix_v0.batched_env(1, horizon=horizon, **arguments)
    spaces = env.observation_spaces["planner"], env.action_spaces["planner"]
    return LearnedPlanner(SB3Learner(SB3LearnerConfig(), *spaces, seed))


def test_one_row_per_contender_and_gap_in_this_order_and_told_at_once() -> None:
    contenders = [Contender("ERMAS", 0.05, 7, ConstantPlanner(1)), constant(2, 3), constant(0, 4)]
    told: list[TransferRow] = []
    rows = transfer_evaluation(contenders, game(), [0.3, 0.0], SMALL, 5, told.append)
    assert told == rows
    assert [(row.method, row.epsilon, row.seed, row.q_test) for row in rows] == [
        ("ERMAS", 0.05, 7, 0.3),
        ("ERMAS", 0.05, 7, 0.0),
        ("constant", None, 3, 0.3),
        ("constant", None, 3, 0.0),
        ("constant", None, 4, 0.3),
        ("constant", None, 4, 0.0),
    ]
    assert rows[-1].planner_return == 0.0  # a = 0 earns a·κ·r_p − a² = 0, whatever the agents do


def test_the_same_contender_gets_the_same_row_whatever_stands_beside_it() -> None:
    alone = transfer_evaluation([constant(2, 3)], game(), [0.3], SMALL, 5)
    among = transfer_evaluation([constant(1, 1), constant(2, 3)], game(), [0.0, 0.3], SMALL, 5)
    assert alone[0] in among


def test_the_contenders_seed_decides_and_not_the_configurations() -> None:
    (first,) = transfer_evaluation([constant(2, 3)], game(), [0.3], SMALL, 5)
    (again,) = transfer_evaluation([constant(2, 3)], game(), [0.3], MARLConfig(num_envs=4, seed=9), 5)
    (other,) = transfer_evaluation([constant(2, 4)], game(), [0.3], SMALL, 5)
    assert first.planner_return == again.planner_return
    assert first.planner_return != other.planner_return


def test_the_return_is_the_mean_over_the_last_fifth(monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeMARL:
        def __init__(self, make_env: Any, config: MARLConfig) -> None:
            self.env = make_env(2)

        def learn(self, iterations: int, progress: Any) -> None:
            for iteration in range(1, iterations + 1):
                progress(iteration, {"payoff/planner": float(iteration)})

    monkeypatch.setattr("ermas_algos.evaluation.transfer.MARL", FakeMARL)
    for iterations, expected in ((5, 5.0), (9, 9.0), (10, 9.5), (20, 18.5)):
        (row,) = transfer_evaluation([constant(2)], game(), [0.0], SMALL, iterations)
        assert row.planner_return == expected


@pytest.mark.parametrize(("q", "action"), [(0.0, 6), (0.6, 2)])
def test_a_constant_planner_earns_what_it_earns_at_the_exact_equilibrium(q: float, action: int) -> None:
    """Its return is a·κ·r̄_p − a², r̄_p the mean outcome; r̄_p may be off by 0.02.

    That lets one agent stand one level too high in an eighth of the steps (1/6 each); the other equilibrium
    is off by 2/3. The sampling error of 20 × 128 episodes, whose start cells move r̄_p by 0.012, is 3e-4.
    Seeds 0 to 4 are off by 0.006 or less.
    """

    def make(num_envs: int, gap: float, planner: Planner) -> BatchedEnv:
        return augmented_bimatrix_v0.batched_env(num_envs, q=gap, planner=planner, agents_observe="own")

    config = MARLConfig(num_envs=128, agent_learner=CONVERGING)
    (row,) = transfer_evaluation([constant(action)], make, [q], config, 100)
    tables = augmented_bimatrix_v0.batched_env(1, q=q).tabular_game()
    assert tables is not None
    exact = best_constant_planner(tables).planner_returns[action]
    assert row.planner_return == pytest.approx(exact, abs=0.02 * 12 * action)


def test_learned_planners_stay_frozen() -> None:
    planner = learned_planner()
    before = planner.learner.state()
    transfer_evaluation([Contender("MARL", None, 0, planner)], game(), [0.0, 0.3], SMALL, 5)
    after = planner.learner.state()
    assert after.facts == before.facts
    assert all(bool((tensor == after.tensors[name]).all()) for name, tensor in before.tensors.items())


# Errors


def forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def learn(*_: Any, **__: Any) -> None:
        raise AssertionError("training started")

    monkeypatch.setattr("ermas_algos.algorithms.trainer.Trainer.learn", learn)


@pytest.mark.parametrize(
    ("contenders", "gaps", "iterations", "message"),
    [
        ([], [0.0], 5, "contenders and gaps must each name at least one"),
        ([constant(1)], [], 5, "contenders and gaps must each name at least one"),
        ([constant(1)], [0.0, float("nan")], 5, "gaps must be a finite number"),
        ([constant(1)], [0.0], 4, "iterations must be an integer >= 5"),
        ([constant(1), constant(7)], [0.0], 5, "action of the constant planner must lie in Discrete"),
    ],
)
def test_errors_come_before_any_training(
    contenders: list[Contender],
    gaps: list[float],
    iterations: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forbid_training(monkeypatch)
    with pytest.raises(ValueError, match=message):
        transfer_evaluation(contenders, game(), gaps, SMALL, iterations)


def test_a_planner_of_another_game_is_refused_before_any_training(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_training(monkeypatch)
    blind = Contender("MARL", None, 0, learned_planner(planner_observes=False))
    with pytest.raises(ValueError, match="the planner was trained with observation space"):
        transfer_evaluation([constant(1), blind], game(), [0.0], SMALL, 5)


def test_training_would_have_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard of the two tests above works."""
    forbid_training(monkeypatch)
    with pytest.raises(AssertionError, match="training started"):
        transfer_evaluation([constant(1)], game(), [0.0], SMALL, 5)


# The table as a file

numbers = st.floats(allow_nan=False, allow_infinity=False)
rows_of_a_table = st.builds(
    TransferRow,
    method=st.text(st.characters(blacklist_categories=["Cs", "Cc"])),
    epsilon=st.none() | numbers,
    seed=st.integers(0, 2**63),
    q_test=numbers,
    planner_return=numbers,
)


@given(st.lists(rows_of_a_table, max_size=5))
def test_rows_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, rows: list[TransferRow]) -> None:
    path = tmp_path_factory.mktemp("table") / "transfer.csv"
    write_rows(path, rows)
    assert read_rows(path) == rows


def test_the_file_as_written(tmp_path: Path) -> None:
    path = tmp_path / "transfer.csv"
    write_rows(path, [TransferRow("MARL", None, 1, 0.1, 1 / 3), TransferRow("ERMAS", 0.0, 2, 0.0, -12.0)])
    assert path.read_text() == f"{COLUMNS}\nMARL,,1,0.1,0.3333333333333333\nERMAS,0.0,2,0.0,-12.0\n"


def test_numpy_numbers_are_written_as_plain_ones(tmp_path: Path) -> None:
    path = tmp_path / "transfer.csv"
    gap: Any = np.float64(0.1)
    write_rows(path, [TransferRow("MARL", None, 1, gap, np.float64(1 / 3))])
    assert read_rows(path) == [TransferRow("MARL", None, 1, 0.1, 1 / 3)]


@pytest.mark.parametrize(
    "header", ["", "method,epsilon", COLUMNS.replace("seed", "sed"), COLUMNS + ",extra", "a\n" + COLUMNS]
)
def test_foreign_columns_are_refused(header: str, tmp_path: Path) -> None:
    path = tmp_path / "transfer.csv"
    path.write_text(f"{header}\nMARL,,1,0.1,0.3\n" if header else "")
    with pytest.raises(ValueError, match="columns must be") as caught:
        read_rows(path)
    assert str(path) in str(caught.value)
