"""Trainings under a rule for taxes that remembers: what it knows at the start of every rollout."""

from typing import Any

import numpy as np
import pytest

from ermas_algos import MARL, MARLConfig, SB3LearnerConfig
from ermas_envs import EnvironmentSpec

QUICK = SB3LearnerConfig("MaskablePPO", algorithm_kwargs={"n_epochs": 1})
AGENTS = 3
SAMPLES = np.random.default_rng(0).uniform([1.0, 0.1], [300.0, 0.9], (500, 2)).tolist()


@pytest.mark.parametrize(("episodes", "samples", "ready"), [(1, [], False), (170, [], True), (1, SAMPLES, True)])
def test_saez_remembers_a_rollout_and_its_samples_but_no_earlier_rollout(
    episodes: int, samples: list[list[float]], ready: bool
) -> None:
    planner = {"name": "saez", "samples": samples}
    spec = EnvironmentSpec("one_step_economy_v0", {"num_agents": AGENTS, "observations": "compact", "planner": planner})
    config = MARLConfig(num_envs=2, rollout_steps=2 * episodes, agent_learner=QUICK, policy_sharing="group")
    training = MARL(spec, config).learn(2)
    known: Any = training.env.engine.state.saez  # type: ignore[attr-defined]
    assert known.seen.tolist() == [episodes * AGENTS] * 2
    assert known.ready.tolist() == [ready] * 2
