"""ermas-envs: multi-agent environments with one planner and N agents, perturbation hooks and exact oracles."""

from ermas_envs.batch import BatchedEnv, BatchObservation, BatchStep
from ermas_envs.ids import PLANNER, agent_id
from ermas_envs.make import EnvironmentSpec, batched_env, parallel_env
from ermas_envs.parallel_batch import ParallelEnvBatch
from ermas_envs.perturbed import PerturbedParallelEnv

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
