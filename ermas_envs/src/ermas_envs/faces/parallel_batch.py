"""The batched face of any PettingZoo parallel environment: a Python loop over copies, slow but general.

Agents that leave early are treated as by SuperSuit's `black_death_v3`; masks as PettingZoo gives them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from ermas_envs.base.arguments import check_flag, check_integer, check_positive, shown, unknown_name
from ermas_envs.base.arrays import PLANNER, Array, BoolArray, FloatArray, IntArray, Observation
from ermas_envs.base.groups import ByRole, Roles
from ermas_envs.base.spaces import JointActionCheck, flat_mask, mask_size, split_mask
from ermas_envs.base.streams import ReplicaStreams, Seed, fresh_seed
from ermas_envs.faces.agent_index import AgentIndex
from ermas_envs.faces.parallel_checks import (
    AnyParallelEnv,
    ByAgent,
    check_known,
    check_told,
    copies,
    flag_of,
    reset_answer,
    step_answer,
)
from ermas_envs.faces.planner_inside import PlannerInside
from ermas_envs.faces.returned import checked_observation, finite_number
from ermas_envs.game.batch import BatchObservation, BatchStep, check_num_envs
from ermas_envs.game.planners import Planner, check_planner_object

_SUPPORTED = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


class ParallelEnvBatch:
    """`BatchedEnv` around `num_envs` copies of a PettingZoo parallel environment, with same-step auto-reset.

    * Every copy starts each episode with a seed of its own in [0, 2**31), drawn from its stream (see
      `BatchedEnv.reset`), and with the option `first_episode`, the episode's index. What it then does must
      depend on these alone.
    * An agent that is not in `env.agents` (left early, or not there yet) sees zeros, earns 0, has a mask of
      True and its actions are ignored. In the step in which it leaves it still sees what the environment
      shows it.
    * An episode ends when `env.agents` is empty: `terminated` if the last flag of every agent that took part
      was a termination, else `truncated`.
    * `infos[agent]["payoff"]` is the payoff where the environment gives one; elsewhere the reward is.
    * `infos[agent]["action_mask"]`, or a Dict observation of `observation` and `action_mask`, becomes the
      mask of an agent with Discrete actions, or MultiDiscrete ones of one axis (flat, or a tuple with one mask per
      part); the agent's observation is then the inner one. Elsewhere its mask is True.
    * `infos[planner]["acts"]` tells whether the planner's next action has an effect, where an environment says so
      (`BatchObservation.planner_acts`).
    * `reset` and `step` raise a ValueError that names role, step and value for a reward, payoff or observation that is
      not finite, an observation that its space's dtype cannot hold, and a mask that allows an acting agent nothing; for
      an agent that acted and has no reward, one that is to act and has no observation, or is no possible one.

    Args:
        make_env: makes one copy; called `num_envs` times.
        num_envs: number of copies, at least 1.
        planner: id of the agent that is the planner, which acts like the others; or a planner object, which plays it.
        planner_id: id of the agent that a planner object plays.
        agent_index: True lets every agent see its index (`AgentIndex`), for policies that agents share.
        planner_payoff_scale: how large the planner's payoffs of one step are, > 0; None: not known.
        agent_payoff_scale: the same of every agent.

    Raises:
        ValueError: the planner is not among the environment's `possible_agents` or is alone there; a space is
            not Box, Discrete, MultiDiscrete or MultiBinary; `make_env` makes no parallel environment (but, say, an AEC
            one), the same object twice, or environments of other agents or spaces.
    """

    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.SAME_STEP}
    horizon: int | None = None

    def __init__(
        self,
        make_env: Callable[[], AnyParallelEnv],
        num_envs: int,
        planner: str | Planner = PLANNER,
        planner_payoff_scale: float | None = None,
        agent_payoff_scale: float | None = None,
        planner_id: str = PLANNER,
        agent_index: bool = False,
    ) -> None:
        self.num_envs = check_num_envs(num_envs)
        self._envs = copies(make_env, self.num_envs)
        first = self._envs[0]
        names = tuple(first.possible_agents)
        inside = None if isinstance(planner, str) else check_planner_object(planner, "an agent's id")
        self.planner = planner if isinstance(planner, str) else planner_id
        self.agents = agents_beside(self.planner, names, "planner" if inside is None else "planner_id")
        self.possible_agents = names if inside is None else self.agents
        self.planner_payoff_scale = _scale("planner_payoff_scale", planner_payoff_scale)
        scale = _scale("agent_payoff_scale", agent_payoff_scale)
        self.agent_payoff_scales = None if scale is None else dict.fromkeys(self.agents, scale)
        self.name = str(getattr(first, "metadata", {}).get("name") or type(first.unwrapped).__name__)
        self._seen_spaces = {
            agent: _supported(agent, "observation", without_mask(first.observation_space(agent))) for agent in names
        }
        self._acted_spaces = {agent: _supported(agent, "action", first.action_space(agent)) for agent in names}
        self._index = AgentIndex(self.agents, self._seen_spaces) if check_flag("agent_index", agent_index) else None
        shown_spaces = self._seen_spaces if self._index is None else self._index.observation_spaces
        self._roles = Roles.alike(names, self.planner, shown_spaces, self._acted_spaces)
        self._acting = self._roles if inside is None else self._roles.without(self.planner)
        self.groups: Mapping[str, tuple[str, ...]] = self._acting.groups
        self.observation_spaces: Mapping[str, spaces.Space[object]] = {r: shown_spaces[r] for r in self.possible_agents}
        self.action_spaces: Mapping[str, spaces.Space[object]] = {
            r: self._acted_spaces[r] for r in self.possible_agents
        }
        self._check_actions = JointActionCheck(self._acting, self.action_spaces, self.num_envs)
        self._inside: PlannerInside | None = None
        if inside is not None:
            spaces_of_planner = self._seen_spaces[self.planner], self._acted_spaces[self.planner]
            self._inside = PlannerInside(inside, self.planner, *spaces_of_planner, self.num_envs)
        self._streams: ReplicaStreams | None = None
        self._tells_acts = False
        self._seen = self._nothing_seen()
        self._episodes = np.zeros(self.num_envs, dtype=np.int64)
        self._steps = np.zeros(self.num_envs, dtype=np.int64)
        self._flags: list[dict[str, bool]] = [{} for _ in self._envs]  # last termination flag of each agent

    def reset(self, seed: Seed | None = None, first_episode: int | None = None) -> BatchObservation:
        if first_episode is not None:
            first_episode = check_integer("first_episode", first_episode, 0)
        if seed is None and self._streams is None:
            seed = fresh_seed()
        begun = self._episodes + 1 if seed is None else np.zeros_like(self._episodes)
        if seed is not None:
            self._streams = ReplicaStreams(seed, self.num_envs)
            if self._inside is not None:
                self._inside.reseed(seed)
        self._episodes[:] = begun if first_episode is None else first_episode
        seen = self._nothing_seen()
        self._reset_into(seen, np.arange(self.num_envs))
        self._seen = seen
        masks = self._acting.stacked(seen.action_masks)
        return BatchObservation(self._shown(seen.observations), masks, planner_acts=self._planner_acts(seen))

    def step(self, actions: Mapping[str, Array]) -> BatchStep:
        if self._streams is None:
            raise RuntimeError("call reset() before step().")
        checked = dict(self._check_actions(actions).items())
        if self._inside is not None:  # where the planner has left, its actions are ignored
            checked[self.planner] = self._inside.actions(self._seen.observations, self._seen.action_masks)
        rewards, payoffs = self._zeros(), self._zeros()
        seen = self._nothing_seen()
        self._steps += 1
        for replica, env in enumerate(self._envs):
            chosen = {agent: self._action_of(agent, checked[agent][replica]) for agent in env.agents}
            observations, earned, terminations, _, infos = step_answer(env.step(chosen))
            self._write(seen, replica, observations, infos)
            where = self._where(replica)
            check_told("rewards", earned, chosen, where)
            for agent in self._roles.seats.keys() & earned.keys():
                rewards[agent][replica] = finite_number(f"reward of {agent!r}", earned[agent], where)
                payoff = infos.get(agent, {}).get("payoff", earned[agent])
                payoffs[agent][replica] = finite_number(f"payoff of {agent!r}", payoff, where)
            self._flags[replica].update({agent: flag_of(agent, told, where) for agent, told in terminations.items()})
        ended = np.array([not env.agents for env in self._envs])
        game_over = np.array([all(flags.values()) for flags in self._flags])
        final = None
        if ended.any():
            by_group = {group: values.copy() for group, values in seen.observations.by_group.items()}
            final = self._shown(ByRole(self._roles, by_group))
            self._episodes += ended
            self._reset_into(seen, np.flatnonzero(ended))
        self._seen = seen
        terminated, truncated = ended & game_over, ended & ~game_over
        masks, received = self._acting.stacked(seen.action_masks), self._acting.stacked(rewards)
        shown, acts = self._shown(seen.observations), self._planner_acts(seen)
        return BatchStep(shown, masks, received, payoffs, terminated, truncated, final, planner_acts=acts)

    def tabular_game(self) -> None:
        """None: nothing is known about the rules."""

    def close(self) -> None:
        """Close every copy."""
        for env in self._envs:
            env.close()

    def _planner_acts(self, seen: "_Seen") -> BoolArray | None:
        return seen.planner_acts if self._tells_acts else None

    def _shown(self, seen: ByRole[Array]) -> ByRole[Observation]:
        """What acting roles see, with the agents' index where it is wanted."""
        return self._acting.stacked(seen if self._index is None else self._index.added(seen, self._roles))

    def _action_of(self, agent: str, action: Array) -> Any:
        space = self._acted_spaces[agent]
        return int(action) if isinstance(space, spaces.Discrete) else action.astype(space.dtype)

    def _zeros(self) -> ByRole[FloatArray]:
        groups = self._roles.groups.items()
        return ByRole(self._roles, {group: np.zeros((self.num_envs, len(roles))) for group, roles in groups})

    def _nothing_seen(self) -> "_Seen":
        """What absent agents see: zeros, and masks of True."""
        observations, masks = {}, {}
        for group, roles in self._roles.groups.items():
            seen, acted = self._seen_spaces[roles[0]], self._acted_spaces[roles[0]]
            leading, size = (self.num_envs, len(roles)), mask_size(acted)
            observations[group] = np.zeros((*leading, *(seen.shape or ())), dtype=seen.dtype)
            if size is not None:
                masks[group] = np.ones((*leading, size), dtype=np.bool_)
        return _Seen(ByRole(self._roles, observations), ByRole(self._roles, masks), np.ones(self.num_envs, np.bool_))

    def _reset_into(self, seen: "_Seen", replicas: IntArray) -> None:
        """Start an episode in `replicas` and replace what was seen there by its first observations."""
        assert self._streams is not None
        seeds = self._streams.integers(2**31, replicas)
        for values in seen.observations.by_group.values():
            values[replicas] = 0
        for mask in seen.action_masks.by_group.values():
            mask[replicas] = True
        seen.planner_acts[replicas] = True
        for replica, seed in zip(replicas, seeds, strict=True):
            options = {"first_episode": int(self._episodes[replica])}
            observations, infos = reset_answer(self._envs[replica].reset(seed=int(seed), options=options))
            self._steps[replica] = 0
            self._flags[replica] = dict.fromkeys(self._envs[replica].agents, False)
            self._write(seen, int(replica), observations, infos)

    def _write(self, seen: "_Seen", replica: int, observations: ByAgent, infos: ByAgent) -> None:
        """Copy one environment's observations and masks into row `replica` of `seen`."""
        where, living = self._where(replica), self._envs[replica].agents
        check_known(living, self._roles.seats, where)
        check_told("observations", observations, living, where)
        acts = infos.get(self.planner, {}).get("acts")
        if acts is not None:
            self._tells_acts, seen.planner_acts[replica] = True, bool(acts)
        for agent in self._roles.names:
            if agent not in observations:
                continue
            rows = seen.observations[agent]
            observation = observations[agent]
            mask = infos.get(agent, {}).get("action_mask")
            if isinstance(observation, dict):
                mask, observation = observation["action_mask"], observation["observation"]
            space = self._seen_spaces[agent]
            rows[replica] = checked_observation(f"observation of {agent!r}", space, observation, where)
            masks = seen.action_masks.get(agent)
            if mask is not None and masks is not None:
                name, acted = f"action_mask of {agent!r}", self._acted_spaces[agent]
                masks[replica] = _checked_mask(name, acted, mask, where, agent in living)

    def _where(self, replica: int) -> str:
        """The place of what an environment returned, for errors."""
        return f"step {self._steps[replica]} of an episode (replica {replica})"


