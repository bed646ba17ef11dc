"""Planners that people can read: trees that imitate, what they keep, their certificate, and `ermas explain`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from ermas_algos import MARL, MARLConfig, SB3LearnerConfig, command_line
from ermas_algos.evaluation.certificate import certify_trainer
from ermas_algos.evaluation.decision_tree import MOST_LEAVES, fitted_tree
from ermas_algos.evaluation.explanation import explain_planner, with_planner
from ermas_algos.evaluation.likeliest_action import likeliest_actions
from ermas_algos.evaluation.toll_certificate import certify_given_tolls, certify_toll_run
from ermas_algos.learners import ExactLearnerConfig
from ermas_envs import EnvironmentSpec
from ermas_envs.game.tree_planner import leaves_of
from ermas_envs.planners import TreePlanner

EXACT = ExactLearnerConfig()
SMALL = SB3LearnerConfig(hidden_layers=(4,))
MASKED = SB3LearnerConfig(algorithm="MaskablePPO", hidden_layers=(4,))
TOLLS = EnvironmentSpec("toll_v0", {"num_drivers": 4, "drives": 3, "tolled": [1], "toll_levels": 5})


def ermas(*arguments: str) -> int:
    """Exit status of a command."""
    with pytest.raises(SystemExit) as stopped:
        command_line.main(list(arguments))
    return stopped.value.code if isinstance(stopped.value.code, int) else 2


def trained(spec: EnvironmentSpec, learner: Any = SMALL, **settings: Any) -> MARL:
    chosen = {"num_envs": 4, "agent_learner": learner, "planner_learner": learner, **settings}
    return MARL(spec, MARLConfig(**chosen))


# Trees


def played(tree: Any, observations: Any, action_space: spaces.Space[Any]) -> Any:
    planner = TreePlanner(tree)
    planner.bind(spaces.Box(-1.0, 1.0, observations.shape[1:], np.float32), action_space)
    return planner.act(observations, np.empty((len(observations), 0)), None)


def test_a_rule_is_found_in_as_few_leaves_as_it_has() -> None:
    observations = np.random.default_rng(0).uniform(-1, 1, (500, 3)).astype(np.float32)
    rule = np.stack([np.where(observations[:, 1] > 0.25, 4, 2), np.where(observations[:, 2] > 0, 1, 0)], axis=1)
    space = spaces.MultiDiscrete([5, 2])
    tree = fitted_tree(observations, rule, space, 0)
    assert len(leaves_of(tree)) == 4
    assert (played(tree, observations, space) == rule).all()


def test_what_does_the_same_is_one_leaf() -> None:
    """A minority of 1 % in one corner splits the tree, but changes nothing in it."""
    generator = np.random.default_rng(1)
    observations = generator.uniform(-1, 1, (400, 2)).astype(np.float32)
    actions = np.where((observations[:, 0] > 0.5) & (generator.random(400) < 0.1), 1, 3)
    assert fitted_tree(observations[:, :1].round(1), actions, spaces.Discrete(5), 0) == {"action": 3}


def test_numbers_are_means_within_their_space() -> None:
    observations = np.array([[0.0], [0.0], [1.0], [1.0]], np.float32)
    actions = np.array([[0.2], [0.4], [0.8], [0.9]], np.float32)
    tree = fitted_tree(observations, actions, spaces.Box(0.0, 1.0, (1,), np.float32), 0)
    assert played(tree, observations, spaces.Box(0.0, 1.0, (1,), np.float32)).ravel().tolist() == pytest.approx(
        [0.3, 0.3, 0.85, 0.85]
    )


def test_at_most_sixteen_leaves() -> None:
    observations = np.random.default_rng(2).uniform(-1, 1, (600, 4)).astype(np.float32)
    actions = (np.abs(observations).sum(axis=1) * 10).astype(np.int64)
    assert len(leaves_of(fitted_tree(observations, actions, spaces.Discrete(41), 0))) <= MOST_LEAVES


def test_actions_may_begin_below_zero() -> None:
    space = spaces.Discrete(3, start=-1)
    observations = np.array([[0.0], [1.0]], np.float32)
    assert played(fitted_tree(observations, np.array([-1, 1]), space, 0), observations, space).tolist() == [-1, 1]


# Likeliest actions


def test_likeliest_actions_in_many_states() -> None:
    class ByState:
        """Its first part is 2 with probability .9 where the state is above 0, else 1; its second one 0 with .6."""

        noise_size = 2

        def act(self, observations: Any, noise: Any, masks: Any = None) -> Any:
            likely = np.where(observations[:, 0] > 0, 2, 1)
            return np.stack([np.where(noise[:, 0] < 0.9, likely, 0), np.where(noise[:, 1] < 0.4, 1, 0)], axis=1)

    learner: Any = ByState()
    states = np.random.default_rng(0).normal(size=(1000, 1))  # more than are asked for at once
    found = likeliest_actions(learner, spaces.MultiDiscrete([3, 2]), states, None)
    assert (found[:, 0] == np.where(states[:, 0] > 0, 2, 1)).all()
    assert (found[:, 1] == 0).all()


# Explanations


def test_a_planner_that_is_a_tree_is_explained_without_loss() -> None:
    """An exact learner that sees the time only: its likeliest action is a function of the step."""
    spec = EnvironmentSpec("augmented_bimatrix_v0", {"agents_observe": "own", "planner_observes": False, "horizon": 4})
    trainer = MARL(spec, MARLConfig(agent_learner=EXACT, planner_learner=EXACT)).learn(150)
    found = explain_planner(trainer, seed=1, rollouts=64)
    game = trainer.tables()
    likeliest = trainer.policies()["planner"].argmax(axis=-1)
    shown = game.as_policy(found.planner.tabular(*game.decision_points("planner")))
    assert (shown.argmax(axis=-1) == likeliest).all()
    assert found.agreement == 1.0
    assert found.payoffs["readable"] == found.payoffs["likeliest"]
    assert found.share_of_gain == 1.0
    assert found.share_of_return == found.payoffs["readable"] / found.payoffs["trained"]
    assert sum(rule.share for rule in found.rules) == pytest.approx(1.0)
    assert found.as_dict() == explain_planner(trainer, seed=1, rollouts=64).as_dict()


def test_a_tree_that_loses_says_so() -> None:
    """The tree sees nothing but the time, the planner the agents' levels: it is worse, and the interval says that."""

    class Forgetful(TreePlanner):
        """A stake of 1 whatever is seen."""

        def __init__(self, tree: Any) -> None:
            super().__init__({"action": 1})

    trainer = MARL(
        EnvironmentSpec("augmented_bimatrix_v0", {"agents_observe": "own", "horizon": 4}),
        MARLConfig(agent_learner=EXACT, planner_learner=EXACT),
    ).learn(150)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ermas_algos.evaluation.explanation.TreePlanner", Forgetful)
        found = explain_planner(trainer, rollouts=64)
    low, high = found.differences["likeliest"]
    assert low < high < 0
    assert found.share_of_gain is not None
    assert found.share_of_gain < 0.9
    assert found.agreement < 0.5


