"""Agents that share a policy, deviations that share one, and fewer deviating agents than there are."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from helpers.crowd import COSTS, crowd
from helpers.foreign_game import ForeignGame

from ermas_algos import ERMAS, MARL, ERMASConfig, MARLConfig, Population, PopulationConfig
from ermas_algos.algorithms.deviations import common_multiplier
from ermas_algos.algorithms.multipliers import MultiplierConfig, Multipliers
from ermas_algos.algorithms.seats import parts_of
from ermas_algos.algorithms.sharing import sharers
from ermas_algos.checkpoint import read_checkpoint
from ermas_algos.evaluation.fresh_agents import FreshAgentsConfig, train_fresh_agents
from ermas_algos.learners import ExactLearnerConfig, SB3LearnerConfig
from ermas_envs import ParallelEnvBatch, bimatrix_v0
from ermas_envs.base.groups import Roles
from ermas_envs.planners import ConstantPlanner

SMALL = {"num_envs": 8, "rollout_steps": None}


def game(num_envs: int, **arguments: Any) -> Any:
    return bimatrix_v0.batched_env(num_envs, horizon=4, agents_observe="own", agent_index=True, **arguments)


# --- who shares with whom --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sharing", "expected"),
    [
        ("none", {role: (role,) for role in ("agent_0", "agent_1", "planner")}),
        ("group", {"agent": ("agent_0", "agent_1"), "planner": ("planner",)}),
        ({"agent_1": "miner", "agent_0": "miner"}, {"miner": ("agent_0", "agent_1"), "planner": ("planner",)}),
        ({"agent_1": "agent_0"}, {"agent_0": ("agent_0", "agent_1"), "planner": ("planner",)}),
        ({"agent_1": "b"}, {"agent_0": ("agent_0",), "b": ("agent_1",), "planner": ("planner",)}),
    ],
    ids=str,
)
def test_labels_and_their_roles(sharing: Any, expected: dict[str, tuple[str, ...]]) -> None:
    assert sharers(sharing, game(1)) == expected
    assert MARL(game, MARLConfig(**SMALL, policy_sharing=sharing)).sharers == expected


@pytest.mark.parametrize(
    ("sharing", "message"),
    [
        ("all", "policy_sharing must be 'none' or 'group', or a table"),
        (["agent_0"], "policy_sharing must be"),
        ({"agent_0": 3}, "policy_sharing must be"),
        ({"agent_0": ""}, "policy_sharing must be"),
        ({"agent_0": "deviation/agent_1"}, "must not hold '/'"),
    ],
    ids=str,
)
def test_what_is_no_sharing_is_refused(sharing: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MARLConfig(policy_sharing=sharing)
    with pytest.raises(ValueError, match=message):
        FreshAgentsConfig(policy_sharing=sharing)


@pytest.mark.parametrize(
    ("sharing", "message"),
    [
        ({"agent_7": "x"}, "policy_sharing: agent: unknown name 'agent_7'"),
        ({"planner": "x"}, "policy_sharing: agent: unknown name 'planner'"),
        ({"agent_0": "planner"}, "cannot share the policy of the planner"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_environment_is_refused(sharing: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MARL(game, MARLConfig(**SMALL, policy_sharing=sharing))


def test_roles_of_other_spaces_cannot_share() -> None:
    roles = ("agent_0", "agent_1", "planner")
    seen: dict[str, Any] = dict.fromkeys(roles, spaces.Discrete(2))
    uneven: Any = SimpleNamespace(
        agents=roles[:2],
        planner="planner",
        possible_agents=roles,
        observation_spaces=seen,
        action_spaces={**seen, "agent_1": spaces.Discrete(3)},
        groups={role: (role,) for role in roles},
    )
    assert sharers("group", uneven) == {role: (role,) for role in roles}
    with pytest.raises(ValueError, match=r"label 'x' must have equal action spaces; 'agent_0' has Discrete\(2\)"):
        sharers({"agent_0": "x", "agent_1": "x"}, uneven)


# --- seats -----------------------------------------------------------------------------------------------------------


def test_seats_are_few_rectangles_that_hold_every_seat_once() -> None:
    roles = Roles({"agent": [f"agent_{k}" for k in range(4)], "planner": ["planner"]})
    everybody = [(role, block) for role in roles.names[:4] for block in range(3)]
    assert [(p.replicas, p.places) for p in parts_of(everybody, roles, 5)] == [(slice(0, 15), slice(0, 4))]
    others = [seat for seat in everybody if seat not in (("agent_2", 1), ("agent_0", 2))]
    found = parts_of(others, roles, 5)
    assert len(found) == 4
    covered = Counter(
        (block, place)
        for part in found
        for block in range(part.replicas.start // 5, part.replicas.stop // 5)
        for place in range(part.places.start, part.places.stop)
    )
    assert covered == {(block, int(role[-1])): 1 for role, block in others}


# --- learning --------------------------------------------------------------------------------------------------------


def parameters(trainer: Any) -> dict[str, Any]:
    return {label: learner.get_parameters() for label, learner in trainer._all_learners().items()}


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return list(first) == list(second) and all(np.array_equal(first[label], second[label]) for label in first)


CONFIGS = (
    (MARL, MARLConfig, {"extra_agent_updates": 1}),
    (ERMAS, ERMASConfig, {"warmup_iterations": 1, "meta_step_size": 0.1}),
    (
        ERMAS,
        ERMASConfig,
        {"warmup_iterations": 1, "deviation": "restarted", "deviating_agents": 1, "trust_region": 0.1},
    ),
    (Population, PopulationConfig, {"multipliers": (1.0, 4.0)}),
)


@pytest.mark.parametrize(
    ("algorithm", "config", "further"), CONFIGS, ids=["MARL", "persistent", "restarted", "population"]
)
@pytest.mark.parametrize("learner", [SB3LearnerConfig(), ExactLearnerConfig()], ids=["sb3", "exact"])
def test_shared_learners_train_are_saved_once_and_resume_bit_for_bit(
    algorithm: Any, config: Any, further: dict[str, Any], learner: Any, tmp_path: Path
) -> None:
    settings = config(**SMALL, **further, policy_sharing="group", agent_learner=learner, planner_learner=learner)
    straight = algorithm(game, settings).learn(4)
    assert straight.learners["agent_0"] is straight.learners["agent_1"]
    assert not any("agent_" in label for label in straight._all_learners())
    algorithm(game, settings).learn(2).save(tmp_path / "half")
    assert set(read_checkpoint(tmp_path / "half", algorithm.name).metadata["learners"]) == set(straight._all_learners())  # type: ignore[arg-type]
    resumed = algorithm.load(tmp_path / "half", game).learn(4)
    assert same(parameters(straight), parameters(resumed))


def test_a_table_shares_as_the_group_does() -> None:
    by_table = MARLConfig(**SMALL, policy_sharing={"agent_0": "both", "agent_1": "both"})
    by_group = MARLConfig(**SMALL, policy_sharing="group")
    first, second = (parameters(MARL(game, config).learn(2)) for config in (by_table, by_group))
    assert [np.array_equal(a, b) for a, b in zip(first.values(), second.values(), strict=True)] == [True, True]


def test_a_shared_learner_trains_on_the_rows_of_all_its_agents_and_a_deviation_on_its_own() -> None:
    trainer = ERMAS(game, ERMASConfig(**SMALL, policy_sharing="group", warmup_iterations=0))
    rows: dict[str, list[tuple[int, int]]] = {}
    for label, learner in trainer._all_learners().items():

        def spy(rollout: Any, label: str = label, update: Any = learner.update) -> Any:
            rows.setdefault(label, []).append(rollout.rewards.shape)
            return update(rollout)

        learner.update = spy  # type: ignore[method-assign]
    trainer.learn(1)
    assert rows == {"agent": [(4, 16)], "deviation/agent": [(4, 16), (4, 16)], "planner": [(4, 8)]}


def test_every_agent_sees_who_it_is() -> None:
    env = game(3)
    seen = env.reset(0).observations
    assert seen["agent_0"][0, -2:].tolist() == [1.0, 0.0]
    assert seen["agent_1"][0, -2:].tolist() == [0.0, 1.0]
    assert env.observation_spaces["agent_0"].shape == seen["agent_0"].shape[1:]
    tables = env.tabular_game().observations
    assert tables["agent_1"][0, 0, -2:].tolist() == [0.0, 1.0]


# --- fewer deviating agents than there are ---------------------------------------------------------------------------


@pytest.mark.parametrize(("agents", "at_once", "hands"), [(7, 3, 3), (7, 7, 1), (7, 100, 1), (6, 2, 3), (5, 1, 5)])
def test_every_agent_deviates_once_in_a_round(agents: int, at_once: int, hands: int) -> None:
    trainer = ERMAS(crowd(agents), ERMASConfig(**SMALL, deviating_agents=at_once, warmup_iterations=2))
    orders = set()
    for begun in range(4):
        dealt = []
        for hand in range(hands):
            trainer.iteration = 2 + begun * hands + hand
            dealt.append(trainer._deviators())
            assert 1 <= len(dealt[-1]) <= at_once
        assert sorted(agent for hand in dealt for agent in hand) == sorted(trainer.env.agents)
        orders.add(tuple(dealt))
    assert len(orders) == 1 if hands == 1 else len(orders) > 1


def test_the_multiplier_moves_as_far_in_its_turn_as_in_as_many_updates() -> None:
    config = MultiplierConfig(initial=1.0, step_size=0.5, proportional=0.0)
    often, seldom = (Multipliers(config, {"a": 0.1, "b": 0.1}) for _ in range(2))
    for _ in range(3):
        often.update({"a": 0.3, "b": 0.0})
    seldom.update({"a": 0.3}, agents=["a"], iterations=3)
    assert seldom.values["b"] == 1.0
    seldom.update({"b": 0.0}, agents=["b"], iterations=3)
    for agent in "ab":
        assert seldom.values[agent] == pytest.approx(often.values[agent], rel=1e-12)


def test_regret_is_reported_for_those_who_deviated() -> None:
    told: list[dict[str, Any]] = []
    config = ERMASConfig(**SMALL, deviating_agents=1, warmup_iterations=1, policy_sharing="group")
    ERMAS(crowd(3), config).learn(4, progress=lambda _, metrics: told.append(dict(metrics)))
    measured = [[agent for agent in range(3) if not np.isnan(m[f"estimated_regret/agent_{agent}"])] for m in told]
    assert measured[0] == []
    assert sorted(agent for agents in measured[1:] for agent in agents) == [0, 1, 2]
    assert all(list(metrics) == list(told[0]) for metrics in told)


def test_the_common_multiplier_has_the_mean_weight() -> None:
    assert common_multiplier([3.0]) == 3.0
    common = float(np.asarray(common_multiplier([1.0, 3.0])))
    assert common / (1 + common) == pytest.approx((0.5 + 0.75) / 2)


# --- known optima ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_agents_with_one_policy_harm_as_much_as_their_regret_allows() -> None:
    """The worst ε-equilibrium of the crowd is known: an agent of cost c harms with probability ε/c."""
    epsilon = 0.05
    learner = SB3LearnerConfig(learning_rate=0.01, gamma=0.0, algorithm_kwargs={"n_epochs": 2, "ent_coef": 0.2})
    config = ERMASConfig(
        num_envs=8,
        policy_sharing="group",
        deviating_agents=20,
        epsilon=epsilon,
        warmup_iterations=5,
        agent_learner=learner,
        # One of a hundred agents moves the planner's payoff by a hundredth of its scale.
        multiplier=MultiplierConfig(initial=0.02, step_size=0.005, proportional=0.3, maximum=0.2),
    )
    trainer = ERMAS(crowd(100, planner=ConstantPlanner(0)), config)
    harm: list[Any] = []

    def record(_: int, __: Any) -> None:
        harm.append(trainer.learners["agent_0"].action_probabilities(np.eye(3, dtype=np.float32))[:, 1])

    trainer.learn(300, progress=record)
    np.testing.assert_allclose(np.mean(harm[200:], axis=0), epsilon / COSTS, rtol=0.25)


def test_fresh_agents_may_share_a_policy() -> None:
    learner = SB3LearnerConfig(learning_rate=0.05, gamma=0.0)
    config = FreshAgentsConfig(learner, num_envs=16, window=10, max_iterations=30, policy_sharing="group")
    agents = train_fresh_agents(crowd(9, planner=ConstantPlanner(0)), config, 0)
    assert len({id(learner) for learner in agents.learners.values()}) == 1
    harm = agents.learners["agent_8"].action_probabilities(np.eye(3, dtype=np.float32))[:, 1]
    assert harm.max() < 0.15


def ermas_of(names: tuple[str, str], algorithm: Any = ERMAS, **settings: Any) -> Any:
    config = algorithm.config_type(num_envs=2, rollout_steps=4, **settings)
    return algorithm(lambda n: ParallelEnvBatch(lambda: ForeignGame(names), n), config)


@pytest.mark.parametrize(
    ("names", "algorithm", "settings"),
    [
        (("a", "a/b"), MARL, {}),
        (("a/policy", "a"), MARL, {}),
        (("deviation", "b"), ERMAS, {}),
        (("deviation/b", "b"), ERMAS, {}),
        (("ordinary", "b"), ERMAS, {"ordinary_agents": True}),
    ],
)
def test_agents_whose_learners_a_checkpoint_would_mix_up_are_refused(names: Any, algorithm: Any, settings: Any) -> None:
    """Before training: such a checkpoint could not be read, or gave one learner's numbers to another."""
    with pytest.raises(ValueError, match="agents: no checkpoint can tell the learners"):
        ermas_of(names, algorithm, **settings)


@pytest.mark.parametrize("names", [("team/a", "team/b"), ("a", "ab"), ("deviations", "b")], ids=str)
def test_names_that_only_look_alike_come_back_from_a_checkpoint(names: tuple[str, str], tmp_path: Path) -> None:
    trained = ermas_of(names, warmup_iterations=0).learn(2, tmp_path)
    loaded = ERMAS.resume(tmp_path, trained.make_env)
    for label, learner in trained._all_learners().items():
        np.testing.assert_array_equal(learner.get_parameters(), loaded._all_learners()[label].get_parameters())
