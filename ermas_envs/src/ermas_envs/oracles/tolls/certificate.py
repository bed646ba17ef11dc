"""Certificates of tolls: what is exactly true of them, their worst ε-equilibrium, and drivers under them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_envs.base.arguments import check_number, check_probabilities
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles.linear_program import LinearProgramError
from ermas_envs.oracles.tolls.equilibrium import (
    DriversEquilibrium,
    best_response_equilibrium,
    flow_equilibrium,
    optimum,
)
from ermas_envs.oracles.tolls.regret import expected_mean_latency, regrets
from ermas_envs.oracles.tolls.traffic import Traffic
from ermas_envs.oracles.tolls.worst import WorstTraffic, worst_traffic


@dataclass(frozen=True)
class DriversUnder:
    """Given drivers under tolls, who choose independently; means over the drives of an episode."""

    loads: FloatArray
    """(L,) expected share of drivers on each road."""
    regrets: FloatArray
    """(n,) exact regrets, cost per drive: what the best road of every drive would have saved."""
    mean_latency: float
    """Expected, per drive."""

    @property
    def largest_regret(self) -> float:
        """Of all drivers, cost per drive."""
        return float(self.regrets.max())


@dataclass(frozen=True)
class TollCertificate:
    """Facts about tolls; costs, latencies, regrets and ε are per drive.

    Costs are those of the rules: what a perturbation adds does not count.
    """

    tolls: FloatArray
    """(L,)."""
    epsilon: float
    """The ε that was asked about."""
    equilibrium: DriversEquilibrium
    """A pure equilibrium of the drivers."""
    flow: FloatArray | None
    """(L,) loads in equilibrium if drivers were a flow; None where their values of time differ."""
    optimum: float | None
    """Least mean latency that anybody could reach; None where there are too many ways to drive."""
    drivers: DriversUnder | None
    """The drivers that were given; None where there were none."""
    worst: WorstTraffic | None
    """The worst ε-coarse-correlated equilibrium; None where it is not known."""
    worst_reason: str | None
    """Why not; None where it is known."""

    @property
    def holds(self) -> bool:
        """Whether the given drivers have a regret of at most ε; drivers in equilibrium have none."""
        return self.drivers is None or self.drivers.largest_regret <= self.epsilon

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        found: dict[str, Any] = {
            "tolls": self.tolls.tolist(),
            "epsilon": self.epsilon,
            "equilibrium": {
                "counts": self.equilibrium.counts.tolist(),
                "mean_latency": self.equilibrium.mean_latency,
            },
            "flow": None if self.flow is None else self.flow.tolist(),
            "optimum": self.optimum,
            "drivers": None,
            "worst_mean_latency": None if self.worst is None else self.worst.mean_latency,
            "worst_counts": None if self.worst is None else self.worst.counts.tolist(),
            "worst_probabilities": None if self.worst is None else self.worst.probabilities.tolist(),
            "multipliers": None if self.worst is None else self.worst.multipliers.tolist(),
            "worst_reason": self.worst_reason,
        }
        if self.drivers is not None:
            found["drivers"] = {
                "loads": self.drivers.loads.tolist(),
                "regrets": self.drivers.regrets.tolist(),
                "largest_regret": self.drivers.largest_regret,
                "mean_latency": self.drivers.mean_latency,
            }
        return found


def certify_tolls(
    traffic: Traffic, tolls: Any, epsilon: float | None = None, drives: FloatArray | None = None
) -> TollCertificate:
    """The certificate of tolls, and of drivers under them.

    Args:
        traffic: roads and drivers.
        tolls: (L,) in [0, 10⁶].
        epsilon: ε ≥ 0 of the worst equilibrium, cost per drive; None takes the largest regret of the drivers, or 0.
        drives: (T, n, L) probabilities of the roads in T drives.

    Raises:
        ValueError: tolls that do not fit, ε < 0, or drives that are no probabilities.
    """
    checked = traffic.tolls(tolls)
    if drives is not None:
        shape = (len(drives) if np.ndim(drives) else 0, traffic.num_drivers, traffic.num_roads)
        drives = check_probabilities("drives", drives, shape)
    given = None if drives is None else drivers_under(traffic, checked, drives)
    wanted = (0.0 if given is None else given.largest_regret) if epsilon is None else epsilon
    bound = check_number("epsilon", wanted, 0.0)
    worst, reason, least = None, None, None
    try:
        least = optimum(traffic)[1]
        worst = worst_traffic(traffic, checked, bound)
    except (ValueError, LinearProgramError) as error:
        reason = str(error)
    alike = np.ptp(traffic.values_of_time) == 0.0
    flow = flow_equilibrium(traffic.roads, checked, float(traffic.values_of_time[0])) if alike else None
    found = best_response_equilibrium(traffic, checked)
    return TollCertificate(checked, bound, found, flow, least, given, worst, reason)


def drivers_under(traffic: Traffic, tolls: FloatArray, drives: FloatArray) -> DriversUnder:
    """Exact facts about drivers who answer nobody: arguments as in `certify_tolls`."""
    lost = np.mean([regrets(traffic, tolls, profile) for profile in drives], axis=0)
    latency = float(np.mean([expected_mean_latency(traffic, profile) for profile in drives]))
    return DriversUnder(drives.mean(axis=(0, 1)), lost, latency)
