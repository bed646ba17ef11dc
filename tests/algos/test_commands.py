"""The commands train, evaluate, sweep, plot and info: what they leave, resuming, bad input, Ctrl-C, exit statuses."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.foreign_game import ForeignGame
from helpers.processes import ENDS_WITHIN

from ermas_algos import command_line
from ermas_algos.checkpoint import read_checkpoint
from ermas_algos.commands.certify import Certify
from ermas_algos.commands.configuration_file import nested, read_configuration, write_toml
from ermas_algos.commands.evaluate import Evaluate, _named, _table
from ermas_algos.commands.info import Info
from ermas_algos.commands.options import given_arguments
from ermas_algos.commands.plot import Plot
from ermas_algos.commands.reproduce import Reproduce
from ermas_algos.commands.sweep import Sweep as SweepCommand
from ermas_algos.commands.train import Train
from ermas_algos.evaluation import TransferRow, read_rows
from ermas_algos.experiments.results import read_table
from ermas_envs import BatchedEnv, ParallelEnvBatch
from ermas_envs.make import environment_registry

GAME = ("--environment", "augmented_bimatrix_v0", "--arguments", "agents_observe", "own", "horizon", "4")
SMALL = (
    "--settings",
    "num_envs",
    "4",
    "epsilon",
    "0.1",
    "warmup_iterations",
    "1",
    "agent_learner.learning_rate",
    "0.01",
)
FRESH = ("--fresh-agents", "num_envs", "4", "window", "1", "max_iterations", "2", "measured_envs", "8")


def ermas(*arguments: str) -> int:
    """Exit status of a command."""
    with pytest.raises(SystemExit) as stopped:
        command_line.main([str(argument) for argument in arguments])
    return stopped.value.code if isinstance(stopped.value.code, int) else 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `ermas train`."""
    out = tmp_path_factory.mktemp("train") / "run"
    assert ermas("train", *GAME, *SMALL, "--seed", "3", "--iterations", "4", "--out", str(out)) == 0
    return out


def assert_same_checkpoint(first: Path, second: Path) -> None:
    """Bit for bit; the files' headers may differ in the order of their entries."""
    one, other = (read_checkpoint(folder / "checkpoint.safetensors", "ERMAS") for folder in (first, second))
    assert one.metadata == other.metadata
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())


# train


def test_the_resolved_file_has_everything_and_gives_the_same_checkpoint(run: Path, tmp_path: Path) -> None:
    resolved = tomllib.loads((run / "train.toml").read_text())
    assert resolved["settings"]["seed"] == 3
    assert resolved["settings"]["agent_learner"]["learning_rate"] == 0.01
    assert resolved["settings"]["agent_learner"]["algorithm_kwargs"]["n_epochs"] == 4  # a default
    assert ermas("train", "--file", str(run / "train.toml"), "--out", str(tmp_path)) == 0
    assert_same_checkpoint(tmp_path, run)
    assert (tmp_path / "train.toml").read_bytes() == (run / "train.toml").read_bytes()


def test_a_repeated_training_goes_on_and_other_settings_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("train", *GAME, *SMALL, "--seed", "3", "--out", str(tmp_path))
    assert ermas(*given, "--iterations", "2") == 0
    assert ermas(*given, "--iterations", "4") == 0
    assert_same_checkpoint(tmp_path, run)
    assert ermas(*given, "--iterations", "3") == 0
    assert "has 4 iterations already; nothing was done" in capsys.readouterr().out
    assert tomllib.loads((tmp_path / "train.toml").read_text())["iterations"] == 4
    assert ermas(*given, "--iterations", "4", "--seed", "4") == 2
    assert "other settings or in another environment (seed)" in capsys.readouterr().err


def test_the_next_commands_can_be_pasted_whatever_the_directory_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "größer, ein Lauf"
    few = ("--algorithm", "MARL", "--settings", "num_envs", "4", "--iterations", "1")
    assert ermas("train", *GAME, *few, "--out", str(out)) == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Next: ")]
    assert shlex.split(told) == ["Next:", "ermas", "evaluate", f"{out},", "ermas", "certify", str(out)]


