"""What is said of environments that are no parallel ones, of copies that differ, and of answers of another form."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from mpe2 import simple_tag_v3
from pettingzoo import ParallelEnv
from pettingzoo.classic import rps_v2
from pettingzoo.utils import aec_to_parallel

from ermas_envs import ParallelEnvBatch, PerturbedParallelEnv
from ermas_envs.perturbations import PlannerAdversity
from ermas_envs.testing import check_batch_observations, check_masks, check_replica_independence
from ermas_envs.wrappers import FlatObservations


class Shop(ParallelEnv):
    """One step, two roles; what it answers can be changed."""

    metadata = {"name": "shop_v0"}  # noqa: RUF012 PettingZoo's convention

    def __init__(self, agents: tuple[str, ...] = ("buyer", "planner"), does: int = 2, **answers: Any) -> None:
        self.possible_agents = list(agents)
        self.agents: list[str] = []
        self.does, self.answers = does, answers

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0.0, 1.0, (1,), np.float32)

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(self.does)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.agents = list(self.possible_agents)
        return self.answers.get("reset", (self._of(np.zeros(1, np.float32)), self._of({})))

    def step(self, actions: dict[str, Any]) -> Any:
        answer = (self._of(np.zeros(1, np.float32)), self._of(1.0), self._of(False), self._of(False), self._of({}))
        self.agents += self.answers.get("entering", [])
        return self.answers.get("step", lambda whole: whole)(answer)

    def _of(self, value: Any) -> dict[str, Any]:
        return dict.fromkeys(self.possible_agents, value)


def play(make_env: Callable[[], Any]) -> None:
    batch = ParallelEnvBatch(make_env, 2)
    batch.reset(0)
    batch.step({role: np.zeros(2, int) for role in batch.possible_agents})


def test_the_shop_is_played() -> None:
    play(Shop)


@pytest.mark.parametrize("make_env", [rps_v2.env, rps_v2.raw_env, simple_tag_v3.env], ids=["wrapped", "raw", "mpe2"])
@pytest.mark.parametrize(
    "use",
    [
        lambda make_env: ParallelEnvBatch(make_env, 2, "player_0"),
        lambda make_env: PerturbedParallelEnv(make_env(), PlannerAdversity(0.1), "player_0"),
        lambda make_env: FlatObservations(make_env()),
    ],
    ids=["batch", "perturbed", "wrapper"],
)
def test_an_aec_environment_is_named_and_the_way_out_told(use: Any, make_env: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a parallel environment.*(rps_v2|simple_tag_v3) is an AEC one.*"):
        use(make_env)


@pytest.mark.parametrize(
    ("make_env", "message"),
    [
        (lambda: gymnasium.make("CartPole-v1"), "a PettingZoo parallel environment, got .*CartPole.*: no possible_ag"),
        (lambda: None, "a PettingZoo parallel environment, got None: no possible_agents"),
        (Shop(), "make_env must be a function that makes an environment, got .*Shop"),
        (rps_v2, "make_env must be a function that makes an environment, got <module"),
    ],
    ids=["gymnasium", "nothing", "environment", "module"],
)
def test_other_things_than_parallel_environments(make_env: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ParallelEnvBatch(make_env, 2)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda: Shop(("seller", "planner")), r"same possible_agents, got \('buyer', 'planner'\) and \('seller'"),
        (lambda: Shop(("planner", "buyer")), "same possible_agents"),
        (lambda: Shop(does=3), r"same spaces, got Discrete\(2\) and Discrete\(3\) for 'buyer'"),
    ],
    ids=["agents", "order", "spaces"],
)
def test_copies_that_differ(second: Any, message: str) -> None:
    made = iter([Shop, second])
    with pytest.raises(ValueError, match=f"make_env must make environments of the {message}"):
        ParallelEnvBatch(lambda: next(made)(), 2)


def without(part: int, agent: str) -> Callable[[Any], Any]:
    """A step's answer in which one mapping lacks an agent."""
    return lambda whole: tuple(
        {name: value for name, value in mapping.items() if (place, name) != (part, agent)}
        for place, mapping in enumerate(whole)
    )


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"reset": {"buyer": np.zeros(1)}}, r"reset must return 2 mappings by agent \(observations, infos\), got \{"),
        ({"reset": ({}, None)}, r"reset must return mappings by agent \(observations, infos\); infos is none"),
        (
            {"reset": ({"planner": np.zeros(1)}, {})},
            "observations in step 0 .*must have an entry for 'buyer', got .'pl",
        ),
        ({"step": lambda whole: whole[:4]}, "step must return 5 mappings by agent .*, got 4 values"),
        ({"step": lambda whole: (*whole[:1], 1.0, *whole[2:])}, "step must return mappings .*; rewards is none"),
        ({"step": without(0, "planner")}, "observations in step 1 .*must have an entry for 'planner'"),
        ({"step": without(1, "buyer")}, "rewards in step 1 .*must have an entry for 'buyer', got .'planner'"),
        ({"entering": ["thief"]}, r"agents in step 1 .*among possible_agents \['buyer', 'planner'\], got 'thief'"),
    ],
    ids=["one", "no infos", "unseen", "four", "number", "unseen later", "unpaid", "stranger"],
)
def test_answers_of_another_form(answers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        play(lambda: Shop(**answers))


def test_a_perturbed_environment_says_it_too() -> None:
    def made(**answers: Any) -> PerturbedParallelEnv:
        return PerturbedParallelEnv(Shop(**answers), PlannerAdversity(0.1))

    with pytest.raises(ValueError, match="reset must return 2 mappings"):
        made(reset=None).reset()
    env = made(step=lambda whole: whole[:4])
    env.reset()
    with pytest.raises(ValueError, match="step must return 5 mappings"):
        env.step({"buyer": 0, "planner": 0})


def test_what_the_message_recommends_works() -> None:
    def make(num_envs: int) -> ParallelEnvBatch:
        return ParallelEnvBatch(lambda: aec_to_parallel(rps_v2.env(max_cycles=5)), num_envs, planner="player_0")

    check_batch_observations(make)
    check_masks(make)
    check_replica_independence(make)


@pytest.mark.parametrize("told", [None, "False", float("nan"), np.array([True, False]), 2, 0.0], ids=repr)
def test_an_end_that_is_neither_true_nor_false_is_told_of_the_role(told: Any) -> None:
    def answer(whole: Any) -> Any:
        return (*whole[:2], {**whole[2], "buyer": told}, *whole[3:])

    with pytest.raises(ValueError, match=r"termination of 'buyer' in .* must be True or False"):
        play(lambda: Shop(step=answer))


@pytest.mark.parametrize("told", [np.bool_(False), 0, np.array(False), np.array([0])], ids=repr)
def test_an_end_may_be_any_truth_value(told: Any) -> None:
    play(lambda: Shop(step=lambda whole: (*whole[:2], {**whole[2], "buyer": told}, *whole[3:])))
