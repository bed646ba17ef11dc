"""Robust contracts by `expected`: the best worst response of agents whose expected regret is at most ε.

By the dual of the worst response it is the maximum over actions b, prices λ ≥ 0 and payments under which b is best of
min_a [W_a − u_a + λ (u_b − u_a)] − λ ε. For given b and λ that is a linear program in the payments. Without −λ ε its
value does not fall with λ, as u_b ≥ u_a: over an interval of λ it is at most that at the upper end, and branch and
bound is exact.
"""

import heapq

import numpy as np

from ermas_envs.base.arguments import check_number
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.contracts.optimum import OptimalContract
from ermas_envs.oracles.contracts.problem import ContractProblem
from ermas_envs.oracles.contracts.programs import maximum
from ermas_envs.oracles.contracts.worst_response import worst_expected

TOLERANCE = 1e-5
"""Between what is found and what is proven, in units of the largest reward."""
MOST_PROGRAMS = 20_000
"""Linear programs that branch and bound solves before it gives up."""


def robust_expected(problem: ContractProblem, epsilon: float) -> OptimalContract:
    """The contract with the best worst response by `expected`; its bound is within `TOLERANCE` of its value.

    Raises:
        ValueError: ε < 0.
        RuntimeError: more than `MOST_PROGRAMS` programs would be needed.
        LinearProgramError: a solver's answer does not hold.
    """
    search = _Search(problem, check_number("epsilon", epsilon, 0.0))
    accuracy = TOLERANCE * problem.unit
    # No λ above this one: λ ε is lost, and no contract earns more than the largest reward.
    highest = (float(problem.rewards.max()) - search.value) / max(search.epsilon, accuracy) + accuracy
    intervals = [(-search.at(b, highest), b, 0.0, highest) for b in range(len(problem.costs))]
    heapq.heapify(intervals)
    while -intervals[0][0] > search.value + accuracy:
        if search.programs > MOST_PROGRAMS:
            raise RuntimeError(f"the robust contract was not found by {MOST_PROGRAMS} programs, ε = {epsilon:g}.")
        _, b, low, high = heapq.heappop(intervals)
        middle = _between(low, high)
        heapq.heappush(intervals, (low * search.epsilon - search.at(b, middle), b, low, middle))
        heapq.heappush(intervals, (middle * search.epsilon - search.at(b, high), b, middle, high))
    found = worst_expected(problem, search.payments, search.epsilon)
    return OptimalContract(search.payments, found.value, max(-intervals[0][0], found.value), found.multiplier)


def _between(low: float, high: float) -> float:
    """Where an interval of λ is halved: in the ratio of its ends far from 0, in the middle near it."""
    if low > 0.5:
        return float((low * high) ** 0.5)
    return 0.5 * (low + high) if high <= 2.0 else 1.0


class _Search:
    """Values by action and λ that are known, and the best contract that they led to."""

    def __init__(self, problem: ContractProblem, epsilon: float) -> None:
        self.problem, self.epsilon = problem, epsilon
        self.payments = np.zeros(len(problem.rewards))
        self.value = worst_expected(problem, self.payments, epsilon).value
        self.programs = 0
        self._known: dict[tuple[int, float], float] = {}

    def at(self, b: int, price: float) -> float:
        """Upper bound of max over payments under which b is best of min_a [W_a − u_a + λ (u_b − u_a)]; −∞ where b
        never is, or where it is below 0, which no payments earn."""
        if (b, price) not in self._known:
            self._known[b, price] = self._solved(b, price)
        return self._known[b, price]

    def _solved(self, b: int, price: float) -> float:
        chances, costs, outcomes = self.problem.probabilities, self.problem.costs, len(self.problem.rewards)
        earned, most = chances @ self.problem.rewards, self.problem.worth_paying(b)
        # Variables: payments, and t ≤ W_a − u_a + λ (u_b − u_a), which is W_b − u_b where a is b; u_a ≤ u_b.
        prices = np.hstack([(1.0 + price) * chances - price * chances[b], np.ones((len(costs), 1))])
        best = np.hstack([chances - chances[b], np.zeros((len(costs), 1))])
        bounds = np.concatenate([earned + price * (costs - costs[b]), costs - costs[b]])
        ranges = np.stack([np.zeros(outcomes + 1), np.append(most, earned[b])], axis=1)
        objective = np.append(np.zeros(outcomes), 1.0)
        size = (1.0 + price) * max(float(most.max()), float(earned[b]))
        found = maximum(objective, np.vstack([prices, best]), bounds, ranges, size)
        self.programs += 1
        if found is None:
            return -np.inf
        if found[0] - price * self.epsilon > self.value:
            self._improve(b, found[1][:outcomes])
        return found[0]

    def _improve(self, b: int, payments: FloatArray) -> None:
        """Keep payments that are better than the best known, and follow λ: that of their worst response leads to
        payments that are no worse."""
        found = worst_expected(self.problem, payments, self.epsilon)
        if found.value > self.value + 1e-3 * TOLERANCE * self.problem.unit:
            self.value, self.payments = found.value, payments
            self.at(b, found.multiplier)
