"""The batched face of an engine: hooks, checks of actions, same-step auto-reset, one random stream per replica."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from ermas_envs.base.arguments import check_choice, check_flag, check_integer, check_number
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray, Observation
from ermas_envs.base.spaces import JointActionCheck
from ermas_envs.base.streams import Purpose, ReplicaStreams, Seed, fresh_seed
from ermas_envs.faces.planner_inside import PlannerInside
from ermas_envs.faces.returned import checked_addition
from ermas_envs.game.batch import BatchObservation, BatchStep
from ermas_envs.game.engine import Engine
from ermas_envs.game.perturbations import RewardPerturbation, check_perturbation_object, keeps_the_protocol
from ermas_envs.game.planners import Planner, check_planner_object
from ermas_envs.game.tabular import TabularGame
from ermas_envs.game.transitions import GameInfo, Transition

T = TypeVar("T")


class EngineBatch:
    """`BatchedEnv` around an engine.

    Args:
        engine: the rules.
        planner: "learned" (the planner is one of `possible_agents`) or an object that plays it inside.
        perturbation: added to the agents' rewards; payoffs stay as they are.
        autoreset: False leaves finished episodes alone; `step` then raises until `reset` (PettingZoo's convention).
        action_noise: probability, in [0, 1], with which an agent's action is replaced by one drawn uniformly from those
            that its mask allows: agents with a trembling hand (R. Selten 1975). Discrete actions only. Hooks see the
            actions that were executed.
        reuse_arrays: True lets the next step or reset overwrite observations and masks (not final observations), where
            the engine works in arrays of its own: faster, for training loops that copy anyway.
    """

    metadata: ClassVar = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        engine: Engine,
        planner: Planner | str = "learned",
        perturbation: RewardPerturbation | None = None,
        autoreset: bool = True,
        action_noise: float = 0.0,
        reuse_arrays: bool = False,
    ) -> None:
        if isinstance(planner, str):
            check_choice("planner (a name, or a planner object)", planner, ("learned",))
        else:
            check_planner_object(planner, '"learned"')
        if perturbation is not None:
            check_perturbation_object(perturbation)
        self.engine = engine
        self.name, self.num_envs, self.horizon = engine.name, engine.num_envs, engine.horizon
        self.agents, self.planner = engine.agents, engine.planner
        self.planner_payoff_scale = engine.planner_payoff_scale
        self.agent_payoff_scales = engine.agent_payoff_scales
        self.autoreset = check_flag("autoreset", autoreset)
        self.reuse_arrays = check_flag("reuse_arrays", reuse_arrays)
        self.action_noise = check_number("action_noise", action_noise, 0.0, 1.0)
        for agent in engine.agents if action_noise else ():
            if not isinstance(engine.action_spaces[agent], spaces.Discrete):
                raise ValueError(f"action_noise needs Discrete actions; {agent!r} has {engine.action_spaces[agent]}.")
        self._perturbation = perturbation
        self._additions_are_checked = perturbation is not None and not keeps_the_protocol(perturbation)
        self.possible_agents = self.agents + ((self.planner,) if isinstance(planner, str) else ())
        self.observation_spaces: Mapping[str, spaces.Space[object]] = self._acting(engine.observation_spaces)
        self.action_spaces: Mapping[str, spaces.Space[object]] = self._acting(engine.action_spaces)
        self._check_actions = JointActionCheck(self.action_spaces, self.num_envs)
        self._inside: PlannerInside | None = None
        if not isinstance(planner, str):
            seen, acted = engine.observation_spaces[self.planner], engine.action_spaces[self.planner]
            self._inside = PlannerInside(planner, self.planner, seen, acted, self.num_envs)
        if perturbation is not None:
            game = GameInfo(self.agents, self.planner, engine.num_states, engine.action_spaces, engine.risk_aversion())
            perturbation.bind(game, self.num_envs)
        self._streams: ReplicaStreams | None = None
        self._tremble_streams: ReplicaStreams | None = None
        self._steps = np.zeros(self.num_envs, dtype=np.int64)
        self._episodes = np.zeros(self.num_envs, dtype=np.int64)
        self._over = np.zeros(self.num_envs, dtype=np.bool_)
        self._seen: tuple[Mapping[str, Observation], Mapping[str, BoolArray]] = ({}, {})

    def reset(self, seed: Seed | None = None, first_episode: int | None = None) -> BatchObservation:
        """See `BatchedEnv.reset`."""
        if first_episode is not None:
            first_episode = check_integer("first_episode", first_episode, 0)
        if seed is None and self._streams is None:
            seed = fresh_seed()
        anew = seed is not None
        if seed is not None:
            self._streams = ReplicaStreams(seed, self.num_envs, Purpose.RULES)
            if self._inside is not None:
                self._inside.reseed(seed)
            self._tremble_streams = ReplicaStreams(seed, self.num_envs, Purpose.ACTION_NOISE)
        self._steps[:] = 0
        begun = np.zeros_like(self._episodes) if anew else self._episodes + 1
        self._episodes[:] = begun if first_episode is None else first_episode
        self._over[:] = False
        self._reset_engine(np.arange(self.num_envs), anew)
        return self._observe(fresh=not self.reuse_arrays)

    def step(self, actions: Mapping[str, Array]) -> BatchStep:
        """See `BatchedEnv.step`."""
        if self._streams is None:
            raise RuntimeError("call reset() before step().")
        if self._over.any():
            raise RuntimeError("the episode is over; call reset() before the next step().")
        states = self.engine.states()
        checked = self._checked(actions)
        outcome = self.engine.step(checked)
        rewards = self._rewards(
            Transition(
                checked,
                outcome.payoffs,
                outcome.planner_outcome,
                states,
                self._steps,
                self._episodes,
                outcome.coin,
            )
        )
        self._steps = self._steps + 1
        ended = outcome.terminated | outcome.truncated
        final, metrics = None, None
        if ended.any():
            metrics = self.engine.metrics()
            final = self._observe(fresh=True).observations
            self._end_episodes(ended)
        seen = self._observe(fresh=not self.reuse_arrays)
        return BatchStep(
            seen.observations,
            seen.action_masks,
            rewards,
            outcome.payoffs,
            outcome.terminated,
            outcome.truncated,
            final,
            planner_acts=seen.planner_acts,
            final_metrics=metrics,
        )

    def tabular_game(self) -> TabularGame | None:
        """See `BatchedEnv.tabular_game`; None too where a hook is not a fixed function of state and action, and with
        action noise, as tables have deterministic transitions."""
        game = None if self.action_noise else self.engine.tabular_game()
        if game is not None and self._perturbation is not None:
            added = self._perturbation.tabular(game)
            game = None if added is None else game.with_added_rewards(added)
        if game is None or self._inside is None:
            return game
        probabilities = self._inside.planner.tabular(*game.decision_points(self.planner))
        if probabilities is None:
            return None
        return replace(game, fixed_policies={self.planner: game.as_policy(probabilities)})

    def render(self, replica: int = 0, mode: str = "ansi") -> str | Array:
        """Picture of one replica; see `Engine.render`."""
        return self.engine.render(replica, mode)

    def close(self) -> None:
        """Nothing to release."""

    def _acting(self, by_role: Mapping[str, T]) -> dict[str, T]:
        return {role: by_role[role] for role in self.possible_agents if role in by_role}

    def _observe(self, fresh: bool) -> BatchObservation:
        self._seen = self.engine.observe(fresh)
        observations, masks = self._seen
        return BatchObservation(
            self._acting(observations),
            self._acting(masks),
            planner_acts=self.engine.planner_acts(),
        )

    def _checked(self, actions: Mapping[str, Array]) -> dict[str, Array]:
        checked = self._check_actions(actions)
        if self.action_noise:
            checked |= {agent: self._trembling(agent, checked[agent]) for agent in self.agents}
        if self._inside is not None:
            checked[self.planner] = self._inside.actions(*self._seen)
        return checked

    def _trembling(self, agent: str, intended: Array) -> Array:
        assert self._tremble_streams is not None
        space: Any = self.engine.action_spaces[agent]
        slips, which = self._tremble_streams.noise(2).T
        allowed = self._seen[1].get(agent, np.ones((self.num_envs, int(space.n)), dtype=np.bool_))
        rank = (which * allowed.sum(axis=1)).astype(np.int64)
        uniform = (allowed.cumsum(axis=1) <= rank[:, None]).sum(axis=1) + space.start
        return np.where(slips < self.action_noise, uniform, intended).astype(intended.dtype)

    def _rewards(self, transition: Transition) -> dict[str, FloatArray]:
        rewards = {role: transition.payoffs[role] for role in self.possible_agents}
        if self._perturbation is not None:
            for agent, added in self._perturbation(transition).items():
                if self._additions_are_checked:
                    added = checked_addition(
                        check_choice("the perturbation's agent", agent, rewards), added, transition.steps
                    )
                rewards[agent] = rewards[agent] + added
        return rewards

    def _end_episodes(self, ended: BoolArray) -> None:
        if not self.autoreset:
            self._over = self._over | ended
            return
        replicas = np.flatnonzero(ended)
        self._steps[replicas] = 0
        self._episodes = self._episodes + ended
        self._reset_engine(replicas, anew=False)

    def _reset_engine(self, replicas: IntArray, anew: bool) -> None:
        assert self._streams is not None
        self.engine.reset(replicas, self._streams, self._episodes[replicas], anew=anew)
