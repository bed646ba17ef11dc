"""Who decides in some steps only has a decision process of its own: its steps are its decisions.

That is a planner that says when it acts, and everybody in steps in which masks leave nobody of a group a choice. The
reward of a decision is the sum of the rewards from its step up to the next decision of the episode, without discounting
in between; the learner's discount counts decisions. What is earned before an episode's first decision belongs to none.
A decision that the rollout's end leaves unfinished is left out: what was seen there is what the rollout ends with.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_algos.learners.protocol import Rollout
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray
from ermas_envs.base.spaces import clip_to_box, split_mask


@dataclass(frozen=True)
class Decisions:
    """In which steps of a rollout of T steps, and in which replicas, a role decides."""

    steps: IntArray
    """(K,) those in which at least one replica's does."""
    acts: BoolArray
    """(K, R) which replicas' do in these."""
    next_acts: BoolArray
    """(R,) whether the step after the last would have been a decision."""

    def of(self, rows: IntArray) -> "Decisions":
        """The same of some replicas."""
        return Decisions(self.steps, self.acts[:, rows], self.next_acts[rows])


def idle_actions(space: spaces.Space[Any], masks: BoolArray | None, rows: int) -> Array:
    """(rows, *action shape): what is played where there is nothing to decide, the first action that a mask leaves."""
    if masks is None or not isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        idle = np.zeros((rows, *(space.shape or ())), dtype=space.dtype)
        idle += getattr(space, "start", 0)
        return clip_to_box(space, idle)
    if isinstance(space, spaces.Discrete):
        first = masks.argmax(axis=-1)
    elif (space.nvec == space.nvec[0]).all():
        first = masks.reshape(*masks.shape[:-1], len(space.nvec), -1).argmax(axis=-1)
    else:
        first = np.stack([part.argmax(axis=-1) for part in split_mask(space, masks)], axis=-1)
    return np.asarray(first + space.start, dtype=space.dtype)


def leaves_a_choice(masks: BoolArray, action: Array) -> BoolArray:
    """(…) whether masks (…, mask size) leave more than one action, each of the shape of `action`.

    A mask has at least one value for every component of an action.
    """
    return np.asarray(masks.sum(axis=-1) > np.size(action))


def decision_rollout(
    decisions: Decisions,
    observations: Array,
    actions: Array,
    action_masks: BoolArray | None,
    rewards: FloatArray,
    ended: BoolArray,
    cut: BoolArray | None,
    final_observations: Array | None,
) -> Rollout | None:
    """The rollout of decisions that ended within a rollout of T steps and R rows.

    Args:
        decisions: which steps they are, K in all.
        observations: (K + 1, R, …) seen before each, and at the end of the rollout.
        actions: (K, R, …).
        action_masks: (K, R, mask size) or None.
        rewards: (T, R) of every step.
        ended: (T, R) an episode ended with this step.
        cut: (T, R) by a time limit that is not part of the game; None: none was.
        final_observations: (T, R, …), valid where `cut`.

    Returns:
        (number of decisions, R, …), where all rows decide at the same steps; otherwise all rows' decisions one after
        another as a single row. None if there were none.
    """
    sums, last, whole = _periods(decisions, rewards, ended)
    if not whole.any():
        return None
    times = np.where(whole, last, 0)
    rows = np.arange(rewards.shape[1])
    ends = ended[times, rows] & whole
    cuts = np.zeros_like(whole) if cut is None else cut[times, rows] & whole
    finals = None if final_observations is None else final_observations[times, rows]
    after = _seen_after(decisions, observations, whole)
    if (whole == whole[:, :1]).all():
        chosen = whole[:, 0]
        return Rollout(
            observations=observations[:-1][chosen],
            actions=actions[chosen],
            action_masks=None if action_masks is None else action_masks[chosen],
            rewards=sums[chosen],
            ended=ends[chosen],
            bootstrap_observations=None if finals is None else finals[chosen],
            bootstrapped=None if finals is None else cuts[chosen],
            last_observations=after,
        )
    return _in_one_row(observations, actions, action_masks, sums, ends, cuts, finals, after, whole)


def _periods(decisions: Decisions, rewards: FloatArray, ended: BoolArray) -> tuple[FloatArray, IntArray, BoolArray]:
    """Per decision (K, R): the sum of its rewards, its last step, and whether the rollout holds all of it."""
    steps, rows = rewards.shape
    time = np.arange(steps)[:, None]
    acts = np.zeros((steps, rows), dtype=np.bool_)
    acts[decisions.steps] = decisions.acts
    fresh = np.vstack([np.ones((1, rows), dtype=np.bool_), ended[:-1]])
    begun = np.maximum.accumulate(np.where(fresh, time, 0), axis=0)
    decided = np.maximum.accumulate(np.where(acts, time, -1), axis=0)
    owned = decided >= begun
    at = np.nonzero(owned)
    sums, last = np.zeros((steps, rows)), np.zeros((steps, rows), dtype=np.int64)
    np.add.at(sums, (decided[at], at[1]), rewards[at])
    np.maximum.at(last, (decided[at], at[1]), at[0])
    over = ended[last, np.arange(rows)] | (last + 1 < steps) | decisions.next_acts
    return sums[decisions.steps], last[decisions.steps], (acts & over)[decisions.steps]


def _seen_after(decisions: Decisions, observations: Array, whole: BoolArray) -> Array:
    """(R, …) what was seen at the decision that a row's last whole one led to: the unfinished one, or the end."""
    unfinished = decisions.acts & ~whole  # at most the last of a row
    where = np.where(unfinished.any(axis=0), unfinished.argmax(axis=0), len(observations) - 1)
    return np.asarray(observations[where, np.arange(whole.shape[1])])


def _in_one_row(
    observations: Array,
    actions: Array,
    action_masks: BoolArray | None,
    sums: FloatArray,
    ends: BoolArray,
    cuts: BoolArray,
    finals: Array | None,
    after: Array,
    whole: BoolArray,
) -> Rollout:
    """All rows' decisions one after another. Where a row's last one does not end an episode, it is as if a time limit
    had cut it: its value goes on at what was seen next."""
    seen_next = np.broadcast_to(after, (len(whole), *after.shape)).copy()
    if finals is not None:
        seen_next[cuts] = finals[cuts]
    positions = np.arange(len(whole))[:, None]
    is_last = whole & (positions == np.where(whole, positions, -1).max(axis=0))
    bootstrapped = cuts | (is_last & ~ends)

    def row(array: Array) -> Array:
        return np.swapaxes(array, 0, 1)[whole.T][:, None]

    return Rollout(
        observations=row(observations[:-1]),
        actions=row(actions),
        action_masks=None if action_masks is None else row(action_masks),
        rewards=row(sums),
        ended=row(ends | is_last),
        bootstrap_observations=row(seen_next),
        bootstrapped=row(bootstrapped),
        last_observations=after[:1],
    )
