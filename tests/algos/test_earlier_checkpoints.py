"""Checkpoints that earlier versions wrote are loaded, and go on."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ermas_algos import ERMAS, MARL, ERMASConfig, MARLConfig
from ermas_algos.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from ermas_algos.command_line import main
from ermas_algos.evaluation import load_trainer
from ermas_envs import EnvironmentSpec

GAME = EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 4, "agents_observe": "own"})

CHECKPOINTS = sorted((Path(__file__).parent / "checkpoints").glob("*.safetensors"))


def test_there_are_some_of_each_kind() -> None:
    assert {path.stem for path in CHECKPOINTS} >= {"ermas-exact", "ermas-sb3", "marl-one-step"}


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.stem)
def test_it_goes_on(path: Path) -> None:
    trainer = load_trainer(path)
    assert trainer.iteration == 3
    before = {role: learner.get_parameters() for role, learner in trainer.learners.items()}
    trainer.learn(4)
    assert trainer.iteration == 4
    assert any((learner.get_parameters() != before[role]).any() for role, learner in trainer.learners.items())
    assert all(np.isfinite(learner.get_parameters()).all() for learner in trainer.learners.values())


def write_without(path: Path, kind: str, setting: Sequence[str]) -> None:
    """Leave out a setting, as if it had not been there yet when the checkpoint was written."""
    found = read_checkpoint(path, kind)
    metadata: Any = copy.deepcopy(dict(found.metadata))
    table = metadata["config"]
    for name in setting[:-1]:
        table = table[name]
    del table[setting[-1]]
    write_checkpoint(path, kind, found.tensors, metadata)


@dataclass(frozen=True)
class LaterConfig(MARLConfig):
    """Settings of a later version."""

    patience: int = 3
    """Has come since."""


class LaterMARL(MARL):
    """A later version."""

    config_type = LaterConfig


def test_a_setting_that_has_come_since_is_at_its_default(tmp_path: Path) -> None:
    config = MARLConfig(num_envs=4)
    MARL(GAME, config).learn(1).save(tmp_path / "earlier")
    later: Any = LaterMARL.load(tmp_path / "earlier", GAME)
    assert later.config.patience == 3
    straight, resumed = MARL(GAME, config).learn(2), later.learn(2)
    for role, learner in straight.learners.items():
        np.testing.assert_array_equal(learner.get_parameters(), resumed.learners[role].get_parameters())


@pytest.mark.parametrize("setting", ["extra_agent_updates", "agent_learner.minibatch_size", "planner_risk"])
def test_a_table_inside_may_lack_one_too(tmp_path: Path, setting: str) -> None:
    MARL(GAME, MARLConfig(num_envs=4)).learn(1).save(tmp_path / "earlier")
    write_without(tmp_path / "earlier", "MARL", setting.split("."))
    assert MARL.load(tmp_path / "earlier", GAME).config == MARLConfig(num_envs=4)


def test_a_setting_that_is_gone_is_named(tmp_path: Path) -> None:
    LaterMARL(GAME, LaterConfig(num_envs=4)).learn(1).save(tmp_path / "later")
    with pytest.raises(CheckpointError, match=r"later: .*MARLConfig field: unknown name 'patience'"):
        MARL.load(tmp_path / "later", GAME)


def test_train_goes_on_from_a_checkpoint_that_lacks_a_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that was trained with another value than the default is another training."""
    arguments = ["train", "--environment", GAME.name, "--arguments", "horizon", "4", "--out", str(tmp_path)]
    small = ["--settings", "num_envs", "4", "warmup_iterations", "1"]

    def status(*further: str) -> Any:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *small, *further])
        return ended.value.code

    assert status("--iterations", "1") == 0
    write_without(tmp_path / "checkpoint.safetensors", "ERMAS", ("multiplier", "maximum"))
    assert status("--iterations", "2") == 0
    assert ERMAS.resume(tmp_path, EnvironmentSpec(GAME.name, {"horizon": 4})).iteration == 2
    write_without(tmp_path / "checkpoint.safetensors", "ERMAS", ("multiplier", "maximum"))
    assert status("multiplier.maximum", "5.0", "--iterations", "3") == 2
    assert "was trained with other settings" in capsys.readouterr().err
    assert ERMASConfig().multiplier.maximum != 5.0
