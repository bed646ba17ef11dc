"""The speed command runs and prints what it says; nothing here asserts a time."""

import json
import subprocess
import sys

import pytest

from ermas_envs import bench, bimatrix_v0

TINY = ["bimatrix", "--num-envs", "4", "--seconds", "0.001"]


def test_command_prints_json() -> None:
    command = [sys.executable, "-m", "ermas_envs.bench", *TINY, "--json"]
    speeds = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [speed["environment"] for speed in speeds] == ["bimatrix_v0", "augmented_bimatrix_v0"]
    for speed in speeds:
        assert speed["num_envs"] == 4
        # Two agents in four replicas per batched step; the planner is not counted.
        per_step = speed["agent_steps_per_second"] * speed["microseconds_per_batched_step"] * 1e-6
        assert per_step == pytest.approx(8.0)


def test_command_prints_text_that_says_what_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(TINY)
    printed = capsys.readouterr().out
    assert "without the planner" in printed
    assert "augmented_bimatrix_v0" in printed
    assert printed.count("agent-steps/s") == 2


def test_unknown_suite_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["bimatrx"])
    assert "bimatrix" in capsys.readouterr().err


def test_every_step_writes_observations_and_masks_and_episodes_are_reset() -> None:
    """What is measured is the whole step, as the module says."""
    env = bimatrix_v0.batched_env(4)
    seen = []

    class Watched:
        def __getattr__(self, name: str):
            return getattr(env, name)

        def step(self, actions):
            seen.append(env.step(actions))
            return seen[-1]

    bench.measure(Watched(), 0.001)
    assert all(len(step.observations) == 3 and len(step.action_masks) == 3 for step in seen)
    assert sum(step.final_observations is not None for step in seen) == len(seen) // 20
