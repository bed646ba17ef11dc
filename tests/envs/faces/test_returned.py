"""What users' environments, perturbations and planners return is checked: errors name role, step and value."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv

from ermas_envs import ParallelEnvBatch, augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.faces.perturbed import PerturbedParallelEnv
from ermas_envs.perturbations import Bounded, PlannerAdversity, SumOf

AGENTS = ("agent_0", "planner")


class Broken(ParallelEnv):  # type: ignore[misc]
    """Three steps; in the second one `agent_0` gets what the test puts into `wrong`."""

    metadata = {"name": "broken_v0"}  # noqa: RUF012 PettingZoo's convention
    possible_agents = list(AGENTS)  # noqa: RUF012

    def __init__(self, seen: spaces.Space[Any], does: spaces.Space[Any], **wrong: Any) -> None:
        self.seen, self.does, self.wrong = seen, does, wrong
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Any:
        return self.seen

    def action_space(self, agent: str) -> Any:
        return self.does

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.time = list(AGENTS), 0
        return self._of("observation", self._nothing()), self._infos()

    def step(self, actions: Mapping[str, Any]) -> Any:
        self.time += 1
        over = self.time == 3
        self.agents = [] if over else list(AGENTS)
        seen, rewards = self._of("observation", self._nothing()), self._of("reward", 1.0)
        return seen, rewards, dict.fromkeys(AGENTS, over), dict.fromkeys(AGENTS, False), self._infos()

    def _nothing(self) -> Any:
        return np.zeros(self.seen.shape or (), self.seen.dtype)

    def _of(self, what: str, usual: Any) -> dict[str, Any]:
        strange = what in self.wrong and self.time == self.wrong.get("at", 2)
        return {agent: self.wrong[what] if strange and agent == "agent_0" else usual for agent in AGENTS}

    def _infos(self) -> dict[str, Any]:
        found: dict[str, Any] = {agent: {} for agent in AGENTS}
        for name in ("payoff", "action_mask"):
            if name in self.wrong:
                strange = self._of(name, None)
                found["agent_0"] |= {} if strange["agent_0"] is None else {name: strange["agent_0"]}
        return found


LINE, TWO = spaces.Box(-1.0, 1.0, (2,), np.float32), spaces.Discrete(2)
PARTS = spaces.MultiDiscrete([2, 2])


def play(seen: spaces.Space[Any] = LINE, does: spaces.Space[Any] = TWO, **wrong: Any) -> ParallelEnvBatch:
    batch = ParallelEnvBatch(lambda: Broken(seen, does, **wrong), 2)
    idle = {agent: np.zeros((2, *(does.shape or ())), np.int64) for agent in AGENTS}
    batch.reset(seed=0)
    for _ in range(4):
        batch.step(idle)
    return batch


IN = " in step 2 of an episode (replica 0) "
MASK = f"action_mask of 'agent_0'{IN}"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reward": np.nan}, f"reward of 'agent_0'{IN}must be one finite number, got nan."),
        ({"reward": np.float32(np.inf)}, f"reward of 'agent_0'{IN}must be one finite number, got np.float32(inf)."),
        ({"reward": np.array([1.0])}, f"reward of 'agent_0'{IN}must be one finite number, got array([1.])."),
        ({"reward": None}, f"reward of 'agent_0'{IN}must be one finite number, got None."),
        ({"reward": "1"}, f"reward of 'agent_0'{IN}must be one finite number, got '1'."),
        ({"reward": 10**400}, f"reward of 'agent_0'{IN}must be one finite number, got an integer of 1329 bits."),
        ({"payoff": -np.inf}, f"payoff of 'agent_0'{IN}must be one finite number, got -inf."),
        ({"payoff": [1.0]}, f"payoff of 'agent_0'{IN}must be one finite number, got [1.0]."),
        ({"observation": [0.0, np.nan]}, f"observation of 'agent_0'{IN}must hold finite numbers, got [0.0, nan]."),
        ({"observation": [0.0, np.inf]}, f"observation of 'agent_0'{IN}must hold finite numbers, got [0.0, inf]."),
        ({"observation": [0.0, 1e300]}, f"observation of 'agent_0'{IN}must lie in {LINE}, got [0.0, 1e+300]."),
        ({"observation": ["a", "b"]}, f"observation of 'agent_0'{IN}must hold finite numbers, got ['a', 'b']."),
        ({"observation": [0.0]}, "observation of 'agent_0' must have shape (2,), as its space says, got (1,)."),
        ({"observation": np.nan, "at": 0}, "observation of 'agent_0' must have shape (2,), as its space says, got ()."),
        (
            {"observation": [np.nan, 0], "at": 0},
            "observation of 'agent_0' in step 0 of an episode (replica 0) must hold finite numbers, got [nan, 0].",
        ),
        ({"seen": TWO, "observation": 2}, f"observation of 'agent_0'{IN}must lie in Discrete(2), got 2."),
        ({"seen": TWO, "observation": 0.5}, f"observation of 'agent_0'{IN}must lie in Discrete(2), got 0.5."),
        ({"seen": PARTS, "observation": [1, 2]}, f"observation of 'agent_0'{IN}must lie in {PARTS}, got [1, 2]."),
        ({"action_mask": [0, 0]}, f"{MASK}must allow an action, got [0, 0]."),
        ({"action_mask": [0.0, -np.inf]}, f"{MASK}must hold truth values, 0 or 1, got [0.0, -inf]."),
        ({"action_mask": ["x", "y"]}, f"{MASK}must hold truth values, 0 or 1, got ['x', 'y']."),
        ({"action_mask": [1]}, "action_mask of 'agent_0' must have shape (2,), as its space says, got (1,)."),
        ({"does": PARTS, "action_mask": [1, 0, 0, 0]}, f"{MASK}must allow an action, got [1, 0, 0, 0]."),
        (
            {"does": PARTS, "action_mask": ([1, 1], [0, 0])},
            f"{MASK}must allow an action, got ([1, 1], [0, 0]).",
        ),
    ],
)  # fmt: skip
def test_what_an_environment_must_not_return_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        play(**wrong)


@pytest.mark.parametrize(
    "fine",
    [
        {"reward": np.array(2.0)},
        {"reward": np.float32(2.0)},
        {"reward": True},
        {"observation": [0, 1]},
        {"observation": np.array([0.0, 9.0])},
        {"seen": TWO, "observation": np.int8(1)},
        {"seen": TWO, "observation": 1.0},
        {"action_mask": np.array([0, 1], np.int8)},
        {"action_mask": [0, 0], "at": 3},
        {"does": PARTS, "action_mask": ([1, 0], [0, 1])},
    ],
)
def test_what_an_environment_may_return_is_taken(fine: dict[str, Any]) -> None:
    play(**fine)


def test_an_agent_that_left_and_may_do_nothing_has_a_mask_of_true() -> None:
    class Leaves(Broken):
        def step(self, actions: Mapping[str, Any]) -> Any:
            returned = super().step(actions)
            self.agents = [agent for agent in self.agents if agent != "agent_0"]
            return returned

    batch = ParallelEnvBatch(lambda: Leaves(LINE, TWO, action_mask=[0, 0], at=1), 1)
    batch.reset(seed=0)
    assert batch.step(dict.fromkeys(AGENTS, np.zeros(1, np.int64))).action_masks["agent_0"].all()


# Hooks


class Adds:
    """A perturbation that adds what it is told to in the third step."""

    def __init__(self, agent: str, value: Any) -> None:
        self.agent, self.value = agent, value

    def bind(self, game: Any, num_envs: int) -> None:
        self.num_envs = num_envs

    def __call__(self, transition: Any) -> Any:
        return {self.agent: self.value if transition.steps[0] == 2 else np.zeros(self.num_envs)}

    def tabular(self, game: Any) -> Any:
        return {self.agent: np.full(game.rewards["agent_0"].shape, np.nan)}


ADDED = "the perturbation of 'agent_1' "


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([0.0, np.nan]), f"{ADDED}in step 3 of an episode (replica 1) must be one finite number"),
        ([np.inf, 0.0], f"{ADDED}in step 3 of an episode (replica 0) must be one finite number"),
        (np.zeros(3), f"{ADDED}must have shape (2,), got (3,)."),
        (1.0, f"{ADDED}must have shape (2,), got ()."),
        (["a", "b"], f"{ADDED}must be 2 numbers, got ['a', 'b']."),
    ],
)
def test_what_a_perturbation_must_not_add_is_named(value: Any, message: str) -> None:
    batch = bimatrix_v0.batched_env(2, perturbation=Adds("agent_1", value))
    batch.reset(seed=0)
    idle = {role: np.zeros(2, np.int64) for role in batch.possible_agents}
    batch.step(idle)
    batch.step(idle)
    with pytest.raises(ValueError, match=re.escape(message)):
        batch.step(idle)


@pytest.mark.parametrize("wrap", [lambda hook: SumOf([PlannerAdversity(0.1), hook]), lambda hook: Bounded(hook, 1.0)])
def test_perturbations_inside_others_are_checked(wrap: Any) -> None:
    batch = bimatrix_v0.batched_env(2, perturbation=wrap(Adds("agent_1", np.array([0.0, np.nan]))))
    batch.reset(seed=0)
    idle = {role: np.zeros(2, np.int64) for role in batch.possible_agents}
    batch.step(idle)
    batch.step(idle)
    with pytest.raises(ValueError, match=re.escape(f"{ADDED}in step 3 of an episode (replica 1) must be one finite")):
        batch.step(idle)


def test_a_perturbation_of_nobody_is_named() -> None:
    batch = bimatrix_v0.batched_env(2, perturbation=Adds("agent_7", 0.0))
    batch.reset(seed=0)
    with pytest.raises(ValueError, match="the perturbation's agent: unknown name 'agent_7'"):
        batch.step({role: np.zeros(2, np.int64) for role in batch.possible_agents})


def test_huge_numbers_are_finite() -> None:
    batch = bimatrix_v0.batched_env(2, perturbation=Adds("agent_0", np.full(2, 1e300)))
    batch.reset(seed=0)
    idle = {role: np.zeros(2, np.int64) for role in batch.possible_agents}
    assert [batch.step(idle) for _ in range(3)][-1].rewards["agent_0"][0] == 1e300


def test_tables_of_a_perturbation_must_be_finite() -> None:
    with pytest.raises(ValueError, match="the perturbation's table for 'agent_0' must hold finite numbers"):
        augmented_bimatrix_v0.batched_env(1, perturbation=Adds("agent_0", 0.0)).tabular_game()


@pytest.mark.parametrize(
    ("wrong", "hook", "message"),
    [
        ({"reward": np.nan, "at": 3}, PlannerAdversity(1.0), "payoff of 'agent_0' in step 3 of an episode must be one"),
        ({"reward": [1.0], "at": 3}, PlannerAdversity(1.0), "payoff of 'agent_0' in step 3 of an episode must be one"),
        ({}, Adds("agent_0", [np.nan]), "the perturbation of 'agent_0' in step 3 of an episode .* one finite number"),
        ({}, Adds("agent_0", np.zeros(2)), r"the perturbation of 'agent_0' must have shape \(1,\), got \(2,\)"),
        ({}, Bounded(Adds("agent_0", [np.nan]), 0.1), "the perturbation of 'agent_0' in step 3 .* one finite number"),
    ],
)
def test_wrapped_environments_are_checked_alike(wrong: dict[str, Any], hook: Any, message: str) -> None:
    env = PerturbedParallelEnv(Broken(LINE, TWO, **wrong), hook)
    env.reset(seed=0)
    env.step(dict.fromkeys(AGENTS, 0))
    env.step(dict.fromkeys(AGENTS, 0))
    with pytest.raises(ValueError, match=message):
        env.step(dict.fromkeys(AGENTS, 0))


def test_a_planner_object_must_return_numbers() -> None:
    class Lost:
        noise_size = 0

        def bind(self, observation_space: Any, action_space: Any) -> None:
            pass

        def act(self, observations: Any, noise: Any, action_masks: Any) -> Any:
            return np.full(2, np.nan)

    batch = augmented_bimatrix_v0.batched_env(2, planner=Lost())  # type: ignore[arg-type]
    batch.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions\['planner'\] must be integers of Discrete\(7\), got dtype float64"):
        batch.step({agent: np.zeros(2, np.int64) for agent in batch.possible_agents})