def test_losses_have_no_share_of_a_return() -> None:
    found = explain_planner(trained(TOLLS), rollouts=8)
    assert found.payoffs["trained"] < 0
    assert found.share_of_return is None
    assert found.as_dict()["share_of_return"] is None


def test_the_trainer_goes_on_as_if_nothing_had_been_explained() -> None:
    ours, theirs = trained(TOLLS).learn(1), trained(TOLLS).learn(1)
    explain_planner(ours, rollouts=8)
    for role, learner in ours.learn(2).learners.items():
        np.testing.assert_array_equal(learner.get_parameters(), theirs.learn(2).learners[role].get_parameters())


GAMES: dict[str, tuple[dict[str, Any], Any]] = {
    "bimatrix_v0": ({"horizon": 4}, SMALL),
    "augmented_bimatrix_v0": ({"horizon": 4}, SMALL),
    "toll_v0": ({"num_drivers": 3, "drives": 2}, SMALL),
    "contract_v0": ({"outcomes": "expected"}, SMALL),
    "one_step_economy_v0": (
        {"num_agents": 4, "observations": "compact", "agent_reward_type": "isoelastic_coin_minus_labor",
         "planner_reward_type": "coin_eq_times_productivity"},
        MASKED,
    ),
    "economy_v0": ({"observations": "compact", "layout": "village", "horizon": 10,
                    "components": {"PeriodicBracketTax": {"period": 5}}}, MASKED),
}  # fmt: skip


