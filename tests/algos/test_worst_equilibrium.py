"""Agent-Adv-Search finds the worst ε-equilibrium of the bimatrix game, checked against its exact value (slow).

With `agents_observe="own"` and payoff set 1 the exact minimum of J_p is a linear program (H = 20).
"""

import functools
import statistics

import pytest

from ermas_algos import ERMAS, ERMASConfig
from ermas_envs import bimatrix_v0
from ermas_envs.bimatrix.payoffs import tragedy_of_commons
from ermas_envs.oracles import worst_own_equilibrium

ITERATIONS = 300
SEEDS = (0, 1, 2)


def last_third(epsilon: float, seed: int, **settings: object) -> dict[str, float]:
    """Mean of every metric over the last third of training."""
    rows: list[dict[str, float]] = []
    make_env = functools.partial(bimatrix_v0.batched_env, agents_observe="own")
    config = ERMASConfig(epsilon=epsilon, seed=seed, **settings)
    ERMAS(make_env, config).learn(ITERATIONS, progress=lambda _, metrics: rows.append(dict(metrics)))
    tail = rows[-ITERATIONS // 3 :]
    return {name: statistics.fmean(row[name] for row in tail) for name in tail[0]}


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [0.02, 0.05, 0.1, 0.2])
def test_worst_planner_payoff_and_exact_regret_follow_the_exact_optimum(epsilon: float) -> None:
    exact_minimum = worst_own_equilibrium(tragedy_of_commons(), 20, epsilon).planner_payoff
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
    assert abs(planner_payoff - exact_minimum) <= 0.07
    for regret in exact:
        assert 0.6 * epsilon <= regret <= 1.4 * epsilon


@pytest.mark.slow
def test_restarted_deviations_fail_silently_where_persistent_ones_do_not() -> None:
    """The paper's estimator (design section 4): the estimate says all is well while the exact regret is far above ε."""
    run = last_third(0.05, seed=0, deviation="restarted")
    exact = statistics.fmean(run[f"exact_regret/agent_{i}"] for i in (0, 1))
    estimated = statistics.fmean(run[f"estimated_regret/agent_{i}"] for i in (0, 1))
    print(f"restarted, epsilon 0.05: exact regret {exact:.4f}, estimated {estimated:.4f} per step")
    assert exact > 2 * 0.05
    assert estimated < 0.5 * exact
