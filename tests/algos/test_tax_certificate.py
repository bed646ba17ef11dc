"""Certificates of checkpoints and tax schedules in the one-step economy, in Python and by `ermas certify`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from ermas_algos import MARL, MARLConfig, SB3LearnerConfig, command_line
from ermas_algos.evaluation import certify_given_schedule, certify_taxes
from ermas_algos.evaluation.tax_certificate import NOISE_LEVELS, _most_likely, likeliest_play, taxes_are_certified
from ermas_envs import EnvironmentSpec, one_step_economy_v0
from ermas_envs.oracles.taxes import Population, certify_schedule, regrets
from ermas_envs.perturbations import RandomRiskAversion

RATES = ["0.1", "0.12", "0.22", "0.24", "0.32", "0.35", "0.37"]
ARGUMENTS: dict[str, Any] = {
    "num_agents": 3,
    "skills": [1.0, 1.5, 2.5],
    "observations": "compact",
    "agent_reward_type": "isoelastic_coin_minus_labor",
    "labor_cost": 0.3,
    "planner_reward_type": "coin_eq_times_productivity",
}
MASKED = SB3LearnerConfig(algorithm="MaskablePPO", hidden_layers=(8,))
GAME = ("--environment", "one_step_economy_v0", "--arguments")


def trainer(learner: SB3LearnerConfig = MASKED, **changes: Any) -> Any:
    spec = EnvironmentSpec("one_step_economy_v0", {**ARGUMENTS, **changes})
    return MARL(spec, MARLConfig(num_envs=2, agent_learner=learner, planner_learner=MASKED))


def options(**changes: Any) -> list[str]:
    """Of the command line."""
    return [text for name, value in {**ARGUMENTS, **changes}.items() for text in (name, json.dumps(value))]


def ermas(*arguments: str) -> int:
    """Exit status of a command."""
    with pytest.raises(SystemExit) as stopped:
        command_line.main(list(arguments))
    return stopped.value.code if isinstance(stopped.value.code, int) else 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    trainer().learn(1, folder)
    return folder


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_agents_of_a_checkpoint_are_what_they_play() -> None:
    """Payoffs, welfare and hours beside many episodes of the same policies under the same schedule."""
    trained = trainer()
    found = certify_taxes(trained, 0.5).schedule
    replicas, generator = 4000, np.random.default_rng(0)
    planner = {"name": "fixed_brackets", "rates": found.rates.tolist()}
    env = EnvironmentSpec("one_step_economy_v0", {**ARGUMENTS, "planner": planner})(replicas)
    env.reset(1)
    seen = env.step({agent: np.zeros(replicas, np.int64) for agent in env.agents})
    played = {
        agent: trained.learners[agent].act(
            seen.observations[agent], generator.random((replicas, 1)), seen.action_masks[agent]
        )
        for agent in env.agents
    }
    end = env.step(played)
    hours = np.array([played[agent] for agent in env.agents])
    assert found.agents is not None
    np.testing.assert_allclose(found.agents.hours, hours.mean(axis=1), atol=5 * 30 / replicas**0.5)
    assert end.final_metrics is not None
    welfare = end.final_metrics["social_welfare/coin_eq_times_productivity"]
    assert found.agents.welfare == pytest.approx(welfare.mean(), abs=5 * welfare.std() / replicas**0.5)


def test_regrets_of_a_checkpoint_are_those_of_its_policies() -> None:
    trained = trainer()
    found = certify_taxes(trained).schedule
    env = trained.env
    env.reset(0)
    planner = certify_planner_action(trained)
    actions = {agent: np.zeros(env.num_envs, np.int64) for agent in env.agents}
    seen = env.step({**actions, "planner": np.repeat(planner[None], env.num_envs, axis=0)})
    np.testing.assert_array_equal(env.engine.state.taxes.rates[1], found.rates)
    profile = np.array(
        [trained.learners[a].action_probabilities(seen.observations[a], seen.action_masks[a])[1] for a in env.agents]
    )
    taxed = Population.of(env.engine.settings).under(found.rates)
    assert found.agents is not None
    np.testing.assert_allclose(found.agents.regrets, regrets(taxed, profile), rtol=1e-4)
    assert found.epsilon == found.agents.largest_regret > 0
    assert found.wages.tolist() == ARGUMENTS["skills"]


def certify_planner_action(trained: Any) -> Any:
    """The action behind the certificate's schedule."""
    env = trained.env
    seen = env.reset(0)
    row = seen.observations["planner"][:1], seen.action_masks["planner"][:1]
    return _most_likely(trained.learners["planner"], env.engine, Population.of(env.engine.settings), row)[0]


