"""Random streams: the published generators, independence of the number of replicas, uniformity.

Statistical bounds have a false-alarm rate below 1e-6 each, were the fixed seeds drawn anew.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ermas_envs.base.streams import _GOLDEN, ReplicaStreams, _mix

FALSE_ALARM = 1e-6
WORD = 2**64 - 1


def reference_words(s0: int, s1: int, count: int) -> list[int]:
    """xoroshiro128+ (24, 16, 37) in plain Python integers."""
    words = []
    for _ in range(count):
        words.append((s0 + s1) & WORD)
        s1 ^= s0
        s0 = (((s0 << 24) | (s0 >> 40)) ^ s1 ^ (s1 << 16)) & WORD
        s1 = ((s1 << 37) | (s1 >> 27)) & WORD
    return words


def chi_square_is_plausible(counts: np.ndarray) -> bool:
    return stats.chisquare(counts).pvalue > FALSE_ALARM


def test_published_outputs_of_xoroshiro128_plus() -> None:
    streams = ReplicaStreams(0, 1)
    streams.state[:] = [1, 2]
    published = [3, 412333834243, 2360170716294286339, 9295852285959843169, 2797080929874688578]
    assert [int(streams.words()[0]) for _ in published] == published


def test_published_output_of_splitmix64() -> None:
    seed = np.array([1234567], dtype=np.uint64)
    assert [int(_mix(seed + _GOLDEN)[0]), int(_mix(seed + _GOLDEN + _GOLDEN)[0])] == [
        6457827717110365317,
        3203168211198807973,
    ]


@given(seed=st.integers(0, 2**63 - 1), num_envs=st.integers(1, 4))
def test_words_are_those_of_the_plain_python_generator(seed: int, num_envs: int) -> None:
    streams = ReplicaStreams(seed, num_envs)
    expected = [reference_words(int(s0), int(s1), 5) for s0, s1 in streams.state]
    drawn = np.stack([streams.words() for _ in range(5)], axis=1)
    assert drawn.tolist() == expected


@given(seed=st.integers(0, 2**63 - 1), small=st.integers(1, 5), more=st.integers(0, 20))
def test_stream_of_a_replica_does_not_depend_on_num_envs(seed: int, small: int, more: int) -> None:
    few, many = ReplicaStreams(seed, small), ReplicaStreams(seed, small + more)
    for _ in range(3):
        assert np.array_equal(few.words(), many.words()[:small])


def test_only_selected_replicas_advance() -> None:
    streams, untouched = ReplicaStreams(3, 5), ReplicaStreams(3, 5)
    drawn = streams.words(np.array([1, 3]))
    mask = np.array([False, True, False, True, False])
    assert np.array_equal(drawn, untouched.words()[mask])
    assert np.array_equal(streams.state[mask], untouched.state[mask])
    assert np.array_equal(streams.state[~mask], ReplicaStreams(3, 5).state[~mask])


def test_selection_by_mask_and_by_index_agree() -> None:
    by_mask, by_index = ReplicaStreams(3, 4), ReplicaStreams(3, 4)
    mask = np.array([True, False, False, True])
    assert np.array_equal(by_mask.uniforms(mask), by_index.uniforms(np.flatnonzero(mask)))
    assert np.array_equal(by_mask.state, by_index.state)


def test_sequence_of_seeds_gives_each_replica_the_stream_of_its_own_seed() -> None:
    streams = ReplicaStreams([7, 8, 7], 3)
    alone = [ReplicaStreams(seed, 1).state[0].tolist() for seed in (7, 8, 7)]
    assert streams.state.tolist() == alone


def test_seeds_indices_and_purposes_give_different_streams() -> None:
    states = [
        tuple(row)
        for seed in range(50)
        for purpose in range(3)
        for row in ReplicaStreams(seed, 20, purpose).state.tolist()
    ]
    assert len(set(states)) == 50 * 3 * 20


def test_uniforms_fill_the_unit_interval_evenly_along_each_stream() -> None:
    streams = ReplicaStreams(11, 1000)
    drawn = np.stack([streams.uniforms() for _ in range(200)])
    assert drawn.dtype == np.float64
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    assert chi_square_is_plausible(np.histogram(drawn, 64, (0.0, 1.0))[0])


def test_first_draws_of_neighbouring_replicas_and_seeds_are_even_and_uncorrelated() -> None:
    for first in (ReplicaStreams(5, 2**16).uniforms(), ReplicaStreams(np.arange(2**16), 2**16).uniforms()):
        assert chi_square_is_plausible(np.histogram(first, 64, (0.0, 1.0))[0])
        correlation = float(np.corrcoef(first[:-1], first[1:])[0, 1])
        assert abs(correlation) * np.sqrt(first.size) < stats.norm.isf(FALSE_ALARM / 2)


@pytest.mark.parametrize("high", [1, 3, 16, 1000])
def test_integers_are_even_over_their_range(high: int) -> None:
    streams = ReplicaStreams(13, 20_000)
    drawn = np.concatenate([streams.integers(high) for _ in range(5)])
    assert drawn.dtype == np.int64
    assert drawn.min() >= 0
    assert drawn.max() < high
    assert high == 1 or chi_square_is_plausible(np.bincount(drawn, minlength=high))


def test_integers_reach_the_ends_of_the_largest_range() -> None:
    drawn = ReplicaStreams(17, 10_000).integers(2**31)
    assert drawn.min() < 2**21  # each fails with probability (1 - 2**-10)**10000 < 1e-4
    assert 2**31 - 2**21 < drawn.max() < 2**31


def test_noise_is_one_uniform_per_column() -> None:
    whole, parts = ReplicaStreams(3, 4), ReplicaStreams(3, 4)
    assert np.array_equal(whole.noise(2), np.stack([parts.uniforms(), parts.uniforms()], axis=1))
    assert whole.noise(0).shape == (4, 0)
