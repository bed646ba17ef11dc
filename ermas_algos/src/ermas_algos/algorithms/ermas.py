"""ERMAS: the planner learns against the worst agents whose regret stays below ε (paper section 3, Eqs. 7–13).

Saddle point (Eq. 8 with its sign corrected): min over agents, max over λ ≥ 0 of J_p + Σ_i λ_i (regret_i − ε_i); the
planner maximises J_p at the same time.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from ermas_algos.algorithms.bound_watch import BoundWatch
from ermas_algos.algorithms.collection import Experience, MakeEnv, PerSeed
from ermas_algos.algorithms.config import ERMASConfig
from ermas_algos.algorithms.deviations import Deviations, estimated_regret, lagrangian_reward, meta_step
from ermas_algos.algorithms.multipliers import Multipliers
from ermas_algos.algorithms.saved_training import Place
from ermas_algos.algorithms.trainer import Metrics, Trainer, learner_metrics
from ermas_algos.learners.protocol import Learner, LearnerFactory
from ermas_algos.saved_state import saved_table
from ermas_envs import BatchedEnv

_DEVIATION = "deviation/"
"""Prefix of a deviation learner's label."""


class ERMAS(Trainer[ERMASConfig]):
    """One outer iteration: deviations learn; regret is measured on common random numbers; λ, agents and planner move.

    Attributes:
        multipliers: λ of every agent.
        deviations: the deviation learners.
    """

    name: ClassVar[str] = "ERMAS"
    config_type: ClassVar[type[ERMASConfig]] = ERMASConfig

    def __init__(self, make_env: MakeEnv, config: ERMASConfig, make_learner: LearnerFactory | None = None) -> None:
        super().__init__(make_env, config, make_learner)
        agents = self.env.agents
        learners = {agent: self._new_learner(f"{_DEVIATION}{agent}", agent) for agent in agents}
        self.deviations = Deviations(learners, config.trust_region, self.scales)
        epsilon = dict.fromkeys(agents, config.epsilon)
        self.multipliers = Multipliers(config.multiplier, epsilon)
        self._watch = BoundWatch(epsilon, config.multiplier)

    @classmethod
    def _places(cls, config: Any, env: BatchedEnv) -> dict[str, Place]:
        settings = config.agent_learner if config.deviation_learner is None else config.deviation_learner
        deviations = {f"{_DEVIATION}{agent}": Place(agent, settings) for agent in env.agents}
        return super()._places(config, env) | deviations

    def _estimating_iterations(self) -> int:
        return max(1, self.config.warmup_iterations)

    def _iterate(self) -> Metrics:
        experience, regret = self._collect_with_regret()
        metrics = self._outcome_metrics(experience)
        for agent, value in regret.items():
            metrics |= {f"estimated_regret/{agent}": value, f"multiplier/{agent}": self.multipliers.values[agent]}
        for agent in self.env.agents:
            metrics |= learner_metrics(agent, self._update_agent(agent, experience))
        return metrics | self._update_planner(experience)

    def _watched(self, metrics: Metrics) -> Metrics:
        if self.iteration >= self.config.warmup_iterations:
            kind = "estimated" if self._game is None else "exact"
            regret = {agent: metrics[f"{kind}_regret/{agent}"] for agent in self.env.agents}
            self._watch.observe(regret, self.multipliers.values, self.scales.values)
        return self._watch.metrics()

    def notices(self) -> list[str]:
        """See `Trainer.notices`: regret that stays above ε, λ that stands at a limit."""
        return self._watch.notices()

    def _collect_with_regret(self) -> tuple[Experience, Mapping[str, PerSeed]]:
        """The joint rollout, and the estimated regret of every agent (NaN during warm-up); moves λ."""
        if self.iteration < self.config.warmup_iterations:
            experience = self._collect({role: [learner] for role, learner in self.learners.items()})
            return experience, dict.fromkeys(self.env.agents, float("nan"))
        persistent = self.config.deviation == "persistent"
        if not persistent or self.iteration == self.config.warmup_iterations:
            self.deviations.synchronise(self.learners)
        # A persistent deviation also learns from the rollout that measures it; a restarted one would forget that.
        for _ in range(self.config.deviation_updates - int(persistent)):
            found = self._collect(self.deviations.cast(self.learners, with_joint=False))
            self.deviations.update(found, self.learners, first_block=0)
        experience = self._collect(self.deviations.cast(self.learners, with_joint=True))
        regret = estimated_regret(experience, self.env.agents)
        if persistent:
            self.deviations.update(experience, self.learners, first_block=1)
        self.multipliers.update(regret, self.scales.values)
        return experience, regret

    def _update_agent(self, agent: str, experience: Experience) -> Metrics:
        """One step of the agent on the Lagrangian, and the meta-step where it is due."""
        multiplier, learner = self.multipliers.values[agent], self.learners[agent]
        planner_payoff = self.scales.in_units(self.env.planner, experience.payoffs[self.env.planner])
        own = self.scales.in_units(agent, experience.rewards[agent])
        rewards = lagrangian_reward(own, planner_payoff, multiplier)
        metrics = learner.update(experience.rollout(agent, 0, rewards))
        meta_gradient = self.deviations.take_meta_gradient(agent, self.config.meta_gradient)
        due = self.config.meta_step_size > 0 and self.iteration % self.config.meta_step_every == 0
        if due and meta_gradient is not None:
            meta_step(learner, meta_gradient, multiplier, self.config.meta_step_size)
        return metrics

    def _all_learners(self) -> dict[str, Learner]:
        deviations = {f"{_DEVIATION}{agent}": learner for agent, learner in self.deviations.learners.items()}
        return super()._all_learners() | deviations

    def _extra_state(self) -> dict[str, Any]:
        return {"multipliers": self.multipliers.state(), "watch": self._watch.state()}

    def _load_extra_state(self, state: Mapping[str, Any]) -> None:
        saved_table("extra", state, ("multipliers", "watch"))
        self.multipliers.load_state(state["multipliers"], getattr(self.config.agent_learner, "num_seeds", 1))
        self._watch.load_state(state["watch"])
