"""Checkpoints that somebody altered and signed again: they load as what they say, or are refused with their name."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from ermas_algos import ERMAS, MARL, ERMASConfig, ExactLearnerConfig, MARLConfig, SB3LearnerConfig, checkpoint
from ermas_algos.algorithms.config import PopulationConfig, from_json, to_json
from ermas_algos.algorithms.population import Population
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from ermas_algos.command_line import main
from ermas_algos.evaluation import load_trainer
from ermas_algos.learners import ExactLearner, SB3Learner, Spaces
from ermas_envs import EnvironmentSpec
from ermas_envs.games.bimatrix.engine import BimatrixEngine

GAME = EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 4, "agents_observe": "own", "planner_observes": False})
PPO = SB3LearnerConfig(minibatch_size=8, hidden_layers=(3,), algorithm_kwargs={"n_epochs": 1})
EXACT = ExactLearnerConfig(num_seeds=2)
SAMPLED: dict[str, Any] = {"num_envs": 2, "agent_learner": PPO, "planner_learner": PPO}
TRAINERS: dict[str, Callable[[], Trainer[Any]]] = {
    "MARL": lambda: MARL(GAME, MARLConfig(**SAMPLED)),
    "ERMAS": lambda: ERMAS(GAME, ERMASConfig(**SAMPLED, warmup_iterations=1)),
    "exact": lambda: ERMAS(GAME, ERMASConfig(agent_learner=EXACT, planner_learner=EXACT, warmup_iterations=1)),
    "Population": lambda: Population(GAME, PopulationConfig(**SAMPLED, multipliers=(1.0, 2.0))),
    "A2C": lambda: MARL(GAME, MARLConfig(num_envs=2, agent_learner=SB3LearnerConfig("A2C"))),
    "TRPO": lambda: MARL(GAME, MARLConfig(num_envs=2, agent_learner=SB3LearnerConfig("TRPO"))),
}
Content = tuple[dict[str, torch.Tensor], dict[str, Any]]
"""Tensors and metadata of a checkpoint."""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of each trainer after three outer iterations."""
    folder = tmp_path_factory.mktemp("originals")
    for name, make in TRAINERS.items():
        make().learn(3).save(folder / name)
    return {name: folder / name for name in TRAINERS}


KINDS = {"exact": "ERMAS", "A2C": "MARL", "TRPO": "MARL"}
"""What wrote a trainer's checkpoint, if not what its name says."""


def content(path: Path, name: str) -> Content:
    found = read_checkpoint(path, KINDS.get(name, name))
    return dict(found.tensors), copy.deepcopy(dict(found.metadata))


