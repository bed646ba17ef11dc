"""`ParallelEnvBatch`: any PettingZoo parallel environment as a batch; early leavers, masks, seeds, auto-reset."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from mpe2 import simple_speaker_listener_v4
from pettingzoo import ParallelEnv
from pettingzoo.classic import rps_v2

from ermas_envs import PLANNER, ParallelEnvBatch, bimatrix_v0
from ermas_envs.planners import ConstantPlanner
from ermas_envs.testing import check_batch_observations, check_masks, check_replica_independence

IDS = ("worker", "late", "planner")


class Factory(ParallelEnv):
    """`worker` leaves after 2 steps, `late` enters after 1, `planner` stays until step 4 and is then cut off.

    An observation is (step, noise of the episode); rewards are 10·step + position in IDS. `terminal` makes the
    planner's end a termination. `seeds` and `taken` record what the environment got.
    """

    metadata = {"name": "factory_v7"}  # noqa: RUF012 PettingZoo's convention

    def __init__(self, terminal: bool = False, mask_in: str = "infos") -> None:
        self.terminal, self.mask_in = terminal, mask_in
        self.possible_agents = list(IDS)
        box = spaces.Box(0.0, 100.0, (2,), np.float32)
        masked = spaces.Dict({"observation": box, "action_mask": spaces.MultiBinary(3)})
        self._observation_spaces = {agent: masked if mask_in == "observation" else box for agent in IDS}
        self._action_spaces = {
            "worker": spaces.Discrete(3),
            "late": spaces.Discrete(3, start=5),
            "planner": spaces.Box(-1.0, 1.0, (2,), np.float32),
        }
        self.agents: list[str] = []
        self.seeds: list[int | None] = []
        self.episodes: list[int] = []
        self.taken: list[dict[str, Any]] = []

    def observation_space(self, agent: str) -> Any:
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        return self._action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.seeds.append(seed)
        self.episodes.append((options or {}).get("first_episode", -1))
        self.noise = float(np.random.default_rng(seed).integers(1, 100))
        self.step_count = 0
        self.agents = ["worker", "planner"]
        return self._seen(self.agents), self._infos(self.agents)

    def step(self, actions: dict[str, Any]) -> Any:
        self.taken.append(dict(actions))
        acted = self.agents
        self.step_count += 1
        terminations = {agent: agent == "worker" and self.step_count == 2 for agent in acted}
        truncations = dict.fromkeys(acted, False)
        if self.step_count == 4:
            over = terminations if self.terminal else truncations
            over.update(dict.fromkeys(acted, True))
        rewards = {agent: 10.0 * self.step_count + IDS.index(agent) for agent in acted}
        rewards["common"] = 7.0  # PettingZoo allows keys that are no agents
        self.agents = [a for a in acted if not (terminations[a] or truncations[a])]
        shown = list(acted)
        if self.step_count == 1:
            self.agents.append("late")
            shown.append("late")
        infos = self._infos(shown)
        infos["planner"]["payoff"] = -1.0
        return self._seen(shown), rewards, terminations, truncations, infos

    def _seen(self, agents: list[str]) -> dict[str, Any]:
        seen = np.array([self.step_count, self.noise], dtype=np.float32)
        if self.mask_in == "observation":
            return {a: {"observation": seen, "action_mask": self._mask()} for a in agents}
        return dict.fromkeys(agents, seen)

    def _infos(self, agents: list[str]) -> dict[str, Any]:
        return {a: {"action_mask": self._mask()} if self.mask_in == "infos" else {} for a in agents}

    def _mask(self) -> Any:
        return np.array([1, 0, self.step_count % 2], dtype=np.int8)


def factory_actions(num_envs: int) -> dict[str, np.ndarray]:
    return {
        "worker": np.full(num_envs, 2),
        "late": np.full(num_envs, 6),
        "planner": np.full((num_envs, 2), 0.5),
    }


def made(num_envs: int, planner: Any = PLANNER, **arguments: Any) -> tuple[ParallelEnvBatch, list[Factory]]:
    copies: list[Factory] = []

    def make() -> Factory:
        copies.append(Factory(**arguments))
        return copies[-1]

    return ParallelEnvBatch(make, num_envs, planner), copies


# --- description -------------------------------------------------------------------------------------------------


def test_describes_the_environment() -> None:
    batch, _ = made(2)
    assert batch.name == "factory_v7"
    assert batch.possible_agents == IDS
    assert batch.agents == ("worker", "late")
    assert batch.planner == "planner"
    assert batch.horizon is None
    assert batch.planner_payoff_scale is None
    assert batch.agent_payoff_scales is None
    assert batch.tabular_game() is None
    assert batch.observation_spaces["worker"] == spaces.Box(0.0, 100.0, (2,), np.float32)
    assert batch.action_spaces["late"] == spaces.Discrete(3, start=5)


def test_name_falls_back_to_the_class() -> None:
    class Nameless(Factory):
        metadata = {}  # noqa: RUF012

    assert ParallelEnvBatch(Nameless, 1).name == "Nameless"


def test_other_planner_ids() -> None:
    batch = ParallelEnvBatch(Factory, 1, planner="late")
    assert batch.agents == ("worker", "planner")


def test_planner_alone_is_refused() -> None:
    class Alone(Factory):
        def __init__(self) -> None:
            super().__init__()
            self.possible_agents = ["planner"]

    with pytest.raises(ValueError, match="at least one agent besides the planner 'planner'"):
        ParallelEnvBatch(Alone, 1)


def test_missing_planner_is_named_with_its_nearest_match() -> None:
    with pytest.raises(ValueError, match=r"'plannr'.*Did you mean 'planner'.*Known: late, planner, worker"):
        ParallelEnvBatch(Factory, 1, planner="plannr")


def test_one_object_for_all_replicas_is_refused() -> None:
    env = Factory()
    with pytest.raises(ValueError, match="make_env must make a new environment"):
        ParallelEnvBatch(lambda: env, 2)


@pytest.mark.parametrize("what", ["observation", "action"])
def test_unsupported_spaces_are_refused(what: str) -> None:
    def make() -> Factory:
        env = Factory()
        getattr(env, f"_{what}_spaces")["late"] = spaces.Dict({"a": spaces.Discrete(2)})
        return env

    with pytest.raises(ValueError, match=rf"{what} space of 'late' must be one of Box, Discrete, MultiDiscrete"):
        ParallelEnvBatch(make, 1)


# --- agents that come and go -------------------------------------------------------------------------------------


def test_absent_agents_see_zeros_earn_nothing_and_do_not_act() -> None:
    batch, (env,) = made(1)
    first = batch.reset(0)
    noise = env.noise
    assert first.observations["late"].tolist() == [[0.0, 0.0]]
    assert first.observations["worker"].tolist() == [[0.0, noise]]
    present = {
        1: {"worker", "planner"},
        2: {"worker", "late", "planner"},
        3: {"late", "planner"},
        4: {"late", "planner"},
    }
    shown = {1: set(IDS), 2: set(IDS), 3: {"late", "planner"}}
    for step in (1, 2, 3, 4):
        result = batch.step(factory_actions(1))
        assert set(env.taken[-1]) == present[step]
        for position, agent in enumerate(IDS):
            expected = 10.0 * step + position if agent in present[step] else 0.0
            assert result.rewards[agent].tolist() == [expected]
            if step < 4:
                seen = [float(step), noise] if agent in shown[step] else [0.0, 0.0]
                assert result.observations[agent].tolist() == [seen]
        assert result.truncated.tolist() == [step == 4]
    assert result.final_observations is not None
    assert result.final_observations["worker"].tolist() == [[0.0, 0.0]]
    assert result.final_observations["planner"].tolist() == [[4.0, noise]]
    assert result.observations["worker"].tolist() == [[0.0, env.noise]]
    assert result.observations["late"].tolist() == [[0.0, 0.0]]  # of the new episode, where it is not there yet


def test_payoff_is_the_infos_where_given() -> None:
    batch, _ = made(1)
    batch.reset(0)
    result = batch.step(factory_actions(1))
    assert set(result.payoffs) == set(IDS)
    assert result.payoffs["planner"].tolist() == [-1.0]
    assert result.rewards["planner"].tolist() == [12.0]
    assert result.payoffs["worker"].tolist() == result.rewards["worker"].tolist() == [10.0]


@pytest.mark.parametrize("terminal", [True, False])
def test_episode_is_terminated_only_if_every_last_flag_is_a_termination(terminal: bool) -> None:
    batch, _ = made(2, terminal=terminal)
    batch.reset(0)
    for _ in range(3):
        result = batch.step(factory_actions(2))
        assert not (result.terminated | result.truncated).any()
    result = batch.step(factory_actions(2))
    assert result.terminated.tolist() == [terminal] * 2
    assert result.truncated.tolist() == [not terminal] * 2


def test_flags_of_an_earlier_episode_do_not_count() -> None:
    """Episode 0 ends with truncations; in episode 1 only the planner takes part, and terminates."""

    class Shrinking(Factory):
        def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            result = super().reset(seed, options)
            self.terminal = self.episodes[-1] == 1
            if self.terminal:
                self.agents, self.step_count = ["planner"], 3
            return result

    batch = ParallelEnvBatch(Shrinking, 1)
    batch.reset(0)
    first = [batch.step(factory_actions(1)) for _ in range(4)][-1]
    second = batch.step(factory_actions(1))
    assert (first.terminated.tolist(), first.truncated.tolist()) == ([False], [True])
    assert (second.terminated.tolist(), second.truncated.tolist()) == ([True], [False])


def test_results_are_those_of_supersuits_black_death() -> None:
    """Agents that left: the same zeros and rewards as the wrapper that is known for it."""
    supersuit = pytest.importorskip("supersuit")
    batch, (env,) = made(1, mask_in="nowhere")
    batch.reset(0)
    reference = supersuit.black_death_v3(Factory(mask_in="nowhere"))
    reference.reset(seed=env.seeds[0])
    for step in range(4):
        result = batch.step(factory_actions(1))
        actions = {agent: values[0] for agent, values in factory_actions(1).items()}
        observations, rewards, _, _, _ = reference.step(actions)
        seen = result.observations if step < 3 else result.final_observations
        for agent in IDS:
            assert seen[agent][0].tolist() == observations[agent].tolist()
            assert result.rewards[agent][0] == rewards.get(agent, 0.0)


# --- masks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask_in", ["infos", "observation"])
def test_masks_of_both_conventions(mask_in: str) -> None:
    batch, _ = made(2, mask_in=mask_in)
    seen = batch.reset(0)
    assert set(seen.action_masks) == {"worker", "late"}  # the planner's actions are a Box
    assert seen.action_masks["late"].all()  # not there yet
    assert seen.action_masks["worker"].tolist() == [[True, False, False]] * 2
    assert seen.action_masks["worker"].dtype == np.bool_
    assert seen.observations["worker"].shape == (2, 2)
    result = batch.step(factory_actions(2))
    assert result.action_masks["worker"].tolist() == [[True, False, True]] * 2
    assert result.action_masks["late"].tolist() == [[True, False, True]] * 2
    batch.step(factory_actions(2))
    result = batch.step(factory_actions(2))
    assert result.action_masks["worker"].tolist() == [[True, True, True]] * 2  # left: everything is allowed
    assert result.action_masks["late"].tolist() == [[True, False, True]] * 2
    result = batch.step(factory_actions(2))  # auto-reset: `late` is not there yet
    assert result.action_masks["worker"].tolist() == [[True, False, False]] * 2
    assert result.action_masks["late"].tolist() == [[True, True, True]] * 2


@pytest.mark.parametrize("form", [np.concatenate, tuple], ids=["flat", "one mask per part"])
def test_masks_of_multi_discrete_actions_are_flat(form: Any) -> None:
    class Dials(Factory):
        def __init__(self) -> None:
            super().__init__()
            self._action_spaces["planner"] = spaces.MultiDiscrete([2, 3])
            self._action_spaces["late"] = spaces.MultiDiscrete([[2, 2], [2, 2]])

        def _infos(self, agents: list[str]) -> dict[str, Any]:
            mask = form([np.array([0, 1], np.int8), np.array([1, self.step_count % 2, 0], np.int8)])
            return {agent: {"action_mask": mask} if agent == "planner" else {} for agent in agents}

    batch = ParallelEnvBatch(Dials, 2)
    seen = batch.reset(0)
    assert set(seen.action_masks) == {"worker", "planner"}  # several axes have no mask
    assert seen.action_masks["planner"].tolist() == [[False, True, True, False, False]] * 2
    assert seen.action_masks["planner"].dtype == np.bool_
    actions = {"worker": np.zeros(2, int), "late": np.zeros((2, 2, 2), int), "planner": np.ones((2, 2), int)}
    assert batch.step(actions).action_masks["planner"].tolist() == [[False, True, True, True, False]] * 2
    check_masks(lambda num_envs: ParallelEnvBatch(Dials, num_envs))


def test_multi_discrete_mask_of_wrong_length_is_reported() -> None:
    class Broken(Factory):
        def __init__(self) -> None:
            super().__init__()
            self._action_spaces["planner"] = spaces.MultiDiscrete([2, 3])

    with pytest.raises(ValueError, match=r"action_mask of 'planner' must have shape \(5,\).*got \(3,\)"):
        ParallelEnvBatch(Broken, 1).reset(0)


def test_environment_without_masks_allows_everything() -> None:
    batch, _ = made(1, mask_in="nowhere")
    for seen in (batch.reset(0), batch.step(factory_actions(1))):
        assert {agent: mask.all() for agent, mask in seen.action_masks.items()} == {"worker": True, "late": True}


def test_observation_of_wrong_shape_is_reported() -> None:
    class Broken(Factory):
        def _seen(self, agents: list[str]) -> dict[str, Any]:
            return {agent: np.zeros(1, np.float32) for agent in agents}

    with pytest.raises(ValueError, match=r"observation of 'worker' must have shape \(2,\).*got \(1,\)"):
        ParallelEnvBatch(Broken, 1).reset(0)


# --- actions -----------------------------------------------------------------------------------------------------


def test_actions_arrive_as_ints_and_arrays_of_the_spaces_dtype() -> None:
    batch, (env,) = made(1)
    batch.reset(0)
    batch.step(factory_actions(1))
    batch.step(factory_actions(1))
    taken = env.taken[-1]
    assert type(taken["worker"]) is int
    assert taken["late"] == 6
    assert taken["planner"].dtype == np.float32
    assert taken["planner"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "bad",
    [{"worker": [3]}, {"late": [1]}, {"planner": [[0.5, 1.5]]}, {"planner": [0.5]}, {"worker": [0.5]}],
    ids=repr,
)
def test_actions_outside_their_space_are_refused(bad: dict[str, Any]) -> None:
    batch, _ = made(1)
    batch.reset(0)
    with pytest.raises(ValueError, match=rf"actions\['{next(iter(bad))}'\] must"):
        batch.step(factory_actions(1) | bad)
    with pytest.raises(ValueError, match="actions must name exactly"):
        batch.step({"worker": [0]})


def test_step_before_reset_is_refused() -> None:
    with pytest.raises(RuntimeError, match="reset"):
        made(1)[0].step(factory_actions(1))


# --- seeds and episodes ------------------------------------------------------------------------------------------


def test_every_episode_of_every_replica_has_its_own_seed_whatever_num_envs() -> None:
    def seeds(num_envs: int) -> list[list[int | None]]:
        batch, copies = made(num_envs)
        batch.reset(21)
        for _ in range(8):
            batch.step(factory_actions(num_envs))
        return [env.seeds for env in copies]

    one, three = seeds(1), seeds(3)
    assert one == three[:1]
    drawn = [seed for replica in three for seed in replica]
    assert len(drawn) == len(set(drawn)) == 9
    assert all(0 <= seed < 2**31 for seed in drawn)


def test_sequence_of_seeds_and_seedless_resets() -> None:
    batch, copies = made(2)
    batch.reset([5, 6])
    batch.reset()
    swapped, swapped_copies = made(2)
    swapped.reset([6, 5])
    swapped.reset()
    assert copies[0].seeds == swapped_copies[1].seeds
    assert copies[1].seeds == swapped_copies[0].seeds
    assert len(set(copies[0].seeds)) == 2


def test_unseeded_first_reset_draws_a_seed() -> None:
    seeds = set()
    for _ in range(3):
        batch, (env,) = made(1)
        batch.reset()
        seeds.add(env.seeds[0])
    assert len(seeds) == 3  # fails by chance once in 7e8 runs


def test_copies_are_told_the_index_of_their_episode() -> None:
    batch, copies = made(2)
    batch.reset(0, first_episode=4)
    for _ in range(8):
        batch.step(factory_actions(2))
    assert [env.episodes for env in copies] == [[4, 5, 6]] * 2


# --- real environments, conformance ------------------------------------------------------------------------------

THIRD_PARTY = {
    "rock paper scissors": lambda n: ParallelEnvBatch(rps_v2.parallel_env, n, "player_1"),
    "speaker listener": lambda n: ParallelEnvBatch(
        lambda: simple_speaker_listener_v4.parallel_env(max_cycles=7), n, "speaker_0"
    ),
    "continuous speaker listener": lambda n: ParallelEnvBatch(
        lambda: simple_speaker_listener_v4.parallel_env(max_cycles=7, continuous_actions=True), n, "speaker_0"
    ),
    "factory": lambda n: ParallelEnvBatch(Factory, n),
    "bimatrix": lambda n: ParallelEnvBatch(lambda: bimatrix_v0.parallel_env(horizon=5), n),
}


@pytest.mark.parametrize("name", list(THIRD_PARTY))
def test_third_party_environments_conform(name: str) -> None:
    check_replica_independence(THIRD_PARTY[name])
    check_batch_observations(THIRD_PARTY[name])
    check_masks(THIRD_PARTY[name])


def test_discrete_observations_are_flat_arrays_of_the_spaces_dtype() -> None:
    seen = THIRD_PARTY["rock paper scissors"](3).reset(0)
    assert seen.observations["player_0"].shape == (3,)
    assert seen.observations["player_0"].dtype == np.int64


def test_does_what_the_wrapped_environment_does() -> None:
    """Each replica against a speaker-listener environment of its own, seeded and stepped by hand."""
    seeds: list[list[int]] = []

    def make() -> Any:
        seeds.append([])
        return recording(simple_speaker_listener_v4.parallel_env(max_cycles=7), seeds[-1])

    batch = ParallelEnvBatch(make, 2, "speaker_0")
    singles = [simple_speaker_listener_v4.parallel_env(max_cycles=7) for _ in range(2)]
    generator = np.random.default_rng(0)
    seen = batch.reset(3)
    for replica, env in enumerate(singles):
        compare(seen.observations, replica, env.reset(seed=seeds[replica][0])[0])
    for step in range(14):
        actions = {agent: generator.integers(space.n, size=2) for agent, space in batch.action_spaces.items()}
        result = batch.step(actions)
        for replica, env in enumerate(singles):
            single = env.step({agent: int(values[replica]) for agent, values in actions.items()})
            over = step % 7 == 6
            compare(result.final_observations if over else result.observations, replica, single[0])
            for agent, reward in single[1].items():
                assert result.rewards[agent][replica] == reward
            assert bool(result.truncated[replica]) == over
            if over:
                compare(result.observations, replica, env.reset(seed=seeds[replica][-1])[0])


def recording(env: Any, seeds: list[int]) -> Any:
    """`env`, whose `reset` also writes its seed into `seeds`."""
    reset = env.reset

    def reset_and_record(seed: int, options: Any) -> Any:
        seeds.append(seed)
        return reset(seed=seed, options=options)

    env.reset = reset_and_record
    return env


def compare(batched: dict[str, np.ndarray], replica: int, single: dict[str, np.ndarray]) -> None:
    for agent, observation in single.items():
        assert np.array_equal(batched[agent][replica], observation)


def test_close_closes_every_copy() -> None:
    closed = []

    class Closing(Factory):
        def close(self) -> None:
            closed.append(self)

    ParallelEnvBatch(Closing, 3).close()
    assert len(closed) == 3


# --- a planner object inside -------------------------------------------------------------------------------------


class Curious:
    """Plays its noise, and remembers what it saw."""

    noise_size = 2

    def __init__(self) -> None:
        self.saw: list[np.ndarray] = []
        self.bound: list[Any] = []

    def bind(self, observation_space: Any, action_space: Any) -> None:
        self.bound = [observation_space, action_space]

    def act(self, observations: Any, noise: np.ndarray, action_masks: Any) -> np.ndarray:
        self.saw.append(observations.copy())
        return noise.astype(np.float32)

    def tabular(self, observations: Any, action_masks: Any) -> None:
        return None


def test_a_planner_object_plays_as_an_acting_planner_with_its_actions_would() -> None:
    """Three episodes; the planner's payoffs are there, its rewards, observations and masks are not."""
    outside, _ = made(3)
    inside, copies = made(3, ConstantPlanner([0.5, 0.5]))
    assert inside.possible_agents == inside.agents == ("worker", "late")
    assert inside.observation_spaces.keys() == inside.action_spaces.keys() == {"worker", "late"}
    actions = factory_actions(3)
    first, second = outside.reset(seed=4), inside.reset(seed=4)
    for _ in range(9):
        for role in inside.possible_agents:
            np.testing.assert_array_equal(first.observations[role], second.observations[role])
            np.testing.assert_array_equal(first.action_masks[role], second.action_masks[role])
        first, second = outside.step(actions), inside.step({role: actions[role] for role in inside.possible_agents})
        assert second.rewards.keys() == second.observations.keys() == {"worker", "late"}
        for role, payoffs in first.payoffs.items():
            np.testing.assert_array_equal(payoffs, second.payoffs[role])
        np.testing.assert_array_equal(first.truncated, second.truncated)
        assert (second.final_observations is None) == (first.final_observations is None)
    assert second.final_observations is None or second.final_observations.keys() == {"worker", "late"}
    assert all((taken["planner"] == 0.5).all() for taken in copies[0].taken if "planner" in taken)