def test_a_batch_of_exact_learners_is_trained_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exact = '{"num_seeds": 3, "learning_rate": 20}'
    given = ("--environment", "bimatrix_v0", "--arguments", "agents_observe", "own", "--iterations", "3")
    learners = ("agent_learner", exact, "planner_learner", exact)
    assert ermas("train", *given, "--settings", *learners, "--out", str(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "(mean of 3 seeds)" in printed
    assert f"Next: ermas certify {tmp_path}" in printed
    assert "steps/s" not in printed
    assert ermas("certify", str(tmp_path), "--epsilon", "9") == 0
    assert ermas("evaluate", str(tmp_path), "--gap-argument", "action_noise", *FRESH) == 2
    assert "holds a batch of 3 seeds, not one planner" in capsys.readouterr().err


def test_the_command_line_overrides_the_file(run: Path, tmp_path: Path) -> None:
    yaml = tmp_path / "train.yaml"
    yaml.write_text(
        "algorithm: MARL\nenvironment: augmented_bimatrix_v0\narguments: {horizon: 4}\nsettings: {num_envs: 4}\n"
    )
    given = ("train", "--file", str(yaml), "--iterations", "1", "--settings", "num_envs", "8", "--out")
    assert ermas(*given, str(tmp_path / "run")) == 0
    resolved = tomllib.loads((tmp_path / "run/train.toml").read_text())
    assert (resolved["algorithm"], resolved["settings"]["num_envs"], resolved["iterations"]) == ("MARL", 8, 1)
    assert resolved["arguments"] == {"horizon": 4}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--algorithm", "ERMSA", *GAME), "Did you mean 'ERMAS'"),
        (("--environment", "augmented_bimatrix"), "Did you mean 'augmented_bimatrix_v0'"),
        ((), "environment: which one?"),
        ((*GAME, "--settings", "epsilom", "0.1"), "Did you mean 'epsilon'"),
        ((*GAME, "--settings", "epsilon", "-1"), "epsilon must be a finite number >= 0"),
        ((*GAME, "--settings", "epsilon", "1", "epsilon.x", "2"), "given as a value and as a table"),
        ((*GAME, "--iterations", "0"), "iterations must be an integer >= 1"),
        (("--environment", "bimatrix_v0", "--arguments", "q", "1"), "argument of bimatrix_v0: unknown name 'q'"),
    ],
)
def test_bad_options_of_train(options: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("train", *options, "--out", str(tmp_path / "run")) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.startswith("ermas train: ")
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


IN_A_FILE = 'environment = "bimatrix_v0"\n'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "iterations = = 3", "a.toml: malformed: Invalid value (at line 1, column 14)"),
        ("a.yaml", "iterations: [3", "a.yaml: malformed: while parsing"),
        ("a.yaml", "- 3", "must hold a table"),
        ("a.yaml", "iterations: 1:20:30", "line 1: 1:20:30 is a number of base 60 in YAML; quote what is text"),
        ("a.yaml", "settings:\n  seed: 1:20.5", "line 2: 1:20.5 is a number of base 60 in YAML"),
        ("a.ini", "", "a configuration is a .toml, .yaml or .yml file"),
        ("a.toml", "iteratons = 3", "Did you mean 'iterations'"),
        ("a.toml", IN_A_FILE + "settings.seed = -1", "/a.toml: seed must be an integer >= 0"),
        ("a.toml", IN_A_FILE + "settings.sed = 1", "/a.toml: "),
        ("a.toml", IN_A_FILE + "arguments.horizn = 1", "/a.toml: argument of bimatrix_v0: unknown name 'horizn'"),
        ("a.toml", IN_A_FILE + "arguments.horizon = 0", "/a.toml: horizon must be an integer >= 1"),
        ("a.toml", IN_A_FILE + "checkpoint_every = 0", "/a.toml: checkpoint_every must be an integer >= 1"),
        ("a.toml", "iterations = 3", "/a.toml: environment: which one?"),
    ],
)
def test_bad_files(name: str, text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_text(text)
    assert ermas("train", "--file", str(tmp_path / name), "--out", str(tmp_path / "run")) == 2
    said = capsys.readouterr().err.replace("\n", " ")
    assert message in said
    assert said.count(name) == 1


def test_a_wrong_option_is_not_laid_on_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.toml").write_text(IN_A_FILE)
    out = ("--out", str(tmp_path / "run"))
    assert ermas("train", "--file", str(tmp_path / "a.toml"), "--settings", "seed", "-1", *out) == 2
    assert "ermas train: seed must be an integer" in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("train", "--file", str(tmp_path / "no.toml"), "--out", str(tmp_path / "run")) == 2
    assert "no.toml" in capsys.readouterr().err


def test_ctrl_c_leaves_a_training_that_goes_on_to_the_same_checkpoint(run: Path, tmp_path: Path) -> None:
    slow = [sys.executable, "-m", "ermas_algos.command_line", "train", *GAME, *SMALL, "--seed", "3"]
    slow += ["--checkpoint-every", "2", "--out", str(tmp_path)]
    process = subprocess.Popen([*slow, "--iterations", "100000"], stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 90
    while not (tmp_path / "checkpoint.safetensors").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 130
    assert "ermas train: interrupted; the same command goes on from the last checkpoint." in errors
    reached: Any = read_checkpoint(tmp_path / "checkpoint.safetensors", "ERMAS").metadata["iteration"]
    whole = tmp_path / "whole"
    given = (
        "train",
        *GAME,
        *SMALL,
        "--seed",
        "3",
        "--checkpoint-every",
        "2",
        "--iterations",
        str(reached + 2),
        "--out",
    )
    assert ermas(*given, str(tmp_path)) == 0
    assert ermas(*given, str(whole)) == 0
    assert_same_checkpoint(tmp_path, whole)


# evaluate


def test_evaluate_scores_checkpoints_constants_and_functions(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_planners.py").write_text("def four(observation):\n    return 4\n")
    monkeypatch.chdir(tmp_path)
    planners = (str(run), "constant:4", "my_planners:four")
    given = (*planners, "--gaps", "0", "0.5", "--seeds", "0", "1", *FRESH)
    assert ermas("evaluate", *given, "--out", "out/table.csv") == 0
    rows = read_rows(tmp_path / "out/table.csv")
    assert len(rows) == 3 * 2 * 2
    returns = {(r.planner, r.gap, r.seed): r.planner_return for r in rows}
    assert returns["constant:4", 0.5, 1] == returns["my_planners:four", 0.5, 1]
    printed = capsys.readouterr().out
    for text in ("run", "q = 0.5", "worst", "largest exact regret"):
        assert text in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("constant:4", "--gaps", "0"), "environment: no checkpoint names one"),
        (("constant:9", *GAME), "action of the constant planner must lie in"),
        (("nothing", *GAME), "nothing: is no run, no .safetensors, .zip or .json file"),
        (("nothing", *GAME), "no registered name (constant, fixed_brackets, free_market, saez, tree, us_federal)"),
        (("constant", *GAME), "planner constant needs the argument 'action'"),
        (('{"name": "constant", "actoin": 4}', *GAME), "argument of planner constant: unknown name 'actoin'. Did you"),
        (('{"name": "constant"', *GAME), "is no table in JSON"),
        (("us_federal", *GAME), "USFederal sets taxes by a rule; it needs an economy"),
        (("no_module:f", *GAME), "no_module:f: cannot be imported"),
        (("constnat:4", *GAME), "No module named 'constnat'). Did you mean constant:4?"),
        (("missing.zip", *GAME), "missing.zip: there is no such file"),
        (("missing.safetensors", *GAME), "there is no such file"),
        (("constant:4", *GAME, "--fresh-agents", "windw", "3"), "Did you mean 'window'"),
        (("constant:4", *GAME, "--gap-argument", "gap"), "gap_argument of augmented_bimatrix_v0: unknown name 'gap'"),
        (("constant:4", *GAME, "--gap-argument", "planner"), "the evaluated planners are the argument 'planner'"),
        (("constant:4", *GAME, "--gap-argument", "action_noise", "--gaps", "0", "2"), "action_noise must be a finite"),
    ],
)
def test_bad_input_of_evaluate(arguments: Any, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("evaluate", *arguments) == 2
    assert message in capsys.readouterr().err


def test_the_caption_says_at_which_gaps_regret_is_known() -> None:
    rows = [
        TransferRow("a", gap, 0, 1.0, None, regret, True, 2, 8, False) for gap, regret in ((0.0, 0.25), (0.5, None))
    ]
    told = "the agents' largest exact regret (q = 0, where the game has tables): 0.2500 per step"
    assert _table(rows, ["a"], [0.0, 0.5], "q").caption == told
    assert _table(rows[:1], ["a"], [0.0], "q").caption == "the agents' largest exact regret: 0.2500 per step"
    assert _table(rows[1:], ["a"], [0.5], "q").caption is None


def test_dots_reach_into_tables_among_the_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "train.toml"
    file.write_text('algorithm = "MARL"\n[arguments]\nhorizon = 4\n[arguments.perturbation]\nname = "random_tables"\n')
    train = ("train", "--file", file, "--environment", "augmented_bimatrix_v0", "--iterations", "1", "--out", tmp_path)
    assert ermas(*train, "--arguments", "perturbation.scale", "0.5", "--settings", "num_envs", "4") == 0
    resolved = tomllib.loads((tmp_path / "train.toml").read_text())
    assert resolved["arguments"] == {"horizon": 4, "perturbation": {"name": "random_tables", "scale": 0.5}}
    given = ("evaluate", tmp_path, "--gap-argument", "perturbation.scale", "--gaps", "0", *FRESH, "--arguments")
    assert ermas(*given, "perturbation.seed", "3") == 0
    capsys.readouterr()
    assert ermas(*given, "perturbation.sede", "3") == 2
    assert "argument of perturbation random_tables: unknown name 'sede'. Did you mean 'seed'" in capsys.readouterr().err
    assert ermas(*given, "horizon.x", "3") == 2
    assert "horizon.x: 'horizon' must be a table among the arguments, got 4" in capsys.readouterr().err
    habit = ("--gap-argument", "behaviour.probability", "--arguments", "behaviour.name", "habit")
    assert ermas("evaluate", tmp_path, *habit, "--gaps", "0", "0.5", *FRESH) == 0
    assert "behaviour.probability" in capsys.readouterr().out
    assert ermas("evaluate", tmp_path, *habit, "--gaps", "2", *FRESH) == 2
    assert "probability must be a finite number >= 0 and <= 1, got 2" in capsys.readouterr().err
    certify = ("certify", tmp_path, "--environment", "augmented_bimatrix_v0", "--arguments", "horizon", "4")
    assert ermas(*certify, "perturbation.name", "planner_adversity", "perturbation.q", "0.5", "--epsilon", "99") == 0


TAXED = ("--environment", "one_step_economy_v0", "--arguments", "observations", "compact", "num_agents", "3")
RULES = """
from ermas_envs.planners import FixedBrackets, TaxPlanner

flat = FixedBrackets([0.25] * 7)


class Wrong(TaxPlanner):
    def rates(self, cutoffs, spacing):
        return {}["rates"]


wrong = Wrong()
"""


def test_evaluate_takes_tax_rules_by_name_as_tables_and_from_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_rules.py").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    table = json.dumps(
        {
            "name": "fixed_brackets",
            "rates": [0.25] * 7,
        }
    )
    long = json.dumps({"name": "saez", "samples": [[10.0, 0.25]] * 40})
    given = (*TAXED, "--gap-argument", "labor_cost", "--gaps", "1", *FRESH, "--out", "table.csv")
    assert ermas("evaluate", "us_federal", "saez", "my_rules:flat", table, long, *given) == 0
    returns = {row.planner: row.planner_return for row in read_rows(tmp_path / "table.csv")}
    assert list(returns) == ["us_federal", "saez", "my_rules:flat", table, long]
    assert returns["my_rules:flat"] == returns[table] != returns["us_federal"]
    capsys.readouterr()
    assert ermas("evaluate", "my_rules:wrong", *given) == 2
    assert "my_rules:wrong: KeyError: 'rates', line 9 of " in capsys.readouterr().err


