"""Unusable input of the command line: status 2, one line that names the setting or the file, and nothing is written."""

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ermas_algos import command_line
from ermas_algos.commands.configuration_file import read_configuration
from ermas_algos.learners import sb3, sb3_arguments
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_envs.base import text

BASE = "environment = 'augmented_bimatrix_v0'\nalgorithm = 'MARL'\niterations = 1\n"
SWEEP = "seeds: [0]\ngaps: [0.0]\niterations: 1\n"
LETTERS = "abcdefghi"
LAUGHS = "\n".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9 if before else ['x'] * 9)}]"
    for before, name in zip(["", *LETTERS], LETTERS, strict=False)
)
MERGES = "\n".join(
    f"{name}: &{name} {{<<: [{', '.join(['*' + before] * 9)}]}}" if before else f"{name}: &{name} {{x: 1}}"
    for before, name in zip(["", *LETTERS], LETTERS, strict=False)
)
FILES: Mapping[str, str] = {
    "bool.yaml": "settings:\n  epsilon: !!bool maybe",
    "int.yaml": "iterations: 3\nsettings: {seed: !!int abc}",
    "float.yaml": "q: !!float x",
    "timestamp.yaml": "q: !!timestamp maybe",
    "calendar.yaml": "q: 2020-13-45",
    "date.yaml": "settings: {seed: 2020-01-01}",
    "date.toml": BASE + "settings = { agent_learner = { gamma = 2020-01-01 } }",
    "deep.toml": BASE + "settings = { seed = " + "[" * 2000 + "]" * 2000 + " }",
    "deeper.toml": "a = " + "[" * 100000,
    "dotted.toml": "a" + ".a" * 3000 + " = 1",
    "long-dotted.toml": "a" + ".a" * 300000 + " = 1",
    "deep.yaml": "a: " + "[" * 2000 + "]" * 2000,
    "laughs.yaml": LAUGHS,
    "merges.yaml": MERGES,
    "circle.yaml": "a: &a {<<: *a}",
    "digits.toml": "iterations = " + "9" * 5000,
    "large.toml": "#" * (text.LARGEST_TEXT + 1),
    "year.yaml": SWEEP + "tasks: {2024: {environment: bimatrix_v0}}",
    "on.yaml": SWEEP + "tasks: {a: {environment: bimatrix_v0}}\nmethods:\n  on: {algorithm: MARL}",
    "null.yaml": "~: 1",
    "twice.yaml": "iterations: 3\nsettings:\n  seed: 1\n  num_envs: 8\n  seed: 2",
    "nested-name.yaml": "settings: {agent_learner: {algorithm_kwargs: {1.5: 3}}}",
    "list-name.yaml": "settings: {[a, b]: 3}",
}
TRAIN = ("train", "--environment", "augmented_bimatrix_v0", "--algorithm", "MARL", "--iterations", "1", "--out", "o")
LEARNER = (*TRAIN, "--settings", "num_envs", "4")


def of_file(name: str) -> tuple[str, ...]:
    return ("train", "--file", name, "--out", "o")


def with_setting(name: str, value: str) -> tuple[str, ...]:
    return (*TRAIN, "--settings", name, value)


def with_argument(name: str, value: str) -> tuple[str, ...]:
    return (*TRAIN, "--arguments", name, value)


