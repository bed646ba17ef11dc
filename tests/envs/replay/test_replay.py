"""Replays of recordings, ours and the original's, and the recorder of ours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.goldens import GOLDENS, golden_path

from ermas_envs.games.taxation.tax_planners import FixedBrackets
from ermas_envs.replay import record
from ermas_envs.replay.__main__ import main
from ermas_envs.replay.brackets import share_actions
from ermas_envs.replay.files import read_recording, replay_file, write_recording
from ermas_envs.replay.own_config import _tax_model

TRAJECTORIES = sorted((Path(__file__).parent / "trajectories").glob("*.json.gz"))
RECORDED = (
    "a1_build_gather_norandom",
    "a2_build_gather_pareto",
    "a3_crowded_15x15_regen",
    "a4_fixed_skill_loc_10agents",
    "a6_full_observability_spatial_planner",
    "b1_trade_random_valid",
    "b2_trade_multiaction_short_orders",
    "b4_trade_ceiling20",
    "c1_tax_us_federal",
    "c3_tax_us_federal_annealed_3ep",
    "c4_tax_log_brackets_disabled",
    "d1_planner_rates",
    "d3_planner_single_action_mode",
    "e1_saez_estimated",
    "f1_paper_phase2_1000",
    "f3_paper_phase1_auto_warmup_2ep",
    "f4_decay_warmup_3ep",
    "g2_one_step_usfed_4agents",
    "g3_one_step_saez_100agents",
)
"""Recordings of the original with episodes."""
Recording = dict[str, Any]


def stem(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


def passes(recording: Recording, tmp_path: Path) -> bool:
    """Whether a replay of a recording finds no deviation."""
    path = tmp_path / "given.json.gz"
    write_recording(path, recording)
    return replay_file(path).passed


@pytest.mark.parametrize("path", TRAJECTORIES, ids=stem)
def test_our_own_trajectories_are_what_they_were(path: Path) -> None:
    found = replay_file(path)
    assert not {name: deviation.exceeded for name, deviation in found.quantities.items() if deviation.exceeded}
    for quantity in ("rewards", "utilities", "inventory: coin", "agents' masks", "metrics: social", "metrics: names"):
        assert found.quantities[quantity].compared > 0


def test_trajectories_are_small_and_have_everything_in_them() -> None:
    assert len(TRAJECTORIES) == 7
    assert all(path.stat().st_size < 60_000 for path in TRAJECTORIES)
    steps = [step for path in TRAJECTORIES for episode in read_recording(path)["episodes"] for step in episode["steps"]]
    happened = {kind for step in steps for kind in step.get("events", {})}
    assert happened == {"build", "gather", "trade", "tax"}
    assert any(step.get("tax", {}).get("saez", {}).get("formula_active") for step in steps)


@pytest.mark.parametrize("name", RECORDED)
def test_recordings_of_the_original_are_replayed(name: str) -> None:
    found = replay_file(golden_path(name))
    assert not {name: deviation.exceeded for name, deviation in found.quantities.items() if deviation.exceeded}
    assert found.left_out == 0
    if "one_step" in name:
        for quantity in ("rewards", "utilities", "tax: tax_paid", "agents' masks", "metrics: social"):
            assert found.quantities[quantity].compared > 0


def test_a_recording_of_the_one_step_economy_with_given_wages_is_replayed(tmp_path: Path) -> None:
    wages = [0.25, 1.5, 2.75]
    found = record.record("one_step_economy_v0", {"num_agents": 3, "skills": wages}, episodes=2)
    assert [agent["skill"] for agent in found["episodes"][1]["initial"]["agents"]] == wages
    assert passes(found, tmp_path)


def test_no_recording_of_the_original_is_forgotten() -> None:
    if not GOLDENS.exists():
        pytest.skip(f"{GOLDENS} is not there")
    others = {"u1_pure_functions", "u2_saez_stages", "layouts", "dense_log_sample"}
    assert {stem(path) for path in GOLDENS.glob("*.json.gz")} == set(RECORDED) | others


def test_the_command_prints_a_table_per_file(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(path) for path in TRAJECTORIES[:2]]
    with pytest.raises(SystemExit) as ended:
        main(paths)
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        line for line in lines if line.startswith(f"pass  {TRAJECTORIES[0].name}: ") or TRAJECTORIES[1].name in line
    ]
    assert all("(tolerance " in line for line in lines if line.startswith(" "))
    with pytest.raises(SystemExit):
        main([*paths, "--brief"])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_step_past_the_end_is_left_out_and_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = read_recording(next(path for path in TRAJECTORIES if stem(path) == "full_observability"))
    episode = recording["episodes"][0]
    episode["steps"].append({**episode["steps"][-1], "t": len(episode["steps"]) + 1})
    write_recording(tmp_path / "longer.json.gz", recording)
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "longer.json.gz"), "--brief"])
    assert ended.value.code == 0
    assert "1 steps past the end of an episode left out" in capsys.readouterr().out


def test_brackets_that_share_a_name_are_set_and_counted_together_as_in_the_original(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """usd_scaling 10000: the cutoffs 0 and 0.97 are both called 000, and the second one's action counts."""
    draw = record._random_actions

    def same_for_both(*arguments: Any) -> Any:
        agents, planner = draw(*arguments)
        planner[0] = planner[1]
        return agents, planner

    monkeypatch.setattr(record, "_random_actions", same_for_both)
    taxes = {"PeriodicBracketTax": {"period": 2, "usd_scaling": 10000}}
    settings = {"horizon": 20, "components": [{"Build": {"skill_dist": "pareto"}}, "Gather", taxes]}
    recording = record.record("economy_v0", settings)
    assert "PeriodicTax/avg_bracket_rate/000" in recording["episodes"][0]["final_metrics"]
    for step in recording["episodes"][0]["steps"]:
        step["a"]["p"][0] = (step["a"]["p"][1] + 1) % 22
    assert passes(recording, tmp_path)
    for step in recording["episodes"][0]["steps"]:
        step["a"]["p"][1] = step["a"]["p"][0]
    assert not passes(recording, tmp_path)