def test_what_is_next_after_a_run_under_a_tax_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fixed schedule can be certified, Saez's cannot."""
    for rule, following in (("us_federal", "certify"), ("saez", "info")):
        train = ("train", *TAXED, "planner.name", rule, "--algorithm", "MARL", "--settings", "num_envs", "4")
        assert ermas(*train, "--iterations", "1", "--out", tmp_path / rule) == 0
        assert f"Next: ermas {following} {tmp_path / rule}" in capsys.readouterr().out
    assert ermas("certify", tmp_path / "us_federal", "--epsilon", "1e6") == 0
    assert ermas("certify", tmp_path / "saez") == 2


def test_a_bound_that_nobody_gave_is_not_said_to_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    small = ("--algorithm", "MARL", "--settings", "num_envs", "4", "--iterations", "1")
    assert ermas("train", *GAME, *small, "--out", run) == 0
    capsys.readouterr()
    assert ermas("certify", run) == 0
    told = capsys.readouterr().out
    assert "No ε was given" in told
    assert "holds" not in told
    assert ermas("certify", run, "--epsilon", "9") == 0
    assert "The bound ε = 9 holds." in capsys.readouterr().out


def test_how_long_to_play_is_told_where_episodes_have_no_fixed_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def batched_env(num_envs: int, wage: float = 1.0, planner: Any = "planner") -> BatchedEnv:
        return ParallelEnvBatch(lambda: ForeignGame(wage=wage, steps=3), num_envs, planner=planner)

    module = SimpleNamespace(batched_env=batched_env, parallel_env=ForeignGame)
    monkeypatch.setitem(environment_registry._factories, "foreign_v0", lambda: module)
    run, game = tmp_path / "run", ("--environment", "foreign_v0")
    settings = ("--settings", "num_envs", "2", "rollout_steps", "4")
    assert ermas("train", *game, "--algorithm", "MARL", *settings, "--iterations", "1", "--out", run) == 0
    once = ("--fresh-agents", "num_envs", "2", "window", "1", "max_iterations", "2", "measured_envs", "2")
    capsys.readouterr()
    for planner, hint in ((run, "rollout_steps 4, as in the training."), ("constant:0", "rollout_steps N.")):
        assert ermas("evaluate", planner, *game, "--gap-argument", "wage", "--gaps", "1", *once) == 2
        assert f"no fixed horizon. Give --fresh-agents {hint}" in " ".join(capsys.readouterr().err.split())
    told = ("--gap-argument", "wage", "--gaps", "1", *once, "rollout_steps", "4")
    assert ermas("evaluate", run, *told) == 0


