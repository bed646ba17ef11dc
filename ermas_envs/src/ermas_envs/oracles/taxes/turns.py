"""What an agent gets of the others' taxes while agents change one after another: sums of independent shares by FFT.

The characteristic function of a sum is the product of its terms'. In a round over all agents the terms of those who
come later are multiplied once, backwards, and those of whom have had their turn are multiplied one by one.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.oracles.taxes.population import TaxedPopulation
from ermas_envs.oracles.taxes.response import Lump, Profile

FEW, POINTS_OF_FEW = 32, 2**13
LEAST_POINTS, POINTS_PER_AGENT = 2**11, 16
"""Of the lattice on which shares stand. Among many agents a search needs no more, since it measures its result on a
finer one; among few the others' taxes can be next to nothing, where utility bends the most."""


Total: TypeAlias = tuple[float, NDArray[np.complex128]]
"""A sum of shares: the least that it can be, coin, and the spectrum of what it is beyond that."""


class Turns:
    """One round in which every agent has one turn.

    Args:
        taxed: the economy.
        profile: (n, 101) what everybody does at the beginning.
        order: (n,) of the turns.
    """

    def __init__(self, taxed: TaxedPopulation, profile: Profile, order: IntArray) -> None:
        self._shares = taxed.taxes / taxed.size
        many = max(LEAST_POINTS, 1 << (POINTS_PER_AGENT * taxed.size - 1).bit_length())
        self._points = POINTS_OF_FEW if taxed.size <= FEW else many
        self._step = max(float(self._shares.max(axis=1).sum()) / (self._points - 2 * taxed.size), 1e-12)
        nothing = 0.0, np.ones(self._points // 2 + 1, dtype=np.complex128)
        self._later, self._earlier = [nothing], nothing
        for agent in order[:0:-1]:
            self._later.append(self._with(self._later[-1], int(agent), profile[agent]))

    def others(self) -> Lump:
        """Distribution of what the agent whose turn it is gets of the others' taxes."""
        (first, earlier), (second, later) = self._earlier, self._later[-1]
        row = np.fft.irfft(earlier * later, self._points)
        chosen = np.flatnonzero(row > 1e-13)
        values = np.asarray(first + second + chosen * self._step, dtype=np.float64)
        return Lump(values, row[chosen] / row[chosen].sum())

    def end(self, agent: int, mixture: FloatArray) -> None:
        """The agent's turn is over, and it plays `mixture` (101,) now."""
        self._later.pop()
        self._earlier = self._with(self._earlier, agent, mixture)

    def _with(self, total: Total, agent: int, mixture: FloatArray) -> Total:
        """A sum and an agent's share of tax: its least exactly, what may come on top between its neighbours on the
        lattice so that the mean is exact."""
        played = np.flatnonzero(mixture)
        shares = self._shares[agent, played]
        least = float(shares.min())
        if len(played) == 1:
            return total[0] + least, total[1]
        places = (shares - least) / self._step
        below = np.floor(places).astype(np.int64)
        part = places - below
        row = np.bincount(below, mixture[played] * (1.0 - part), self._points)
        row += np.bincount(below + 1, mixture[played] * part, self._points)
        return total[0] + least, np.asarray(total[1] * np.fft.rfft(row))
