"""The linear program of the worst ε-equilibrium, against the measured table and against dynamic programming."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ermas_envs import bimatrix_v0
from ermas_envs.bimatrix.payoffs import BimatrixPayoffs, strategically_robust_2022, tragedy_of_commons
from ermas_envs.oracles import evaluate, exact_regret, worst_own_equilibrium

HORIZON = 20
MEASURED = {0: 0.983, 0.005: 0.949, 0.01: 0.914, 0.02: 0.845, 0.05: 0.648, 0.1: 0.451, 0.2: 0.173, 0.25: 0.058}


@pytest.mark.parametrize("epsilon", MEASURED)
def test_minimum_agrees_with_the_design_table(epsilon: float) -> None:
    found = worst_own_equilibrium(tragedy_of_commons(), HORIZON, epsilon).planner_payoff
    assert found == pytest.approx(MEASURED[epsilon], abs=6e-4)


def certify(payoffs: BimatrixPayoffs, horizon: int, epsilon: float) -> tuple[float, float, dict[str, float]]:
    """(claimed J_p, J_p of the policies by dynamic programming, their exact regret)."""
    found = worst_own_equilibrium(payoffs, horizon, epsilon)
    game = bimatrix_v0.batched_env(1, payoffs=payoffs, horizon=horizon).tabular_game()
    assert game is not None
    rows, columns = np.divmod(np.arange(payoffs.levels**2), payoffs.levels)
    policies = {
        "agent_0": found.policies[0][:, rows],
        "agent_1": found.policies[1][:, columns],
        "planner": np.ones((horizon, payoffs.levels**2, 1)),
    }
    return found.planner_payoff, evaluate(game, policies)["planner"], exact_regret(game, policies)


@given(
    terms=hnp.arrays(np.float64, (6, 3), elements=st.floats(-1, 1, allow_nan=False, width=32)),
    epsilon=st.floats(0, 0.5),
    horizon=st.integers(1, 5),
)
@settings(max_examples=30)
def test_policies_reach_the_minimum_and_keep_the_bound(terms: np.ndarray, epsilon: float, horizon: int) -> None:
    matrices = [terms[2 * k][:, None] + terms[2 * k + 1][None, :] for k in range(3)]
    claimed, exact, regret = certify(BimatrixPayoffs(*matrices), horizon, epsilon)
    assert exact == pytest.approx(claimed, abs=1e-6)
    assert max(regret.values()) <= epsilon + 1e-6


def test_minimum_falls_with_epsilon_and_zero_epsilon_is_the_equilibrium() -> None:
    values = [worst_own_equilibrium(tragedy_of_commons(), HORIZON, e).planner_payoff for e in np.linspace(0, 0.4, 9)]
    assert values[0] == pytest.approx(59 / 60, abs=1e-6)  # level 3 from a uniform start, one step up at a time
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(values))


def test_payoffs_that_do_not_separate_are_refused() -> None:
    with pytest.raises(ValueError, match=r"payoffs\.planner must be a sum"):
        worst_own_equilibrium(strategically_robust_2022(), HORIZON, 0.1)


@pytest.mark.parametrize(
    ("horizon", "epsilon", "argument"), [(0, 0.1, "horizon"), (5, -0.1, "epsilon"), (5, np.nan, "epsilon")]
)
def test_bad_input_is_named(horizon: int, epsilon: float, argument: str) -> None:
    with pytest.raises(ValueError, match=argument):
        worst_own_equilibrium(tragedy_of_commons(), horizon, epsilon)
