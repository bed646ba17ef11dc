"""A replay notices one wrong number of any kind, and says in one line why it cannot replay a file."""

import gzip
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ermas_envs.replay.__main__ import main
from ermas_envs.replay.files import read_recording

TRAJECTORIES = Path(__file__).parent / "trajectories"
Recording = dict[str, Any]


def replayed(recording: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    """Exit status, output and errors of the command for a recording."""
    path = tmp_path / "given.json.gz"
    path.write_bytes(gzip.compress(json.dumps(recording).encode()))
    with pytest.raises(SystemExit) as ended:
        main([str(path), *options])
    printed = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, printed.out, printed.err


def _first(recording: Recording, holds: Callable[[Recording], Any], skip: int = 0) -> Recording:
    """The first step, after some, of which something holds."""
    found: Recording = next(step for step in recording["episodes"][0]["steps"][skip:] if holds(step))
    return found


def _coin(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda _: True, 7)
    step["agents"][1]["inv"][2] += 1e-6
    return "inventory: coin", step["t"]


def _place(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda _: True, 11)
    step["agents"][2]["loc"][0] += 1
    return "places", step["t"]


def _labor(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: step["agents"][0]["labor"] > 0)
    step["agents"][0]["labor"] += 0.25
    return "labor", step["t"]


def _reward(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda _: True, 4)
    step["agents"][3]["rew"] += 1e-6
    return "rewards", step["t"]


def _planner_reward(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda _: True, 5)
    step["planner"]["rew"] += 1e-6
    return "planner's reward", step["t"]


def _map(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: step["maps"]["Wood"])
    step["maps"]["Wood"].pop()
    return "map: Wood", step["t"]


def _order(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: step["books"]["Wood"]["asks"])
    step["books"]["Wood"]["asks"][0][1] += 1
    return "book: asks for Wood", step["t"]


def _observation(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: "obs" in step)
    step["obs"]["raw"]["1"]["world-loc-row"][0] += 1e-4
    return "agents see: world-loc-row", step["t"]


def _flat_observation(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: "obs" in step)
    step["obs"]["flat"]["p"]["flat"][-1] += 1e-4
    return "planner, flattened: flat", step["t"]


def _seen_tile(recording: Recording) -> tuple[str, int]:
    recording["episodes"][0]["initial"]["obs"]["raw"]["0"]["world-map"][6][5][5] = 0
    return "agents see: world-map", 0


def _name(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: "obs" in step)
    del step["obs"]["raw"]["0"]["world-inventory-Wood"]
    return "agents see: names", step["t"]


def _mask(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda _: True, 9)
    step["masks"]["2"] = "0" + step["masks"]["2"][1:]
    return "agents' masks", step["t"]


def _planner_mask(recording: Recording) -> tuple[str, int]:
    masks = recording["episodes"][0]["initial"]["masks"]
    masks["p"] = masks["p"][:-1] + "1"
    return "planner's mask", 0


def _metric(recording: Recording) -> tuple[str, int]:
    recording["episodes"][0]["final_metrics"]["social/equality"] += 1e-6
    return "metrics: social", 70


def _missing_metric(recording: Recording) -> tuple[str, int]:
    del recording["episodes"][0]["final_metrics"]["Trade/n_trades"]
    return "metrics: names", 70


def _collected(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: "gather" in step.get("events", {}))
    step["events"]["gather"][0]["n"] += 1
    return "events: units gathered", step["t"]


def _trade(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: "trade" in step.get("events", {}))
    step["events"]["trade"][0]["price"] += 1
    return "events: trades", step["t"]


def _tax(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: "tax" in step.get("events", {}))
    step["events"]["tax"]["0"]["tax_paid"] += 1e-6
    return "tax: tax_paid", step["t"]


def _rate(recording: Recording) -> tuple[str, int]:
    step = _first(recording, lambda step: "tax" in step and step["t"] > 1)
    step["tax"]["rates"][0] += 0.05
    return "tax: rates", step["t"]


def _bonus(recording: Recording) -> tuple[str, int]:
    """A draw: the bonus unit."""
    step = _first(recording, lambda step: any(event["n"] == 2 for event in step.get("events", {}).get("gather", [])))
    step["draws"]["gather_u"] = [1.0] * len(step["draws"]["gather_u"])
    return "events: units gathered", step["t"]


def _growth(recording: Recording) -> tuple[str, int]:
    """A draw: where wood grows back."""
    steps = recording["episodes"][0]["steps"]
    for before, step in pairwise(steps):
        missing = {index for index, _ in step["maps"]["Wood"]} - {index for index, _ in before["maps"]["Wood"]}
        if missing:
            step["draws"]["regen_hits"]["Wood"].remove(min(missing))
            return "map: Wood", step["t"]
    raise AssertionError("no wood has grown")


def _action(recording: Recording) -> tuple[str, int]:
    """An agent that does not move."""
    steps = recording["episodes"][0]["steps"]
    for before, step in pairwise(steps):
        if before["agents"][0]["loc"] != step["agents"][0]["loc"]:
            step["a"]["0"] = 0
            return "places", step["t"]
    raise AssertionError("nobody has moved")


CHANGES = (
    *(_coin, _place, _labor, _reward, _planner_reward, _map, _order, _observation, _flat_observation, _seen_tile),
    *(_name, _mask, _planner_mask, _metric, _missing_metric, _collected, _trade, _tax, _rate, _bonus, _growth, _action),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_one_wrong_number_is_found_and_named(
    change: Callable[[Recording], tuple[str, int]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = read_recording(TRAJECTORIES / "trade_and_learned_taxes.json.gz")
    quantity, step = change(recording)
    status, output, _ = replayed(recording, tmp_path, capsys, "--brief")
    assert status == 1
    assert output.startswith("FAIL  given.json.gz")
    line = next(line for line in output.splitlines() if line.strip().startswith(quantity))
    assert f"first at episode 0, {f'step {step}' if step else 'reset'}: " in line


def test_one_wrong_number_of_the_one_step_economy_is_found_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = read_recording(TRAJECTORIES / "one_step.json.gz")
    recording["episodes"][3]["steps"][1]["agents"][2]["production"] += 1e-3
    recording["episodes"][5]["steps"][0]["a"]["4"] = 99
    status, output, _ = replayed(recording, tmp_path, capsys)
    assert status == 1
    lines = {line[6:52].strip(): line for line in output.splitlines()}
    assert "first at episode 3, step 2" in lines["production"]
    assert "first at episode 5, step 1" in lines["labor"]


def _scenario(recording: Recording) -> str:
    recording["config"]["kwargs"]["scenario_name"] = "covid19"
    return "configuration: scenario_name 'covid19' is not known."


def _option(recording: Recording) -> str:
    recording["config"]["kwargs"]["gravity"] = 9.81
    return "configuration: option 'gravity' is not known."


def _component_option(recording: Recording) -> str:
    recording["config"]["kwargs"]["components"][0]["Build"]["height"] = 2
    return "configuration: option 'Build: height' is not known."


def _component(recording: Recording) -> str:
    recording["config"]["component_order"].append("Bank")
    return "configuration: component 'Bank' is not known."


def _tax_model(recording: Recording) -> str:
    recording["config"]["PeriodicBracketTax"]["tax_model"] = "poll-tax"
    return "configuration: tax_model 'poll-tax' is not known."


def _objective(recording: Recording) -> str:
    recording["config"]["planner_reward_type"] = "happiness"
    return "configuration: planner_reward_type: unknown name 'happiness'"


def _no_cutoff(recording: Recording) -> str:
    del recording["config"]["episode_length"]
    return "configuration: 'episode_length' is missing."


def _no_agents(recording: Recording) -> str:
    del recording["episodes"][0]["steps"][3]["agents"]
    return "episode 0, step 4: 'agents' is missing."


def _no_start(recording: Recording) -> str:
    del recording["episodes"][1]["initial"]["agents"][0]["inv"]
    return "episode 1, reset: 'inv' is missing."


def _impossible_action(recording: Recording) -> str:
    recording["episodes"][0]["steps"][3]["a"]["1"] = 50
    return "episode 0, step 4: the action 50 of '1' is not one of its actions."


def _impossible_order(recording: Recording) -> str:
    recording["episodes"][0]["steps"][3]["draws"]["order"]["Gather"] = [0, 1, 2, 1000]
    return "episode 0, step 4: the order of Gather, [0, 1, 2, 1000], is no permutation of the agents."


def _impossible_place(recording: Recording) -> str:
    recording["episodes"][0]["initial"]["agents"][0]["loc"] = [3, 100]
    return "episode 0, reset: agent 0 stands at [3, 100], outside of the world."


def _list(recording: Recording) -> str:
    recording["episodes"][0]["steps"][3]["agents"] = 3
    return "episode 0, step 4: malformed: "


BAD = (_scenario, _option, _component_option, _component, _tax_model, _objective, _no_cutoff, _no_agents, _no_start)
IMPOSSIBLE = (_impossible_action, _impossible_order, _impossible_place, _list)


@pytest.mark.parametrize("change", [*BAD, *IMPOSSIBLE], ids=lambda change: change.__name__.strip("_"))
def test_what_cannot_be_replayed_is_said_in_one_line(
    change: Callable[[Recording], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = read_recording(TRAJECTORIES / "trade_and_learned_taxes.json.gz")
    message = change(recording)
    status, output, errors = replayed(recording, tmp_path, capsys)
    assert status == 2
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith(f"{tmp_path / 'given.json.gz'}: {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file."),
        (b"no JSON", "cannot be read as (gzipped) JSON: "),
        (b"\x1f\x8b no gzip", "cannot be read as (gzipped) JSON: "),
        (gzip.compress(b'{"schema": 1}' * 100, mtime=0)[:30], "cannot be read as (gzipped) JSON: "),
        (b"[1, 2]", "is no recording of schema 1."),
        (b'{"schema": 2, "episodes": []}', "is no recording of schema 1."),
        (b'{"schema": 1}', "has no episodes."),
        (b'{"schema": 1, "episodes": [{}]}', "configuration: 'config' is missing."),
    ],
    ids=["no file", "text", "no gzip", "cut off", "a list", "schema 2", "without episodes", "without configuration"],
)
def test_files_that_are_no_recordings(
    content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.json.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main([str(path), str(TRAJECTORIES / "one_step.json.gz"), "--brief"])
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.err.startswith(f"{path}: {message}")
    assert printed.err.count("\n") == 1
    assert printed.out.startswith("pass  one_step.json.gz"), "the other files are replayed all the same"
