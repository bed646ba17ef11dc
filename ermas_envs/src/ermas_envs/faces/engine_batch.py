"""The batched face of an engine: hooks, checks of actions, same-step auto-reset, one random stream per replica."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from ermas_envs.base.arguments import check_choice, check_flag, check_integer
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray, Observation
from ermas_envs.base.groups import ByRole
from ermas_envs.base.spaces import JointActionCheck
from ermas_envs.base.streams import Purpose, ReplicaStreams, Seed, fresh_seed
from ermas_envs.faces.agent_index import AgentIndex
from ermas_envs.faces.execution import Execution
from ermas_envs.faces.planner_inside import PlannerInside
from ermas_envs.faces.returned import checked_addition, checked_draw
from ermas_envs.faces.wider_observations import wider_spaces, with_entry
from ermas_envs.game.batch import BatchObservation, BatchStep
from ermas_envs.game.behaviours import ActionNoise, Behaviour, check_behaviour_object
from ermas_envs.game.engine import Engine
from ermas_envs.game.perturbations import (
    DrawnPerturbation,
    RewardPerturbation,
    check_perturbation_object,
    keeps_the_protocol,
)
from ermas_envs.game.planners import Planner, check_planner_object
from ermas_envs.game.tabular import TabularGame
from ermas_envs.game.transitions import GameInfo, Transition

T = TypeVar("T")
DRAW = "perturbation_draw"
"""Name of the entry, in Dict observations, that shows agents what a perturbation has drawn."""


class EngineBatch:
    """`BatchedEnv` around an engine.

    Args:
        engine: the rules.
        planner: "learned" (the planner is one of `possible_agents`) or an object that plays it inside.
        perturbation: added to the agents' rewards; payoffs stay as they are. Of a `DrawnPerturbation` every agent sees
            the draw, at the end of its vector, or as the entry `perturbation_draw` of its Dict.
        autoreset: False leaves finished episodes alone; `step` then raises until `reset` (PettingZoo's convention).
        action_noise: probability, in [0, 1], with which an agent's action is replaced by one drawn uniformly from those
            that its mask allows: agents with a trembling hand (R. Selten 1975). Discrete actions only.
        reuse_arrays: True lets the next step or reset overwrite observations and masks (not final observations), where
            the engine works in arrays of its own: faster, for training loops that copy anyway.
        agent_index: True lets every agent see its index (`AgentIndex`), for policies that agents share.
        behaviour: what agents do in the place of what they choose, and of what their hands make of it by
            `action_noise`: it has the last word, and hooks see the actions that were executed.
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
        agent_index: bool = False,
        behaviour: Behaviour | None = None,
    ) -> None:
        if isinstance(planner, str):
            check_choice("planner (a name, or a planner object)", planner, ("learned",))
        else:
            check_planner_object(planner, '"learned"')
        if perturbation is not None:
            check_perturbation_object(perturbation, drawn=True)
        self.engine = engine
        self.name, self.num_envs, self.horizon = engine.name, engine.num_envs, engine.horizon
        self.agents, self.planner = engine.agents, engine.planner
        self.planner_payoff_scale = engine.planner_payoff_scale
        self.agent_payoff_scales = engine.agent_payoff_scales
        self.autoreset = check_flag("autoreset", autoreset)
        self.reuse_arrays = check_flag("reuse_arrays", reuse_arrays)
        game = GameInfo(self.agents, self.planner, engine.num_states, engine.action_spaces, engine.facts())
        hand = ActionNoise(action_noise)
        behaviours: list[Behaviour] = [hand] if hand.probability else []
        if behaviour is not None:
            behaviours.append(check_behaviour_object(behaviour))
        self._execution = Execution(behaviours, game, engine.roles, self.num_envs)
        self._perturbation = perturbation
        self._additions_are_checked = perturbation is not None and not keeps_the_protocol(perturbation)
        self._roles = engine.roles if isinstance(planner, str) else engine.roles.without(self.planner)
        self.possible_agents = self.agents + ((self.planner,) if isinstance(planner, str) else ())
        self.groups: Mapping[str, tuple[str, ...]] = self._roles.groups
        seen_spaces: Mapping[str, spaces.Space[object]] = engine.observation_spaces
        self._index = AgentIndex(self.agents, seen_spaces) if check_flag("agent_index", agent_index) else None
        if self._index is not None:
            seen_spaces = self._index.observation_spaces
        if perturbation is not None:
            perturbation.bind(game, self.num_envs)
        self._drawn = perturbation if isinstance(perturbation, DrawnPerturbation) else None
        if self._drawn is not None:
            ends = np.full(checked_draw(self._drawn.shown(), self.num_envs).shape[1], np.inf)
            seen_spaces = wider_spaces(seen_spaces, self.agents, DRAW, -ends, ends)
        self.observation_spaces: Mapping[str, spaces.Space[object]] = self._acting(seen_spaces)
        self.action_spaces: Mapping[str, spaces.Space[object]] = self._acting(engine.action_spaces)
        self._check_actions = JointActionCheck(self._roles, self.action_spaces, self.num_envs)
        self._inside: PlannerInside | None = None
        if not isinstance(planner, str):
            seen, acted = engine.observation_spaces[self.planner], engine.action_spaces[self.planner]
            self._inside = PlannerInside(planner, self.planner, seen, acted, self.num_envs)
        self._streams: ReplicaStreams | None = None
        self._draw_streams: ReplicaStreams | None = None
        self._steps = np.zeros(self.num_envs, dtype=np.int64)
        self._episodes = np.zeros(self.num_envs, dtype=np.int64)
        self._over = np.zeros(self.num_envs, dtype=np.bool_)
        nothing: ByRole[Any] = ByRole(engine.roles, {})
        self._seen: tuple[ByRole[Observation], ByRole[BoolArray]] = (nothing, nothing)

    @property
    def changes_actions(self) -> bool:
        """Whether agents may do something else than they choose: by action noise, or by a behaviour."""
        return bool(self._execution.behaviours)

    @property
    def draws(self) -> bool:
        """Whether every episode draws something that agents see (`DrawnPerturbation`)."""
        return self._drawn is not None

    def reset(self, seed: Seed | None = None, first_episode: int | None = None) -> BatchObservation:
        if first_episode is not None:
            first_episode = check_integer("first_episode", first_episode, 0)
        if seed is None and self._streams is None:
            seed = fresh_seed()
        from_scratch = seed is not None
        if seed is not None:
            self._streams = ReplicaStreams(seed, self.num_envs, Purpose.RULES)
            if self._inside is not None:
                self._inside.reseed(seed)
            self._execution.reseed(seed)
            if self._drawn is not None:
                self._draw_streams = ReplicaStreams(seed, self.num_envs, Purpose.PERTURBATION)
        self._steps[:] = 0
        begun = np.zeros_like(self._episodes) if from_scratch else self._episodes + 1
        self._episodes[:] = begun if first_episode is None else first_episode
        self._over[:] = False
        self._reset_engine(np.arange(self.num_envs), from_scratch)
        return self._observe(fresh=not self.reuse_arrays)

    def step(self, actions: Mapping[str, Array]) -> BatchStep:
        if self._streams is None:
            raise RuntimeError("call reset() before step().")
        if not self.autoreset and self._over.any():
            raise RuntimeError("the episode is over; call reset() before the next step().")
        states = self.engine.states()
        checked = self._checked(actions)
        outcome = self.engine.step(checked)
        payoffs = self.engine.roles.stacked(outcome.payoffs)
        rewards = self._rewards(
            Transition(
                checked,
                payoffs,
                outcome.planner_outcome,
                states,
                self._steps,
                self._episodes,
                outcome.facts,
            )
        )
        self._steps = self._steps + 1
        ended = outcome.terminated | outcome.truncated
        final, metrics = None, None
        if np.count_nonzero(ended):  # a third of the time of `any`
            metrics = self.engine.metrics()
            final = self._observe(fresh=True).observations
            self._end_episodes(ended)
        seen = self._observe(fresh=not self.reuse_arrays)
        return BatchStep(
            seen.observations,
            seen.action_masks,
            rewards,
            payoffs,
            outcome.terminated,
            outcome.truncated,
            final,
            planner_acts=seen.planner_acts,
            final_metrics=metrics,
        )

    def tabular_game(self) -> TabularGame | None:
        """See `BatchedEnv.tabular_game`; None too where a hook is not a fixed function of state and action, and
        where agents may do something else than they choose: tables have deterministic transitions, and no memory."""
        game = None if self.changes_actions else self.engine.tabular_game()
        if game is not None and self._index is not None:
            seen = {agent: self._index.to_points(agent, game.observations[agent]) for agent in self.agents}
            game = replace(game, observations={**game.observations, **seen})
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
        return {role: by_role[role] for role in self.possible_agents}

    def _observe(self, fresh: bool) -> BatchObservation:
        observations, masks = self.engine.observe(fresh)
        everybody = self.engine.roles
        self._seen = everybody.stacked(observations), everybody.stacked(masks)
        shown = self._seen[0] if self._index is None else self._index.added(self._seen[0], everybody)
        if self._drawn is not None:
            rows = checked_draw(self._drawn.shown(), self.num_envs)[:, None]
            planner = everybody.seats[self.planner][0]
            seen = shown.by_group.items()
            shown = ByRole(everybody, {g: one if g == planner else with_entry(one, DRAW, rows) for g, one in seen})
        return BatchObservation(
            self._roles.stacked(shown),
            self._roles.stacked(self._seen[1]),
            planner_acts=self.engine.planner_acts(),
        )

    def _checked(self, actions: Mapping[str, Array]) -> ByRole[Array]:
        chosen = self._check_actions(actions)
        if self._inside is None and not self.changes_actions:
            return chosen
        by_group = dict(chosen.by_group)
        if self.changes_actions:
            by_group.update(self._execution.actions(by_group, self._seen[1], self._steps, self._episodes))
        if self._inside is not None:
            by_group[self.engine.roles.seats[self.planner][0]] = self._inside.actions(*self._seen)[:, None]
        return ByRole(self.engine.roles, by_group)

    def _rewards(self, transition: Transition) -> ByRole[FloatArray]:
        rewards: ByRole[FloatArray] = self._roles.stacked(transition.payoffs)
        if self._perturbation is None:
            return rewards
        changed = dict(rewards.by_group)
        for agent, added in self._perturbation(transition).items():
            if self._additions_are_checked:
                agent = check_choice("the perturbation's agent", agent, rewards)
                added = checked_addition(agent, added, transition.steps)
            group, place = self._roles.seats[agent]
            if changed[group] is rewards.by_group[group]:
                changed[group] = changed[group].copy()
            own = changed[group][:, place]
            own += added
        return ByRole(self._roles, changed)

    def _end_episodes(self, ended: BoolArray) -> None:
        if not self.autoreset:
            self._over = self._over | ended
            return
        replicas = np.flatnonzero(ended)
        self._steps *= ~ended
        self._episodes = self._episodes + ended
        self._reset_engine(replicas, from_scratch=False)

    def _reset_engine(self, replicas: IntArray, from_scratch: bool) -> None:
        assert self._streams is not None
        if self._drawn is not None:
            assert self._draw_streams is not None
            self._drawn.draw(replicas, self._draw_streams)
        self.engine.reset(replicas, self._streams, self._episodes[replicas], from_scratch=from_scratch)
