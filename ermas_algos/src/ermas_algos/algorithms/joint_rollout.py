"""The joint rollout: whole episodes of all roles in one batch of replicas, feeding several learners.

The replicas fall into equal blocks. Each block starts from the same seeds and uses the same action noise (common random
numbers), so that blocks that differ in one agent's policy differ by that policy only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from gymnasium import spaces

from ermas_algos.algorithms.decisions import Decisions, decision_rollout, idle_actions, leaves_a_choice
from ermas_algos.algorithms.seats import Part, Seat, parts_of, per_replica, rewards_of, rows_of
from ermas_algos.learners.protocol import Learner, NotFiniteError, Rollout, arrays
from ermas_envs import BatchedEnv, BatchStep
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.base.groups import ByRole, Roles
from ermas_envs.base.spaces import clip_to_box
from ermas_envs.faces.returned import first_not_finite
from ermas_envs.game.batch import BatchObservation

Cast: TypeAlias = Mapping[str, Sequence[Learner]]
"""Who plays each role in each block: one learner per block, in block order."""


@dataclass(frozen=True)
class Trajectories:
    """T steps of every acting role in `num_envs` replicas, split into equal blocks.

    Shapes are those by role; by group (`ByRole.by_group`) an axis for the roles follows that of the replicas.
    """

    observations: ByRole[Array]
    """(T + 1, num_envs, *observation shape)."""
    actions: ByRole[Array]
    """(T, num_envs, *action shape)."""
    action_masks: ByRole[BoolArray]
    """Of roles with masks (T, num_envs, mask size; see `BatchObservation`)."""
    rewards: ByRole[FloatArray]
    """(T, num_envs): payoff + perturbation."""
    payoffs: ByRole[FloatArray]
    """Of agents and planner (T, num_envs)."""
    ended: BoolArray
    """(T, num_envs) an episode ended with this step."""
    cut: BoolArray
    """(T, num_envs) it was ended by a time limit that is not part of the game."""
    final_observations: ByRole[Array] | None
    """(T, num_envs, *observation shape), valid where `cut`; None if nothing was cut."""
    blocks: int
    """Number of blocks."""
    decisions: Mapping[str, Decisions] = field(default_factory=dict)
    """Of a role that decides in some steps only. Its observations, actions and masks are those of the K steps in which
    it decides in some replica, and what is seen at the end."""
    metrics: Mapping[str, FloatArray] | None = None
    """The game's metrics of the last episode that ended (`BatchStep.final_metrics`)."""

    def block(self, index: int) -> slice:
        """Replicas of a block."""
        size = self.ended.shape[1] // self.blocks
        return slice(index * size, (index + 1) * size)

    def mean(self, per_step: FloatArray, block: int) -> float:
        """Mean per step of a (T, num_envs) array over one block."""
        return float(per_step[:, self.block(block)].mean())

    def rollout(self, seats: Sequence[Seat], rewards: Mapping[str, FloatArray]) -> Rollout | None:
        """What the learner in these seats trains on.

        Args:
            seats: one or more, of roles with equal spaces, or of one role that decides in some steps only.
            rewards: (T, num_envs) of each of these roles.

        Returns:
            None where a role had nothing to decide.
        """
        role, roles = seats[0][0], self.observations.roles
        if role in self.decisions and not len(self.decisions[role].steps):
            return None
        parts = parts_of(seats, roles, self.ended.shape[1] // self.blocks)
        observations, actions = rows_of(parts, self.observations, 1), rows_of(parts, self.actions, 1)
        masks = rows_of(parts, self.action_masks, 1) if role in self.action_masks else None
        finals = None if self.final_observations is None else rows_of(parts, self.final_observations, 1)
        received, ended, cut = rewards_of(parts, rewards, roles), per_replica(parts, self.ended), None
        if finals is not None:
            cut = per_replica(parts, self.cut)
        if role in self.decisions:
            decided = self.decisions[role].of(np.concatenate([np.r_[part.replicas] for part in parts]))
            return decision_rollout(decided, observations, actions, masks, received, ended, cut, finals)
        free = None if masks is None else np.flatnonzero(leaves_a_choice(masks, actions[0, 0]).any(axis=1))
        if masks is not None and free is not None and 0 < len(free) < len(masks):
            everywhere = np.ones((len(free), masks.shape[1]), dtype=np.bool_)
            decided, seen = Decisions(free, everywhere, everywhere[0]), observations[[*free, -1]]
            return decision_rollout(decided, seen, actions[free], masks[free], received, ended, cut, finals)
        return Rollout(observations[:-1], actions, masks, received, ended, finals, cut, observations[-1])


def joint_rollout(
    env: BatchedEnv, cast: Cast, steps: int, generator: np.random.Generator, episode: int
) -> Trajectories:
    """Reset all replicas and play `steps` steps.

    A time limit is part of the game where `env.horizon` is known: J is a mean over exactly that many steps. Elsewhere
    values are bootstrapped behind it. A planner that decides in some steps only (`BatchObservation.planner_acts`) is
    asked in these alone, and plays in the others what its mask leaves; so is a group in a step in which masks leave
    none of its roles a choice, in no replica.

    Args:
        env: num_envs must be a multiple of the number of blocks; arrays that it gives must be the caller's to keep, and
            every role's observation one array.
        cast: per acting role one learner per block; the same learner may play several roles and blocks.
        steps: T ≥ 1.
        generator: gives the replicas' seeds and the action noise.
        episode: index of the first episode, for schedules over episodes.

    Raises:
        NotFiniteError: observations, rewards or payoffs that are not finite, with role, step and value; or what a
            learner's policy gives, with a role that it plays.
    """
    blocks = len(next(iter(cast.values())))
    size = env.num_envs // blocks
    roles = roles_of(env)
    players = _players(cast, roles, size)
    seen = env.reset(np.tile(generator.integers(2**63, size=size), blocks), episode)
    record = _Record(roles, env.planner, seen)
    for step in range(steps):
        _check_finite("observation", roles.stacked(arrays(seen.observations)), step)
        noise = _noise(cast, roles, size, blocks, generator)
        actions = _act(players, roles, seen, noise, env)
        clipped = {group: clip_to_box(_space(env, roles, group), given) for group, given in actions.items()}
        result = env.step(ByRole(roles, clipped))
        record.add(seen, actions, result, bootstrap=env.horizon is None)
        seen = result
    played = record.trajectories(blocks)
    _check_finite("reward", played.rewards)
    _check_finite("payoff", played.payoffs)
    return played


def roles_of(env: BatchedEnv) -> Roles:
    """The acting roles of an environment; in one that states no groups, which it may be a user's, each is alone."""
    return Roles(getattr(env, "groups", {role: (role,) for role in env.possible_agents}), env.possible_agents)


def _check_finite(what: str, by_role: ByRole[Array], steps_before: int | None = None) -> None:
    """NotFiniteError that names what an environment gave, that nobody can learn from: by group (R, n, …) of the step
    after `steps_before`, or (T, R, n, …) of all steps; the faces of ours check users' hooks, but an engine, or another
    batched environment, may be the user's, too."""
    for group, array in by_role.by_group.items():
        wrong = first_not_finite(array)
        if wrong is not None:
            step = wrong[0] + 1 if steps_before is None else steps_before + 1
            replica, place = wrong[1:3] if steps_before is None else wrong[:2]
            role, where = by_role.roles.groups[group][place], f"step {step} of a rollout (replica {replica})"
            raise NotFiniteError(f"{what} of {role!r} in {where} must be finite, got {array[wrong]}.")


def _space(env: BatchedEnv, roles: Roles, group: str) -> spaces.Space[object]:
    return env.action_spaces[roles.groups[group][0]]


_Players: TypeAlias = list[tuple[Learner, list[Part]]]


def _players(cast: Cast, roles: Roles, size: int) -> _Players:
    """Per distinct learner the parts that it plays, so that each learner acts once per step."""
    seats: dict[int, tuple[Learner, list[Seat]]] = {}
    for role, learners in cast.items():
        for block, learner in enumerate(learners):
            seats.setdefault(id(learner), (learner, []))[1].append((role, block))
    return [(learner, parts_of(taken, roles, size)) for learner, taken in seats.values()]


def _noise(cast: Cast, roles: Roles, size: int, blocks: int, generator: np.random.Generator) -> ByRole[FloatArray]:
    """Uniform numbers (R, n, most that one of the learners needs) of each group: the same in every block."""
    by_group = {}
    for group, members in roles.groups.items():
        sizes = [cast[role][0].noise_size for role in members]
        if min(sizes) == max(sizes):
            drawn = generator.random((len(members), size, sizes[0]))
        else:
            drawn = np.zeros((len(members), size, max(sizes)))
            for place, needed in enumerate(sizes):
                drawn[place, :, :needed] = generator.random((size, needed))
        by_group[group] = np.tile(drawn.transpose(1, 0, 2), (blocks, 1, 1))
    return ByRole(roles, by_group)


def _act(
    players: _Players, roles: Roles, seen: BatchObservation, noise: ByRole[FloatArray], env: BatchedEnv
) -> dict[str, Array]:
    """Actions (R, n, *action shape) by group."""
    observations, masks = roles.stacked(arrays(seen.observations)), roles.stacked(seen.action_masks)
    actions, decides = _idle(roles, masks, seen.planner_acts, env), {}
    if seen.planner_acts is not None and env.planner in roles.seats:
        decides = {roles.seats[env.planner][0]: seen.planner_acts}
    for group in masks.by_group.keys() - decides.keys():
        allowed, played = masks.by_group[group], actions[group]
        if not leaves_a_choice(allowed, played[0, 0]).any():
            decides[group] = np.zeros(env.num_envs, dtype=np.bool_)
            flat = idle_actions(
                _space(env, roles, group), allowed.reshape(-1, allowed.shape[-1]), played.shape[0] * played.shape[1]
            )
            actions[group] = flat.reshape(played.shape)
    for learner, parts in players:
        group = parts[0].group
        if group in decides and not decides[group].any():
            continue
        try:
            chosen = learner.act(
                rows_of(parts, observations, 0),
                rows_of(parts, noise, 0)[:, : learner.noise_size],
                rows_of(parts, masks, 0) if group in masks.by_group else None,
            )
        except NotFiniteError as error:
            raise NotFiniteError(f"{roles.groups[group][parts[0].places][0]}: {error}") from error
        start = 0
        for part in parts:
            count = part.shape[0] * part.shape[1]
            rows = chosen[start : start + count].reshape(*part.shape, *chosen.shape[1:])
            if part.group in decides:
                taken = decides[part.group][part.replicas]
                actions[part.group][part.replicas, part.places][taken] = rows[taken]
            else:
                actions[part.group][part.replicas, part.places] = rows
            start += count
    return actions


def _idle(roles: Roles, masks: ByRole[BoolArray], acts: BoolArray | None, env: BatchedEnv) -> dict[str, Array]:
    """Arrays (R, n, *action shape) by group for actions; where the planner decides now and then, with the actions that
    it plays in between."""
    actions = {}
    for group, members in roles.groups.items():
        space = env.action_spaces[members[0]]
        if acts is not None and members == (env.planner,):
            actions[group] = idle_actions(space, masks.get(env.planner), env.num_envs)[:, None]
        else:
            actions[group] = np.empty((env.num_envs, len(members), *(space.shape or ())), dtype=space.dtype)
    return actions


class _Record:
    """Collects the steps of a joint rollout, by group."""

    def __init__(self, roles: Roles, planner: str, first: BatchObservation) -> None:
        self.roles = roles
        decides = first.planner_acts is not None and planner in roles.seats
        self.planner = roles.seats[planner][0] if decides else None
        self.observations: dict[str, list[Array]] = {group: [] for group in roles.groups}
        self.actions: dict[str, list[Array]] = {group: [] for group in roles.groups}
        self.masks: dict[str, list[BoolArray]] = {group: [] for group in roles.groups}
        self.decided: list[int] = []
        self.acts: list[BoolArray] = []
        self.steps: list[BatchStep] = []
        self.cut: list[BoolArray] = []
        self.metrics: Mapping[str, FloatArray] | None = None

    def add(self, seen: BatchObservation, actions: Mapping[str, Array], result: BatchStep, bootstrap: bool) -> None:
        observations, masks = self.roles.stacked(arrays(seen.observations)), self.roles.stacked(seen.action_masks)
        for group, array in actions.items():
            if group == self.planner:
                assert seen.planner_acts is not None
                if not seen.planner_acts.any():
                    continue
                self.decided.append(len(self.steps))
                self.acts.append(seen.planner_acts)
            self.actions[group].append(array)
            self.observations[group].append(observations.by_group[group])
            if group in masks.by_group:
                self.masks[group].append(masks.by_group[group])
        self.steps.append(result)
        if result.final_metrics is not None:  # not read: they may be worked out when they are (`Deferred`)
            self.metrics = result.final_metrics
        self.cut.append(result.truncated & ~result.terminated & bootstrap)

    def trajectories(self, blocks: int) -> Trajectories:
        roles, last, cut = self.roles, self.steps[-1], np.stack(self.cut)
        seen = roles.stacked(arrays(last.observations)).by_group
        masked = {group: steps for group, steps in self.masks.items() if steps}
        paid = [_everybody(self.steps[0].payoffs).stacked(step.payoffs) for step in self.steps]
        return Trajectories(
            observations=self._over_time({g: [*steps, seen[g]] for g, steps in self.observations.items()}),
            actions=self._over_time({g: steps for g, steps in self.actions.items() if steps}),
            action_masks=self._over_time(masked),
            rewards=self._over_time(_by_group([roles.stacked(step.rewards) for step in self.steps])),
            payoffs=ByRole(paid[0].roles, _stacked(_by_group(paid)), axis=2),
            ended=np.stack([step.terminated | step.truncated for step in self.steps]),
            cut=cut,
            final_observations=self._final_observations() if cut.any() else None,
            blocks=blocks,
            decisions=self._decisions(last),
            metrics=self.metrics,
        )

    def _over_time(self, by_group: Mapping[str, list[Array]]) -> ByRole[Array]:
        return ByRole(self.roles, _stacked(by_group), axis=2)

    def _decisions(self, last: BatchStep) -> dict[str, Decisions]:
        if self.planner is None:
            return {}
        assert last.planner_acts is not None
        acts = np.array(self.acts).reshape(-1, len(last.terminated)).astype(np.bool_)
        decisions = Decisions(np.array(self.decided, dtype=np.int64), acts, last.planner_acts)
        return {self.roles.groups[self.planner][0]: decisions}

    def _final_observations(self) -> ByRole[Array]:
        """Where no episode ended, zeros stand in; they are never read."""
        shown = self.roles.stacked(arrays(self.steps[-1].observations)).by_group
        finals: dict[str, list[Array]] = {group: [] for group in self.roles.groups}
        for step in self.steps:
            final = None if step.final_observations is None else self.roles.stacked(arrays(step.final_observations))
            for group, steps in finals.items():
                steps.append(np.zeros_like(shown[group]) if final is None else final.by_group[group])
        return self._over_time(finals)


def _everybody(payoffs: Mapping[str, FloatArray]) -> Roles:
    """All roles that earn; in a batched environment that has no groups each is alone."""
    return payoffs.roles if isinstance(payoffs, ByRole) else Roles({role: (role,) for role in payoffs})


def _by_group(steps: Sequence[ByRole[Array]]) -> dict[str, list[Array]]:
    return {group: [step.by_group[group] for step in steps] for group in steps[0].by_group}


def _stacked(by_group: Mapping[str, list[Array]]) -> dict[str, Array]:
    return {group: np.stack(steps) for group, steps in by_group.items()}
