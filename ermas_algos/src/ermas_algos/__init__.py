"""ermas-algos: ε-robust multi-agent simulation (ERMAS) and its baselines around Stable-Baselines3 learners."""

from ermas_algos import algorithms
from ermas_algos.algorithms import *
from ermas_algos.algorithms.run import Run
from ermas_algos.evaluation import FreshAgentsConfig, certify_checkpoint, load_planner, transfer_evaluation
from ermas_algos.learned_planner import LearnedPlanner
from ermas_algos.learners import ExactLearner, ExactLearnerConfig, JaxLearnerConfig, SB3Learner, SB3LearnerConfig
from ermas_algos.sb3_planner import SB3Planner

__version__ = "0.1.0"

__all__ = [
    "ExactLearner",
    "ExactLearnerConfig",
    "FreshAgentsConfig",
    "JaxLearnerConfig",
    "LearnedPlanner",
    "Run",
    "SB3Learner",
    "SB3LearnerConfig",
    "SB3Planner",
    "__version__",
    "certify_checkpoint",
    "load_planner",
    "transfer_evaluation",
]
__all__ += algorithms.__all__
