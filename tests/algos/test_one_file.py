"""The algorithm in one file gives the library's numbers, and knows nothing of the library."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from ermas_algos import ERMAS, ERMASConfig, ExactLearnerConfig
from ermas_envs import EnvironmentSpec

FILE = Path(__file__).parents[2] / "examples/ermas_in_one_file.py"
ITERATIONS = 70


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("ermas_in_one_file", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_numbers_are_the_librarys() -> None:
    module, rows = loaded(), []
    exact = ExactLearnerConfig()
    config = ERMASConfig(agent_learner=exact, planner_learner=exact, epsilon=module.EPSILON, seed=3)
    trainer = ERMAS(EnvironmentSpec("augmented_bimatrix_v0", module.GAME), config)
    trainer.learn(ITERATIONS, progress=lambda _, metrics: rows.append(dict(metrics)))
    policies, history = module.ermas(ITERATIONS, seed=3)
    for row, (planner_payoff, regret, multiplier, exact_regret) in zip(rows, history, strict=True):
        assert planner_payoff == pytest.approx(row["payoff/planner"], abs=1e-9)
        for agent in ("agent_0", "agent_1"):
            assert regret[agent] == pytest.approx(row[f"estimated_regret/{agent}"], abs=1e-9, nan_ok=True)
            assert multiplier[agent] == pytest.approx(row[f"multiplier/{agent}"], abs=1e-7)
            assert exact_regret[agent] == pytest.approx(row[f"exact_regret/{agent}"], abs=1e-9)
    for role, table in trainer.policies().items():
        assert policies[role].table() == pytest.approx(table, abs=1e-9)


def test_it_stands_alone_and_is_short() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert "import ermas_algos" not in text
    assert "from ermas_algos" not in text
