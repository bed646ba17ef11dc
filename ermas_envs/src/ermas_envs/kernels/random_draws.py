"""Random numbers inside kernels: the replica's row of `ReplicaStreams` (xoroshiro128+), and distributions on top."""

import math

import numpy as np

from ermas_envs.base.arrays import FloatArray, IntArray, UIntArray
from ermas_envs.kernels.compiled import compiled


@compiled
def next_word(streams: UIntArray, replica: int) -> np.uint64:
    """Next 64 random bits of a replica, as `ReplicaStreams.words`; streams (num_envs, 2) uint64."""
    s0, s1 = streams[replica, 0], streams[replica, 1]
    result = s0 + s1
    s1 ^= s0
    rotated = (s0 << np.uint64(24)) | (s0 >> np.uint64(40))
    streams[replica, 0] = rotated ^ s1 ^ (s1 << np.uint64(16))
    streams[replica, 1] = (s1 << np.uint64(37)) | (s1 >> np.uint64(27))
    return result


@compiled
def uniform(streams: UIntArray, replica: int) -> float:
    """A float64 in [0, 1), as `ReplicaStreams.uniforms`."""
    return float(next_word(streams, replica) >> np.uint64(11)) * 2.0**-53


@compiled
def below(streams: UIntArray, replica: int, high: int) -> int:
    """An integer in {0, …, high − 1}, as `ReplicaStreams.integers`."""
    word = next_word(streams, replica) >> np.uint64(32)
    return np.int64((word * np.uint64(high)) >> np.uint64(32))  # type: ignore[return-value]  # an int to callers


@compiled
def normal(streams: UIntArray, replica: int) -> float:
    """Standard normal (Box and Muller 1958, the cosine branch)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(streams, replica)))
    return radius * math.cos(2.0 * math.pi * uniform(streams, replica))


@compiled
def lomax(streams: UIntArray, replica: int, shape: float) -> float:
    """Lomax (Pareto II) with scale 1, what NumPy calls `pareto`, by inversion."""
    return (1.0 - uniform(streams, replica)) ** (-1.0 / shape) - 1.0


@compiled
def permutation(streams: UIntArray, replica: int, out: IntArray) -> None:
    """Write a uniform permutation of 0 … len(out) − 1 into `out` (Fisher and Yates)."""
    for index in range(len(out)):
        other = below(streams, replica, index + 1)
        out[index] = out[other]
        out[other] = index


@compiled
def uniforms(streams: UIntArray, replica: int, out: FloatArray) -> None:
    """Fill `out` (1-D) with float64 in [0, 1)."""
    for index in range(len(out)):
        out[index] = uniform(streams, replica)
