"""The command `ermas`: certificates of checkpoints, reproductions, help, exit statuses, bad input of every command."""

import io
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import scipy.optimize

from ermas_algos import ERMAS, MARL, ERMASConfig, MARLConfig, command_line
from ermas_algos.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from ermas_algos.commands.number_text import number
from ermas_algos.evaluation.certificate import certify_checkpoint
from ermas_algos.experiments.backends import Processes, RayCluster
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_envs import EnvironmentSpec, bimatrix_v0
from ermas_envs.oracles import exact_regret

OWN = EnvironmentSpec("bimatrix_v0", {"agents_observe": "own"})
EXACT = ExactLearnerConfig()


def ermas(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit status of a command."""
    monkeypatch.setattr(sys, "argv", ["ermas", *arguments])
    with pytest.raises(SystemExit) as stopped:
        command_line.main()
    return stopped.value.code if isinstance(stopped.value.code, int) else 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoint of exact ERMAS agents at ε = 0.1."""
    folder = tmp_path_factory.mktemp("run")
    config = ERMASConfig(epsilon=0.1, warmup_iterations=5, agent_learner=EXACT, planner_learner=EXACT)
    ERMAS(OWN, config).learn(60, folder)
    return folder / "checkpoint.safetensors"


def test_certificate_of_a_checkpoint_is_the_oracles(run: Path) -> None:
    (found,) = certify_checkpoint(run)
    trainer = ERMAS.load(run, OWN)
    assert found.regrets == exact_regret(trainer.tables(), trainer.policies())
    assert found.epsilon == 0.1
    assert found.worst_planner_payoff == pytest.approx(0.451, abs=6e-4)


def test_certify_prints_and_tells_by_its_exit_status(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ermas(monkeypatch, "certify", str(run), "--epsilon", "0.5") == 0
    printed = capsys.readouterr().out
    for text in ("agent_0", "exact regret", "The bound ε = 0.5 holds.", "Worst planner payoff"):
        assert text in printed
    monkeypatch.setenv("COLUMNS", "20")
    assert ermas(monkeypatch, "certify", str(run), "--epsilon", "0.5") == 0
    assert capsys.readouterr().out == printed
    assert ermas(monkeypatch, "certify", str(run), "--epsilon", "0.0001", "--json") == 1
    (certificate,) = json.loads(capsys.readouterr().out)
    assert certificate["certified_epsilon"] == max(certificate["regrets"].values())


def test_certify_prints_no_bound_that_does_not_hold(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    solve = scipy.optimize.linprog

    def lies(*given: Any, **named: Any) -> Any:
        found = solve(*given, **named)
        found.x = found.x[::-1].copy()
        return found

    monkeypatch.setattr(scipy.optimize, "linprog", lies)
    assert ermas(monkeypatch, "certify", str(run), "--epsilon", "0.5") == 0  # regrets need no program
    printed = capsys.readouterr().out
    assert "ε = 0.5: not known (the solution of a linear program does not hold" in printed


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.049782, "0.0498"), (15.06471, "15.0647"), (0.0, "0.0000"), (-0.0, "0.0000"), (4.9782e-8, "4.978e-08"),
     (-0.00049782, "-0.0004978"), (1234567.0, "1234567.0000")],
)  # fmt: skip
def test_numbers_of_a_certificate_have_digits_in_every_unit(value: float, shown: str) -> None:
    assert number(value) == shown


def test_certify_a_checkpoint_that_does_not_name_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = MARLConfig(agent_learner=EXACT, planner_learner=EXACT)
    MARL(partial(bimatrix_v0.batched_env, agents_observe="own"), config).learn(3, tmp_path)
    path = str(tmp_path / "checkpoint.safetensors")
    assert ermas(monkeypatch, "certify", path) == 2
    assert "does not name its environment" in capsys.readouterr().err
    given = ("--environment", "bimatrix_v0", "--arguments", "agents_observe", "own", "horizon", "20")
    assert ermas(monkeypatch, "certify", path, *given) == 0
    assert ermas(monkeypatch, "certify", path, "--environment", "bimatrix_v0") == 2  # joint observation
    assert "spaces" in capsys.readouterr().err


