"""What agents see of their contract: payments, and what they make of every action for both sides (`contract_v0`)."""

import numpy as np
from numpy.typing import NDArray

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.game.batch import memory_for
from ermas_envs.games.contract.instances import Instances
from ermas_envs.games.contract.step import see_contracts

_ROOM = 1.0 + 1e-6
"""Keeps sums that float32 rounds up within the space."""
_WIDTH = 64
"""Replicas whose sums are added side by side."""


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
        self._unit = np.float32(1.0 / unit)
        self._chances = np.ascontiguousarray(problems.probabilities, np.float32)
        self._costs = (problems.costs / unit).astype(np.float32)
        self._value = (problems.expected_rewards / unit).astype(np.float32)
        self._room = np.zeros((1 + problems.num_outcomes, _WIDTH), dtype=np.float32)
        with memory_for(num_envs):
            self._seen = np.zeros((num_envs, problems.number, self.size(problems)), dtype=np.float32)
        self._unsigned = np.zeros((1, problems.number, self.size(problems)), dtype=np.float32)
        self._write(np.zeros(1, np.int64), np.zeros((1, problems.number, problems.num_outcomes)), self._unsigned)

    @staticmethod
    def size(problems: Instances) -> int:
        """Numbers in an observation."""
        return 1 + problems.num_outcomes + 2 * problems.num_actions

    def forget(self, replicas: IntArray | slice) -> None:
        """No contract pays anything in these."""
        self._seen[replicas] = self._unsigned

    def sign(self, replicas: IntArray, payments: FloatArray) -> None:
        """Payments (R, N, O) are in force in these replicas."""
        self._write(replicas, payments, self._seen)

    def at(self, left: NDArray[np.float32]) -> NDArray[np.float32]:
        """(R, N, size) what is seen when shares (R,) of the episodes are left; the caller's to keep."""
        seen = self._seen.copy()
        seen[..., 0] = left[:, None]
        return seen

    def _write(self, replicas: IntArray, payments: FloatArray, seen: NDArray[np.float32]) -> None:
        see_contracts(replicas, payments, self._unit, self._chances, self._costs, self._value, self._room, seen)