class Known:
    """Acts by known probabilities, a row per part."""

    def __init__(self, *probabilities: list[float], space: spaces.Space[Any]) -> None:
        self.probabilities, self.action_space = np.array(probabilities), space
        self.noise_size = len(probabilities)

    def act(self, observations: Any, noise: Any, action_masks: Any = None) -> Any:
        drawn = (noise[:, :, None] >= self.probabilities.cumsum(axis=1)).sum(axis=2)
        return drawn if isinstance(self.action_space, spaces.MultiDiscrete) else drawn[:, 0]


def coarse(**changes: Any) -> Any:
    """A trainer of a game with three rates: 0, 0.5 and 1."""
    taxes = {"PeriodicBracketTax": {"period": 2, "rate_disc": 0.5}}
    return trainer(components=["SimpleLabor", taxes], **changes)


def test_the_most_likely_schedule_is_that_of_the_rates() -> None:
    """Keeping a rate of 0 and choosing 0 are one schedule; a bracket from 510 coin is beyond all incomes."""
    trained = coarse()
    doubtful, sure, beyond = [0.25, 0.35, 0.4, 0.0], [0.0, 0.0, 0.1, 0.9], [0.25] * 4
    planner: Any = Known(*[doubtful, sure] * 3, beyond, space=trained.env.action_spaces["planner"])
    trained.learners["planner"] = planner
    found = certify_taxes(trained)
    assert found.schedule.rates.tolist()[:6] == [0.0, 1.0] * 3
    # Incomes of up to 250 coin reach six brackets.
    assert found.probability == pytest.approx((0.6 * 0.9) ** 3, abs=6 / NOISE_LEVELS)


def test_the_most_likely_schedule_of_a_planner_that_sets_one_bracket() -> None:
    trained = coarse(multi_action_mode_planner=False)
    # Keep all; then rates 0, 0.5 and 1 of the first bracket; a rate of 0 changes nothing anywhere.
    chances = [0.2, 0.1, 0.05, 0.45, 0.1, *[0.0] * 14, 0.0, 0.1, 0.0]
    planner: Any = Known(chances, space=trained.env.action_spaces["planner"])
    trained.learners["planner"] = planner
    found = certify_taxes(trained)
    assert found.probability == pytest.approx(0.5, abs=2 / NOISE_LEVELS)  # 0.2 + 0.1 + 0.1, and beyond all incomes 0.1
    assert found.schedule.rates.tolist()[:6] == [0.0] * 6


def test_a_planner_inside_has_its_own_schedule() -> None:
    found = certify_taxes(trainer(planner={"name": "us_federal"}), 0.5)
    assert found.probability == 1.0
    assert found.schedule.rates.tolist() == [float(rate) for rate in RATES]
    with pytest.raises(ValueError, match="has no fixed schedule; certify one of its own"):
        certify_taxes(trainer(planner={"name": "saez"}))


def test_games_and_agents_that_the_oracles_do_not_know() -> None:
    ignoring = trainer(SB3LearnerConfig(hidden_layers=(8,)))
    with pytest.raises(ValueError, match="the agents work in an episode's first step"):
        certify_taxes(ignoring)
    with pytest.raises(ValueError, match="action_noise must be 0"):
        certify_taxes(trainer(action_noise=0.1))
    with pytest.raises(ValueError, match="behaviour None"):
        certify_taxes(trainer(behaviour={"name": "habit", "probability": 0.1}))
    with pytest.raises(ValueError, match=r"certified in one_step_economy_v0, not in bimatrix_v0\."):
        certify_given_schedule(EnvironmentSpec("bimatrix_v0", {})(1), [0.1])


def test_agents_who_know_what_episodes_draw_are_asked_at_one_value() -> None:
    drawn = trainer(perturbation={"name": "random_risk_aversion", "etas": [0.1, 0.9]})
    assert not taxes_are_certified(drawn)
    with pytest.raises(ValueError, match="answer each draw in another way"):
        certify_taxes(drawn)
    low, high, again = (
        likeliest_play(drawn, one_step_economy_v0.batched_env(1, **ARGUMENTS, perturbation=RandomRiskAversion([eta])))
        for eta in (0.1, 0.9, 0.1)
    )
    assert low.rates.tolist() == high.rates.tolist()
    assert low.probability == high.probability
    assert np.abs(low.profile - high.profile).max() > 1e-6
    np.testing.assert_array_equal(low.profile, again.profile)


# --- the command -----------------------------------------------------------------------------------------------------


