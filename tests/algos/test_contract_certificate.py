"""`ermas certify` for contracts: given ones, and those of a run with its agents."""

import json
from pathlib import Path

import numpy as np
import pytest

from ermas_algos import ERMAS, ERMASConfig
from ermas_algos.command_line import main
from ermas_algos.evaluation.contract_certificate import certify_contract_run, likeliest_contracts
from ermas_envs import EnvironmentSpec
from ermas_envs.oracles.contracts import ContractProblem, worst_expected

PROBABILITIES, REWARDS, COSTS = [[0.75, 0.25], [0.25, 0.75]], [0.0, 2.0], [0.0, 0.25]
INSTANCE = {"probabilities": PROBABILITIES, "rewards": REWARDS, "costs": COSTS}
GAME = ("--environment", "contract_v0", "--arguments", "instances", json.dumps(INSTANCE))


def ermas(*given: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(given))
    return int(ended.value.code or 0)


def test_a_contract_on_the_command_line_and_in_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "contract.json").write_text("[0, 0.9]")
    (tmp_path / "contract.toml").write_text("payments = [0, 0.9]")
    answers = []
    for given in (["0", "0.9"], [str(tmp_path / "contract.json")], [str(tmp_path / "contract.toml")]):
        assert ermas("certify", "--json", "--epsilon", "0.05", "--contract", *given, *GAME) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1] == answers[2]
    (found,) = answers[0]
    assert found["worst_value"] == pytest.approx(0.75 * 0.75 * 1.1 + 0.25 * 0.25 * 1.1)
    assert found["agents"][0]["multiplier"] == pytest.approx(2.75)


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("certify", "--contract", "0", "0.5", *GAME) == 0
    printed = capsys.readouterr().out
    assert "Without deviation it chooses action 1, and the principal earns 1.1250." in printed
    assert "per contract" in printed


@pytest.mark.parametrize("payments", ["grid", "continuous"])
def test_a_run_is_certified_with_its_agents(payments: str) -> None:
    arguments = {"instances": INSTANCE, "outcomes": "expected", "payments": payments}
    config = ERMASConfig(num_envs=16, epsilon=0.02, warmup_iterations=1)
    trainer = ERMAS(EnvironmentSpec("contract_v0", arguments), config).learn(3)
    found = certify_contract_run(trainer)
    (contract,) = found.certificate.agents
    named, probability, mixtures = likeliest_contracts(trainer)
    assert found.certificate.epsilon == pytest.approx(0.04)  # per contract: an episode has two steps
    assert contract.payments == pytest.approx(named[0])
    assert (probability is None) == (payments == "continuous")
    assert contract.agent is not None
    assert contract.agent.mixture == pytest.approx(mixtures[0])
    problem = ContractProblem(np.array(PROBABILITIES), np.array(REWARDS), np.array(COSTS), 2.0)
    assert contract.worst.value == pytest.approx(worst_expected(problem, named[0], 0.04).value)
    assert contract.agent.value >= contract.worst.value - 1e-9 or contract.agent.regret > 0.04


def test_the_command_certifies_a_run_exactly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = EnvironmentSpec("contract_v0", {"instances": INSTANCE, "outcomes": "expected", "payments": "grid"})
    ERMAS(spec, ERMASConfig(num_envs=4, epsilon=0.02, warmup_iterations=1)).learn(2, tmp_path)
    assert ermas("certify", str(tmp_path)) in (0, 1)
    assert "The planner's likeliest contracts" in capsys.readouterr().out
    assert ermas("certify", str(tmp_path), "--exploiters", "exploiters", "2") == 2
    assert "has an exact oracle and needs none" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--contract", "0", "0.5"), "contract: in which game?"),
        (("--contract", "0", *GAME), "1 × 2 payments"),
        (("--contract", "0", "3", *GAME), "payment must be a finite number >= 0 and <= 2, got 3"),
        (("--contract", "0", "0.5", "--environment", "bimatrix_v0"), "in contract_v0, not in bimatrix_v0"),
        (("run", "--contract", "0"), "one of them"),
    ],
)
def test_unusable_input_is_named(given: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("certify", *given) == 2
    assert message in " ".join(capsys.readouterr().err.split())
