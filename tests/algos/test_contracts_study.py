"""The study of contracts: its jobs, rows of exact contracts, means over the end of a training, its picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ermas_algos import ERMAS, ERMASConfig
from ermas_algos.experiments.jobs import Scale, check_keys
from ermas_algos.studies import contracts
from ermas_algos.studies.contracts_tables import best_starts, summary_rows
from ermas_envs import EnvironmentSpec

COLUMNS = [
    *("definition", "epsilon", "instance", "method", "seed", "payments", "value_at_home", "worst_value"),
    *("robust_optimum", "multiplier", "exact_multiplier"),
]


def test_jobs_are_30_instances_times_methods_times_seeds_times_starts() -> None:
    jobs = contracts.jobs(Scale())
    check_keys(job.key for job in jobs)
    trained = [job for job in jobs if isinstance(job, contracts.Trained)]
    assert len(jobs) - len(trained) == 30
    assert len(trained) == 30 * 3 * (3 + 3 + 3 * 3)  # seeds × (starts of MARL, ε, ε × starts of the Lagrangian planner)
    assert len({job.run_settings().config.seed for job in trained}) == 9
    half = next(job for job in trained if job.epsilon == 0.02).run_settings()
    assert half.config.epsilon == 0.01  # of the two steps of an episode one is for signing


def test_exact_rows_are_in_the_published_columns() -> None:
    row = contracts.judged("support", 0.2, 5, "by hand", None, np.zeros(4), None)
    assert list(row) == COLUMNS
    assert row["worst_value"] <= row["robust_optimum"] + 1e-9
    assert row["exact_multiplier"] is None


def test_the_end_of_a_training_is_averaged() -> None:
    seen: list[Any] = []
    payoffs: list[float] = []

    class Remembered(contracts.LastContracts):
        def on_iteration(self, trainer: Any, metrics: Any) -> None:
            super().on_iteration(trainer, metrics)
            seen.append((contracts.likeliest_contracts(trainer)[0][0], metrics["multiplier/agent_0"]))
            payoffs.append(metrics["payoff/planner"])

    last = Remembered(2)
    config = ERMASConfig(num_envs=8, warmup_iterations=1)
    trainer = ERMAS(EnvironmentSpec("contract_v0", {"outcomes": "expected"}), config).learn(4, callbacks=[last])
    assert last.payments == pytest.approx((seen[2][0] + seen[3][0]) / 2)
    assert last.payoff == pytest.approx(payoffs[2] + payoffs[3])  # per contract: two steps
    unit = trainer.scales.values["planner"] / trainer.scales.values["agent_0"]
    assert last.multiplier == pytest.approx(unit * (seen[2][1] + seen[3][1]) / 2)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    rows = [
        contracts.judged("expected", 0.05, 5, method, seed, np.full(4, 0.1 * seed), price)
        for method, price in (("MARL", None), ("ERMAS", 0.3), ("exact, naive", None))
        for seed in (0, 1)
    ]
    contracts.plot(tmp_path / "contracts.png", {"contracts": rows})
    assert (tmp_path / "contracts.png").stat().st_size > 10_000


def test_exact_multipliers_at_a_contract_are_those_of_its_worst_response() -> None:
    best = contracts.optimum(7, "expected", 0.05)
    row = contracts.judged("expected", 0.05, 7, "by hand", 0, best.payments, None)
    assert contracts.multipliers_at(row) == pytest.approx((best.multiplier, best.multiplier), rel=1e-3)


def test_the_best_start_is_that_of_the_largest_training_payoff_whatever_its_worst_case() -> None:
    labels = {"definition": "expected", "epsilon": 0.1, "instance": 4, "method": "ERMAS"}
    starts = [(0, 0, 0.5, 0.9), (0, 1, 0.7, 0.2), (0, 2, 0.6, 0.3), (1, 1, 0.1, 0.8), (1, 0, 0.2, 0.4)]
    rows = [
        labels | {"seed": seed, "worst_value": worst, "start": start, "training_payoff": payoff}
        for seed, start, payoff, worst in starts
    ]
    found = [(row["method"], row["seed"], row["worst_value"]) for row in best_starts(rows)]
    first, best = [("ERMAS", 0, 0.9), ("ERMAS", 1, 0.4)], "ERMAS, best of {} starts"
    assert found == [*first, (best.format(3), 0, 0.2), (best.format(2), 1, 0.4)]
    assert all({"start", "training_payoff"}.isdisjoint(row) for row in best_starts(rows))


def test_the_summary_by_hand() -> None:
    """Two instances: on the first .6 of .8 is reached (a gain of a half), on the second nothing is to be gained."""
    labels = {"epsilon": 0.1, "exact_multiplier": 1.0}
    rows = [
        {**labels, "instance": k, "method": "exact, naive", "seed": None, "worst_value": worst, "robust_optimum": best}
        for k, (worst, best) in enumerate([(0.4, 0.8), (1.0, 1.0)])
    ]
    learned = [(0, 0, 0.5, 0.7), (0, 1, 0.7, 1.19), (1, 0, 0.99, 1.3), (1, 1, 0.99, None)]
    rows += [
        {**labels, "instance": k, "method": "ERMAS", "seed": seed, "worst_value": worst}
        | {"robust_optimum": (0.8, 1.0)[k], "multiplier": multiplier}
        for k, seed, worst, multiplier in learned
    ]
    (found,) = summary_rows(rows, lambda row: (1.3, 1.4) if row["instance"] else (0.0, 0.9))
    assert found["gain"] == found["gain_median"] == pytest.approx(0.5)
    assert (found["worthwhile"], found["within_2_percent"], found["instances"]) == (1, 1, 2)
    assert (found["multipliers_within_20_percent"], found["trainings"]) == (1, 4)
    assert found["multipliers_within_20_percent_of_own"] == 2  # .7 and 1.3
    assert found["worst_value"] == pytest.approx(0.795)
    assert "gain_low" in found