def resigned(path: Path, name: str, tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> Path:
    """Write an altered content with a checksum that is right."""
    write_checkpoint(path, KINDS.get(name, name), tensors, metadata)
    return path


def put(tree: Any, *keys: Any) -> None:
    """Set a value deep in JSON: keys, then the value."""
    *path, last, value = keys
    for key in path:
        tree = tree[key]
    tree[last] = value


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        load_trainer(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# Every file as it is


@pytest.mark.parametrize("name", TRAINERS)
def test_an_unaltered_checkpoint_signed_again_loads_as_it_is(
    originals: dict[str, Path], tmp_path: Path, name: str
) -> None:
    tensors, metadata = content(originals[name], name)
    trainer = load_trainer(resigned(tmp_path / "again", name, tensors, metadata))
    trainer.save(tmp_path / "saved")
    found, saved = content(tmp_path / "saved", name)
    assert saved == metadata
    assert found.keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in found.items())


# Tensors

EXP_AVG = "agent_0/optimizer/0/exp_avg"
WEIGHT = "agent_0/policy/action_net.weight"


def filled(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def altered(tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[0] = value
        return tensor

    return altered


@pytest.mark.parametrize(
    ("name", "key", "alter", "message"),
    [
        (
            "MARL",
            EXP_AVG,
            lambda t: t.repeat(3, 1),
            r"agent_0.*0/exp_avg must be torch.float32 of shape \(3, 5\), got .*9",
        ),
        ("MARL", EXP_AVG, lambda t: t.double(), "exp_avg must be torch.float32 .* got torch.float64"),
        ("MARL", EXP_AVG, filled(np.nan), "exp_avg must hold finite numbers"),
        ("MARL", "agent_0/optimizer/0/exp_avg_sq", filled(-1.0), "exp_avg_sq must not be negative"),
        ("MARL", "agent_0/optimizer/0/step", filled(-1.0), "step must not be negative"),
        ("MARL", "agent_0/optimizer/0/step", lambda t: t.repeat(2), r"step must be .* of shape \(\)"),
        ("A2C", "agent_0/optimizer/0/square_avg", filled(-1.0), "square_avg must not be negative"),
        ("TRPO", "agent_0/optimizer/3/exp_avg", lambda t: None, r"missing: \['3/exp_avg'\]"),
        ("ERMAS", "deviation/agent_1/policy/action_net.weight", filled(np.inf), "deviation/agent_1.*finite numbers"),
        ("Population", "member_1/agent_1/policy/action_net.bias", filled(np.nan), "member_1/agent_1.*finite numbers"),
        ("MARL", WEIGHT, filled(np.nan), "policy/action_net.weight must hold finite numbers"),
        ("MARL", WEIGHT, filled(-np.inf), "policy/action_net.weight must hold finite numbers"),
        ("MARL", WEIGHT, lambda t: t.half(), "action_net.weight must be torch.float32 .* got torch.float16"),
        ("MARL", WEIGHT, lambda t: t.T.contiguous()[:2], "action_net.weight must be"),
        ("MARL", WEIGHT, lambda t: None, r"missing: \['policy/action_net.weight'\]"),
        ("MARL", EXP_AVG, lambda t: None, r"missing: \['0/exp_avg'\]"),
        ("exact", "agent_0/logits", filled(np.nan), "logits must hold finite numbers"),
        ("exact", "agent_0/logits", lambda t: t.float(), "logits must be float64"),
        ("exact", "agent_0/logits", lambda t: t[:, :1], "logits must be"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    originals: dict[str, Path], tmp_path: Path, name: str, key: str, alter: Any, message: str
) -> None:
    tensors, metadata = content(originals[name], name)
    altered = alter(tensors.pop(key))
    if altered is not None:
        tensors[key] = altered
    assert_refused(resigned(tmp_path / "altered", name, tensors, metadata), message)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("agent_0/policy/further", r"not known: \['policy/further'\]"),
        ("agent_0/optimizer/99/exp_avg", "not known: .*99/exp_avg"),
        ("agent_0/optimizer/0/further", r"not known: \['0/further'\]"),
        ("agent_0/elsewhere", "not known: .*elsewhere"),
        ("nobody/policy/w", r"belong to no learner: \['nobody/policy/w'\]"),
    ],
)
def test_unknown_tensors_are_refused(originals: dict[str, Path], tmp_path: Path, key: str, message: str) -> None:
    tensors, metadata = content(originals["MARL"], "MARL")
    assert_refused(resigned(tmp_path / "altered", "MARL", {**tensors, key: torch.zeros(2)}, metadata), message)


# Counters, generators, settings

AGENT = ("learners", "agent_0")
STREAM = ("collector", "generator")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("MARL", ("iteration", -5), "iteration must be an integer in"),
        ("MARL", ("iteration", None), "iteration must be an integer in"),
        ("MARL", ("iteration", True), "iteration must be an integer in"),
        ("MARL", ("iteration", 3.0), "iteration must be an integer in"),
        ("MARL", ("iteration", 10**20), "iteration must be an integer in"),
        ("MARL", ("rollout_steps", "4"), "rollout_steps must be an integer in"),
        ("MARL", ("rollout_steps", 8), "trained on rollouts of 8 steps, make_env gives 4"),
        ("MARL", ("collector", "env_steps", -1), "env_steps must be an integer in"),
        ("exact", ("collector", "env_steps", 7), r"collector must be a table of \[\]"),
        ("MARL", ("collector", []), "collector must be a table"),
        ("MARL", (*AGENT, "n_updates", -1), "agent_0.*n_updates must be an integer in"),
        ("MARL", (*AGENT, "n_updates", "x"), "agent_0.*n_updates must be an integer in"),
        ("MARL", (*AGENT, "shuffling", "state", "inc", -1), "agent_0.*shuffling: inc must be an integer in"),
        ("MARL", (*AGENT, "shuffling", "state", "inc", 2), "agent_0.*shuffling: inc must be odd"),
        ("MARL", (*AGENT, "shuffling", "state", "state", 2**128), "shuffling: state must be an integer in"),
        ("MARL", (*AGENT, "shuffling", "has_uint32", 2), "shuffling: has_uint32 must be an integer in"),
        ("MARL", (*AGENT, "shuffling", "uinteger", 2**32), "shuffling: uinteger must be an integer in"),
        ("MARL", (*AGENT, "shuffling", "bit_generator", "MT19937"), "bit_generator must be 'PCG64', got 'MT19937'"),
        ("MARL", (*AGENT, "shuffling", {}), "shuffling must be a table of"),
        ("MARL", (*STREAM, "state", "inc", -1), "collector: generator: inc must be an integer in"),
        ("MARL", (*STREAM, None), "collector: generator must be a table of"),
        ("MARL", (*AGENT, "optimizer", {}), "optimizer must be a table of"),
        ("MARL", (*AGENT, "optimizer", "param_groups", []), "param_groups must be a list of 1 tables"),
        ("MARL", (*AGENT, "optimizer", "param_groups", 0, "lr", "x"), "optimizer: lr must be a finite number"),
        ("MARL", (*AGENT, "optimizer", "param_groups", 0, "lr", -1.0), "optimizer: lr must be a finite number >= 0"),
        ("MARL", (*AGENT, "optimizer", "param_groups", 0, "betas", [0.9, 1.0]), "optimizer: betas must be"),
        ("MARL", (*AGENT, "optimizer", "param_groups", 0, "params", [0]), "optimizer: params must be"),
        ("MARL", (*AGENT, "network", "shapes", {}), "does not fit this learner"),
        ("exact", (*AGENT, "table", [1, 2]), r"a table \[1, 2\] does not fit"),
        ("MARL", (*AGENT, None), "learner 'agent_0': its facts must be a table"),
        ("MARL", ("learners", "agent_7", {}), "learners must be .* got .*agent_7"),
        ("MARL", ("learners", {}), "tensors belong to no learner"),
        ("MARL", ("spaces", "agent_0", ["Box", "Discrete"]), "role 'agent_0' was trained with spaces"),
        ("MARL", ("spaces", None), "spaces must be a table"),
        ("MARL", ("environment", "bimatrix_v0"), "trained in environment 'bimatrix_v0'"),
        ("MARL", ("environment_spec", []), "environment_spec must be a table"),
        ("MARL", ("environment_spec", None), "does not name its environment"),
        ("MARL", ("environment_spec", "name", "nothing_v0"), "unknown name 'nothing_v0'"),
        ("MARL", ("environment_spec", "arguments", "colour", 3), "colour"),
        ("MARL", ("environment_spec", "arguments", "horizon", 8), "trained on rollouts of 4 steps, make_env gives 8"),
        ("MARL", ("environment_spec", "arguments", "planner", {"name": "constant", "action": 0}), "role 'planner'"),
        ("MARL", ("config", "extra_agent_updates", 10**20), "extra_agent_updates must be at most 1000"),
        ("ERMAS", ("config", "deviation_updates", 10**9), "deviation_updates must be at most 1000"),
        ("MARL", ("config", "num_envs", 10**9), "num_envs must be at most 1048576"),
        ("MARL", ("config", "num_envs", "x"), "num_envs must be an integer"),
        ("MARL", ("config", "rollout_steps", 2 * 10**15), "rollout_steps must be at most"),
        ("MARL", ("config", "agent_learner", "algorithm", "Rainbow"), "unknown name 'Rainbow'"),
        ("MARL", ("config", "agent_learner", None), "agent_learner must be a table"),
        ("MARL", ("config", "agent_learner", "hidden_layers", [4]), "does not fit this learner|numbers at least"),
        ("MARL", ("config", "colour", 3), "unknown name 'colour'"),
        ("Population", ("config", "multipliers", [1.0] * 10), "learners must be .*member_9"),
        ("ERMAS", ("extra", {}), "extra must be a table of .*multipliers"),
        ("MARL", ("extra", {"x": 1}), r"extra must be a table of \[\]"),
        ("ERMAS", ("extra", "multipliers", "values", "agent_0", -1.0), "is no λ"),
        ("ERMAS", ("extra", "multipliers", "values", "agent_0", 10**20), "is no λ"),
        ("ERMAS", ("extra", "multipliers", "values", "agent_0", [1.0]), r"must have shape \(\), got \(1,\)"),
        ("exact", ("extra", "multipliers", "violation", "agent_0", []), r"must have shape \(2,\), got \(0,\)"),
        ("ERMAS", ("extra", "watch", None), "watch must be a table of"),
        ("MARL", ("scales", "values", "agent_0", 0.0), "the payoff scale of 'agent_0' must be"),
        ("MARL", ("scales", "moments", []), "moments|keys"),
        ("MARL", ("extra", None), "extra must be a table"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(
    originals: dict[str, Path], tmp_path: Path, name: str, change: tuple[Any, ...], message: str
) -> None:
    tensors, metadata = content(originals[name], name)
    put(metadata, *change)
    assert_refused(resigned(tmp_path / "altered", name, tensors, metadata), message)


@pytest.mark.parametrize("key", ["iteration", "config", "learners", "collector", "extra", "environment_spec", "spaces"])
def test_missing_and_further_parts_are_refused(originals: dict[str, Path], tmp_path: Path, key: str) -> None:
    tensors, metadata = content(originals["MARL"], "MARL")
    further = {**metadata, f"{key}_2": metadata[key]}
    assert_refused(resigned(tmp_path / "altered", "MARL", tensors, further), "metadata must be a table of")
    del metadata[key]
    message = f"damaged, or written by another version of ermas-algos .KeyError: '{key}'"
    assert_refused(resigned(tmp_path / "altered", "MARL", tensors, metadata), message)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(tmp_path: Path, number: str) -> None:
    path = tmp_path / "altered"
    header = {"format": checkpoint.FORMAT, "kind": "MARL", "metadata": f'{{"iteration": {number}}}', "sha256": ""}
    save_file({"w": torch.zeros(2)}, path, metadata=header)
    with pytest.raises(CheckpointError, match=r"altered: damaged: metadata\['iteration'\]: is "):
        read_checkpoint(path, "MARL")


def test_a_header_that_asks_for_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "altered"
    size = 2**40
    header = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 64)
    with pytest.raises(CheckpointError, match="altered: truncated or damaged"):
        read_checkpoint(path, "MARL")


# Nothing large is made


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("made before the file was compared with what its settings ask for")


def test_networks_that_the_tensors_do_not_fill_are_never_made(
    originals: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors, metadata = content(originals["MARL"], "MARL")
    for widths, message in (
        ([30000, 30000], "hidden_layers must be at most 8192, got 30000"),
        ([8000, 8000], r"learner 'planner': its settings ask for 1280\d{5} numbers at least, it has \d+"),
    ):
        put(metadata, "config", "planner_learner", "hidden_layers", widths)
        path = resigned(tmp_path / "altered", "MARL", tensors, metadata)
        monkeypatch.setattr(SB3Learner, "__init__", never)
        assert_refused(path, message)


@pytest.mark.parametrize("name", ["MARL", "exact"])
def test_actions_that_the_tensors_do_not_have_are_never_tabulated(
    originals: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tensors, metadata = content(originals[name], name)
    put(metadata, "environment_spec", "arguments", "max_action", 10**4)
    put(metadata, "spaces", "planner", 1, "Discrete(10001)")
    path = resigned(tmp_path / "altered", name, tensors, metadata)
    for kind in (SB3Learner, ExactLearner):
        monkeypatch.setattr(kind, "__init__", never)
    monkeypatch.setattr(BimatrixEngine, "tabular_game", never)
    assert_refused(path, r"learner 'planner': its settings ask for \d+ numbers at least, it has \d+")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"horizon": 10**9}, "horizon must be at most"),
        (
            {"horizon": 10**6, "payoffs": "strategically_robust_2022", "agents_observe": "joint"},
            "horizon must be smaller",
        ),
        ({"max_action": 10**10}, "max_action must be at most"),
    ],
)
def test_games_that_fill_the_memory_are_never_made(
    originals: dict[str, Path], tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    tensors, metadata = content(originals["MARL"], "MARL")
    metadata["environment_spec"]["arguments"].update(arguments)
    assert_refused(resigned(tmp_path / "altered", "MARL", tensors, metadata), message)


@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 8 TiB"), OverflowError("too large"), IndexError()])
def test_whatever_an_environment_raises_names_the_file(
    originals: dict[str, Path], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(EnvironmentSpec, "__call__", fail)
    assert_refused(originals["MARL"], type(error).__name__)


SEEN = (spaces.Box(0, 1, (2, 3)), spaces.Discrete(4), spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(5))
DONE = (spaces.Discrete(7), spaces.MultiDiscrete([3, 4]), spaces.MultiBinary(3), spaces.Box(-1, 1, (2,)))


@pytest.mark.parametrize("chosen", [SB3LearnerConfig(), PPO, SB3LearnerConfig("A2C", hidden_layers=(8, 2))])
def test_the_numbers_that_settings_ask_for_are_a_lower_bound(chosen: SB3LearnerConfig) -> None:
    for seen in SEEN:
        for done in DONE:
            numbers = SB3Learner(chosen, seen, done, 0).get_parameters().size
            assert 0.4 * numbers < chosen.least_numbers(Spaces(seen, done)) <= numbers


# Every command


def status(arguments: list[str]) -> Any:
    """Exit status of `ermas`."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_every_command_refuses_with_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = ["train", "--environment", GAME.name, "--algorithm", "MARL", "--settings", "num_envs", "2"]
    training += ["--out", str(tmp_path), "--iterations"]
    assert status([*training, "1"]) == 0
    path = tmp_path / "checkpoint.safetensors"
    tensors, metadata = content(path, "MARL")
    tensors[WEIGHT] = filled(np.nan)(tensors[WEIGHT])
    resigned(path, "MARL", tensors, metadata)
    capsys.readouterr()
    commands = {
        "certify": ["certify", str(tmp_path)],
        "evaluate": ["evaluate", str(tmp_path), "--gaps", "0"],
        "train": [*training, "2"],
    }
    for name, command in commands.items():
        assert status(command) == 2
        printed = capsys.readouterr()
        wanted = f"ermas {name}: {path}: learner 'agent_0': policy/action_net.weight must hold finite numbers."
        assert printed.err.strip() == wanted
    put(metadata, "iteration", -5)
    resigned(path, "MARL", tensors, metadata)
    assert status(["info", str(tmp_path)]) == 2
    assert f"ermas info: {path}: iteration must be an integer in [0, " in capsys.readouterr().err


# Any one alteration


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to every value in JSON that is no table, and to every table."""
    if path:
        yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from leaves(value, (*path, key))


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.sampled_from([2**31, 2**53, 2**63, 2**64, 2**128, -(2**63), 10**400])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "cvar", "TRPO", "restarted", "constant"])
    | st.just([])
    | st.just({})
    | st.just([[]])
    | st.just({"x": 1})
)


