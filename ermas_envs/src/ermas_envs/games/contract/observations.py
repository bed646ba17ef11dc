"""What agents see of their contract: payments, and what they make of every action for both sides (`contract_v0`)."""

import numpy as np
from numpy.typing import NDArray

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.game.batch import memory_for
from ermas_envs.games.contract.instances import Instances

_ROOM = 1.0 + 1e-6
"""Keeps sums that float32 rounds up within the space."""


class Observed:
    """The agents' observations in all replicas, (R, N, size) float32: time left, payments (O), expected utility of
    every action (n), what the principal expects of every action (n).

    Args:
        problems: the instances.
        num_envs: R.
        unit: what amounts are divided by; at least as large as each of them.
    """

    def __init__(self, problems: Instances, num_envs: int, unit: float) -> None:
        unit *= _ROOM
        self._unit, self._outcomes, self._actions = unit, problems.num_outcomes, problems.num_actions
        # Replicas last: NumPy's inner loops are then long.
        self._chances = np.ascontiguousarray(problems.probabilities.transpose(2, 0, 1), np.float32)[..., None]
        self._costs = (problems.costs[..., None] / unit).astype(np.float32)
        value = (problems.probabilities * problems.rewards[:, None, :]).sum(axis=-1)[..., None]
        self._value = (value / unit).astype(np.float32)
        with memory_for(num_envs):
            self._seen = np.zeros((num_envs, problems.number, self.size(problems)), dtype=np.float32)
        self._unsigned = np.zeros((problems.number, self.size(problems)), dtype=np.float32)
        self._write(self._unsigned[None], np.zeros((1, problems.number, problems.num_outcomes)))

    @staticmethod
    def size(problems: Instances) -> int:
        """Numbers in an observation."""
        return 1 + problems.num_outcomes + 2 * problems.num_actions

    def forget(self, replicas: IntArray | slice) -> None:
        """No contract pays anything in these."""
        self._seen[replicas] = self._unsigned

    def sign(self, replicas: IntArray | slice, payments: FloatArray) -> None:
        """Payments (K, N, O) are in force in these."""
        if isinstance(replicas, slice):
            self._write(self._seen[replicas], payments)
        else:
            rows = self._seen[replicas]
            self._write(rows, payments)
            self._seen[replicas] = rows

    def at(self, left: NDArray[np.float32]) -> NDArray[np.float32]:
        """(R, N, size) what is seen when shares (R,) of the episodes are left; the caller's to keep."""
        seen = self._seen.copy()
        seen[..., 0] = left[:, None]
        return seen

    def _write(self, rows: NDArray[np.float32], payments: FloatArray) -> None:
        """Write what is seen under payments (K, N, O) into rows (K, N, size); expectations are summed outcome by
        outcome, so that their last bits do not depend on K."""
        shares = payments.astype(np.float32) * np.float32(1.0 / self._unit)
        columns = np.empty((rows.shape[1], rows.shape[2] - 1, rows.shape[0]), np.float32)
        paid = columns[:, : self._outcomes]
        expected = columns[:, self._outcomes : self._outcomes + self._actions]
        paid[...] = shares.transpose(1, 2, 0)
        np.multiply(paid[:, 0, None], self._chances[0], out=expected)
        for outcome in range(1, self._outcomes):
            expected += paid[:, outcome, None] * self._chances[outcome]
        np.subtract(self._value, expected, out=columns[:, self._outcomes + self._actions :])
        expected -= self._costs
        rows[..., 1:] = columns.transpose(2, 0, 1)  # one strided pass instead of one per part
