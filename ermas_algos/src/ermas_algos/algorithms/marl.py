"""MARL: planner and agents learn simultaneously, each from its own reward (paper section 2; the vanilla baseline)."""

from typing import ClassVar

from ermas_algos.algorithms.collection import Experience
from ermas_algos.algorithms.config import MARLConfig
from ermas_algos.algorithms.trainer import Metrics, Trainer, learner_metrics


class MARL(Trainer[MARLConfig]):
    """Simultaneous learning of planner and agents; with a planner object inside the environment, of agents only."""

    name: ClassVar[str] = "MARL"
    config_type: ClassVar[type[MARLConfig]] = MARLConfig

    def _iterate(self) -> Metrics:
        cast = {role: [learner] for role, learner in self.learners.items()}
        for actors in self._practice():
            self._update_agents(self._collect({role: [actor] for role, actor in actors.items()}))
        for _ in range(self.config.extra_agent_updates):
            self._update_agents(self._collect(cast))
        experience = self._collect(cast)
        metrics = self._outcome_metrics(experience) | self._update_agents(experience)
        return metrics | self._update_planner(experience)

    def _update_agents(self, experience: Experience) -> Metrics:
        metrics: Metrics = {}
        for label, agents in self._agents_by_label().items():
            rewards = self.scales.rewards_in_units(experience, agents)
            rollout = experience.rollout([(agent, 0) for agent in agents], rewards)
            metrics |= learner_metrics(label, self.learners[agents[0]].update(rollout))
        return metrics
