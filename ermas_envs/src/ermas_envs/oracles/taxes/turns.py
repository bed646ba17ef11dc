"""What an agent gets of the others' taxes while agents change one after another: sums of independent shares by FFT.

The characteristic function of a sum is the product of its terms'. In a round over all agents the terms of those who
come later are multiplied once, backwards, and those of whom have had their turn are multiplied one by one.
"""

import numpy as np
from numpy.typing import NDArray

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.oracles.taxes.population import TaxedPopulation
from ermas_envs.oracles.taxes.response import Lump, Profile

LEAST_POINTS, POINTS_PER_AGENT = 2**11, 16
"""Of the lattice on which shares stand: a search needs no more, since it measures its result on a finer one."""


class Turns:
    """One round in which every agent has one turn.

    Args:
        taxed: the economy.
        profile: (n, 101) what everybody does at the beginning.
        order: (n,) of the turns.
    """

    def __init__(self, taxed: TaxedPopulation, profile: Profile, order: IntArray) -> None:
        self._shares = taxed.taxes / taxed.size
        self._points = max(LEAST_POINTS, 1 << (POINTS_PER_AGENT * taxed.size - 1).bit_length())
        self._step = max(float(self._shares.max(axis=1).sum()) / (self._points - 2 * taxed.size), 1e-12)
        self._later = [np.ones(self._points // 2 + 1, dtype=np.complex128)]
        for agent in order[:0:-1]:
            self._later.append(self._later[-1] * self._spectrum(int(agent), profile[agent]))
        self._earlier = self._later[0]

    def others(self) -> Lump:
        """Distribution of what the agent whose turn it is gets of the others' taxes."""
        row = np.fft.irfft(self._earlier * self._later[-1], self._points)
        chosen = np.flatnonzero(row > 1e-13)
        return Lump(np.asarray(chosen * self._step, dtype=np.float64), row[chosen] / row[chosen].sum())

    def end(self, agent: int, mixture: FloatArray) -> None:
        """The agent's turn is over, and it plays `mixture` (101,) now."""
        self._later.pop()
        self._earlier = self._earlier * self._spectrum(agent, mixture)

    def _spectrum(self, agent: int, mixture: FloatArray) -> NDArray[np.complex128]:
        """Of an agent's share, each value between its neighbours on the lattice so that the mean is exact."""
        played = np.flatnonzero(mixture)
        places = self._shares[agent, played] / self._step
        below = np.floor(places).astype(np.int64)
        part = places - below
        row = np.bincount(below, mixture[played] * (1.0 - part), self._points)
        row += np.bincount(below + 1, mixture[played] * part, self._points)
        return np.asarray(np.fft.rfft(row))
