"""Exact play of a tabular game: visits, values and advantages of joint policies from the game's tables, no samples.

Visits run forwards, values backwards in time; the seeds of a batch are computed at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from ermas_algos.algorithms.collection import PerSeed
from ermas_algos.algorithms.exact import tabular_policies
from ermas_algos.algorithms.joint_rollout import Cast
from ermas_algos.algorithms.seats import Seat
from ermas_algos.learners.exact import ExactRollout
from ermas_algos.saved_state import saved_table
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import Policies, TabularGame
from ermas_envs.oracles.evaluation import joint_probabilities


class JointPolicy:
    """One joint policy in a tabular game; "…" is (K,) for a batch of seeds, or nothing; "A…" one axis per role.

    Args:
        game: H steps, S states.
        policies: per acting role (…, H, S, number of actions).
    """

    def __init__(self, game: TabularGame, policies: Policies) -> None:
        self.game = game
        self.policies = game.complete(policies)
        self._joint = joint_probabilities(game, self.policies)
        self._step_axis = -2 - len(game.roles)
        self.visits = self._forward()
        """(…, H, S) probability of each state at each step."""

    def mean(self, per_step: FloatArray) -> PerSeed:
        """E[Σ_t per_step]/H for a table (S, A…), or (K, S, A…)."""
        mean = (self.visits * self._expected(per_step)).sum(axis=(-2, -1)) / self.game.horizon
        return float(mean) if mean.ndim == 0 else np.asarray(mean)

    def advantages(self, role: str, rewards: FloatArray) -> FloatArray:
        """(…, H, S, number of actions) undiscounted advantage of each action of `role` for rewards (S, A…)."""
        others = joint_probabilities(self.game, self.policies, without=role)
        returns = self._per_step(rewards) + self._values_after(rewards)[..., self.game.next_states]
        own = self.game.axis(role)
        axes = tuple(axis - len(self.game.roles) - 1 for axis in range(1, 1 + len(self.game.roles)) if axis != own)
        action_values = (others * returns).sum(axis=axes)
        advantages: FloatArray = action_values - (self.policies[role] * action_values).sum(axis=-1, keepdims=True)
        return advantages

    def _per_step(self, table: FloatArray) -> FloatArray:
        """A table (…, S, A…) with an axis of length 1 for the steps."""
        return np.expand_dims(table, -2 - len(self.game.roles))

    def _expected(self, table: FloatArray) -> FloatArray:
        """(…, H, S) mean of a table (…, S, A…) over the joint actions."""
        actions = tuple(range(-len(self.game.roles), 0))
        expected: FloatArray = (self._joint * self._per_step(table)).sum(axis=actions)
        return expected

    def _forward(self) -> FloatArray:
        game = self.game
        lead = self._joint.shape[: -2 - len(game.roles)]
        pairs = game.next_states.size
        arrive = sparse.csr_matrix(
            (np.ones(pairs), (game.next_states.ravel(), np.arange(pairs))), (game.start.size, pairs)
        )
        visits = np.empty((*lead, game.horizon, game.start.size))
        visits[..., 0, :] = game.start
        for step in range(game.horizon - 1):
            joint = np.take(self._joint, step, axis=self._step_axis)
            here = visits[..., step, :].reshape(*lead, -1, *(1,) * len(game.roles))
            flow = (here * joint).reshape(-1, pairs)
            visits[..., step + 1, :] = (arrive @ flow.T).T.reshape(*lead, -1)
        return visits

    def _values_after(self, rewards: FloatArray) -> FloatArray:
        """(…, H, S) value of each state *after* each step: what the rest of the episode is worth there."""
        game = self.game
        expected = self._expected(rewards)
        after = np.zeros_like(expected)
        actions = tuple(range(-len(game.roles), 0))
        for step in range(game.horizon - 1, 0, -1):
            joint = np.take(self._joint, step, axis=self._step_axis)
            onward = (joint * after[..., step, :][..., game.next_states]).sum(axis=actions)
            after[..., step - 1, :] = expected[..., step, :] + onward
        return after


class ExactExperience:
    """Exact counterpart of `Trajectories`: rewards are tables (S, A…), or (K, S, A…) where they differ by seed.

    Args:
        game: the tables.
        blocks: the joint policy of each block.
    """

    def __init__(self, game: TabularGame, blocks: list[JointPolicy]) -> None:
        self._game, self._blocks = game, blocks
        self.rewards: Mapping[str, FloatArray] = game.rewards
        self.payoffs: Mapping[str, FloatArray] = game.payoffs

    def mean(self, per_step: FloatArray, block: int) -> PerSeed:
        return self._blocks[block].mean(per_step)

    def rollout(self, seats: Sequence[Seat], rewards: Mapping[str, FloatArray]) -> ExactRollout:
        """See `Experience.rollout`; seats follow each other along the axis of steps."""
        game, blocks = self._game, self._blocks
        masks = [
            np.broadcast_to(mask, (game.horizon, *mask.shape))
            for mask in (game.action_masks[role] for role, _ in seats)
        ]
        return ExactRollout(
            np.concatenate([game.observations[role] for role, _ in seats]),
            np.concatenate(masks),
            np.concatenate([blocks[block].visits for _, block in seats], axis=-2) / len(seats),
            np.concatenate([blocks[block].advantages(role, rewards[role]) for role, block in seats], axis=-3),
        )


class ExactCollector:
    """Plays casts of learners exactly.

    Args:
        game: the tables of the environment.
    """

    env_steps = 0
    saw_an_end: bool | None = True

    def __init__(self, game: TabularGame) -> None:
        self._game = game

    def collect(self, cast: Cast, iteration: int) -> ExactExperience:
        blocks = len(next(iter(cast.values())))
        rows = [{role: learners[block] for role, learners in cast.items()} for block in range(blocks)]
        joints = [JointPolicy(self._game, tabular_policies(self._game, row)) for row in rows]
        return ExactExperience(self._game, joints)

    def branch(self) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        saved_table("collector", state, ())
