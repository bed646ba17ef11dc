"""The command `ermas`: certificates of checkpoints, reproductions, help, exit statuses."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ermas_algos import ERMAS, MARL, ERMASConfig, MARLConfig, command_line
from ermas_algos.checkpoint import CheckpointError
from ermas_algos.evaluation.certificate import certify_checkpoint
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
    assert ermas(monkeypatch, "certify", str(run), "--epsilon", "0.0001", "--json") == 1
    (certificate,) = json.loads(capsys.readouterr().out)
    assert certificate["certified_epsilon"] == max(certificate["regrets"].values())


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

    def pretend(name: str, scale: Any, out: Path, workers: int, report: Any, address: Any) -> Any:
        calls.append((name, scale.seeds, scale.quick, out, workers, address))
        report(1, 2)
        failed = {"a job": "ValueError: why"} if name == "figure-3" else {}
        return type("Outcome", (), {"failed": failed})

    monkeypatch.setattr("ermas_algos.commands.reproduce.reproduce", pretend)
    assert ermas(monkeypatch, "reproduce", "figure-2", "--quick", "--workers", "3", "--out", str(tmp_path)) == 0
    assert calls == [("figure-2", 2, True, tmp_path, 3, None)]
    assert ermas(monkeypatch, "reproduce", "figure-3", "--seeds", "4") == 1
    assert "failed: a job: ValueError: why" in capsys.readouterr().out
    assert ermas(monkeypatch, "reproduce", "figure-2", "--seeds", "0") == 2


def test_help_names_both_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas(monkeypatch, "--help") == 0
    printed = capsys.readouterr().out
    assert "reproduce" in printed
    assert "certify" in printed
