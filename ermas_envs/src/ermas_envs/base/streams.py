"""One random stream per replica: xoroshiro128+ rows, seeded by SplitMix64, so that replica k never sees num_envs.

Sources: D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators" (2018); SplitMix64 of
G. Steele, D. Lea and C. Flood (2014), the seeding that the former recommends.
"""

import enum
from collections.abc import Sequence

import numpy as np

from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray, UIntArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

Seed = int | Sequence[int] | Array


@enum.unique
class Purpose(enum.IntEnum):
    """What the random numbers of a seed are for; streams for different purposes are independent."""

    PERTURBATION = -1
    """What perturbations draw for an episode; the other numbers are older, and what is drawn depends on them."""
    RULES = 0
    """The game, and with `ParallelEnvBatch` the seeds of its environments."""
    PLANNER = 1
    """Noise of a planner object."""
    ACTION_NOISE = 2
    """When and how agents tremble."""
    PARTNERS = 3
    """Noise of roles that play beside a learner; the k-th acting role has PARTNERS + k, so that nothing comes after."""


def _mix(values: UIntArray) -> UIntArray:
    """SplitMix64's output function, elementwise (a bijection of the 64-bit integers)."""
    z = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _rotated_left(values: UIntArray, bits: int) -> UIntArray:
    return (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))


def _seeds_and_indices(seed: Seed, num_envs: int) -> tuple[UIntArray, UIntArray]:
    """Replica k of one integer seed s is (s, k); of a sequence of seeds it is (s_k, 0)."""
    if isinstance(seed, (bool, np.bool_)):
        raise ValueError(f"seed must be an integer or {num_envs} integers, one per replica; got {seed}.")
    if isinstance(seed, (int, np.integer)):
        seeds, indices = np.full(num_envs, int(seed), dtype=object), np.arange(num_envs, dtype=np.uint64)
    else:
        seeds, indices = np.asarray(seed), np.zeros(num_envs, dtype=np.uint64)
        if seeds.shape != (num_envs,) or seeds.dtype.kind not in "iu":
            raise ValueError(
                f"seed must be an integer or {num_envs} integers, one per replica; got shape {seeds.shape}, "
                f"dtype {seeds.dtype}."
            )
    if num_envs and (seeds.min() < 0 or seeds.max() >= 2**63):
        raise ValueError(f"seed must lie in [0, 2**63), got {seed!r}.")
    return seeds.astype(np.uint64), indices


def fresh_seed() -> int:
    """A seed from the operating system, in [0, 2**32)."""
    return int(np.random.SeedSequence().generate_state(1, np.uint32)[0])


class ReplicaStreams:
    """Independent random streams, one per replica.

    Args:
        seed: an integer (replica k gets the stream (seed, k)) or one integer per replica (replica k gets
            (seed[k], 0)); each in [0, 2**63).
        num_envs: number of replicas.
        purpose: a `Purpose`, or PARTNERS + k.

    Attributes:
        state: (num_envs, 2) uint64, the generators' states.
    """

    def __init__(self, seed: Seed, num_envs: int, purpose: int = Purpose.RULES) -> None:
        seeds, indices = _seeds_and_indices(seed, num_envs)
        purposes = np.full(num_envs, purpose + 1, dtype=np.uint64)
        key = _mix(_mix(_mix(seeds + _GOLDEN) + purposes * _GOLDEN) + (indices + np.uint64(1)) * _GOLDEN)
        self.state: UIntArray = np.stack([_mix(key + _GOLDEN), _mix(key + _GOLDEN + _GOLDEN)], axis=1)

    def words(self, replicas: IntArray | BoolArray | slice = slice(None)) -> UIntArray:
        """Next 64 random bits of each selected replica, shape (selected,), uint64; others do not advance."""
        s0, s1 = self.state[replicas, 0], self.state[replicas, 1]
        result = s0 + s1
        s1 = s1 ^ s0
        self.state[replicas, 0] = _rotated_left(s0, 24) ^ s1 ^ (s1 << np.uint64(16))
        self.state[replicas, 1] = _rotated_left(s1, 37)
        return result

    def uniforms(self, replicas: IntArray | BoolArray | slice = slice(None)) -> FloatArray:
        """One float64 in [0, 1) per selected replica, shape (selected,)."""
        return np.asarray((self.words(replicas) >> np.uint64(11)) * 2.0**-53, dtype=np.float64)

    def noise(self, size: int) -> FloatArray:
        """`size` float64 in [0, 1) per replica, shape (num_envs, size)."""
        noise = np.empty((len(self.state), size))
        for column in range(size):
            noise[:, column] = self.uniforms()
        return noise

    def integers(self, high: int, replicas: IntArray | BoolArray | slice = slice(None)) -> IntArray:
        """One int64 in {0, …, high − 1} per selected replica, shape (selected,); needs 1 ≤ high ≤ 2**31.

        Multiply-and-shift on 32 bits: the bias is below high / 2**32.
        """
        return (((self.words(replicas) >> np.uint64(32)) * np.uint64(high)) >> np.uint64(32)).astype(np.int64)
