"""Agents go on from another training: what is taken over, and what is not."""

from typing import Any

import numpy as np
import pytest

from ermas_algos.algorithms.ermas import ERMAS
from ermas_algos.algorithms.marl import MARL
from ermas_algos.algorithms.run import Run
from ermas_algos.evaluation.fresh_agents import FreshAgentsConfig, train_fresh_agents
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_envs import EnvironmentSpec

GAME: dict[str, Any] = {"horizon": 6}
SPEC = EnvironmentSpec("bimatrix_v0", GAME)
AGENT = SB3LearnerConfig(hidden_layers=(8,))


def run(algorithm: str = "MARL", **settings: Any) -> Any:
    small = {"num_envs": 4, "agent_learner": {"hidden_layers": [8]}, "planner_learner": {"hidden_layers": [8]}}
    options = {"environment": "bimatrix_v0", "arguments": GAME, "algorithm": algorithm, "iterations": 9}
    return Run.from_options({**options, "settings": {**small, **settings}}).trainer()


def test_a_training_goes_on_with_the_agents_of_another() -> None:
    first: MARL = run(seed=1).learn(3)
    then: ERMAS = run("ERMAS", seed=2, warmup_iterations=5).take_agents_of(first)
    assert then.iteration == 3
    assert then.scales.values == first.scales.values
    for agent in first.env.agents:
        np.testing.assert_array_equal(then.learners[agent].get_parameters(), first.learners[agent].get_parameters())
    assert then.env_steps == 0  # what the first training cost is its own
    then.learn(4)
    assert then.iteration == 4
    assert not np.array_equal(
        then.learners["agent_0"].get_parameters(), first.learners["agent_0"].get_parameters()
    )  # and leaves the first training as it was


def test_going_on_follows_from_the_seed() -> None:
    first = run(seed=1).learn(2)
    one, again, other = (run(seed=seed).take_agents_of(first).learn(4) for seed in (5, 5, 6))
    parameters = [trainer.learners["agent_1"].get_parameters() for trainer in (one, again, other)]
    np.testing.assert_array_equal(parameters[0], parameters[1])
    assert not np.array_equal(parameters[0], parameters[2])


def test_a_seed_does_not_repeat_the_random_numbers_of_its_first_phase() -> None:
    """Agents who have not learned yet, so that all that differs is what is drawn."""
    earned: list[float] = []
    for trainer in (run(seed=5), run(seed=5), run(seed=5).take_agents_of(run(seed=5))):
        trainer.learn(1, progress=lambda _, metrics: earned.append(metrics["payoff/planner"]))
    assert earned[0] == earned[1] != earned[2]


def test_agents_of_other_learners_are_refused() -> None:
    first = run(seed=1)
    with pytest.raises(ValueError, match="first has other agents' learners"):
        run(policy_sharing="group").take_agents_of(first)
    with pytest.raises(ValueError, match="learner 'agent_0'"):
        run(agent_learner={"hidden_layers": [4]}).take_agents_of(first)


def test_fresh_agents_go_on_from_their_first_phase() -> None:
    spec = EnvironmentSpec("bimatrix_v0", {**GAME, "planner": {"name": "constant", "action": 0}})
    first = run(seed=1).learn(4)
    config = FreshAgentsConfig(AGENT, num_envs=4, window=1, tolerance=0.0, max_iterations=2)
    found = train_fresh_agents(spec, config, 0, first)
    assert found.iterations == 6
    assert found.env_steps == 2 * 4 * 6
    begun = train_fresh_agents(spec, config, 0)
    assert begun.iterations == 2
    parameters = [agents.learners["agent_0"].get_parameters() for agents in (found, begun)]
    assert not np.array_equal(*parameters)
