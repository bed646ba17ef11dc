"""Fresh agents: the criterion of convergence, the cap, what is measured, and agents that are really converged."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ermas_algos.evaluation.fresh_agents import FreshAgentsConfig, converged, measure, train_fresh_agents
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_envs import EnvironmentSpec
from ermas_envs.oracles import best_constant_planner

SMALL = FreshAgentsConfig(num_envs=8, window=3, max_iterations=9, measured_envs=16)


def game(**arguments: Any) -> EnvironmentSpec:
    settings = {"agents_observe": "own", "planner_observes": False, "planner": {"name": "constant", "action": 6}}
    return EnvironmentSpec("augmented_bimatrix_v0", {**settings, **arguments})


# The criterion


def test_the_last_two_windows_are_compared_column_by_column() -> None:
    steady = [[1.0, 0.0]] * 4
    assert converged(steady, 2, 0.0)
    assert converged([[9.0, 9.0], *steady], 2, 0.0)  # what was before does not matter
    assert not converged([*steady[:2], [1.0, 0.1], [1.0, 0.0]], 2, 0.04)
    assert converged([*steady[:2], [1.0, 0.1], [1.0, 0.0]], 2, 0.05)


def test_fewer_than_two_windows_never_count_as_converged() -> None:
    assert not converged([[1.0]] * 3, 2, 10.0)
    assert not converged([], 1, 10.0)


@given(st.floats(-5, 5), st.floats(0.001, 0.1), st.integers(2, 10))
def test_a_steady_drift_is_seen(start: float, slope: float, window: int) -> None:
    """Means over successive windows of a line differ by slope·window."""
    line = [[start + slope * step] for step in range(2 * window)]
    assert not converged(line, window, slope * window * 0.99)
    assert converged(line, window, slope * window * 1.01)


def test_the_cap_is_reported() -> None:
    impatient = FreshAgentsConfig(num_envs=8, window=3, max_iterations=7, tolerance=0.0, measured_envs=16)
    agents = train_fresh_agents(game(), impatient, 0)
    assert (agents.converged, agents.iterations, agents.env_steps) == (False, 7, 7 * 8 * 20)


def test_training_ends_as_soon_as_the_criterion_holds() -> None:
    tolerant = FreshAgentsConfig(num_envs=8, window=3, max_iterations=300, tolerance=10.0, measured_envs=16)
    agents = train_fresh_agents(game(), tolerant, 0)
    assert (agents.converged, agents.iterations) == (True, 6)


@pytest.mark.parametrize(("q", "level"), [(0.0, 1.0), pytest.param(0.4, 2 / 3, marks=pytest.mark.slow)])
def test_agents_that_count_as_converged_are_near_equilibrium(q: float, level: float) -> None:
    """Exact regret below 0.003 per step, and the planner earns what it earns at the exact equilibrium, a = 6.

    r_p may be off by 0.02 (see `test_transfer`); seeds 0 to 4 are off by 0.0014 or less."""
    agents = train_fresh_agents(game(q=q), FreshAgentsConfig(), 0)
    found = measure(game(q=q), agents, FreshAgentsConfig(), 0)
    assert agents.converged
    assert found.exact_regret is not None
    assert found.exact_regret < 0.003
    tables = EnvironmentSpec("augmented_bimatrix_v0", {"q": q})(1).tabular_game()
    assert tables is not None
    assert found.exact_planner_return == pytest.approx(best_constant_planner(tables).planner_returns[6], abs=1.44)


def test_the_measured_return_estimates_the_exact_one() -> None:
    """Within 5 standard errors: at most 6·12 of range over 1 024 episodes, hence a false-alarm rate below 1e-6."""
    agents = train_fresh_agents(game(), SMALL, 0)
    config = FreshAgentsConfig(measured_envs=1024)
    found = measure(game(), agents, config, 0)
    assert found.exact_planner_return is not None
    assert found.planner_return == pytest.approx(found.exact_planner_return, abs=5 * 36 / np.sqrt(1024))
    assert found.planner_return != found.exact_planner_return


def test_without_tables_there_are_no_exact_numbers() -> None:
    noisy = game(action_noise=0.1)
    found = measure(noisy, train_fresh_agents(noisy, SMALL, 0), SMALL, 0)
    assert (found.exact_planner_return, found.exact_regret) == (None, None)


def test_the_same_seed_gives_the_same_agents_and_the_same_measurement() -> None:
    first, again, other = (measure(game(), train_fresh_agents(game(), SMALL, s), SMALL, s) for s in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    "bad", [{"window": 0}, {"tolerance": -1.0}, {"max_iterations": 99}, {"num_envs": 1}, {"measured_envs": 0}]
)
def test_bad_configuration(bad: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        FreshAgentsConfig(**bad)


def test_agents_are_measured_at_the_age_of_their_training() -> None:
    """Labor costs nothing in the first episode of this economy: the planner's welfare would be that of another one."""
    arguments = {"observations": "compact", "horizon": 8, "layout": "village", "energy_warmup_constant": 1.0}
    welfare = {"planner_reward_type": "inv_income_weighted_utility", "starting_agent_coin": 10.0}
    spec = EnvironmentSpec("economy_v0", {**arguments, **welfare, "planner": {"name": "free_market"}})
    learner = SB3LearnerConfig("MaskablePPO", hidden_layers=(8,))
    config = FreshAgentsConfig(learner, num_envs=2, window=1, max_iterations=2, measured_envs=64)
    agents = train_fresh_agents(spec, config, 0)
    young = measure(spec, dataclasses.replace(agents, iterations=0), config, 1).planner_return
    assert measure(spec, agents, config, 1).planner_return < young
