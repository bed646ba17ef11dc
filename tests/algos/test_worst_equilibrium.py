"""Agent-Adv-Search finds the worst ε-equilibrium of the bimatrix game, checked against its exact value (slow).

With `agents_observe="own"` and payoff set 1 the exact minimum of J_p is a linear program (H = 20).
"""

import functools
import statistics
from typing import Any

import pytest

from ermas_algos import ERMAS, ERMASConfig
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_envs import bimatrix_v0
from ermas_envs.oracles import worst_equilibrium

ITERATIONS = 400
SEEDS = (0, 1, 2)


def history(epsilon: float, seed: int, agents_observe: str = "own", **settings: Any) -> dict[str, list[float]]:
    """Every metric over the last third of training."""
    rows: list[dict[str, float]] = []
    make_env = functools.partial(bimatrix_v0.batched_env, agents_observe=agents_observe)
    config = ERMASConfig(epsilon=epsilon, seed=seed, **settings)
    ERMAS(make_env, config).learn(ITERATIONS, progress=lambda _, metrics: rows.append(dict(metrics)))
    tail = rows[-ITERATIONS // 3 :]
    return {name: [row[name] for row in tail] for name in tail[0]}


def last_third(epsilon: float, seed: int, **settings: Any) -> dict[str, float]:
    """Mean of every metric over the last third of training."""
    return {name: statistics.fmean(values) for name, values in history(epsilon, seed, **settings).items()}


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [0.02, 0.05, 0.1, 0.2])
def test_worst_planner_payoff_and_exact_regret_follow_the_exact_optimum(epsilon: float) -> None:
    game = bimatrix_v0.batched_env(1, agents_observe="own").tabular_game()
    assert game is not None
    exact_minimum = worst_equilibrium(game, epsilon).planner_payoff
    runs = [last_third(epsilon, seed) for seed in SEEDS]
    planner_payoff = statistics.fmean(run["exact_reward/planner"] for run in runs)
    exact, estimated = (
        [statistics.fmean(run[f"{kind}_regret/agent_{i}"] for run in runs) for i in (0, 1)]
        for kind in ("exact", "estimated")
    )
    print(
        f"epsilon {epsilon:g}: J_p {planner_payoff:.3f} (exact {exact_minimum:.3f}), exact regret "
        f"{exact[0]:.4f}/{exact[1]:.4f}, estimated {estimated[0]:.4f}/{estimated[1]:.4f} per step, {len(SEEDS)} seeds"
    )
    assert abs(planner_payoff - exact_minimum) <= 0.05
    for regret in exact:
        assert 0.75 * epsilon <= regret <= 1.25 * epsilon


@pytest.mark.slow
def test_restarted_deviations_fail_silently_where_persistent_ones_do_not() -> None:
    """The paper's estimator (its Eq. 10): the estimate says all is well while the exact regret is far above ε."""
    run = last_third(0.05, seed=0, deviation="restarted")
    exact = statistics.fmean(run[f"exact_regret/agent_{i}"] for i in (0, 1))
    estimated = statistics.fmean(run[f"estimated_regret/agent_{i}"] for i in (0, 1))
    print(f"restarted, epsilon 0.05: exact regret {exact:.4f}, estimated {estimated:.4f} per step")
    assert exact > 2 * 0.05
    assert estimated < 0.5 * exact


@pytest.mark.slow
def test_control_of_the_multiplier_damps_the_oscillation_of_plain_ascent() -> None:
    plain = MultiplierConfig(step_size=5.0, proportional=0.0)
    spread = {
        name: statistics.pstdev(history(0.05, seed=0, multiplier=multiplier)["exact_reward/planner"])
        for name, multiplier in (("plain ascent", plain), ("default", MultiplierConfig()))
    }
    print(f"standard deviation of J_p over the last third, epsilon 0.05: {spread}")
    assert spread["default"] < 0.5 * spread["plain ascent"]


@pytest.mark.slow
def test_the_meta_step_changes_little_with_persistent_deviations() -> None:
    found = {beta: last_third(0.05, seed=0, meta_step_size=beta)["exact_reward/planner"] for beta in (0.0, 0.2)}
    print(f"J_p at epsilon 0.05 by beta: {found}")
    assert abs(found[0.0] - found[0.2]) <= 0.03


@pytest.mark.slow
def test_agents_that_observe_each_other_keep_the_bound_too() -> None:
    run = last_third(0.05, seed=0, agents_observe="joint")
    regrets = [run[f"exact_regret/agent_{i}"] for i in (0, 1)]
    print(f"joint observation, epsilon 0.05: J_p {run['exact_reward/planner']:.3f}, exact regret {regrets}")
    assert max(regrets) <= 1.4 * 0.05