def test_certify_a_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("certify", str(run), "--epsilon", "0.5") == 1
    printed = capsys.readouterr().out
    for text in (
        "agent_2",
        "2.500",
        "trained: hours",
        "most likely schedule; it plays it with probability",
        "Equilibrium: pure",
        "Welfare with the trained agents: ",
        "The bound ε = 0.5 does NOT hold.",
        "Proven: none of them",
    ):
        assert text in printed
    assert ermas("certify", str(run), "--json", "--epsilon", "99") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["training_notices"] == []
    assert told["agents"]["largest_regret"] == max(told["agents"]["regrets"])
    assert told["worst_welfare_bound"] <= told["worst_welfare_found"] <= told["agents"]["welfare"]
    assert 0 < told["schedule_probability"] <= 1


def test_a_schedule_on_the_command_line_and_in_files_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rates.json").write_text(f"[{', '.join(RATES)}]")
    (tmp_path / "rates.toml").write_text(f"rates = [{', '.join(RATES)}]")
    answers = []
    for given in (RATES, [str(tmp_path / "rates.json")], [str(tmp_path / "rates.toml")]):
        assert ermas("certify", "--json", "--epsilon", "0.5", "--schedule", *given, *GAME, *options()) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1] == answers[2]
    env = EnvironmentSpec("one_step_economy_v0", ARGUMENTS)(1)
    expected = certify_schedule(Population.of(env.engine.settings), [float(rate) for rate in RATES], 0.5)  # type: ignore[attr-defined]
    assert answers[0] == [{**expected.as_dict(), "schedule_probability": None}]


def test_another_objective_leaves_the_worst_case_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    given = options(planner_reward_type="inv_income_weighted_utility")
    assert ermas("certify", "--schedule", *RATES, *GAME, *given) == 0
    printed = capsys.readouterr().out
    assert "Equilibrium: pure (nobody mixes), largest regret 0.0000." in printed
    assert "Worst welfare over all ε-equilibria, ε = 0: not known (mixed choices and worst cases are known" in printed


def test_the_page_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs/command-line.md").read_text(encoding="utf-8")
    start = page.index("    ermas certify --schedule")
    words = page[start : page.index("\n\n", start)].replace("\\\n", " ").split()
    assert ermas(*words[1:]) == 0
    _, _, shown = page[start:].partition("```text\n")
    assert capsys.readouterr().out.endswith(shown[: shown.index("```")])


OTHERS = {"components": ["SimpleLabor", {"PeriodicBracketTax": {"period": 1}}]}
UNUSABLE: list[tuple[tuple[str, ...], str]] = [
    ((), "name a run or its checkpoint, or give a --schedule, --tolls or a --contract: one of them."),
    (("run", "--schedule", "0.1"), "name a run or its checkpoint, or give a --schedule, --tolls or a --contract: one"),
    (("--schedule", "0.1", "0.2"), "schedule: in which game? Name its --environment, too."),
    (("--schedule", "0.1", "0.2", *GAME, *options()), "rates must hold one rate per bracket, that is 7, got 2."),
    (("--schedule", *RATES[:6], "1.5", *GAME, *options()), "rates[6] must be a finite number >= 0 and <= 1, got 1.5."),
    (("--schedule", *RATES[:6], "-0.5", *GAME, *options()), "rates[6] must be a finite number >= 0 and <= 1, got -0.5"),
    (("--schedule", *RATES[:6], "high", *GAME, *options()), "rates[6] must be a finite number >= 0 and <= 1, got 'hi"),
    (("--schedule", *RATES, *GAME, *options(**OTHERS)), "one period of two steps per episode"),
    (("--schedule", *RATES, *GAME, *options(skills=[2.0, 1.0, 1.0])), "skills must be in ascending order"),
    (("--schedule", *RATES, "--environment", "bimatrix_v0"), "one_step_economy_v0, not in bimatrix_v0"),
    (("--schedule", *RATES, "--epsilon", "-1", *GAME, *options()), "epsilon must be a finite number >= 0, got -1"),
    (("--schedule", "none.json", *GAME, *options()), "none.json: No such file"),
    (("--schedule", "rates.csv", *GAME, *options()), "rates.csv is neither a number nor a .json, .toml, .yaml"),
    (("--schedule", "text.json", *GAME, *options()), "text.json: Expecting value"),
    (("--schedule", "table.json", *GAME, *options()), "table.json: rates must be a list of numbers, got {'a': 1}."),
    (("--schedule", "other.toml", *GAME, *options()), "other.toml: must hold `rates` and nothing else, got ['rate']."),
]


@pytest.mark.parametrize(("given", "message"), UNUSABLE, ids=[message[:30] for _, message in UNUSABLE])
def test_unusable_input_is_answered_by_one_line(
    given: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.json").write_text("rates")
    Path("table.json").write_text('{"a": 1}')
    Path("other.toml").write_text("rate = [0.1]")
    Path("rates.csv").write_text("0.1,0.2")
    assert ermas("certify", *given) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("ermas certify: ")
    assert message in said.err
    assert said.err.count("\n") == 1
