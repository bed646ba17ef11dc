"""The benchmark's output is complete, and its verdicts follow from its numbers; nothing is asserted about speed."""

import json
import statistics
from importlib.util import find_spec

import pytest

from ermas_algos import bench
from ermas_algos.algorithms import ERMAS, MARL
from ermas_algos.algorithms.config import AGENT_PPO
from ermas_algos.bench import bimatrix, economy
from ermas_algos.bench.comparison import PAIRS

SIDES = {
    "end-to-end training": ["MARL", "SB3 PPO via SuperSuit"],
    "cost of collected experience": ["ERMAS", "MARL"],
    "cost of trained-on experience": ["ERMAS", "MARL"],
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, global_generators: None) -> None:
    pytest.importorskip("supersuit")
    monkeypatch.setattr(bimatrix, "REPLICAS", 4)


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
        assert len(first) == len(second) == PAIRS
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
    assert bimatrix._marl_on_agents()() == {"samples": 2 * block}
    assert bimatrix._ppo_via_supersuit()() == {"samples": 2 * block}
    assert bimatrix._trainer(MARL)() == {"env_steps": block, "samples": 3 * block}
    assert bimatrix._trainer(ERMAS)() == {"env_steps": (2 + 3) * block, "samples": (3 + 2 * 2) * block}


@pytest.fixture
def small_economy(monkeypatch: pytest.MonkeyPatch, global_generators: None) -> None:
    pytest.importorskip("supersuit")
    if find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    for name, value in {"REPLICAS": 2, "HORIZON": 20, "MINIBATCH": 100, "ROUNDS": 2, "HIDDEN": (4,)}.items():
        monkeypatch.setattr(economy, name, value)


@pytest.mark.usefixtures("small_economy")
@pytest.mark.filterwarnings("ignore:The `render_mode` attribute is not defined:UserWarning")
def test_the_economy_is_measured_on_all_sides(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["economy", "--seconds", "0", "--json"])
    output = json.loads(capsys.readouterr().out)
    assert output["hyper_parameters"]["environment"]["horizon"] == 20
    pairs = [tuple(found["sides"]) for found in output["comparisons"]]
    marl = "MARL, kind jax"
    assert pairs == [
        (marl, "bare passes in JAX"),
        ("MARL, kind sb3", "bare passes in torch"),
        (marl, "MaskablePPO via SuperSuit"),
        (marl, "MARL, kind sb3"),
        (marl, "MARL by its preset"),
        ("ERMAS, an agent deviates", marl),
        ("ERMAS, two deviate", marl),
        ("ERMAS, all deviate", marl),
        ("ERMAS, all, one update", marl),
    ]
    for found in output["comparisons"]:
        (_, first), (_, second) = found["sides"].items()
        assert len(first) == len(second) == 2
        assert found["ratio"] == pytest.approx(statistics.median(first) / statistics.median(second))
    least = [(found["required"], found["met"], found["ratio"]) for found in output["comparisons"] if found["required"]]
    assert [required for required, _, _ in least] == [">= 0.6", ">= 10", ">= 5", "<= 3", "<= 3", "<= 3"]
    for required, met, ratio in least:
        bound = float(required.split()[1])
        assert met == (ratio >= bound if required.startswith(">") else ratio <= bound)


@pytest.mark.usefixtures("small_economy")
def test_sides_of_the_economy_count_the_samples_of_an_iteration() -> None:
    counts = {"samples": 2 * 20 * 4, "iterations": 1}
    assert economy._trainer("MARL", "jax")() == counts
    assert economy._trainer("MARL", "sb3")() == counts
    assert economy._via_supersuit()() == counts
