"""The benchmark's output is complete, and its verdicts follow from its numbers; nothing is asserted about speed."""

import json
import statistics

import pytest

from ermas_algos import bench
from ermas_algos.algorithms.config import AGENT_PPO

SIDES = {
    "end-to-end training": ["MARL", "SB3 PPO via SuperSuit"],
    "cost of collected experience": ["ERMAS", "MARL"],
    "cost of trained-on experience": ["ERMAS", "MARL"],
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, global_generators: None) -> None:
    pytest.importorskip("supersuit")
    monkeypatch.setattr(bench, "REPLICAS", 4)


@pytest.mark.usefixtures("small")
def test_json_is_valid_and_complete(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["--seconds", "0", "--json"])
    output = json.loads(capsys.readouterr().out)
    settings = output["hyper_parameters"]
    assert settings["learner"]["learning_rate"] == AGENT_PPO.learning_rate
    assert settings["learner"]["minibatch_size"] == 4 * settings["rollout_steps"]
    assert (settings["replicas"], settings["torch_threads"], settings["warmup_iterations"]) == (4, 1, 0)
    assert {comparison["name"]: list(comparison["sides"]) for comparison in output["comparisons"]} == SIDES
    for comparison in output["comparisons"]:
        (_, first), (_, second) = comparison["sides"].items()
        assert len(first) == len(second) == bench.PAIRS
        assert min(first + second) > 0
        assert comparison["ratio"] == pytest.approx(statistics.median(first) / statistics.median(second))
        assert comparison["medians"] == {side: statistics.median(v) for side, v in comparison["sides"].items()}
    speed, cost, _ = output["comparisons"]
    assert speed["met"] == (speed["ratio"] >= 3)
    assert cost["met"] == (cost["ratio"] <= 1.15)


@pytest.mark.usefixtures("small")
def test_text_shows_every_side_and_the_requirements(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["--seconds", "0"])
    text = capsys.readouterr().out
    for name, sides in SIDES.items():
        assert all(f"{side} " in text.partition(f"{name} [")[2] for side in sides)
    assert text.count("ratio of medians") == 3
    assert text.count("required") == 2
    assert "gae_lambda" in text


@pytest.mark.usefixtures("small")
def test_counts_are_those_of_one_iteration() -> None:
    """4 replicas × 20 steps: two agents train in (a); in (b) two deviations learn twice, joint and deviation blocks."""
    block = 4 * 20
    assert bench._marl_on_agents()() == {"samples": 2 * block}
    assert bench._ppo_via_supersuit()() == {"samples": 2 * block}
    assert bench._trainer(bench.MARL)() == {"env_steps": block, "samples": 3 * block}
    assert bench._trainer(bench.ERMAS)() == {"env_steps": (2 + 3) * block, "samples": (3 + 2 * 2) * block}