@pytest.mark.parametrize("name", GAMES)
def test_every_game_with_a_planner(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, learner = GAMES[name]
    trained(EnvironmentSpec(name, arguments), learner).learn(1, tmp_path)
    out = tmp_path / "planner.json"
    assert ermas("explain", str(tmp_path), "--episodes", "8", "--json", "--out", str(out)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["planner"] == json.loads(out.read_text())
    assert 1 <= len(told["rules"]) <= MOST_LEAVES
    assert (told["certificate"] is None) == (name == "economy_v0")
    env = EnvironmentSpec(name, arguments)(2, planner=TreePlanner(told["planner"]["tree"]))
    env.reset(0)


# Certificates


def test_the_certificate_is_that_of_the_run_with_the_tree_in_its_planners_place() -> None:
    spec = EnvironmentSpec("augmented_bimatrix_v0", {"agents_observe": "own", "horizon": 4})
    trainer = MARL(spec, MARLConfig(agent_learner=EXACT, planner_learner=EXACT)).learn(20)
    (found,) = certify_trainer(with_planner(trainer, TreePlanner({"action": 3})), 0.1)
    policies = trainer.policies()
    policies["planner"] = np.eye(7)[np.full(policies["planner"].shape[:2], 3)]
    (same,) = certify_trainer(with_planner(trainer, TreePlanner({"action": 3})), 0.1)
    assert found == same
    from ermas_envs.oracles import certify

    assert found == certify(trainer.tables(), policies, 0.1)


def test_certificates_of_tolls_are_those_of_the_trees_tolls() -> None:
    trainer = trained(TOLLS)
    found = certify_toll_run(with_planner(trainer, TreePlanner({"action": [3]})), 0.1)
    given = certify_given_tolls(TOLLS(1), [0.0, 0.75], 0.1)
    assert found.probability == 1.0
    assert found.certificate.worst is not None
    assert given.certificate.worst is not None
    assert found.certificate.worst.mean_latency == given.certificate.worst.mean_latency


# The command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in the augmented game."""
    folder = tmp_path_factory.mktemp("explained")
    trained(EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 4})).learn(1, folder)
    return folder


def test_what_is_printed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("explain", str(run), "--episodes", "8", "--epsilon", "9") == 0
    printed = capsys.readouterr().out
    for text in ("when", "these rules", "at random", "Certificate, with these rules", "The bound ε = 9 holds."):
        assert text in printed


def test_a_written_tree_is_evaluated(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tree.json"
    assert ermas("explain", str(run), "--episodes", "8", "--out", str(out)) == 0
    assert f"Wrote {out}" in capsys.readouterr().out
    fresh = ("--fresh-agents", "num_envs", "4", "window", "1", "max_iterations", "2", "measured_envs", "8")
    assert ermas("evaluate", str(run), str(out), "--gaps", "0", *fresh) == 0
    assert "tree" in capsys.readouterr().out


def test_exploiters_where_there_is_no_oracle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, learner = GAMES["economy_v0"]
    trained(EnvironmentSpec("economy_v0", arguments), learner).learn(1, tmp_path)
    assert ermas("explain", str(tmp_path), "--episodes", "2") == 0
    assert "No certificate: this game has no oracle" in capsys.readouterr().out
    few = ("exploiters", "1", "updates", "1", "num_envs", "32", "episodes", "64")
    assert ermas("explain", str(tmp_path), "--episodes", "2", "--exploiters", *few) == 0
    assert "regret is at least" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--episodes", "1"), "episodes must be an integer >= 2, got 1"),
        (("--seed", "-1"), "seed must be an integer >= 0, got -1"),
        (("--epsilon", "-1"), "epsilon must be a finite number >= 0"),
        (("--exploiters", "updates", "2"), "this game has an exact oracle"),
        (("--arguments", "horizon", "4"), "name it, too"),
        (("--environment", "bimatrix_v0"), "trained in environment 'augmented_bimatrix_v0'"),
    ],
)
def test_bad_options(run: Path, options: Any, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("explain", str(run), "--episodes", "2", *options) == 2
    assert message in capsys.readouterr().err


def test_what_is_no_run_with_a_planner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ermas("explain", str(tmp_path)) == 2  # a directory without a checkpoint
    assert "checkpoint.safetensors" in capsys.readouterr().err
    assert ermas("explain", "constant:6") == 2  # a planner, but no run
    assert "constant:6" in capsys.readouterr().err
    other = tmp_path / "notes.txt"
    other.write_text("no checkpoint")
    assert ermas("explain", str(other)) == 2
    assert "notes.txt" in capsys.readouterr().err
    ruled = EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 4, "planner": {"name": "constant", "action": 4}})
    trained(ruled).learn(1, tmp_path / "ruled")
    assert ermas("explain", str(tmp_path / "ruled")) == 2
    assert "a planner object plays inside the environment" in capsys.readouterr().err


def test_a_batch_of_seeds_is_not_one_planner() -> None:
    batch = ExactLearnerConfig(num_seeds=2)
    trainer = MARL(
        EnvironmentSpec("bimatrix_v0", {"agents_observe": "own"}),
        MARLConfig(agent_learner=batch, planner_learner=batch),
    )
    with pytest.raises(ValueError, match="a batch of seeds is not one planner"):
        explain_planner(trainer)
