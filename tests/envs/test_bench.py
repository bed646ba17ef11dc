"""The speed command runs and prints what it says; nothing here asserts a time."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ermas_envs import bench, bimatrix_v0
from ermas_envs.bench import growth, players, start

TINY = ["bimatrix", "--num-envs", "4", "--seconds", "0.001"]
TINY_ECONOMY = ["economy", "--num-envs", "2", "--seconds", "0.001", "--rounds", "1"]
CASES = ("full_float", "full_int", "rules_only", "batched_face", "one_step_100_agents")
FAKE = """
class foundation:
    class Env:
        n_agents = 2
        class world:
            class planner:
                action_spaces = [3, 3]
            agents = [type("Agent", (), {"action_spaces": 5})]
        def __init__(self):
            self.steps = None
        def reset(self):
            self.steps = 0
        def step(self, actions):
            assert sorted(actions) == ["0", "1", "p"] and len(actions["p"]) == 2
            self.steps += 1
            assert self.steps <= 2, "an episode that has ended must be reset"
            return None, None, {"__all__": self.steps == 2}, None
    @staticmethod
    def make_env_instance(name, **arguments):
        assert arguments["episode_length"] in (2, 1000), name
        return foundation.Env()
import sys
sys.modules["ai_economist.foundation"] = foundation
"""


def test_command_prints_json() -> None:
    command = [sys.executable, "-m", "ermas_envs.bench", *TINY, "--json"]
    speeds = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [speed["environment"] for speed in speeds] == ["bimatrix_v0", "augmented_bimatrix_v0"]
    for speed in speeds:
        assert speed["num_envs"] == 4
        # Two agents in four replicas per batched step; the planner is not counted.
        per_step = speed["agent_steps_per_second"] * speed["microseconds_per_batched_step"] * 1e-6
        assert per_step == pytest.approx(8.0)


def test_contracts_are_measured_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["contract", *TINY[1:]])
    assert "contract_v0" in capsys.readouterr().out


def test_command_prints_text_that_says_what_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(TINY)
    printed = capsys.readouterr().out
    assert "without the planner" in printed
    assert "augmented_bimatrix_v0" in printed
    assert printed.count("agent-steps/s") == 2


@pytest.mark.parametrize("arguments", [["bimatrx"], ["economy", "--num-envs", "0"], ["economy", "--rounds", "0"]])
def test_what_is_unknown_or_impossible_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(arguments)
    assert ended.value.code == 2
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


@pytest.mark.timeout(1200)  # processes that may have to compile first
def test_economy_prints_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main([*TINY_ECONOMY, "--json"])
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    found = json.loads(printed)
    for case in CASES:
        assert found[f"{case}_steps_per_s"] > 0.0
        assert found["num_envs"][case] == 2
        assert found["memory_per_replica_bytes"][case] > 1000
        assert f"{case}_ratio" not in found
    assert found["memory_per_replica_bytes"]["full_int"] < found["memory_per_replica_bytes"]["full_float"]
    assert {"agents": 4, "map": [25, 25], "rounds": 1}.items() <= found.items()
    assert found["cores"] == found["processes"] >= 1
    assert found["threads_per_process"] == 1


@pytest.mark.timeout(1200)  # processes that may have to compile first
def test_economy_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(TINY_ECONOMY)
    printed = capsys.readouterr().out
    assert printed.startswith("steps of single environments per second: 4 agents, 25×25 map")
    assert printed.count("2 replicas of") == len(CASES)
    assert "the original" not in printed


@pytest.mark.timeout(1200)  # processes that may have to compile first
def test_economy_beside_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a stand-in for ai-economist: rounds are served, episodes are reset, ratios are those of the rounds."""
    (tmp_path / "ai_economist.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    bench.main([*TINY_ECONOMY, "--against-original", sys.executable, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["original_numpy"] == np.__version__
    for case in CASES:
        original = "one_step" if case.startswith("one_step") else "economy"
        speeds = found[f"{case}_steps_per_s"], found[f"original_{original}_steps_per_s"]
        assert found[f"{case}_ratio"] == pytest.approx(speeds[0] / speeds[1], rel=0.01)
    bench.main([*TINY_ECONOMY, "--against-original"])
    assert capsys.readouterr().out.count("× the original") == len(CASES)


def test_without_the_original_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ai_economist.py").write_text("raise ModuleNotFoundError('No module named ai_economist')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for python in (sys.executable, str(tmp_path / "no-python")):
        with pytest.raises(SystemExit) as ended:
            bench.main([*TINY_ECONOMY, "--against-original", python])
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert f"ai-economist does not run in {python}: " in error
        assert "pip install --no-deps ai-economist==1.7.1" in error


def test_players_reset_episodes_and_write_what_is_seen() -> None:
    player = players.economy_player(2, horizon=10)
    engine = player._engine
    assert player.play() == 2 * 64
    assert engine.state.progress.timestep.tolist() == [4, 4], "64 steps, the last reset after 60"
    assert engine.state.progress.completions.tolist() == [6, 6]
    np.testing.assert_allclose(engine.views.agent_vector[:, :, -6], 0.4, rtol=1e-6, err_msg="the time")
    one_step = players.one_step_player(2)
    assert one_step.play() == 2 * 64
    assert one_step._engine.state.progress.timestep.tolist() == [0, 0]


def test_growth_counts_what_is_observed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = growth.measure_growth(0.001, agents=(2, 4), maps=(15,), num_envs=2)
    assert [(row["map"], row["agents"]) for row in rows] == [(15, 2), (15, 4), (None, 2), (None, 4)]
    # Windows of two agents more (7 planes and 2 maps of ids, 121 tiles each), their vectors, masks, and the planner's.
    assert rows[1]["observed_numbers"] - rows[0]["observed_numbers"] > 2 * (9 * 121 + 50)
    for row in rows:
        assert row["nanoseconds_per_number"] * row["observed_numbers"] == pytest.approx(
            1e3 * row["microseconds_per_step"]
        )
    assert growth.table(rows).count("15×15") == 2


def test_start_measures_a_first_and_a_cached_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes too long here: the bimatrix game stands in."""
    monkeypatch.setattr(start, "ENVIRONMENTS", ("bimatrix_v0",))
    (row,) = start.measure_start()
    assert row["environment"] == "bimatrix_v0"
    assert row["cached_seconds"] > 0.0
    assert row["first_seconds"] > 0.0
    assert row["first_of_a_batch_seconds"] > 0.0
    assert "bimatrix_v0" in start.table([row])
