"""Presets of environments: what `ermas train` begins with, what overrides it, what the run's file holds."""

import io
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ermas_algos import command_line
from ermas_algos.algorithms import TRAINERS
from ermas_algos.algorithms.config import from_json
from ermas_algos.algorithms.ermas import ERMAS
from ermas_algos.algorithms.run import ITERATIONS, OPTIONS, with_preset
from ermas_algos.commands.certify import Certify
from ermas_algos.commands.train import Train
from ermas_algos.presets import NO_PRESET, Preset, default_preset, preset_registry
from ermas_envs import EnvironmentSpec

SMALL = ["--settings", "num_envs", "2", "--iterations", "1"]
ECONOMY = ["--environment", "economy_v0", "--arguments", "horizon", "4", "layout", "no_water"]


def main(arguments: list[str]) -> int:
    """Exit status of the command `ermas`."""
    with pytest.raises(SystemExit) as ended:
        command_line.main(arguments)
    return int(ended.value.code or 0)


def resolved(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "train.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", preset_registry.names())
@pytest.mark.parametrize("algorithm", list(TRAINERS))
def test_every_preset_makes_its_environment_and_every_trainer_s_configuration(name: str, algorithm: str) -> None:
    preset = preset_registry.make(name)
    config = from_json(TRAINERS[algorithm].config_type, preset.settings_for(algorithm))
    masks = "economy" in preset.environment  # in other games every action has its effect
    assert config.agent_learner.algorithm == ("MaskablePPO" if masks else "PPO")
    linear = preset.environment == "contract_v0"  # whose agents see what every action is worth
    assert bool(config.agent_learner.hidden_layers) != linear
    EnvironmentSpec(preset.environment, preset.arguments)(1)
    json.dumps(preset.settings_for(algorithm))


def test_the_economy_begins_with_its_map_not_with_the_village() -> None:
    assert default_preset("economy_v0") == "gather-trade-build"
    assert preset_registry.make("village").environment == "economy_v0"


def test_a_preset_of_a_third_party_changes_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preset_registry, "_factories", dict(preset_registry._factories))
    preset_registry.register("a-first-name", lambda: Preset("economy_v0", "Another."))
    preset_registry.register("of-mine", lambda: Preset("bimatrix_v0", "The first one there."))
    assert default_preset("economy_v0") == "gather-trade-build"
    assert default_preset("bimatrix_v0") == "of-mine"


@pytest.mark.parametrize("name", ["gather-trade-build", "village", "ai-economist"])
def test_nobody_is_taxed_while_agents_of_the_economy_learn_alone(name: str) -> None:
    preset = preset_registry.make(name)
    begin = preset.arguments["components"]["PeriodicBracketTax"]["tax_annealing_schedule"][0]
    assert begin == preset.settings["planner_warmup"] < preset.iterations
    assert preset.settings_for("ERMAS")["warmup_iterations"] > begin


@pytest.mark.parametrize(
    ("options", "iterations"),
    [
        ({}, 800),  # the preset's
        ({"iterations": 3}, 3),
        ({"preset": NO_PRESET}, ITERATIONS),
        ({"environment": "bimatrix_v0"}, ITERATIONS),  # has none
        ({"environment": "one_step_economy_v0"}, ITERATIONS),  # its preset does not say
    ],
)
def test_how_long_a_training_is(options: dict[str, Any], iterations: int) -> None:
    found = with_preset({**OPTIONS, "environment": "economy_v0", **options})
    assert found["iterations"] == iterations


def test_games_without_a_preset_keep_the_plain_defaults() -> None:
    assert default_preset("bimatrix_v0") == NO_PRESET


def test_training_in_the_economy_needs_no_more_than_its_name(tmp_path: Path) -> None:
    assert main(["train", *ECONOMY, "--algorithm", "MARL", *SMALL, "--out", str(tmp_path)]) == 0
    values = resolved(tmp_path)
    assert values["arguments"]["observations"] == "compact"
    assert values["settings"]["agent_learner"]["algorithm"] == "MaskablePPO"
    assert values["settings"]["agent_learner"]["hidden_layers"] == [64, 64]
    assert values["settings"]["num_envs"] == 2
    text = (tmp_path / "train.toml").read_text(encoding="utf-8")
    assert text.startswith("# These values began as those of the preset gather-trade-build.\n")


def test_the_resolved_file_stands_on_its_own(tmp_path: Path) -> None:
    """TOML has no null: a value that a user set to nothing must not come back from the preset."""
    first, again = tmp_path / "first", tmp_path / "again"
    options = ["--settings", "num_envs", "2", "agent_learner.minibatch_size", "null", "--iterations", "1"]
    assert main(["train", *ECONOMY, "--algorithm", "MARL", *options, "--out", str(first)]) == 0
    assert main(["train", "--file", str(first / "train.toml"), "--out", str(again)]) == 0
    assert resolved(again) == resolved(first)
    assert "minibatch_size" not in resolved(again)["settings"]["agent_learner"]
    assert resolved(again)["preset"] == NO_PRESET


def test_the_plain_defaults_can_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*ECONOMY, "--preset", "none", "--algorithm", "MARL", *SMALL, "--out", str(tmp_path)]
    assert main(["train", *options]) == 2
    told = capsys.readouterr().err
    assert "learners need array observations, 'agent_0' has Dict(" in told
    assert "choose observations='compact'" in told


@pytest.mark.parametrize(
    ("preset", "words"),
    [("one-step", "preset: 'one-step' is for one_step_economy_v0, not for economy_v0"), ("onestep", "Did you mean")],
)
def test_a_preset_that_does_not_fit_is_refused(
    preset: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *ECONOMY, "--preset", preset, *SMALL, "--out", str(tmp_path / "x")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_what_comes_next_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ermas evaluate` needs a gap, and is not recommended where it would be refused; `ermas certify` trains exploiters
    where there is no oracle."""
    assert main(["train", *ECONOMY, "--algorithm", "MARL", *SMALL, "--out", str(tmp_path / "economy")]) == 0
    assert f"Next: ermas certify {tmp_path / 'economy'}\n" in capsys.readouterr().out
    game = ["--environment", "augmented_bimatrix_v0", "--algorithm", "MARL"]
    assert main(["train", *game, *SMALL, "--out", str(tmp_path / "game")]) == 0
    run = tmp_path / "game"
    assert f"Next: ermas evaluate {run}, ermas certify {run}\n" in capsys.readouterr().out


def test_info_lists_presets_and_shows_the_values_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["presets"]) == set(preset_registry.names())
    assert main(["info", "one-step", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["arguments"]["num_agents"] == 10


def test_third_parties_register_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preset_registry, "_factories", dict(preset_registry._factories))
    own = Preset("bimatrix_v0", "A single seed.", settings={"num_envs": 8})
    preset_registry.register("mine", lambda: own)
    assert default_preset("bimatrix_v0") == "mine"


def test_notices_reach_the_person_who_trains(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ERMAS, "notices", lambda self: ["agent_0: regret has stayed above ε."])
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    settings = {"num_envs": "2", "warmup_iterations": "0"}
    Train(tmp_path, environment="bimatrix_v0", settings=settings, iterations=1).run(console)
    assert "Note: agent_0: regret has stayed above ε." in printed.getvalue()
    assert "steps/s; agent_0: regret has stayed above ε." in printed.getvalue()
    Certify(tmp_path).run(console)
    assert "Note from the training: agent_0: regret has stayed above ε." in printed.getvalue()
