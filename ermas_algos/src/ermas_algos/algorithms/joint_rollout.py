"""The joint rollout: whole episodes of all roles in one batch of replicas, feeding several learners.

The replicas fall into equal blocks. Each block starts from the same seeds and uses the same action noise (common random
numbers), so that blocks that differ in one agent's policy differ by that policy only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from gymnasium import spaces

from ermas_algos.learners.protocol import Learner, Rollout, arrays
from ermas_envs import BatchedEnv, BatchStep
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.base.spaces import clip_to_box
from ermas_envs.faces.returned import first_not_finite

Cast: TypeAlias = Mapping[str, Sequence[Learner]]
"""Who plays each role in each block: one learner per block, in block order."""


@dataclass(frozen=True)
class Trajectories:
    """T steps of every acting role in `num_envs` replicas, split into equal blocks."""

    observations: dict[str, Array]
    """Per role (T + 1, num_envs, *observation shape)."""
    actions: dict[str, Array]
    """Per role (T, num_envs, *action shape)."""
    action_masks: dict[str, BoolArray]
    """Per role with masks (T, num_envs, mask size; see `BatchObservation`)."""
    rewards: dict[str, FloatArray]
    """Per role (T, num_envs): payoff + perturbation."""
    payoffs: dict[str, FloatArray]
    """Per agent and planner (T, num_envs)."""
    ended: BoolArray
    """(T, num_envs) an episode ended with this step."""
    cut: BoolArray
    """(T, num_envs) it was ended by a time limit that is not part of the game."""
    final_observations: dict[str, Array] | None
    """Per role (T, num_envs, *observation shape), valid where `cut`; None if nothing was cut."""
    blocks: int
    """Number of blocks."""

    def block(self, index: int | None) -> slice:
        """Replicas of a block; of all blocks for None."""
        if index is None:
            return slice(None)
        size = self.ended.shape[1] // self.blocks
        return slice(index * size, (index + 1) * size)

    def mean(self, per_step: FloatArray, block: int) -> float:
        """Mean per step of a (T, num_envs) array over one block."""
        return float(per_step[:, self.block(block)].mean())

    def rollout(self, role: str, block: int | None, rewards: FloatArray) -> Rollout:
        """What the learner of `role` in `block` (None: in all) trains on, with its `rewards` (T, num_envs)."""
        rows = self.block(block)
        masks = self.action_masks.get(role)
        return Rollout(
            observations=self.observations[role][:-1, rows],
            actions=self.actions[role][:, rows],
            action_masks=None if masks is None else masks[:, rows],
            rewards=rewards[:, rows],
            ended=self.ended[:, rows],
            bootstrap_observations=None if self.final_observations is None else self.final_observations[role][:, rows],
            bootstrapped=None if self.final_observations is None else self.cut[:, rows],
            last_observations=self.observations[role][-1, rows],
        )


def joint_rollout(
    env: BatchedEnv, cast: Cast, steps: int, generator: np.random.Generator, episode: int
) -> Trajectories:
    """Reset all replicas and play `steps` steps.

    A time limit is part of the game where `env.horizon` is known: J is a mean over exactly that many steps. Elsewhere
    values are bootstrapped behind it.

    Args:
        env: num_envs must be a multiple of the number of blocks; arrays that it gives must be the caller's to keep, and
            every role's observation one array.
        cast: per acting role one learner per block; the same learner may play several roles and blocks.
        steps: T ≥ 1.
        generator: gives the replicas' seeds and the action noise.
        episode: index of the first episode, for schedules over episodes.

    Raises:
        ValueError: observations, rewards or payoffs that are not finite, with role, step and value.
    """
    blocks = len(next(iter(cast.values())))
    size = env.num_envs // blocks
    seats = _seats(cast, size)
    noise_sizes = {role: learners[0].noise_size for role, learners in cast.items()}
    seen = env.reset(np.tile(generator.integers(2**63, size=size), blocks), episode)
    record = _Record(arrays(seen.observations))
    for step in range(steps):
        _check_finite("observation", {role: rows[None] for role, rows in arrays(seen.observations).items()}, step)
        noise = {role: np.tile(generator.random((size, k)), (blocks, 1)) for role, k in noise_sizes.items()}
        actions = _act(seats, arrays(seen.observations), seen.action_masks, noise, env.action_spaces)
        result = env.step({role: clip_to_box(env.action_spaces[role], chosen) for role, chosen in actions.items()})
        record.add(actions, seen.action_masks, result, bootstrap=env.horizon is None)
        seen = result
    played = record.trajectories(blocks)
    _check_finite("reward", played.rewards)
    _check_finite("payoff", played.payoffs)
    return played


def _check_finite(what: str, by_role: Mapping[str, Array], steps_before: int = 0) -> None:
    """ValueError that names what an environment gave, (steps, num_envs, …) per role, that nobody can learn from; the
    faces of ours check users' hooks, but an engine, or another batched environment, may be the user's, too."""
    for role, array in by_role.items():
        wrong = first_not_finite(array)
        if wrong is not None:
            where = f"step {steps_before + wrong[0] + 1} of a rollout (replica {wrong[1]})"
            raise ValueError(f"{what} of {role!r} in {where} must be finite, got {array[wrong]}.")


_Seats: TypeAlias = list[tuple[Learner, list[tuple[str, slice]]]]


def _seats(cast: Cast, size: int) -> _Seats:
    """Per distinct learner the (role, replicas) that it plays, so that each learner acts once per step."""
    seats: dict[int, tuple[Learner, list[tuple[str, slice]]]] = {}
    for role, learners in cast.items():
        for block, learner in enumerate(learners):
            places = seats.setdefault(id(learner), (learner, []))[1]
            start = block * size
            if places and places[-1][0] == role and places[-1][1].stop == start:
                places[-1] = (role, slice(places[-1][1].start, start + size))
            else:
                places.append((role, slice(start, start + size)))
    return list(seats.values())


def _act(
    seats: _Seats,
    observations: Mapping[str, Array],
    masks: Mapping[str, BoolArray],
    noise: Mapping[str, FloatArray],
    action_spaces: Mapping[str, spaces.Space[object]],
) -> dict[str, Array]:
    rows = len(next(iter(observations.values())))
    actions = {
        role: np.empty((rows, *(action_spaces[role].shape or ())), dtype=action_spaces[role].dtype) for role in noise
    }
    for learner, places in seats:
        chosen = learner.act(
            np.concatenate([observations[role][replicas] for role, replicas in places]),
            np.concatenate([noise[role][replicas] for role, replicas in places]),
            np.concatenate([masks[role][replicas] for role, replicas in places]) if places[0][0] in masks else None,
        )
        start = 0
        for role, replicas in places:
            length = replicas.stop - replicas.start
            actions[role][replicas] = chosen[start : start + length]
            start += length
    return actions


class _Record:
    """Collects the steps of a joint rollout."""

    def __init__(self, first: Mapping[str, Array]) -> None:
        self.observations: dict[str, list[Array]] = {role: [array] for role, array in first.items()}
        self.actions: dict[str, list[Array]] = {role: [] for role in first}
        self.masks: dict[str, list[BoolArray]] = {}
        self.rewards: dict[str, list[FloatArray]] = {role: [] for role in first}
        self.payoffs: dict[str, list[FloatArray]] = {}
        self.ended: list[BoolArray] = []
        self.cut: list[BoolArray] = []
        self.finals: list[Mapping[str, Array] | None] = []

    def add(
        self, actions: Mapping[str, Array], masks: Mapping[str, BoolArray], result: BatchStep, bootstrap: bool
    ) -> None:
        for role, array in actions.items():
            self.actions[role].append(array)
            self.observations[role].append(arrays(result.observations)[role])
            self.rewards[role].append(result.rewards[role])
        for role, mask in masks.items():
            self.masks.setdefault(role, []).append(mask)
        for role, payoff in result.payoffs.items():
            self.payoffs.setdefault(role, []).append(payoff)
        self.ended.append(result.terminated | result.truncated)
        self.cut.append(result.truncated & ~result.terminated & bootstrap)
        self.finals.append(None if result.final_observations is None else arrays(result.final_observations))

    def trajectories(self, blocks: int) -> Trajectories:
        cut = np.stack(self.cut)
        return Trajectories(
            observations={role: np.stack(steps) for role, steps in self.observations.items()},
            actions={role: np.stack(steps) for role, steps in self.actions.items()},
            action_masks={role: np.stack(steps) for role, steps in self.masks.items()},
            rewards={role: np.stack(steps) for role, steps in self.rewards.items()},
            payoffs={role: np.stack(steps) for role, steps in self.payoffs.items()},
            ended=np.stack(self.ended),
            cut=cut,
            final_observations=self._final_observations() if cut.any() else None,
            blocks=blocks,
        )

    def _final_observations(self) -> dict[str, Array]:
        """Where no episode ended, the next observation stands in; it is never read there."""
        return {
            role: np.stack([steps[t + 1] if final is None else final[role] for t, final in enumerate(self.finals)])
            for role, steps in self.observations.items()
        }
