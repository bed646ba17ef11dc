"""Checkpoints that earlier versions wrote are loaded, and go on."""

from pathlib import Path

import numpy as np
import pytest

from ermas_algos.evaluation import load_trainer

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