def test_a_planner_that_sets_one_bracket_at_a_time_sets_all_that_share_its_name() -> None:
    cutoffs = np.array([0.0, 0.97, 3.9])
    for given, expected in (([5, 0, 0], [5, 5, 0]), ([0, 7, 0], [7, 7, 0]), ([0, 0, 2], [0, 0, 2])):
        actions = np.array(given)
        share_actions(cutoffs, False, actions)
        assert actions.tolist() == expected


def test_recording_the_same_play_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    settings = {"horizon": 5, "num_agents": 4, "components": ["Gather"], "fixed_four_skill_and_loc": False}
    for name in ("one", "other"):
        write_recording(tmp_path / name, record.record("economy_v0", settings, seed=3))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert replay_file(tmp_path / "one").passed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--environment", "chess_v6"], "environment must be economy_v0 or one_step_economy_v0, got 'chess_v6'."),
        (["--settings", '{"horizn": 3}'], "horizon"),
        (["--settings", '{"observations": "compact"}'], "observations must be original"),
        (["--planner", "us_federl"], "us_federal"),
        (["--planner", "free_market"], "disable_taxes"),
    ],
)
def test_the_recorder_says_what_it_does_not_know(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        record.main(["--out", str(tmp_path / "x.json.gz"), *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x.json.gz").exists()


def test_a_tax_rule_that_the_original_lacks_cannot_be_recorded() -> None:
    class Flat(FixedBrackets):
        """Like fixed rates, but not them."""

    with pytest.raises(ValueError, match="planner: Flat is no tax model of the original's"):
        _tax_model(Flat([0.1] * 7))
    assert _tax_model(FixedBrackets([0.1] * 7))["tax_model"] == "fixed-bracket-rates"
