"""`PerturbedParallelEnv`: any perturbation on any PettingZoo parallel environment."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from mpe2 import simple_speaker_listener_v4
from pettingzoo import ParallelEnv

from ermas_envs import ParallelEnvBatch, PerturbedParallelEnv, bimatrix_v0
from ermas_envs.game.transitions import GameInfo, Transition
from ermas_envs.perturbations import Bounded, PlannerAdversity, RandomTables, SumOf
from ermas_envs.testing import check_determinism, check_observations, check_replica_independence

IDS = ("a", "b", "planner")


class Leaving(ParallelEnv):
    """Three steps; `a` leaves after the first. Rewards: a 1, b 2, planner 3·step. Observation: the step count."""

    metadata = {"name": "leaving_v0"}  # noqa: RUF012 PettingZoo's convention

    def __init__(self) -> None:
        self.possible_agents = list(IDS)
        self._observation_space, self._action_space = spaces.Discrete(4), spaces.Discrete(2)
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> Any:
        return self._observation_space

    def action_space(self, agent: str) -> Any:
        return self._action_space

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.count = list(IDS), 0
        return dict.fromkeys(IDS, 0), {agent: {} for agent in IDS}

    def step(self, actions: dict[str, Any]) -> Any:
        acted, self.count = self.agents, self.count + 1
        rewards = {agent: {"a": 1.0, "b": 2.0, "planner": 3.0 * self.count}[agent] for agent in acted}
        terminations = {agent: agent == "a" or self.count == 3 for agent in acted}
        self.agents = [agent for agent in acted if not terminations[agent]]
        return (
            dict.fromkeys(acted, self.count),
            rewards,
            terminations,
            dict.fromkeys(acted, False),
            {agent: {"note": 1} for agent in acted},
        )


def played(env: Any, seed: int = 0, options: Any = None) -> list[Any]:
    env.reset(seed=seed, options=options)
    results = []
    while env.agents:
        results.append(env.step(dict.fromkeys(env.agents, 1)))
    return results


def test_adversity_lowers_the_agents_rewards_by_the_planners() -> None:
    first, second, third = played(PerturbedParallelEnv(Leaving(), PlannerAdversity(0.5)))
    assert first[1] == {"a": 1 - 1.5, "b": 2 - 1.5, "planner": 3.0}
    assert second[1] == {"b": 2 - 3.0, "planner": 6.0}
    assert third[1] == {"b": 2 - 4.5, "planner": 9.0}
    assert first[4]["a"] == {"note": 1, "payoff": 1.0}
    assert third[4]["b"] == {"note": 1, "payoff": 2.0}
    assert third[4]["planner"]["payoff"] == 9.0


def test_payoff_stays_what_the_rules_give_under_nested_wrappers() -> None:
    nested = PerturbedParallelEnv(PerturbedParallelEnv(Leaving(), PlannerAdversity(0.5)), PlannerAdversity(0.25))
    flat = PerturbedParallelEnv(Leaving(), SumOf([PlannerAdversity(0.5), PlannerAdversity(0.25)]))
    for a, b in zip(played(nested), played(flat), strict=True):
        assert a[1] == b[1]
        assert a[4] == b[4]
    assert played(nested)[0][4]["a"]["payoff"] == 1.0


def test_bound_holds_for_those_who_stay_and_those_who_leave() -> None:
    env = PerturbedParallelEnv(Leaving(), Bounded(PlannerAdversity(1.0), 0.1))
    for _ in range(2):
        totals = dict.fromkeys(IDS, 0.0)
        for step, (_, rewards, _, _, infos) in enumerate(played(env)):
            for agent, reward in rewards.items():
                totals[agent] += reward - infos[agent]["payoff"]
                assert abs(totals[agent]) <= 0.1 * (step + 1) + 1e-12
        assert totals == {"a": pytest.approx(-0.1), "b": pytest.approx(-0.3), "planner": 0.0}


class Recorder:
    """Adds nothing and keeps what it sees."""

    def __init__(self) -> None:
        self.seen: list[Transition] = []

    def bind(self, game: GameInfo, num_envs: int) -> None:
        assert (game.agents, game.planner, game.num_states, num_envs) == (("a", "b"), "planner", None, 1)

    def __call__(self, transition: Transition) -> dict[str, np.ndarray]:
        self.seen.append(transition)
        return {}

    def tabular(self, game: Any) -> None:
        return None


def test_perturbation_sees_steps_episodes_and_absent_agents_as_idle() -> None:
    recorder = Recorder()
    env = PerturbedParallelEnv(Leaving(), recorder)
    played(env)
    played(env)
    assert [int(seen.steps[0]) for seen in recorder.seen] == [0, 1, 2, 0, 1, 2]
    assert [int(seen.episodes[0]) for seen in recorder.seen] == [0, 0, 0, 1, 1, 1]
    first, second = recorder.seen[:2]
    assert {agent: action.tolist() for agent, action in first.actions.items()} == {agent: [1] for agent in IDS}
    assert {agent: action.tolist() for agent, action in second.actions.items()} == {"a": [0], "b": [1], "planner": [1]}
    assert {agent: payoff.tolist() for agent, payoff in second.payoffs.items()} == {"a": [0], "b": [2], "planner": [6]}
    assert second.planner_outcome.tolist() == [6.0]
    assert second.states is None


def test_agents_that_left_get_no_perturbation_where_the_environment_goes_on_naming_them() -> None:
    class Naming(Leaving):
        def step(self, actions: dict[str, Any]) -> Any:
            observations, rewards, *rest = super().step(actions)
            return observations, dict.fromkeys(IDS, 0.0) | rewards, *rest

    _, second, _ = played(PerturbedParallelEnv(Naming(), PlannerAdversity(0.5)))
    assert second[1] == {"a": 0.0, "b": 2 - 3.0, "planner": 6.0}


def test_own_infos_and_rewards_of_the_environment_are_not_written_into() -> None:
    class Keeping(Leaving):
        def step(self, actions: dict[str, Any]) -> Any:
            self.given = super().step(actions)
            return self.given

    inner = Keeping()
    env = PerturbedParallelEnv(inner, PlannerAdversity(1.0))
    env.reset(seed=0)
    env.step(dict.fromkeys(IDS, 1))
    assert inner.given[1]["a"] == 1.0
    assert inner.given[4]["a"] == {"note": 1}


# --- tables and states -------------------------------------------------------------------------------------------


def table_value(agent: str, state: int, action: int, episode: int, redraw_every: int = 1) -> float:
    """What RandomTables adds in the game `Leaving`, asked directly."""
    tables = RandomTables(redraw_every=redraw_every)
    tables.bind(GameInfo(("a", "b"), "planner", 4, dict.fromkeys(IDS, spaces.Discrete(2))), 1)
    actions = dict.fromkeys(IDS, np.array([action]))
    zero = np.zeros(1, dtype=int)
    return float(tables(Transition(actions, {}, np.zeros(1), np.array([state]), zero, np.array([episode])))[agent][0])


def with_tables(redraw_every: int = 1) -> PerturbedParallelEnv:
    tables = RandomTables(redraw_every=redraw_every)
    return PerturbedParallelEnv(Leaving(), tables, state_index=lambda seen: seen["planner"], num_states=4)


def added(result: Any, agent: str) -> float:
    return result[1][agent] - result[4][agent]["payoff"]


def test_tables_see_the_state_before_the_step_and_the_own_action() -> None:
    first, second, third = played(with_tables())
    assert added(first, "a") == pytest.approx(table_value("a", 0, 1, 0))
    for state, result in enumerate((first, second, third)):
        assert added(result, "b") == pytest.approx(table_value("b", state, 1, 0))
        assert added(result, "planner") == 0.0


def test_episodes_are_counted_from_reset_to_reset_and_set_by_the_option() -> None:
    env = with_tables(redraw_every=2)
    options = [None, None, None, {"first_episode": 8}, None]
    seen = [added(played(env, options=option)[0], "b") for option in options]
    expected = [table_value("b", 0, 1, episode, redraw_every=2) for episode in (0, 1, 2, 8, 9)]
    assert seen == pytest.approx(expected)
    assert seen[0] == seen[1] != seen[2]


def test_tables_without_states_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"needs a game with tabular states.*state_index and num_states"):
        PerturbedParallelEnv(Leaving(), RandomTables())
    for half in ({"num_states": 4}, {"state_index": lambda seen: 0}):
        with pytest.raises(ValueError, match="state_index and num_states must be given together"):
            PerturbedParallelEnv(Leaving(), RandomTables(), **half)
    with pytest.raises(ValueError, match="num_states must be an integer >= 1, got 0"):
        PerturbedParallelEnv(Leaving(), RandomTables(), state_index=lambda seen: 0, num_states=0)


@pytest.mark.parametrize("state", [4, -1])
def test_states_out_of_range_are_refused(state: int) -> None:
    env = PerturbedParallelEnv(Leaving(), RandomTables(), state_index=lambda seen: state, num_states=4)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=rf"state_index must return a state in \[0, 3\], got {state}"):
        env.step(dict.fromkeys(IDS, 1))


def test_state_index_sees_the_latest_observation_of_agents_that_left() -> None:
    seen: list[dict[str, int]] = []

    def record(observations: Any) -> int:
        seen.append(dict(observations))
        return 0

    played(PerturbedParallelEnv(Leaving(), RandomTables(), state_index=record, num_states=1))
    assert seen == [
        {"a": 0, "b": 0, "planner": 0},
        {"a": 1, "b": 1, "planner": 1},
        {"a": 1, "b": 2, "planner": 2},
    ]


# --- as a wrapper ------------------------------------------------------------------------------------------------


def test_is_transparent_otherwise() -> None:
    env = PerturbedParallelEnv(bimatrix_v0.parallel_env(render_mode="ansi"), PlannerAdversity(0.5))
    assert env.possible_agents == ["agent_0", "agent_1", "planner"]
    assert env.observation_space("agent_0") is env.unwrapped.observation_space("agent_0")
    assert env.metadata["name"] == "bimatrix_v0"
    env.reset(seed=0)
    assert env.render() == env.unwrapped.render()


def test_does_what_the_hook_of_our_own_environments_does() -> None:
    """Adversity and tables by wrapper and by hook; joint state from the planner's one-hot view."""

    def cell(seen: Any) -> int:
        return int(seen["planner"][:4].argmax() * 4 + seen["planner"][4:8].argmax())

    def perturbation() -> SumOf:
        return SumOf([PlannerAdversity(0.3), RandomTables(0.5, redraw_every=2)])

    wrapped = PerturbedParallelEnv(bimatrix_v0.parallel_env(horizon=3), perturbation(), state_index=cell, num_states=16)
    hooked = bimatrix_v0.parallel_env(horizon=3, perturbation=perturbation())
    generator = np.random.default_rng(0)
    for episode in range(5):
        start = 7 if episode == 0 else None
        wrapped.reset(seed=start)
        hooked.reset(seed=start, options={"first_episode": episode})
        for _ in range(3):
            actions = {agent: int(generator.integers(3)) for agent in ("agent_0", "agent_1")} | {"planner": 0}
            a, b = wrapped.step(actions), hooked.step(actions)
            assert a[1] == pytest.approx(b[1], abs=1e-12)
            assert a[4]["agent_0"]["payoff"] == b[4]["agent_0"]["payoff"]


def perturbed_speaker_listener() -> PerturbedParallelEnv:
    env = simple_speaker_listener_v4.parallel_env(max_cycles=6)
    return PerturbedParallelEnv(env, Bounded(PlannerAdversity(0.5), 0.2), planner="speaker_0")


def test_wrapped_third_party_environment_conforms() -> None:
    check_determinism(perturbed_speaker_listener)
    check_observations(perturbed_speaker_listener)
    check_replica_independence(lambda n: ParallelEnvBatch(perturbed_speaker_listener, n, "speaker_0"))
    result = played(perturbed_speaker_listener())[0]
    assert added(result, "listener_0") != 0.0


def test_batch_of_wrapped_environments_reports_payoffs_and_counts_episodes() -> None:
    batch = ParallelEnvBatch(with_tables, 2)
    batch.reset(0, first_episode=3)
    for episode, state in ((3, 0), (3, 1), (3, 2), (4, 0)):
        result = batch.step(dict.fromkeys(IDS, np.ones(2, dtype=int)))
        assert result.payoffs["b"].tolist() == [2.0, 2.0]
        assert result.rewards["b"] == pytest.approx([2.0 + table_value("b", state, 1, episode)] * 2)
