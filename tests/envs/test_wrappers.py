"""Wrappers for learners of other libraries: each form by closed forms, and all of them in play."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv
from pettingzoo.classic import rps_v2

from ermas_envs import PerturbedParallelEnv, bimatrix_v0, contract_v0
from ermas_envs.perturbations import PlannerAdversity
from ermas_envs.testing import check_determinism, check_infos, check_observations
from ermas_envs.wrappers import ActionMasks, Conversion, DiscreteActions, FlatObservations, SameSpaces


class Shop(ParallelEnv):
    """`planner` sees a Dict and sets two prices; `agent_0` sees a vector and buys or not; three steps."""

    metadata = {"name": "shop_v0"}  # noqa: RUF012 PettingZoo's convention

    def __init__(self, told: bool = True) -> None:
        self.told = told  # whether masks are
        self.possible_agents = ["agent_0", "planner"]
        self.agents: list[str] = []
        self.taken: list[dict[str, Any]] = []
        sight = {"stock": spaces.Box(0, 9, (2,), np.int16), "season": spaces.Discrete(3)}
        self._seen = {"agent_0": spaces.Box(-1.0, 1.0, (1,), np.float32), "planner": spaces.Dict(sight)}
        self._acted = {"agent_0": spaces.Discrete(2), "planner": spaces.MultiDiscrete([2, 3])}

    def observation_space(self, agent: str) -> Any:
        return self._seen[agent]

    def action_space(self, agent: str) -> Any:
        return self._acted[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.agents, self.count = list(self.possible_agents), 0
        return self._see(), self._infos()

    def step(self, actions: dict[str, Any]) -> Any:
        self.taken.append(actions)
        self.count += 1
        acted, over = self.agents, self.count == 3
        self.agents = [] if over else acted
        ends = dict.fromkeys(acted, False)
        return self._see(), dict.fromkeys(acted, 1.0), ends, dict.fromkeys(acted, over), self._infos()

    def state(self) -> Any:
        return np.array([self.count])

    def _see(self) -> dict[str, Any]:
        stock = np.array([self.count, 7], np.int16)
        return {"agent_0": np.array([-0.5], np.float32), "planner": {"stock": stock, "season": 2}}

    def _infos(self) -> dict[str, Any]:
        if not self.told:
            return {agent: {"sold": 0} for agent in self.possible_agents}
        masks = {
            "agent_0": np.array([1, 0], np.int8),
            "planner": (np.array([0, 1], np.int8), np.array([1, 0, 1], np.int8)),
        }
        return {agent: {"action_mask": mask, "sold": 0} for agent, mask in masks.items()}


PLAN = {"agent_0": 0, "planner": np.array([1, 2])}


def test_a_conversion_as_it_stands_changes_nothing() -> None:
    env, inner = Conversion(Shop()), Shop()
    assert repr(env.reset()) == repr(inner.reset())
    assert repr(env.step(PLAN)) == repr(inner.step(PLAN))
    assert env.state().tolist() == [1]
    assert env.unwrapped.taken == [PLAN]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("sample", ([0, 1], [1, 0, 1])),
        ("flat", [0, 1, 1, 0, 1]),
        ("table", [[0, 1, 0], [1, 0, 1]]),
        ("none", None),
    ],
)
def test_masks_in_infos(form: str, expected: Any) -> None:
    env = ActionMasks(Shop(), form)
    seen, infos = env.reset()
    assert all(info["sold"] == 0 for info in infos.values())
    mask = infos["planner"].get("action_mask")
    found = tuple(part.tolist() for part in mask) if form == "sample" else None if mask is None else mask.tolist()
    assert found == expected
    assert repr(seen) == repr(Shop().reset()[0])
    if form != "none":
        assert infos["agent_0"]["action_mask"].tolist() == [1, 0]
        parts = mask if isinstance(mask, tuple) else [mask]
        assert {part.dtype for part in parts} == {np.dtype(np.int8)}
    check_infos(lambda: ActionMasks(Shop(), form))


def test_masks_in_observations() -> None:
    env = ActionMasks(FlatObservations(Shop()), "observation")
    seen, infos = env.reset()
    assert infos == {"agent_0": {"sold": 0}, "planner": {"sold": 0}}
    assert seen["planner"]["action_mask"].tolist() == [0, 1, 1, 0, 1]
    assert seen["agent_0"]["observation"].tolist() == [-0.5]
    for agent, observation in seen.items():
        assert env.observation_space(agent).contains(observation)
    theirs = ActionMasks(FlatObservations(Shop()), "observations")
    assert theirs.observation_space("planner").contains(theirs.reset()[0]["planner"])
    assert set(theirs.observation_space("planner").spaces) == {"observations", "action_mask"}
    back = ActionMasks(env, "table")  # from a Dict of observation and mask
    seen, infos = back.reset()
    assert infos["planner"]["action_mask"].tolist() == [[0, 1, 0], [1, 0, 1]]
    assert back.observation_space("planner").contains(seen["planner"])


def test_without_a_mask_everything_is_allowed_and_box_actions_have_none() -> None:
    assert ActionMasks(Shop(told=False), "flat").reset()[1]["planner"]["action_mask"].tolist() == [1] * 5
    contract = ActionMasks(contract_v0.parallel_env(), "observation")
    seen, infos = contract.reset(seed=0)
    assert isinstance(contract.action_space("planner"), spaces.Box)
    assert isinstance(contract.observation_space("planner"), spaces.Box)
    assert isinstance(contract.observation_space("agent_0"), spaces.Dict)
    assert contract.observation_space("agent_0").contains(seen["agent_0"])
    assert "action_mask" not in infos["planner"]


def test_unknown_forms_are_refused() -> None:
    with pytest.raises(ValueError, match=r"form.*'tabel'.*'table'"):
        ActionMasks(Shop(), "tabel")


def test_flat_observations_are_gymnasiums() -> None:
    env = FlatObservations(Shop())
    env.reset()
    seen = env.step(PLAN)[0]["planner"]
    own = Shop().observation_space("planner")
    assert seen.tolist() == spaces.flatten(own, {"stock": np.array([1, 7]), "season": 2}).tolist()
    assert seen.dtype == env.observation_space("planner").dtype
    assert env.observation_space("planner").contains(seen)
    endless = Shop()
    endless._seen["planner"] = spaces.Sequence(spaces.Discrete(2))
    with pytest.raises(ValueError, match="observations of 'planner' have no fixed number of entries"):
        FlatObservations(endless)


def test_one_discrete_action_for_several_choices() -> None:
    env = DiscreteActions(Shop())
    _, infos = env.reset()
    assert env.action_space("planner") == spaces.Discrete(6)
    assert env.action_space("agent_0") == spaces.Discrete(2)
    allowed = [[i, j] for i in range(2) for j in range(3) if i == 1 and j != 1]  # combinations in C order
    played = []
    for number in np.flatnonzero(infos["planner"]["action_mask"]):
        env.reset()
        env.step({"agent_0": 1, "planner": number})
        played.append(env.unwrapped.taken[-1]["planner"].tolist())
        assert env.unwrapped.action_space("planner").contains(env.unwrapped.taken[-1]["planner"])
    assert played == allowed
    with pytest.raises(ValueError, match=r"actions\['planner'\] must be one of Discrete\(6\), got 6"):
        env.step({"agent_0": 1, "planner": 6})


def test_too_many_combinations_are_refused() -> None:
    many = Shop()
    many._acted["planner"] = spaces.MultiDiscrete([22] * 7)
    with pytest.raises(ValueError, match=r"'planner' has 2494357888 combinations .*more than most = 2000"):
        DiscreteActions(many)
    with pytest.raises(ValueError, match="most must be"):
        DiscreteActions(Shop(), most=0)


def test_one_shape_for_all() -> None:
    env = SameSpaces(DiscreteActions(FlatObservations(Shop())))
    seen, infos = env.reset()
    assert len(set(map(str, env.observation_spaces.values()))) == 1
    assert {space.n for space in env.action_spaces.values()} == {6}
    assert seen["agent_0"].tolist() == [-0.5, 0, 0, 0, 0]
    assert infos["agent_0"]["action_mask"].tolist() == [1, 0, 0, 0, 0, 0]
    assert infos["planner"]["action_mask"].sum() == 2
    assert all(env.observation_space(agent).contains(seen[agent]) for agent in env.agents)
    env.step({"agent_0": 5, "planner": 5})  # agent_0 has two actions
    assert env.unwrapped.taken[-1]["agent_0"] == 0
    assert env.unwrapped.taken[-1]["planner"].tolist() == [1, 2]


def test_what_cannot_be_padded_is_refused_with_the_wrapper_that_helps() -> None:
    with pytest.raises(ValueError, match=r"observations of 'planner' must be vectors \(see FlatObservations\)"):
        SameSpaces(Shop())
    with pytest.raises(ValueError, match=r"actions of 'planner' must be Discrete \(see DiscreteActions\)"):
        SameSpaces(FlatObservations(Shop()))


def everything(env: Any) -> Any:
    return ActionMasks(SameSpaces(DiscreteActions(FlatObservations(env))), "observation")


@pytest.mark.parametrize(
    "make",
    [
        lambda: everything(Shop()),
        lambda: everything(bimatrix_v0.parallel_env(horizon=3)),
        lambda: everything(PerturbedParallelEnv(bimatrix_v0.parallel_env(horizon=3), PlannerAdversity(0.5))),
        lambda: ActionMasks(FlatObservations(rps_v2.parallel_env(max_cycles=3)), "observation"),
    ],
    ids=["shop", "bimatrix", "perturbed", "foreign"],
)
def test_wrapped_environments_pass_our_checks(make: Any) -> None:
    check_determinism(make)
    check_observations(make)
    check_infos(make)