UNUSABLE: list[tuple[tuple[str, ...], str]] = [
    (of_file("twice.yaml"), "twice.yaml: line 5: settings: 'seed' stands in line 3, too."),
    (
        (
            "train",
            "--environment",
            "bimatrix_v0",
            "--algorithm",
            "MARL",
            "--settings",
            "agent_learner",
            '{"num_seeds": 1, "num_seeds": 2}',
            "--iterations",
            "1",
            "--out",
            "o",
        ),
        "agent_learner: 'num_seeds' stands there twice.",
    ),
    (of_file("bool.yaml"), "bool.yaml: malformed: this is no bool, line 2"),
    (of_file("int.yaml"), "int.yaml: malformed: this is no int, line 2"),
    (of_file("float.yaml"), "float.yaml: malformed: this is no float, line 1"),
    (of_file("timestamp.yaml"), "timestamp.yaml: malformed: this is no timestamp, line 1"),
    (of_file("calendar.yaml"), "calendar.yaml: malformed: this is no timestamp, line 1"),
    (of_file("date.yaml"), "date.yaml: may hold tables, lists, text, numbers and true or false only: settings.seed is"),
    (of_file("date.toml"), "settings.agent_learner.gamma is a date"),
    (of_file("deep.toml"), "deep.toml: may hold tables"),
    (of_file("deeper.toml"), "deeper.toml: may hold tables"),
    (of_file("dotted.toml"), "dotted.toml: may hold tables"),
    (of_file("long-dotted.toml"), "long-dotted.toml: may hold tables"),
    (of_file("deep.yaml"), "deep.yaml: may hold tables"),
    (of_file("laughs.yaml"), "laughs.yaml: line 1: more than 100000 values"),
    (of_file("merges.yaml"), "merges.yaml: line 2: more than 100000 values"),
    (of_file("circle.yaml"), "circle.yaml: may hold tables"),
    (of_file("digits.toml"), "digits.toml: malformed"),
    (of_file("large.toml"), "large.toml: is larger than 1048576 bytes"),
    (of_file("pipe.toml"), "pipe.toml: is no ordinary file"),
    (
        ("evaluate", "pipe.zip", "--environment", "augmented_bimatrix_v0", "--gaps", "0", "--seeds", "0", "--out", "o"),
        "pipe.zip: not a zip file.",
    ),
    (("plot", "sweep", "--results", "pipes"), "sweep.csv: is no ordinary file"),
    (("sweep", "year.yaml", "--out", "o"), 'line 4: tasks: the name 2024 is no text in YAML (int); quote it: "2024"'),
    (("sweep", "on.yaml", "--out", "o"), 'line 6: methods: the name on is no text in YAML (bool); quote it: "on"'),
    (("sweep", "null.yaml", "--out", "o"), "the outermost table: the name ~ is no text in YAML (null)"),
    (of_file("nested-name.yaml"), "settings.agent_learner.algorithm_kwargs: the name 1.5 is no text"),
    (of_file("list-name.yaml"), "settings: a name must be text"),
    (with_argument("planner", "[" * 3000 + "]" * 3000), "planner: may hold tables"),
    (with_setting("a." * 3000 + "b", "1"), "may hold tables"),
    (with_argument("planner", '{"name": ["a"]}'), "planner: unknown name ['a']"),
    (with_argument("planner", '{"name": "constant", "akshun": 3}'), "planner constant: unknown name 'akshun'"),
    (with_argument("autoreset", "3"), "autoreset must be True or False, got 3"),
    (with_argument("autoreset", "[]"), "autoreset must be True or False, got []"),
    (with_argument("horizon", "1000000000000000000"), "horizon must be at most 1000000, got"),
    (with_setting("num_envs", "1000000000000"), "num_envs"),
    (with_setting("rollout_steps", "2000000000000000"), "rollout_steps must be at most 10000000"),
    (with_setting("extra_agent_updates", "100000000000000000000"), "extra_agent_updates must be at most"),
    (with_setting("agent_learner.hidden_layers", "[1000000, 1000000]"), "hidden_layers must be at most 8192"),
    (with_setting("agent_learner.hidden_layers", "[8192, 8192, 8192]"), "hidden_layers must have at most 100000000"),
    (with_setting("agent_learner.hidden_layers", str([1] * 33)), "hidden_layers must be at most 32 layers"),
    (with_setting("agent_learner.learning_rate", "1e308"), "learning_rate must be a finite number <= 1000"),
    (with_setting("agent_learner.algorithm_kwargs.clip_range", "x"), "clip_range must be a finite number"),
    (with_setting("agent_learner.algorithm_kwargs.n_epochs", "0"), "n_epochs must be an integer >= 1, got 0"),
    (with_setting("agent_learner.algorithm_kwargs.ent_coef", "NaN"), "ent_coef must be a finite number"),
    (("evaluate", "constant:" + "[" * 100 + "]" * 100, "--environment", "augmented_bimatrix_v0"), "may hold tables"),
]


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    if hasattr(os, "mkfifo"):
        (tmp_path / "pipes").mkdir()
        for name in ("pipe.toml", "pipe.zip", "pipes/sweep.csv"):
            os.mkfifo(tmp_path / name)
    return tmp_path