def test_certify_trains_exploiters_where_there_is_no_oracle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rewards that are redrawn every episode have no tables."""
    run, few = tmp_path / "run", ("exploiters", "2", "updates", "1", "num_envs", "8", "episodes", "64")
    train = ("train", *GAME, "perturbation.name", "random_offset", *SMALL, "--iterations", "2", "--out", run)
    assert ermas(*train) == 0
    assert f"ermas certify {run}" in capsys.readouterr().out
    assert ermas("certify", run, "--exploiters", *few) in (0, 1)
    told = capsys.readouterr().out
    assert "No oracle knows this game: 2 exploiters of 1 updates" in told
    assert "regret is at least (95 %)" in told
    assert "2 exploiters of every agent; the best in other episodes plays 32 fresh ones." in told
    assert "The bound ε = 0.1 " in told
    assert ermas("certify", run, "--exploiters", *few, "--epsilon", "1e9", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["epsilon"] == 1e9
    assert [one["agent"] for one in found["statements"]] == ["agent_0", "agent_1"]
    assert ermas("certify", run, "--exploiters", "updates", "0") == 2
    assert "updates must be" in capsys.readouterr().err
    assert ermas("certify", run, "--exploiters", *few, "--epsilon", "-1") == 2


def test_exploiters_are_not_for_games_with_an_oracle(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("certify", run, "--exploiters", "updates", "1") == 2
    assert "this game has an exact oracle" in capsys.readouterr().err


def test_a_run_under_a_tax_rule_is_evaluated_as_the_rule(tmp_path: Path) -> None:
    train = ("train", *TAXED, "planner", '{"name": "us_federal"}', "--algorithm", "MARL", "--settings", "num_envs", "4")
    assert ermas(*train, "--iterations", "1", "--out", tmp_path / "run") == 0
    given = ("--gap-argument", "labor_cost", "--gaps", "1", *FRESH, "--out", tmp_path / "table.csv")
    assert ermas("evaluate", tmp_path / "run", "us_federal", *given) == 0
    learned, named = read_rows(tmp_path / "table.csv")
    assert learned.planner_return == named.planner_return


PLANNERS = """
class Unfit:
    noise_size = 0

    def bind(self, observations, actions):
        raise LookupError("spaces")

    def act(self, observations, noise, action_masks): ...


