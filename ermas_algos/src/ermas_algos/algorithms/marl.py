"""MARL: planner and agents learn simultaneously, each from its own reward (paper section 2; the vanilla baseline)."""

from typing import ClassVar

from ermas_algos.algorithms.config import MARLConfig
from ermas_algos.algorithms.trainer import Metrics, Trainer


class MARL(Trainer[MARLConfig]):
    """Simultaneous learning of planner and agents; with a planner object inside the environment, of agents only."""

    name: ClassVar[str] = "MARL"
    config_type: ClassVar[type[MARLConfig]] = MARLConfig

    def _iterate(self) -> Metrics:
        cast = {role: [learner] for role, learner in self.learners.items()}
        for _ in range(self.config.extra_agent_updates):
            self._update_agents(self._collect(cast))
        experience = self._collect(cast)
        metrics = self._outcome_metrics(experience) | self._update_agents(experience)
        return metrics | self._update_planner(experience)