def test_a_batch_of_seeds_gets_a_certificate_each(tmp_path: Path) -> None:
    learner = ExactLearnerConfig(num_seeds=3)
    MARL(OWN, MARLConfig(agent_learner=learner, planner_learner=learner)).learn(3, tmp_path)
    assert len(certify_checkpoint(tmp_path / "checkpoint.safetensors")) == 3


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint at all"])
def test_unusable_checkpoints_are_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors"):
        certify_checkpoint(path)
    assert ermas(monkeypatch, "certify", str(path)) == 2
    assert "checkpoint.safetensors" in capsys.readouterr().err


def test_reproduce_goes_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[Any] = []

    def pretend(name: str, scale: Any, out: Path, backend: Any, report: Any, earlier: Any) -> Any:
        calls.append((name, scale.numbers, scale.quick, out, backend, earlier))
        report(1, 2)
        failed = {"a job": "ValueError: why"} if name == "figure-3" else {}
        return type("Outcome", (), {"failed": failed})

    monkeypatch.setattr("ermas_algos.commands.reproduce.reproduce", pretend)
    assert ermas(monkeypatch, "reproduce", "figure-2", "--quick", "--workers", "3", "--out", str(tmp_path)) == 0
    assert calls == [("figure-2", range(2), True, tmp_path, Processes(3), ())]
    assert ermas(monkeypatch, "reproduce", "figure-3", "--seeds", "4") == 1
    assert "failed: a job: ValueError: why" in capsys.readouterr().out
    assert ermas(monkeypatch, "reproduce", "figure-3", "--address", "auto", "--out", str(tmp_path)) == 1
    assert calls[-1] == ("figure-3", range(10), False, tmp_path, RayCluster("auto", 2), ())
    pieces = ("--seeds", "2", "--first-seed", "3", "--earlier", "a.gz", "b.gz", "--out", str(tmp_path))
    assert ermas(monkeypatch, "reproduce", "figure-2", *pieces) == 0
    assert calls[-1] == ("figure-2", range(3, 5), False, tmp_path, Processes(2), (Path("a.gz"), Path("b.gz")))
    assert ermas(monkeypatch, "reproduce", "figure-2", "--seeds", "0") == 2
    assert ermas(monkeypatch, "reproduce", "figure-2", "--first-seed", "-1") == 2


