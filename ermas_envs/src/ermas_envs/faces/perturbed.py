"""Reward perturbations (paper Eq. 3) for any PettingZoo parallel environment, as a wrapper."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pettingzoo.utils.wrappers import BaseParallelWrapper

from ermas_envs.base.arguments import check_integer
from ermas_envs.base.arrays import PLANNER, Array, IntArray
from ermas_envs.faces.parallel_batch import agents_beside
from ermas_envs.faces.parallel_checks import AnyParallelEnv, check_parallel_env, reset_answer, step_answer
from ermas_envs.faces.returned import checked_addition, finite_number
from ermas_envs.game.perturbations import RewardPerturbation, check_perturbation_object
from ermas_envs.game.transitions import GameInfo, Transition


class PerturbedParallelEnv(BaseParallelWrapper):  # type: ignore[misc]  # PettingZoo ships no types
    """Adds a perturbation to the agents' rewards; the planner's reward stays as it is.

    `infos[agent]["payoff"]` is the reward before any perturbation, also where several wrappers are nested, and 0 at a
    reset.
    The planner outcome that perturbations see is the planner's payoff. Agents that are absent from a step
    (left early, or not there yet) count as earning 0 and as playing zeros, and get no perturbation; `Bounded`
    keeps its bound for agents that leave early, not for agents that enter late. The episode index of
    perturbations that follow a schedule starts at 0 and grows by one with every reset; the reset option
    `first_episode` sets it.

    Args:
        env: the environment; its planner must be one of `env.possible_agents`.
        perturbation: what is added, in payoff units per step.
        planner: id of the planner.
        state_index: index of the state, in {0, …, num_states − 1}, computed from the latest observation of
            every agent. Perturbations that depend on the state (`RandomTables`) need it.
        num_states: number of states; goes with `state_index`.

    Raises:
        ValueError: the planner is missing; only one of `state_index` and `num_states` is given; the
            perturbation does not fit the game.
    """

    def __init__(
        self,
        env: AnyParallelEnv,
        perturbation: RewardPerturbation,
        planner: str = PLANNER,
        state_index: Callable[[Mapping[str, Any]], int] | None = None,
        num_states: int | None = None,
    ) -> None:
        super().__init__(check_parallel_env("env", env))
        if (state_index is None) != (num_states is None):
            raise ValueError("state_index and num_states must be given together.")
        self.num_states = None if num_states is None else check_integer("num_states", num_states, 1)
        self.perturbation = perturbation
        self.planner = planner
        self._state_index = state_index
        self._agents = agents_beside(planner, tuple(env.possible_agents))
        action_spaces = {agent: env.action_space(agent) for agent in env.possible_agents}
        check_perturbation_object(perturbation)
        perturbation.bind(GameInfo(self._agents, planner, self.num_states, action_spaces), 1)
        self._idle = {agent: np.zeros(space.shape or (), space.dtype) for agent, space in action_spaces.items()}
        self._observations: dict[str, Any] = {}
        self._episode = -1
        self._step = 0

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode of the wrapped environment; see the class for the option `first_episode`."""
        observations, infos = reset_answer(self.env.reset(seed=seed, options=options))
        self._episode = (options or {}).get("first_episode", self._episode + 1)
        self._step = 0
        self._observations = dict(observations)
        return dict(observations), {agent: {"payoff": 0.0, **info} for agent, info in infos.items()}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One step of the wrapped environment.

        Raises:
            ValueError: `state_index` leaves its range, or a payoff or an addition is not finite.
        """
        states = self._states()
        observations, rewards, terminations, truncations, told = step_answer(self.env.step(actions))
        infos = {agent: dict(info) for agent, info in told.items()}
        for agent, reward in rewards.items():
            infos.setdefault(agent, {}).setdefault("payoff", reward)
        added = self.perturbation(self._transition(actions, infos, states))
        perturbed = dict(rewards)
        for agent in self._agents:
            if agent in added and agent in actions and agent in rewards:
                perturbed[agent] = rewards[agent] + float(checked_addition(agent, added[agent], self._done())[0])
        self._step += 1
        self._observations.update(observations)
        return dict(observations), perturbed, dict(terminations), dict(truncations), infos

    def _done(self) -> IntArray:
        """Steps of this episode so far, for a batch of one replica."""
        return np.array([self._step])

    def _states(self) -> IntArray | None:
        if self._state_index is None or self.num_states is None:
            return None
        state = int(self._state_index(self._observations))
        if not 0 <= state < self.num_states:
            raise ValueError(f"state_index must return a state in [0, {self.num_states - 1}], got {state}.")
        return np.array([state])

    def _transition(
        self, actions: Mapping[str, Any], infos: Mapping[str, Mapping[str, Any]], states: IntArray | None
    ) -> Transition:
        """This step as a batch of one replica."""
        taken: dict[str, Array] = {
            agent: np.asarray(actions.get(agent, idle))[None] for agent, idle in self._idle.items()
        }
        where = f"step {self._step + 1} of an episode"
        earned = {agent: infos.get(agent, {}).get("payoff", 0.0) for agent in self._idle}
        payoffs = {a: np.array([finite_number(f"payoff of {a!r}", payoff, where)]) for a, payoff in earned.items()}
        return Transition(
            actions=taken,
            payoffs=payoffs,
            planner_outcome=payoffs[self.planner],
            states=states,
            steps=self._done(),
            episodes=np.array([self._episode]),
        )
