"""Certificates of tolls, given and of checkpoints, in Python and by `ermas certify`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from ermas_algos import ERMAS, MARL, ERMASConfig, MARLConfig, SB3LearnerConfig, command_line
from ermas_algos.evaluation import certify_given_tolls, certify_toll_run
from ermas_algos.evaluation.likeliest_action import likeliest_action
from ermas_envs import EnvironmentSpec
from ermas_envs.oracles.tolls import Traffic, worst_traffic

SMALL = SB3LearnerConfig(hidden_layers=(4,))
ARGUMENTS: dict[str, Any] = {"num_drivers": 4, "drives": 3, "tolled": [1], "toll_levels": 5}


def ermas(*arguments: str) -> int:
    """Exit status of a command."""
    with pytest.raises(SystemExit) as stopped:
        command_line.main(list(arguments))
    return stopped.value.code if isinstance(stopped.value.code, int) else 2


def trainer(kind: Any = MARL, config: Any = MARLConfig, arguments: Any = ARGUMENTS, **changes: Any) -> Any:
    settings = {"num_envs": 8, "agent_learner": SMALL, "planner_learner": SMALL, "policy_sharing": "group"}
    return kind(EnvironmentSpec("toll_v0", arguments), config(**{**settings, **changes}))


def test_drivers_of_a_run_are_what_they_play() -> None:
    """Latency and loads beside many episodes of the same policies. Six standard errors: false alarms < 1e-8."""
    trained = trainer().learn(2)
    found = certify_toll_run(trained)
    assert found.certificate.drivers is not None
    env = EnvironmentSpec("toll_v0", ARGUMENTS)(4000)
    toll = round(found.certificate.tolls[1] * 4)
    generator = np.random.default_rng(0)
    seen: Any = env.reset(0)
    result = env.step({**dict.fromkeys(env.agents, np.zeros(4000, np.int64)), "planner": np.full((4000, 1), toll)})
    latencies = []
    for _ in range(3):
        noise = generator.random((4000, 4))
        actions = {
            agent: trained.learners[agent].act(result.observations[agent], noise[:, [k]], result.action_masks[agent])
            for k, agent in enumerate(env.agents)
        }
        result = env.step({**actions, "planner": np.zeros((4000, 1), np.int64)})
        latencies.append(-result.payoffs["planner"])
    mean = np.mean(latencies, axis=0)
    assert abs(mean.mean() - found.certificate.drivers.mean_latency) < 6 * mean.std() / np.sqrt(4000)
    del seen


def test_the_epsilon_of_a_training_is_per_step() -> None:
    trained = trainer(ERMAS, ERMASConfig, epsilon=0.06, warmup_iterations=0)
    assert certify_toll_run(trained).certificate.epsilon == pytest.approx(0.08)  # three drives in four steps
    assert certify_toll_run(trained, 0.5).certificate.epsilon == 0.5


def test_likeliest_actions() -> None:
    class Skewed:
        """Its parts are 2 and 0 with probabilities .7 and .6."""

        noise_size = 2

        def act(self, observations: Any, noise: Any, masks: Any = None) -> Any:
            return np.stack([np.where(noise[:, 0] < 0.7, 2, 1), np.where(noise[:, 1] < 0.4, 1, 0)], axis=1)

    learner: Any = Skewed()
    action, probability = likeliest_action(learner, spaces.MultiDiscrete([3, 2]), np.zeros((1, 4)), None)
    assert action.tolist() == [2, 0]
    assert probability == pytest.approx(0.42, abs=1e-3)

    class Gaussian:
        """Its mean is beyond the space."""

        noise_size = 1

        def act(self, observations: Any, noise: Any, masks: Any = None) -> Any:
            return 1.4 + (noise - 0.5)

    learner = Gaussian()
    action, unknown = likeliest_action(learner, spaces.Box(0.0, 1.0, (1,), np.float32), np.zeros((1, 4)), None)
    assert action.tolist() == [1.0]
    assert unknown is None


def test_continuous_tolls_of_a_run() -> None:
    found = certify_toll_run(trainer(arguments={"num_drivers": 3, "drives": 2}))
    assert found.probability is None
    assert found.certificate.tolls.shape == (2,)
    assert found.certificate.worst is not None


def test_certify_command_agrees_with_the_oracle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tolls.toml").write_text("tolls = [0.0, 0.65]\n")
    (tmp_path / "tolls.json").write_text("[0.0, 0.65]")
    ways = (["0", "0.65"], [str(tmp_path / "tolls.toml")], [str(tmp_path / "tolls.json")])
    expected = worst_traffic(Traffic.of(EnvironmentSpec("toll_v0")(1).engine.settings), np.array([0.0, 0.65]), 0.05)  # type: ignore[attr-defined]
    for tolls in ways:
        assert ermas("certify", "--environment", "toll_v0", "--tolls", *tolls, "--epsilon", "0.05", "--json") == 0
        (told,) = json.loads(capsys.readouterr().out)
        assert told["worst_mean_latency"] == pytest.approx(expected.mean_latency, abs=1e-5)
        assert told["tolls"] == [0.0, 0.65]
    assert ermas("certify", "--environment", "toll_v0", "--tolls", "0", "0.65", "--epsilon", "0.05") == 0
    assert "ε = 0.05: 0.6419" in " ".join(capsys.readouterr().out.split())


def test_certify_command_takes_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = trainer(ERMAS, ERMASConfig, epsilon=0.06, warmup_iterations=0).learn(1, tmp_path)
    found = certify_toll_run(trained)
    status = ermas("certify", str(tmp_path), "--json")
    (told,) = json.loads(capsys.readouterr().out)
    assert told["drivers"]["largest_regret"] == pytest.approx(found.certificate.drivers.largest_regret)  # type: ignore[union-attr]
    assert status == (0 if found.certificate.holds else 1)
    assert ermas("certify", str(tmp_path), "--epsilon", "2") == 0
    assert "The trained drivers are an ε-equilibrium" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tolls", "0", "1"], "tolls: in which game?"),
        (["--environment", "bimatrix_v0", "--tolls", "0", "1"], "tolls are certified in toll_v0, not in bimatrix_v0"),
        (["--environment", "toll_v0", "--tolls", "0"], "not a number|tolls must be 2 numbers"),
        (["--environment", "toll_v0", "--tolls", "0", "x"], "tolls must be a finite number"),
        (["--environment", "toll_v0", "--tolls", "t.csv"], "t.csv is neither a number nor a .json"),
        (
            ["--environment", "toll_v0", "--arguments", "action_noise", "0.1", "--tolls", "0", "1"],
            "action_noise must be 0",
        ),
    ],
)
def test_refused_tolls(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("certify", *arguments) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert any(part in told for part in message.split("|")), told


def test_drivers_who_see_loads_are_refused() -> None:
    with pytest.raises(ValueError, match="drivers_see_loads must be False"):
        certify_toll_run(trainer(arguments={**ARGUMENTS, "drivers_see_loads": True}))
    env = EnvironmentSpec("toll_v0", {"drivers_see_loads": True})(1)
    assert certify_given_tolls(env, [0.0, 0.5], 0.1).certificate.worst is not None