@dataclass(frozen=True)
class _Seen:
    """A `BatchObservation` that is being written."""

    observations: ByRole[Array]
    action_masks: ByRole[BoolArray]
    planner_acts: BoolArray


def agents_beside(planner: str, possible_agents: tuple[str, ...], argument: str = "planner") -> tuple[str, ...]:
    """`possible_agents` without `planner`, given as `argument`; ValueError if it is not among them, or is alone."""
    if planner not in possible_agents:
        raise unknown_name(f"{argument} (one of the environment's possible_agents)", planner, possible_agents)
    agents = tuple(agent for agent in possible_agents if agent != planner)
    if not agents:
        raise ValueError(f"possible_agents must hold at least one agent besides the planner {planner!r}.")
    return agents


def without_mask(space: spaces.Space[Any]) -> spaces.Space[Any]:
    """What is observed beside a mask where the space is a Dict of `observation` and `action_mask`; else the space."""
    if isinstance(space, spaces.Dict) and set(space.spaces) == {"observation", "action_mask"}:
        return space["observation"]
    return space


def _supported(agent: str, what: str, space: spaces.Space[Any]) -> spaces.Space[Any]:
    if not isinstance(space, _SUPPORTED):
        names = ", ".join(kind.__name__ for kind in _SUPPORTED)
        hint = "; ermas_envs.wrappers.FlatObservations makes a vector of it" if what == "observation" else ""
        raise ValueError(f"{what} space of {agent!r} must be one of {names}, got {space}{hint}.")
    return space


def _checked_mask(what: str, space: spaces.Space[Any], given: Any, where: str, acts: bool) -> BoolArray:
    """The flat mask; all True where an agent that has left is shown nothing that it may do.

    ValueError for another shape, for what is no truth value, or if an agent that `acts` may do nothing.
    """
    try:
        numbers = np.concatenate([np.ravel(part) for part in given]) if isinstance(given, tuple) else np.asarray(given)
        truths = numbers.dtype.kind in "biuf" and bool(((numbers == 0) | (numbers == 1)).all())
    except ValueError:  # ragged
        truths = False
    if not truths:
        raise ValueError(f"{what} in {where} must hold truth values, 0 or 1, got {shown(given)}.")
    mask = flat_mask(given)
    shape = (mask_size(space),)
    if mask.shape != shape:
        raise ValueError(f"{what} must have shape {shape}, as its space says, got {mask.shape}.")
    if all(part.any() for part in split_mask(space, mask)):
        return mask
    if acts:
        raise ValueError(f"{what} in {where} must allow an action, got {shown(given)}.")
    return np.ones_like(mask)


def _scale(argument: str, given: float | None) -> float | None:
    return None if given is None else check_positive(argument, given)