unfit = Unfit()


def boom(observation):
    return {}["boom"]


def leave(observation):
    raise SystemExit(0)


def far(observation):
    return 99
"""


@pytest.mark.parametrize(
    ("planner", "message"),
    [
        ("my_planners:boom", "my_planners:boom: KeyError: 'boom', line 15 of "),
        ("my_planners:leave", "my_planners:leave: SystemExit: 0, line 19 of "),
        ("my_planners:far", "my_planners:far: ValueError: action of the function planner must lie in"),
        ("my_planners:unfit", "my_planners:unfit: LookupError: spaces, line 6 of "),
        ("my_planners:Unfit", "my_planners:Unfit: ValueError: a planner must be"),
        ("my_planners:none", "my_planners:none: cannot be imported (AttributeError: "),
        ("divides:f", "divides:f: cannot be imported (ZeroDivisionError: division by zero)"),
        ("leaves:f", "leaves:f: cannot be imported (SystemExit: 0)"),
        ("no_python:f", "no_python:f: cannot be imported (SyntaxError: "),
        (".relative:f", ".relative:f: cannot be imported (TypeError: "),
    ],
)
def test_what_a_planner_of_the_user_raises_names_it(
    planner: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {"my_planners": PLANNERS, "divides": "1 / 0", "leaves": "raise SystemExit(0)", "no_python": "def f(:"}
    for module, text in texts.items():
        (tmp_path / f"{module}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert ermas("evaluate", planner, *GAME, *FRESH, "--out", "table.csv") == 2
    assert capsys.readouterr().err.startswith(f"ermas evaluate: {message}")
    assert not Path("table.csv").exists()


def test_evaluate_finds_an_unusable_output_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trained(*_: object, **__: object) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr("ermas_algos.commands.evaluate.transfer_evaluation", trained)
    os.mkfifo(tmp_path / "pipe")  # stands for /dev/null, too
    (tmp_path / "file").write_text("")
    for out, message in {
        tmp_path: "is a directory; name a file",
        tmp_path / "file/table.csv": "cannot be written: is not a directory",
        Path("/proc/none/table.csv"): "/proc/none cannot be written: No such file or directory",
        tmp_path / "pipe": "is no ordinary file",
    }.items():
        assert ermas("evaluate", "constant:4", *GAME, "--out", str(out)) == 2
        assert message in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "file"}


def test_planners_of_the_same_name_get_numbers() -> None:
    assert list(_named([("run-2", 0), ("run", 1), ("run", 2), ("run", 3)])) == ["run-2", "run", "run-3", "run-4"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("train", "--environment", "bimatrix_v0", "--out", "runs"), "there was no checkpoint yet"),
        (("evaluate", "constant:4", *GAME), "the same command starts from the beginning"),
        (("certify", "runs"), "the same command starts from the beginning"),
        (("info",), "the same command starts from the beginning"),
        (("plot", "sweep"), "the same command starts from the beginning"),
        (("reproduce", "figure-2"), "finished jobs are kept; the same command does the rest"),
        (("sweep", "sweep.toml", "--out", "runs"), "finished jobs are kept; the same command does the rest"),
    ],
)
def test_what_is_said_after_ctrl_c(
    command: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for kind in (Train, Evaluate, Certify, Info, Plot, Reproduce, SweepCommand):
        monkeypatch.setattr(kind, "run", interrupted)
    monkeypatch.chdir(tmp_path)
    assert ermas(*command) == 130
    errors = capsys.readouterr().err
    assert errors.startswith(f"ermas {command[0]}: interrupted; ")
    assert message in errors


# sweep, plot

SWEEP = """
seeds = [0]
gaps = [0.0, 0.5]
iterations = 1
[tasks.tiny]
environment = "augmented_bimatrix_v0"
arguments = { agents_observe = "own", horizon = 4 }
[methods.MARL]
algorithm = "MARL"
settings = { num_envs = 4 }
[fresh_agents]
num_envs = 4
window = 1
max_iterations = 2
measured_envs = 8
"""


def test_sweep_and_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    out = tmp_path / "out"
    assert ermas("sweep", str(tmp_path / "sweep.toml"), "--out", str(out), "--workers", "1") == 0
    assert [row["gap"] for row in read_table(out / "sweep.csv")] == [0.0, 0.5]
    before = (out / "sweep.csv").read_bytes()
    assert ermas("sweep", str(out / "sweep.toml"), "--out", str(out)) == 0  # the resolved file is the same sweep
    assert (out / "sweep.csv").read_bytes() == before
    resolved = (out / "sweep.toml").read_bytes()
    (tmp_path / "other.toml").write_text(SWEEP.replace("iterations = 1", "iterations = 2", 1))
    assert ermas("sweep", str(tmp_path / "other.toml"), "--out", str(out)) == 2
    assert "holds a result of other settings" in capsys.readouterr().err
    assert (out / "sweep.toml").read_bytes() == resolved  # of the results that are there
    (out / "sweep.png").unlink()
    assert ermas("plot", "sweep", "--results", str(out)) == 0
    assert (out / "sweep.png").stat().st_size > 10_000
    broken = '[methods.broken]\nalgorithm = "MARL"\n[methods.broken.settings.planner_risk]\nutility = "crra"\n'
    (tmp_path / "sweep.toml").write_text(SWEEP + broken + "aversion = 1.0\nshift = -9.0\n")
    assert ermas("sweep", str(tmp_path / "sweep.toml"), "--out", str(out), "--workers", "1") == 1
    assert re.search("failed: training_tiny_broken_seed-0_[0-9a-f]+: ValueError: shift must", capsys.readouterr().out)


def test_sweeps_of_one_seed_each_are_put_together(tmp_path: Path) -> None:
    def sweep(seeds: list[int], out: str) -> Path:
        (tmp_path / f"{out}.toml").write_text(SWEEP.replace("seeds = [0]", f"seeds = {seeds}"))
        assert ermas("sweep", str(tmp_path / f"{out}.toml"), "--out", str(tmp_path / out), "--workers", "1") == 0
        return tmp_path / out

    for seed in (0, 1):
        shutil.copytree(sweep([seed], f"task-{seed}") / "sweep.jobs", tmp_path / "all/sweep.jobs", dirs_exist_ok=True)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "all/sweep.jobs").iterdir()}
    together = sweep([0, 1], "all")
    assert before == {path.name: path.stat().st_mtime_ns for path in (together / "sweep.jobs").iterdir()}
    rows = read_table(together / "sweep.csv")
    for seed in (0, 1):
        assert [row for row in rows if row["seed"] == seed] == read_table(tmp_path / f"task-{seed}" / "sweep.csv")


def test_bad_input_of_sweep_and_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP.replace("seeds", "seds"))
    assert ermas("sweep", str(tmp_path / "sweep.toml"), "--out", str(tmp_path)) == 2
    assert re.search(r"sweep.toml: .*Did you mean 'seeds'", capsys.readouterr().err, re.DOTALL)
    assert ermas("plot", "figure-9", "--results", str(tmp_path)) == 2
    assert "Did you mean 'figure-" in capsys.readouterr().err
    assert ermas("plot", "figure-2", "--results", str(tmp_path)) == 2
    assert "figure-2.csv" in capsys.readouterr().err
    assert ermas("reproduce", "figure-9") == 2
    for text in ("", "a,b\n1,2\n", "task,method_name\nx\n", "task,method_name,gap,planner_return\nx,y,0,z\n"):
        (tmp_path / "sweep.csv").write_text(text)
        assert ermas("plot", "sweep", "--results", str(tmp_path)) == 2
        assert "its tables are not those of sweep" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["figure-2", "figure-3", "mixing", "multipliers", "regret-estimators", "meta-gradient", "which-tax-wins"]
)
def test_committed_tables_can_be_drawn_again(name: str, tmp_path: Path) -> None:
    for path in (Path(__file__).parents[2] / "docs/results").glob(f"{name}*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert ermas("plot", name, "--results", str(tmp_path)) == 0
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_a_picture_goes_where_out_says_in_the_format_of_its_suffix(suffix: str, tmp_path: Path) -> None:
    results = Path(__file__).parents[2] / "docs/results"
    before = {path: path.read_bytes() for path in results.glob("*.png")}
    for name in ("first", "second"):
        assert ermas("plot", "figure-4", "--results", str(results), "--out", str(tmp_path / f"{name}{suffix}")) == 0
    for kind in ("", "-frontier"):
        first, second = (tmp_path / f"{name}{kind}{suffix}" for name in ("first", "second"))
        assert first.read_bytes().startswith(b"<?xml" if suffix == ".svg" else b"%PDF")
        assert first.read_bytes() == second.read_bytes()
    assert before == {path: path.read_bytes() for path in results.glob("*.png")}


def test_a_picture_of_no_known_format_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("picture", "picture.gif", ".svg"):
        assert ermas("plot", "figure-2", "--results", str(tmp_path), "--out", str(tmp_path / name)) == 2
        assert "a picture's name ends in .png, .svg, .pdf" in capsys.readouterr().err


# info, help


def test_info(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("info", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert "augmented_bimatrix_v0" in found["environments"]
    assert {"Commitment", "ERMAS", "MARL", "Population"} == set(found["algorithms"])
    assert "figure-4" in found["experiments"]
    assert ermas("info", str(run)) == 0
    assert "ERMAS" in capsys.readouterr().out
    assert ermas("info", str(run / "train.toml")) == 2


@pytest.mark.parametrize("command", ["train", "evaluate", "certify", "explain", "reproduce", "sweep", "plot", "info"])
def test_help_has_an_example_and_the_exit_status(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas(command, "--help") == 0
    printed = capsys.readouterr().out
    assert "Example" in printed
    assert "Exit status" in printed


# Files


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    values = {"a": 1, "b": {"c": [1.5, "x"], "d": True}}
    write_toml(tmp_path / "new/f.toml", {**values, "none": None})
    assert read_configuration(tmp_path / "new/f.toml") == values


def test_dotted_names() -> None:
    assert nested({"a.b.c": "1", "a.b.d": "x", "e": "[1, 2]"}) == {"a": {"b": {"c": 1, "d": "x"}}, "e": [1, 2]}
    for given in ({"a.b": "1", "a": '{"c": 2}'}, {"a": '{"c": 2}', "a.b": "1"}):
        assert nested(given) == {"a": {"b": 1, "c": 2}}  # whichever comes first
        assert given_arguments(given, {"a": {"d": 3}, "e": 4}) == {"a": {"b": 1, "c": 2}, "e": 4}
    with pytest.raises(ValueError, match=r"a\.b: 'b' is given twice"):
        nested({"a.b": "1", "a": '{"b": 2}'})


def test_a_name_that_stands_twice_on_the_command_line_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = (
        "train",
        "--environment",
        "bimatrix_v0",
        "--algorithm",
        "MARL",
        "--iterations",
        "1",
        "--out",
        str(tmp_path),
    )
    assert ermas(*given, "--settings", "num_envs", "4", "num_envs", "8") == 2
    assert "'num_envs' stands there twice" in capsys.readouterr().err