def status(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as stopped:
        command_line.main(arguments)
    return stopped.value.code


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("arguments", "message"),
    UNUSABLE,
    ids=[f"{arguments[0]}-{number}" for number, (arguments, _) in enumerate(UNUSABLE)],
)
def test_unusable_input_is_named_in_one_line(
    arguments: tuple[str, ...],
    message: str,
    inputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if any(argument.startswith("pipe") for argument in arguments) and not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    monkeypatch.chdir(inputs)
    assert status(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ermas {arguments[0]}: ")
    assert message in line
    assert not (inputs / "o").exists()


@pytest.mark.parametrize("name", ["marked.toml", "marked.yaml"])
def test_a_byte_order_mark_is_skipped(name: str, tmp_path: Path) -> None:
    written = {"marked.toml": 'algorithm = "MARL"', "marked.yaml": "algorithm: MARL"}[name]
    (tmp_path / name).write_text(written, encoding="utf-8-sig")
    assert read_configuration(tmp_path / name) == {"algorithm": "MARL"}


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 7 TiB for an array with shape (9,)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: not enough memory: you tried"),
    ],
    ids=["Python", "NumPy", "torch"],
)
def test_what_does_not_fit_into_memory_is_unusable_input(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("ermas_algos.algorithms.trainer.Trainer.learn", fails)
    assert status(*TRAIN[:-1], str(tmp_path / "o")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not fit into memory: " in line
    assert "num_envs" in line


UNTRAINABLE: list[tuple[str, str, object]] = [
    ("PPO", "clip_range", -0.1),
    ("PPO", "clip_range", "x"),
    ("PPO", "clip_range_vf", 0),
    ("PPO", "n_epochs", -1),
    ("PPO", "n_epochs", 10**20),
    ("PPO", "n_epochs", 1.5),
    ("PPO", "ent_coef", float("nan")),
    ("PPO", "vf_coef", 1e308),
    ("PPO", "max_grad_norm", 0),
    ("PPO", "target_kl", 0),
    ("MaskablePPO", "normalize_advantage", 1),
    ("A2C", "rms_prop_eps", 0),
    ("A2C", "use_rms_prop", "no"),
    ("TRPO", "cg_max_steps", 0),
    ("TRPO", "cg_damping", -1),
    ("TRPO", "line_search_shrinking_factor", 1.0),
    ("TRPO", "line_search_max_iter", 0),
    ("TRPO", "n_critic_updates", 0),
    ("TRPO", "sub_sampling_factor", 0),
    ("TRPO", "target_kl", None),
]


@pytest.mark.parametrize(("algorithm", "name", "value"), UNTRAINABLE)
def test_arguments_of_algorithms_are_checked_by_name(algorithm: str, name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^algorithm_kwargs: {name} must"):
        SB3LearnerConfig(algorithm=algorithm, algorithm_kwargs={name: value})


def test_every_argument_of_the_algorithms_has_a_check() -> None:
    for algorithm in sb3.ALGORITHMS.values():
        known = set(inspect.signature(algorithm.__init__).parameters) - sb3._OURS
        assert known == known & sb3_arguments._CHECKS.keys()
