"""A planner against a population of adversaries, each at its own constant λ (baseline).

After E. Vinitsky et al., "Robust reinforcement learning using adversarial populations" (2020): the planner learns on
the play of all members at once; here a member is a full set of agents that maximise (λ r_i − r_p)/(1 + λ).
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ermas_algos.algorithms.collection import Experience, MakeEnv
from ermas_algos.algorithms.config import PopulationConfig
from ermas_algos.algorithms.deviations import lagrangian_reward
from ermas_algos.algorithms.joint_rollout import Cast
from ermas_algos.algorithms.saved_training import Place
from ermas_algos.algorithms.trainer import Metrics, Trainer
from ermas_algos.algorithms.training_stop import updated
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
        self.members: list[dict[str, Learner]] = [first]
        for member in range(1, len(config.multipliers)):
            self.members.append(self._further_agents(functools.partial(_label, member)))

    @classmethod
    def places(cls, config: Any, env: BatchedEnv) -> dict[str, Place]:
        first = super().places(config, env)
        others = {label: place for label, place in first.items() if label != env.planner}
        members = range(1, len(config.multipliers))
        return first | {_label(k, label): place for k in members for label, place in others.items()}

    def _sets_of_agents(self) -> Sequence[Mapping[str, Learner]]:
        return self.members

    def _iterate(self) -> Metrics:
        experience = self._collect(self._cast(self.learners))
        metrics = self._outcome_metrics(experience)
        for block, multiplier in enumerate(self.config.multipliers):
            payoff = experience.mean(experience.payoffs[self.env.planner], block)
            metrics |= {f"payoff/{self.env.planner}/{block}": payoff}
            metrics |= self._update_member(block, multiplier, experience)
        return metrics | self._update_planner(experience, range(len(self.members)))

    def _train_at_random(self, actors: Mapping[str, Any]) -> None:
        """Every member's agents learn their Lagrangians."""
        practice = self._collect(self._cast(actors))
        for block, multiplier in enumerate(self.config.multipliers):
            self._update_member(block, multiplier, practice)

    def _cast(self, actors: Mapping[str, Any]) -> Cast:
        """A block for every member; who else acts plays in all of them."""
        seats = {agent: [member[agent] for member in self.members] for agent in self.env.agents}
        return seats | {role: [actor] * len(self.members) for role, actor in actors.items() if role not in seats}

    def _update_member(self, block: int, multiplier: float, experience: Experience) -> Metrics:
        planner_payoff = self.scales.in_units(self.env.planner, experience.payoffs[self.env.planner])
        metrics: Metrics = {}
        for label, agents in self._agents_by_label().items():
            own = self.scales.rewards_in_units(experience, agents)
            rewards = {agent: lagrangian_reward(units, planner_payoff, multiplier) for agent, units in own.items()}
            rollout = experience.rollout([(agent, block) for agent in agents], rewards)
            name = _label(block, label)
            metrics |= updated(name, self.members[block][agents[0]], rollout)
        return metrics

    def _all_learners(self) -> dict[str, Learner]:
        labels = self._agents_by_label().items()
        others = enumerate(self.members[1:], start=1)
        return super()._all_learners() | {_label(k, label): m[agents[0]] for k, m in others for label, agents in labels}


def _label(member: int, label: str) -> str:
    """Label of a member's learner; those of the first member are the plain ones."""
    return label if member == 0 else f"member_{member}/{label}"
