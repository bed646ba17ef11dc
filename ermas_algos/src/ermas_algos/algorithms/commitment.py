"""A planner that commits itself to one fixed action and searches for the best one, while the agents learn (baseline).

Bandits and Gaussian-process optimisation over a grid of the planner's actions (`learners.commitment`). What a
commitment is worth is what the agents make of it, who learn as in MARL.
"""

from typing import Any, ClassVar

from ermas_algos.algorithms.collection import MakeEnv
from ermas_algos.algorithms.config import CommitmentConfig
from ermas_algos.algorithms.saved_training import Place
from ermas_algos.algorithms.trainer import Metrics, Trainer
from ermas_algos.learners.commitment import CommitmentLearner
from ermas_algos.learners.protocol import LearnerFactory
from ermas_envs import BatchedEnv


class Commitment(Trainer[CommitmentConfig]):
    """One outer iteration: the planner tries a commitment, in all replicas and steps; agents learn, the search counts.

    The planner's learner acts by the best commitment so far, in evaluations, certificates and checkpoints.
    """

    name: ClassVar[str] = "Commitment"
    config_type: ClassVar[type[CommitmentConfig]] = CommitmentConfig

    def __init__(self, make_env: MakeEnv, config: CommitmentConfig, make_learner: LearnerFactory | None = None) -> None:
        super().__init__(make_env, config, make_learner)
        planner = self.learners.get(self.env.planner)
        if planner is not None and not isinstance(planner, CommitmentLearner):
            raise ValueError("make_learner must make a CommitmentLearner for the planner.")

    @classmethod
    def places(cls, config: Any, env: BatchedEnv) -> dict[str, Place]:
        places = super().places(config, env)
        if env.planner in places:
            places[env.planner] = Place(places[env.planner].roles, config.search)
        return places

    def _iterate(self) -> Metrics:
        cast: dict[str, Any] = {role: [learner] for role, learner in self.learners.items()}
        planner = self.learners.get(self.env.planner)
        if isinstance(planner, CommitmentLearner):
            cast[self.env.planner] = [planner.explorer()]
        return self._learn_at_once(cast, self.config.extra_agent_updates)
