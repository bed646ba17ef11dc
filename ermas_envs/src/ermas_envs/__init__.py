"""ermas-envs: multi-agent environments with one planner and N agents, perturbation hooks and exact oracles."""

from ermas_envs.base.arrays import PLANNER, agent_id
from ermas_envs.faces.parallel_batch import ParallelEnvBatch
from ermas_envs.faces.perturbed import PerturbedParallelEnv
from ermas_envs.game.batch import BatchedEnv, BatchObservation, BatchStep
from ermas_envs.make import EnvironmentSpec, batched_env, parallel_env

__version__ = "0.1.0"

__all__ = [
    "PLANNER",
    "BatchObservation",
    "BatchStep",
    "BatchedEnv",
    "EnvironmentSpec",
    "ParallelEnvBatch",
    "PerturbedParallelEnv",
    "__version__",
    "agent_id",
    "batched_env",
    "parallel_env",
]
