"""A planner against a population of adversaries, each at its own constant λ (baseline).

After E. Vinitsky et al., "Robust reinforcement learning using adversarial populations" (2020): the planner learns on
the play of all members at once; here a member is a full set of agents that maximise (λ r_i − r_p)/(1 + λ).
"""

from typing import Any, ClassVar

from ermas_algos.algorithms.collection import Experience, MakeEnv
from ermas_algos.algorithms.config import PopulationConfig
from ermas_algos.algorithms.deviations import lagrangian_reward
from ermas_algos.algorithms.saved_training import Place
from ermas_algos.algorithms.trainer import Metrics, Trainer, learner_metrics
from ermas_algos.learners.protocol import Learner, LearnerFactory
from ermas_envs import BatchedEnv


class Population(Trainer[PopulationConfig]):
    """One outer iteration: every member plays in a block of its own; its agents and then the planner learn.

    `learners` holds the planner and the agents of the first member, of which exact metrics speak.

    Attributes:
        members: agents of each member, in the order of `config.multipliers`.
    """

    name: ClassVar[str] = "Population"
    config_type: ClassVar[type[PopulationConfig]] = PopulationConfig

    def __init__(self, make_env: MakeEnv, config: PopulationConfig, make_learner: LearnerFactory | None = None) -> None:
        super().__init__(make_env, config, make_learner)
        first = {agent: self.learners[agent] for agent in self.env.agents}
        others = range(1, len(config.multipliers))
        self.members: list[dict[str, Learner]] = [
            first,
            *({agent: self._new_learner(_label(k, agent), agent) for agent in self.env.agents} for k in others),
        ]

    @classmethod
    def _places(cls, config: Any, env: BatchedEnv) -> dict[str, Place]:
        others = range(1, len(config.multipliers))
        members = {_label(k, agent): Place(agent, config.agent_learner) for k in others for agent in env.agents}
        return super()._places(config, env) | members

    def _iterate(self) -> Metrics:
        seats = {agent: [member[agent] for member in self.members] for agent in self.env.agents}
        planner = {role: [self.learners[role]] * len(self.members) for role in self.learners if role not in seats}
        experience = self._collect({**seats, **planner})
        metrics = self._outcome_metrics(experience)
        for block, multiplier in enumerate(self.config.multipliers):
            payoff = experience.mean(experience.payoffs[self.env.planner], block)
            metrics |= {f"payoff/{self.env.planner}/{block}": payoff}
            metrics |= self._update_member(block, multiplier, experience)
        return metrics | self._update_planner(experience, None)

    def _update_member(self, block: int, multiplier: float, experience: Experience) -> Metrics:
        planner_payoff = self.scales.in_units(self.env.planner, experience.payoffs[self.env.planner])
        metrics: Metrics = {}
        for agent, learner in self.members[block].items():
            own = self.scales.in_units(agent, experience.rewards[agent])
            rewards = lagrangian_reward(own, planner_payoff, multiplier)
            metrics |= learner_metrics(_label(block, agent), learner.update(experience.rollout(agent, block, rewards)))
        return metrics

    def _all_learners(self) -> dict[str, Learner]:
        others = enumerate(self.members[1:], start=1)
        return super()._all_learners() | {_label(k, a): learner for k, m in others for a, learner in m.items()}


def _label(member: int, agent: str) -> str:
    """Label of a member's agent; the first member's are the roles themselves."""
    return agent if member == 0 else f"member_{member}/{agent}"
