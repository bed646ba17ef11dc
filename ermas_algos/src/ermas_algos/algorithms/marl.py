"""MARL: planner and agents learn simultaneously, each from its own reward (paper section 2; the vanilla baseline).

With `agent_risk` agents are averse to risk; with entropy in their learners, too, their equilibrium is a risk-averse
quantal response (E. Mazumdar, K. Panaganti, L. Shi, arXiv:2406.14156).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from ermas_algos.algorithms.collection import Experience, MakeEnv
from ermas_algos.algorithms.config import MARLConfig
from ermas_algos.algorithms.risk import risk_averse_rewards
from ermas_algos.algorithms.trainer import Metrics, Trainer
from ermas_algos.learners.protocol import LearnerFactory
from ermas_envs.base.arrays import FloatArray


class MARL(Trainer[MARLConfig]):
    """Simultaneous learning of planner and agents; with a planner object inside the environment, of agents only."""

    name: ClassVar[str] = "MARL"
    config_type: ClassVar[type[MARLConfig]] = MARLConfig

    def __init__(self, make_env: MakeEnv, config: MARLConfig, make_learner: LearnerFactory | None = None) -> None:
        super().__init__(make_env, config, make_learner)
        if config.agent_risk is not None and self.env.horizon is None:
            raise ValueError("agent_risk needs episodes of one length: the environment has no fixed horizon.")

    def _iterate(self) -> Metrics:
        cast = {role: [learner] for role, learner in self.learners.items()}
        return self._learn_at_once(cast, self.config.extra_agent_updates)

    def _agents_rewards(self, experience: Experience, agents: Sequence[str]) -> Mapping[str, FloatArray]:
        own, risk = super()._agents_rewards(experience, agents), self.config.agent_risk
        if risk is None:
            return own
        assert self.env.horizon is not None  # checked in __init__
        return {agent: risk_averse_rewards(rewards, self.env.horizon, risk) for agent, rewards in own.items()}