@st.composite
def altered_tensors(draw: st.DrawFn, tensor: torch.Tensor) -> torch.Tensor | None:
    """Another shape, dtype or value; or none."""
    how = draw(st.sampled_from(["remove", "shape", "dtype", "value", "empty"]))
    if how == "remove":
        return None
    if how == "shape":
        return torch.cat([tensor.reshape(-1), tensor.reshape(-1)[:1]])
    if how == "empty":
        return tensor.new_zeros((0, *tensor.shape))
    if how == "dtype":
        return tensor.to(
            draw(st.sampled_from([torch.bool, torch.int64, torch.float16, torch.float64, torch.complex64]))
        )
    changed = tensor.clone()
    special = [np.nan, np.inf, -np.inf, -1.0, 0.0, 3.0]
    changed.view(-1)[draw(st.integers(0, tensor.numel() - 1))] = draw(st.sampled_from(special))
    return changed


def test_exact_learners_take_tensors_for_arrays(originals: dict[str, Path], tmp_path: Path) -> None:
    """So that files from before the entry `arrays` are read; what is saved then says what learners hold."""
    tensors, metadata = content(originals["exact"], "exact")
    assert metadata["arrays"]
    file = resigned(tmp_path / "exact.altered", "exact", tensors, {**metadata, "arrays": []})
    load_trainer(file).save(file)
    found, saved = content(file, "exact")
    assert saved == metadata
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in found.items())