def test_help_names_both_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas(monkeypatch, "--help") == 0
    printed = capsys.readouterr().out
    assert "reproduce" in printed
    assert "certify" in printed


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_output_that_is_not_utf_8_loses_no_result(
    run: Path, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "\u03b5"
    for arguments, status, told in (
        (["certify", str(run), "--epsilon", "0.5"], 0, b"= 0.5 holds."),
        (["certify", str(run), "--epsilon", "0.0001"], 1, b"does NOT hold."),
        (["certify", str(missing)], 2, b"/?: there is no such file"),
        (["--help"], 0, b"Exit status of every command"),
        (["certify", "--help"], 0, b"--epsilon"),
    ):
        written = io.BytesIO()
        for stream in ("stdout", "stderr"):
            monkeypatch.setattr(sys, stream, io.TextIOWrapper(written, encoding=encoding, write_through=True))
        assert ermas(monkeypatch, *arguments) == status
        assert told in written.getvalue()


# Bad input: exit status 2 and one line that names what is wrong


@pytest.mark.parametrize(
    "option",
    [
        "train --out o --arguments",
        "train --out o --settings",
        "evaluate constant:1 --arguments",
        "evaluate constant:1 --fresh-agents",
        "certify run --arguments",
        "certify run --exploiters",
        "explain run --arguments",
        "explain run --exploiters",
    ],
)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("horizon=4", "a name and its value are two words: horizon 4, not horizon=4."),
        ("seed 1 horizon=4 q=1", "a name and its value are two words: horizon 4, not horizon=4."),
        ("seed 1 horizon", "every name is followed by its value; horizon has none."),
    ],
)
def test_names_and_values_that_are_no_pairs(
    option: str, given: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ermas(monkeypatch, *option.split(), *given.split()) == 2
    printed = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"{option.split()[-1]}: {message}" in printed


@pytest.mark.parametrize(("runs", "named"), [(5, "run-0, run-1, run-2, run-3, run-4."), (6, "run-3, run-4 and more.")])
def test_of_many_runs_some_are_named(
    runs: int, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in range(runs):
        (tmp_path / f"run-{place}").mkdir()
        (tmp_path / f"run-{place}" / "checkpoint.safetensors").touch()
    assert ermas(monkeypatch, "certify", "nothing") == 2
    assert named in capsys.readouterr().err


SWEEP = """
seeds = [0]
gaps = [0.0]
iterations = 1
[tasks.tiny]
environment = "bimatrix_v0"
gap_argument = "action_noise"
[methods.MARL]
algorithm = "MARL"
"""
FILES = {
    "file": "no directory",
    "broken.toml": "a = = 1",
    "broken.yaml": "a: [1\nb: {",
    "list.yaml": "- 1",
    "date.toml": "environment = 'bimatrix_v0'\nsettings = { seed = 2020-01-01 }",
    "circle.yaml": "environment: bimatrix_v0\nsettings: &a {seed: *a}",
    "settings.toml": "environment = 'bimatrix_v0'\nsettings = 3",
    "option.toml": "enviroment = 'bimatrix_v0'",
    "empty-seeds.toml": SWEEP.replace("[0]", "[]"),
    "negative-seed.toml": SWEEP.replace("[0]", "[-1]"),
    "nested-seed.toml": SWEEP.replace("[0]", "[[0]]"),
    "one-seed.toml": SWEEP.replace("[0]", "0"),
    "no-seeds.toml": SWEEP.replace("seeds", "#"),
    "gap.toml": SWEEP.replace("[0.0]", "[2.0]"),
    "gap-argument.toml": SWEEP.replace('"action_noise"', '"action_nose"'),
    "method.toml": SWEEP.replace('"MARL"', '"MARLL"'),
    "task.toml": "seeds = [0]\ngaps = [0]\n[tasks]\ntiny = 3\n[methods.MARL]\nalgorithm = 'MARL'",
    "labels.toml": SWEEP + "labels = 3",
    "settings-of-method.toml": SWEEP + "settings = { num_evs = 4 }",
    "sweep.toml": SWEEP,
    "my_planner.py": "def four(observation):\n    return 4",
}
TRAIN = ("train", "--environment", "bimatrix_v0", "--out", "o")
EVALUATE = ("evaluate", "run/checkpoint.safetensors", "--gap-argument", "action_noise")
BAD_INPUT = [
    ((*TRAIN, "--out", "file"), "out: file cannot be written"),
    ((*TRAIN, "--out", "file/run"), "out: file/run cannot be written"),
    ((*TRAIN, "--out", "/proc/run"), "out: /proc/run cannot be written"),
    ((*TRAIN, "--seed", "-1"), "seed must be an integer >= 0"),
    ((*TRAIN, "--checkpoint-every", "0"), "checkpoint_every must be an integer >= 1"),
    ((*TRAIN, "--environment", "bimatrix"), "Did you mean 'bimatrix_v0'?"),
    ((*TRAIN, "--arguments", "horizn", "4"), "Did you mean 'horizon'?"),
    ((*TRAIN, "--arguments", "num_envs", "4"), "argument of bimatrix_v0: unknown name 'num_envs'"),
    ((*TRAIN, "--arguments", "horizon", "-4"), "horizon must be an integer >= 1"),
    ((*TRAIN, "--settings", "agent_learner", "PPO"), "agent_learner must be a table of names and values, got 'PPO'"),
    ((*TRAIN, "--settings", "multiplier", "1"), "multiplier must be a table"),
    ((*TRAIN, "--settings", "agent_learner.hidden_layers", "3"), "hidden_layers must be a list, got 3"),
    ((*TRAIN, "--settings", "agent_learner.algorithm", "PPOO"), "Did you mean 'PPO'?"),
    (("train", "--out", "o", "--file", "nothing.toml"), "nothing.toml: No such file"),
    (("train", "--out", "o", "--file", "directory.toml"), "directory.toml: Is a directory"),
    (("train", "--out", "o", "--file", "broken.toml"), "broken.toml: malformed"),
    (("train", "--out", "o", "--file", "broken.yaml"), "broken.yaml: malformed"),
    (("train", "--out", "o", "--file", "list.yaml"), "list.yaml: must hold a table"),
    (("train", "--out", "o", "--file", "date.toml"), "date.toml: may hold tables, lists, text, numbers"),
    (("train", "--out", "o", "--file", "circle.yaml"), "circle.yaml: may hold tables, lists, text, numbers"),
    (("train", "--out", "o", "--file", "settings.toml"), "settings.toml: settings must be a table"),
    (("train", "--out", "o", "--file", "option.toml"), "Did you mean 'environment'?"),
    ((*TRAIN, "--out", "run"), "was trained with other settings"),
    ((*TRAIN, "--out", "damaged", "--algorithm", "MARL"), "damaged/checkpoint.safetensors: "),
    ((*TRAIN, "--out", "foreign", "--algorithm", "MARL"), "kind 'foreign'"),
    ((*EVALUATE, "--gaps"), "must each name at least one"),
    ((*EVALUATE, "--seeds", "-1"), "seeds must be an integer >= 0"),
    ((*EVALUATE, "--seeds", "1", "1"), "must not repeat"),
    ((*EVALUATE, "--gaps", "nan"), "gaps must be a finite number"),
    ((*EVALUATE, "--gaps", "-1"), "action_noise must be a finite number >= 0"),
    ((*EVALUATE, "--gap-argument", "action_nose"), "Did you mean 'action_noise'?"),
    ((*EVALUATE, "--out", "."), "is a directory; name a file"),
    ((*EVALUATE, "--arguments", "planner_observes", "false"), "the planner was trained with observation space"),
    ((*EVALUATE, "--fresh-agents", "agent_learner.num_seeds", "2"), "agent_learner must be one learner"),
    (("evaluate", "run", "damaged", "--gap-argument", "action_noise"), "damaged/checkpoint.safetensors: "),
    (
        ("evaluate", "old"),
        "old/checkpoint.safetensors: damaged, or written by another version of ermas-algos (KeyError",
    ),
    (("evaluate", "empty"), "empty/checkpoint.safetensors: there is no such file"),
    (("evaluate", "./nothing"), "nothing: there is no such file; runs in .: damaged, foreign, lost, old, run."),
    (("evaluate", "file"), "file: is no run, no .safetensors, .zip or .json file"),
    (("evaluate", "", "--environment", "bimatrix_v0", "--gap-argument", "action_noise"), ": is no run"),
    (("evaluate", "my_planner:four"), "environment: no checkpoint names one"),
    (("evaluate", "run"), "gap_argument of bimatrix_v0: unknown name 'q'"),
    (("evaluate",), "planners: name at least one, such as a run's directory"),
    (("certify", "nothing"), "nothing: there is no such file; runs in .: damaged, foreign, lost, old, run."),
    (("certify", "empty/run"), "empty/run: there is no such file; `ermas train` makes a run"),
    (("certify", "empty"), "empty/checkpoint.safetensors: there is no such file; `ermas train` makes a run"),
    (("certify", "begun"), "begun/checkpoint.safetensors: there is no such file; this training has not reached"),
    (("certify", "."), "checkpoint.safetensors: there is no such file; runs in .: damaged, foreign, lost, old, run."),
    (("explain", "begun"), "begun/checkpoint.safetensors: there is no such file; this training has not reached"),
    (("info", "begun"), "begun/checkpoint.safetensors: there is no such file; this training has not reached"),
    (("info", "bimatrix_v0"), "bimatrix_v0: is no run here, and no preset (ai-economist, contracts, "),
    (("info", "empty/run"), "empty/run: there is no such file"),
    (("certify", "old"), "old/checkpoint.safetensors: damaged, or written by another version of ermas-algos (KeyError"),
    (("certify", "lost"), "lost/checkpoint.safetensors: environment: unknown name 'gone_v0'"),
    (("certify", "run", "--epsilon", "-1"), "epsilon must be a finite number >= 0"),
    (("certify", "run", "--arguments", "horizon", "3"), "they are those of --environment"),
    (("certify", "run", "--environment", "bimatrix_v0", "--arguments", "horizn", "3"), "Did you mean 'horizon'?"),
    (("info", "damaged"), "damaged/checkpoint.safetensors: "),
    (("info", "old"), "old/checkpoint.safetensors: damaged, or written by another version"),
    (("info", "file"), "file: not an ERMAS checkpoint"),
    (("reproduce", "figure2", "--out", "o"), "Did you mean 'figure-2'?"),
    (("tarin", "--out", "o"), "command: unknown name 'tarin'. Did you mean 'train'?"),
    (
        ("plot", "figure-2", "--results", "empty"),
        "figure-2.csv: No such file or directory; --results names the directory",
    ),
    (("reproduce", "figure-2", "--out", "file"), "out: file cannot be written"),
    (("reproduce", "figure-2", "--out", "o", "--seeds", "-1"), "seeds must be an integer >= 1"),
    (("reproduce", "figure-2", "--out", "o", "--workers", "0"), "workers must be an integer >= 1"),
    (("sweep", "nothing.toml", "--out", "o"), "nothing.toml: No such file"),
    (("sweep", "sweep.toml", "--out", "file"), "out: file cannot be written"),
    (("sweep", "sweep.toml", "--out", "o", "--workers", "0"), "workers must be an integer >= 1"),
    (("sweep", "empty-seeds.toml", "--out", "o"), "seeds must name at least one"),
    (("sweep", "negative-seed.toml", "--out", "o"), "seeds must be an integer >= 0, got -1"),
    (("sweep", "nested-seed.toml", "--out", "o"), "seeds must be an integer >= 0, got [0]"),
    (("sweep", "one-seed.toml", "--out", "o"), "seeds must be a list, got 0"),
    (("sweep", "no-seeds.toml", "--out", "o"), "Sweep: needs seeds"),
    (("sweep", "gap.toml", "--out", "o"), "action_noise must be a finite number"),
    (("sweep", "gap-argument.toml", "--out", "o"), "Did you mean 'action_noise'?"),
    (("sweep", "method.toml", "--out", "o"), "Did you mean 'MARL'?"),
    (("sweep", "task.toml", "--out", "o"), "tasks.tiny must be a table"),
    (("sweep", "labels.toml", "--out", "o"), "labels must be a table"),
    (("sweep", "settings-of-method.toml", "--out", "o"), "Did you mean 'num_envs'?"),
    (("plot", "run"), "run: is a directory; name the experiment whose tables it has"),
    (("plot", "sweeep"), "Did you mean 'sweep'?"),
    (("plot", "sweep", "--results", "nothing"), "nothing/sweep.csv: No such file"),
    (("plot", "sweep", "--results", "file"), "file/sweep.csv: Not a directory"),
]


@pytest.fixture(scope="module")
def inputs(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with files, runs and checkpoints, most of them unusable."""
    folder = tmp_path_factory.mktemp("inputs")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for name in ("directory.toml", "empty", "run", "damaged", "foreign", "old", "lost", "begun"):
        (folder / name).mkdir()
    (folder / "begun" / "train.toml").write_text("algorithm = 'ERMAS'")
    whole, name = run.read_bytes(), run.name
    (folder / "run" / name).write_bytes(whole)
    (folder / "damaged" / name).write_bytes(whole[:-9] + bytes([whole[-9] ^ 255]) + whole[-8:])
    found = read_checkpoint(run, "ERMAS")
    write_checkpoint(folder / "foreign" / name, "foreign", found.tensors, found.metadata)
    kept = {key: value for key, value in found.metadata.items() if key not in ("learners", "iteration")}
    write_checkpoint(folder / "old" / name, "ERMAS", found.tensors, kept)
    lost = {**found.metadata, "environment_spec": {"name": "gone_v0", "arguments": {}}}
    write_checkpoint(folder / "lost" / name, "ERMAS", found.tensors, lost)
    return folder


def test_a_folder_that_a_picture_has_not_is_not_taken_for_that_of_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results, out = Path(__file__).parents[2] / "docs/results", tmp_path / "nowhere/a.png"
    assert ermas(monkeypatch, "plot", "mixing", "--results", str(results), "--out", str(out)) == 2
    assert capsys.readouterr().err == f"ermas plot: {out}: No such file or directory\n"


@pytest.mark.parametrize(
    ("arguments", "message"), BAD_INPUT, ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else ""
)
def test_bad_input_is_named_in_one_line(
    arguments: tuple[str, ...],
    message: str,
    inputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(inputs)
    assert ermas(monkeypatch, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ermas {arguments[0]}: ")
    assert message in line
    assert not list(inputs.glob("o/*.toml"))
    assert not list(inputs.glob("o/*.csv"))


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break there in another way")
@pytest.mark.parametrize("arguments", [("--help",), ("explain", "--help"), ("info",)], ids=" ".join)
def test_a_reader_that_ends_early_is_no_error_to_be_told(arguments: tuple[str, ...]) -> None:
    """Such as `ermas info | head -1`."""
    command = [sys.executable, "-m", "ermas_algos.command_line", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert not errors