def test_it_sees_what_the_planner_sees_and_draws_from_its_replicas_streams() -> None:
    curious, alone = Curious(), Curious()
    batch, copies = made(4, curious)
    single, lonely = made(1, alone)
    assert curious.bound == [Factory().observation_space("planner"), Factory().action_space("planner")]
    batch.reset(seed=[7, 8, 9, 10])
    single.reset(seed=[9])
    for _ in range(6):
        batch.step({role: factory_actions(4)[role] for role in batch.possible_agents})
        single.step({role: factory_actions(1)[role] for role in single.possible_agents})
    assert [seen[2].tolist() for seen in curious.saw] == [seen[0].tolist() for seen in alone.saw]
    for taken, other in zip(copies[2].taken, lonely[0].taken, strict=True):
        np.testing.assert_array_equal(taken["planner"], other["planner"])
    assert curious.saw[0].shape == (4, 2)
    assert len({tuple(step["planner"]) for step in copies[2].taken}) == len(copies[2].taken)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"planner": Curious}, "planner must be an agent's id or a planner object"),
        ({"planner": ConstantPlanner(3)}, "action of the constant planner must lie in"),
        ({"planner": Curious(), "planner_id": "plannr"}, "Did you mean 'planner'"),
        ({"planner": 3}, "planner must be an agent's id or a planner object, got 3"),
    ],
    ids=["class", "action", "id", "number"],
)
def test_planner_objects_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ParallelEnvBatch(Factory, 2, **arguments)


def test_an_action_outside_the_planners_space_is_named() -> None:
    class Far(Curious):
        def act(self, observations: Any, noise: np.ndarray, action_masks: Any) -> np.ndarray:
            return np.full((len(observations), 2), 3.0, np.float32)

    batch, _ = made(2, Far())
    batch.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions\['planner'\] must lie in Box"):
        batch.step({role: factory_actions(2)[role] for role in batch.possible_agents})


def test_the_checks_of_batches_hold_with_a_planner_inside() -> None:
    def make(num_envs: int) -> ParallelEnvBatch:
        return ParallelEnvBatch(Factory, num_envs, planner=Curious())

    check_batch_observations(make)
    check_masks(make)
    check_replica_independence(make)