@pytest.mark.parametrize("name", TRAINERS)
@given(st.data())
@settings(max_examples=60)
def test_one_alteration_is_loaded_as_it_is_or_refused(
    originals: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    tensors, metadata = content(originals[name], name)
    trained_on, arrays = True, metadata["arrays"]
    if data.draw(st.booleans(), label="a tensor"):
        key = data.draw(st.sampled_from(sorted(tensors)))
        changed = data.draw(altered_tensors(tensors.pop(key)))
        tensors |= {} if changed is None else {key: changed}
    else:
        path = data.draw(st.sampled_from(sorted(leaves(metadata), key=str)))
        trained_on = path[0] != "config"  # a setting may be one that nothing can learn with
        put(metadata, *path, data.draw(VALUES))
    file = resigned(tmp_path_factory.getbasetemp() / f"{name}.altered", name, tensors, metadata)
    try:
        trainer = load_trainer(file)
    except CheckpointError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert str(file) in refusal
        return
    trainer.save(file)
    found, saved = content(file, name)
    assert from_json(type(trainer.config), metadata.pop("config")) == trainer.config  # what it lacks is at its default
    assert saved == {**metadata, "arrays": arrays, "config": to_json(trainer.config)}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in found.items())
    if trained_on:
        trainer.learn(trainer.iteration + 1)
