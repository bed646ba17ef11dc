"""What the committed results of Figures 2 and 3 must show (docs/figure-2.md, docs/figure-3.md), from their tables."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

RESULTS = Path(__file__).parents[2] / "docs/results"
EXPERIMENTS = ("figure-2", "figure-3", "regret-estimators", "meta-gradient", "mixing", "multipliers")
EPSILONS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25)


def table(name: str) -> list[dict[str, Any]]:
    """Rows with numbers as floats, empty cells as None."""

    def value(cell: str) -> Any:
        try:
            return float(cell) if cell else None
        except ValueError:
            return cell

    with open(RESULTS / f"{name}.csv") as file:
        return [{column: value(cell) for column, cell in row.items()} for row in csv.DictReader(file)]


def learned(learner: str, mode: str, name: str = "figure-2") -> Callable[[str, float], float]:
    """Mean of a column over the 10 seeds at an ε."""
    rows = [
        r for r in table(name) if (r["learner"], r["agents_observe"], r["multiplier"]) == (learner, mode, "learned")
    ]

    def mean(column: str, epsilon: float) -> float:
        chosen = [r[column] for r in rows if r["epsilon"] == epsilon]
        assert len(chosen) == 10
        return fmean(chosen)

    return mean


@pytest.mark.parametrize("learner", ["SB3 PPO", "exact"])
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_own_agents_reach_the_exact_optimum_and_keep_the_bound(learner: str, epsilon: float) -> None:
    exact = {row["epsilon"]: row["planner_payoff"] for row in table("figure-2-frontier")}[epsilon]
    mean = learned(learner, "own")
    assert abs(mean("planner_payoff", epsilon) - exact) <= 0.05
    for agent in (0, 1):
        assert 0.75 * epsilon <= mean(f"exact_regret_{agent}", epsilon) <= 1.25 * epsilon


def test_joint_agents_keep_the_bound_and_do_worse_for_the_planner_as_epsilon_grows() -> None:
    mean = learned("SB3 PPO", "joint")
    for epsilon in EPSILONS:
        for agent in (0, 1):
            assert mean(f"exact_regret_{agent}", epsilon) <= 1.25 * epsilon
    planner = [mean("planner_payoff", epsilon) for epsilon in EPSILONS]
    agents = [mean("agent_0_payoff", epsilon) + mean("agent_1_payoff", epsilon) for epsilon in EPSILONS]
    assert planner == sorted(planner, reverse=True)
    assert agents == sorted(agents)


@pytest.mark.parametrize("mode", ["own", "joint"])
def test_estimated_regret_is_close_to_exact_regret_over_training(mode: str) -> None:
    mean = learned("SB3 PPO", mode, "figure-2-training")
    for epsilon in EPSILONS:
        exact, estimated = (sum(mean(f"{kind}_regret_{i}", epsilon) for i in (0, 1)) for kind in ("exact", "estimated"))
        assert 0.85 * exact <= estimated <= 1.02 * exact


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_results_say_which_code_made_them(name: str) -> None:
    description = json.loads((RESULTS / f"{name}.json").read_text())
    assert description["scale"] == {"seeds": 10, "quick": False}
    for source in description["provenance"]:
        assert len(source["commit"]) == 40
        assert not source["uncommitted_changes"]
    assert (RESULTS / f"{name}.png").stat().st_size > 20_000
