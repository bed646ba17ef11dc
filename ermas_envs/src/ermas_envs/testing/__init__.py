"""Conformance checks for authors of environments, planners, perturbations and behaviours, for any test framework.

Every `check_*` function returns nothing and raises AssertionError with a message that says what is wrong.
"""

from ermas_envs.testing.batches import (
    check_batch_observations,
    check_batched_equals_single,
    check_groups,
    check_masks,
    check_replica_independence,
    check_tables,
)
from ermas_envs.testing.behaviours import check_behaviour
from ermas_envs.testing.environments import check_determinism, check_environment, check_infos, check_observations
from ermas_envs.testing.perturbations import check_perturbation
from ermas_envs.testing.planners import check_planner

__all__ = [
    "check_batch_observations",
    "check_batched_equals_single",
    "check_behaviour",
    "check_determinism",
    "check_environment",
    "check_groups",
    "check_infos",
    "check_masks",
    "check_observations",
    "check_perturbation",
    "check_planner",
    "check_replica_independence",
    "check_tables",
]
