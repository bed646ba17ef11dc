"""ERMAS: the planner learns against the worst agents whose regret stays below ε (paper section 3, Eqs. 7–13).

Saddle point (Eq. 8 with its sign corrected): min over agents, max over λ ≥ 0 of J_p + Σ_i λ_i (regret_i − ε_i); the
planner maximises J_p at the same time.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ermas_algos.algorithms.bound_watch import BoundWatch
from ermas_algos.algorithms.collection import Experience, MakeEnv, PerSeed
from ermas_algos.algorithms.config import ERMASConfig
from ermas_algos.algorithms.deviations import (
    Deviations,
    common_multiplier,
    estimated_regret,
    joint_lagrangian,
    lagrangian_reward,
    meta_step,
)
from ermas_algos.algorithms.joint_rollout import Cast, Trajectories
from ermas_algos.algorithms.multipliers import Multipliers
from ermas_algos.algorithms.planner_sight import sees_agents
from ermas_algos.algorithms.saved_training import Place
from ermas_algos.algorithms.trainer import Metrics, Trainer
from ermas_algos.algorithms.training_stop import naming, updated
from ermas_algos.learners.protocol import Learner, LearnerFactory
from ermas_algos.saved_state import saved_table
from ermas_envs import BatchedEnv
from ermas_envs.base.arrays import FloatArray

_DEVIATION, _ORDINARY = "deviation/", "ordinary/"
"""Prefixes of the labels of deviation learners, and of the agents who mind their own reward."""
_HANDS = 7
"""Keeps the order in which agents deviate apart from all that is drawn from the seed otherwise."""
_SEES_AGENTS = (
    "planner_objective lagrangian is for planners that act alike whatever agents do; this one {}. Let it observe "
    "nothing of the agents where it decides, or choose payoff."
)


class ERMAS(Trainer[ERMASConfig]):
    """One outer iteration: deviations learn; regret is measured on common random numbers; λ, agents and planner move.

    With fewer deviating agents than there are, the agents are dealt out in hands: a round of as many iterations as
    there are hands takes every agent once, in an order that is drawn anew for every round. An agent is in any iteration
    in the hand with the same probability, 1/(number of hands), and the integral of its λ then moves as far as in as
    many updates: on average λ moves as if everybody's regret were measured in every iteration.

    Attributes:
        multipliers: λ of every agent.
        deviations: the deviation learners.
        ordinary: agents who maximise their own reward beside adversaries (`ERMASConfig.ordinary_agents`).
    """

    name: ClassVar[str] = "ERMAS"
    config_type: ClassVar[type[ERMASConfig]] = ERMASConfig

    def __init__(self, make_env: MakeEnv, config: ERMASConfig, make_learner: LearnerFactory | None = None) -> None:
        super().__init__(make_env, config, make_learner)
        if config.planner_objective == "lagrangian" and sees_agents(make_env, self.steps, config.seed):
            raise ValueError(_SEES_AGENTS.format("sees what they have done"))
        agents = self.env.agents
        learners = self._further_agents(lambda label: f"{_DEVIATION}{label}")
        self.deviations = Deviations(learners, config.trust_region, self.scales)
        self.ordinary = self._further_agents(lambda label: f"{_ORDINARY}{label}") if config.ordinary_agents else {}
        epsilon = dict.fromkeys(agents, config.epsilon)
        self.multipliers = Multipliers(config.multiplier, epsilon)
        self._watch = BoundWatch(epsilon, config.multiplier)
        self._hands = -(-len(agents) // min(config.deviating_agents or len(agents), len(agents)))

    @classmethod
    def places(cls, config: Any, env: BatchedEnv) -> dict[str, Place]:
        settings = config.agent_learner if config.deviation_learner is None else config.deviation_learner
        policies = super().places(config, env)
        shared = {label: place.roles for label, place in policies.items() if label != env.planner}
        deviations = {f"{_DEVIATION}{label}": Place(roles, settings) for label, roles in shared.items()}
        ordinary = {f"{_ORDINARY}{label}": policies[label] for label in shared} if config.ordinary_agents else {}
        return policies | deviations | ordinary

    def _estimating_iterations(self) -> int:
        return max(1, self.config.warmup_iterations)

    def _sets_of_agents(self) -> Sequence[Mapping[str, Learner]]:
        return [self.learners, self.ordinary] if self.ordinary else [self.learners]

    def _iterate(self) -> Metrics:
        experience, regret = self._collect_with_regret()
        metrics = self._outcome_metrics(experience)
        for agent in self.env.agents:
            value = regret.get(agent, float("nan"))
            metrics |= {f"estimated_regret/{agent}": value, f"multiplier/{agent}": self.multipliers.values[agent]}
        for label, agents in self._agents_by_label().items():
            metrics |= self._update_sharers(label, agents, list(regret), experience)
        beside = 1 + len(regret)
        metrics |= self._update_ordinary(experience, beside)
        return metrics | self._update_planner(experience, (0, beside) if self.ordinary else (0,))

    def _train_at_random(self, actors: Mapping[str, Any]) -> None:
        """Agents learn their Lagrangians, and deviations their answers, while the planner acts at random."""
        deviators = self._deviators() if self.iteration > self.config.warmup_iterations else ()
        played = self._collect(self._with_ordinary(self.deviations.cast(actors, True, deviators)))
        self.deviations.update(played, self.learners, 1, deviators)
        for label, agents in self._agents_by_label().items():
            self._update_sharers(label, agents, deviators, played)
        self._update_ordinary(played, 1 + len(deviators))

    def _watched(self, metrics: Metrics) -> Metrics:
        if self.iteration >= self.config.warmup_iterations:
            measured = self._deviators() if self._game is None else self.env.agents
            kind, iterations = ("estimated", self._hands) if self._game is None else ("exact", 1)
            regret = {agent: metrics[f"{kind}_regret/{agent}"] for agent in measured}
            self._watch.observe(regret, self.multipliers.values, self.scales.values, iterations)
        return self._watch.metrics()

    def notices(self) -> list[str]:
        """See `Trainer.notices`: regret that stays above ε, λ that stands at a limit."""
        return [*super().notices(), *self._watch.notices()]

    def _reason_to_stop(self) -> str | None:
        """λ that has stood at its maximum for as long as the settings allow."""
        return self._watch.reason_to_stop()

    def _collect_with_regret(self) -> tuple[Experience, Mapping[str, PerSeed]]:
        """The joint rollout, and the estimated regret of the deviating agents (none during warm-up); moves λ."""
        if self.iteration < self.config.warmup_iterations:
            return self._collect(self._with_ordinary({role: [one] for role, one in self.learners.items()})), {}
        deviators = self._deviators()
        persistent = self.config.deviation == "persistent"
        if not persistent or self.iteration == self.config.warmup_iterations:
            self.deviations.synchronise(self.learners)
        # A persistent deviation also learns from the rollout that measures it; a restarted one would forget that.
        for _ in range(self.config.deviation_updates - int(persistent)):
            played = self._collect(self.deviations.cast(self.learners, False, deviators))
            self.deviations.update(played, self.learners, 0, deviators)
        experience = self._collect(self._with_ordinary(self.deviations.cast(self.learners, True, deviators)))
        regret = estimated_regret(experience, deviators)
        if persistent:
            self.deviations.update(experience, self.learners, 1, deviators)
        self.multipliers.update(regret, self.scales.values, deviators, self._hands)
        return experience, regret

    def _with_ordinary(self, cast: Cast) -> Cast:
        """With a last block in which ordinary agents play, where there are any, and everybody else as in block 0."""
        if not self.ordinary:
            return cast
        return {role: [*learners, self.ordinary.get(role, learners[0])] for role, learners in cast.items()}

    def _update_ordinary(self, experience: Experience, block: int) -> Metrics:
        """One step of ordinary agents on their own rewards in their block, and what the planner earns there."""
        if not self.ordinary:
            return {}
        planner = self.env.planner
        earned = {f"{_ORDINARY}payoff/{planner}": experience.mean(experience.payoffs[planner], block)}
        return earned | self._update_agents(experience, self.ordinary, block, _ORDINARY)

    def _deviators(self) -> tuple[str, ...]:
        """The hand of agents whose turn it is, in the order of all agents; a function of seed and iteration alone."""
        agents = self.env.agents
        if self._hands == 1:
            return agents
        dealt, hand = divmod(self.iteration - self.config.warmup_iterations, self._hands)
        generator = np.random.default_rng(np.random.SeedSequence(self.config.seed, spawn_key=(_HANDS, dealt)))
        chosen = np.array_split(generator.permutation(len(agents)), self._hands)[hand]
        return tuple(agents[index] for index in np.sort(chosen))

    def _planner_rewards(self, experience: Experience) -> FloatArray:
        """With the Lagrangian as its objective, the planner is paid λ_i for what agent i's deviation gains: it plays
        the same in all blocks, with the same random numbers, so that a row's regret is its own."""
        own = super()._planner_rewards(experience)
        if self.config.planner_objective == "payoff" or self.iteration < self.config.warmup_iterations:
            return own
        assert isinstance(experience, Trajectories)  # the configuration allows sampled learners only
        deviators, joint = self._deviators(), experience.block(0)
        gained = np.zeros_like(own)
        acts = experience.actions[self.env.planner]
        for number, agent in enumerate(deviators, start=1):
            block = experience.block(number)
            if not np.array_equal(acts[:, block], acts[:, joint]):
                raise ValueError(_SEES_AGENTS.format(f"answered to what {agent!r} did"))
            rewards = self.scales.in_units(agent, experience.rewards[agent])
            gained[:, joint] += self.multipliers.values[agent] * (rewards[:, block] - rewards[:, joint])
        return own + self._hands * gained

    def _update_sharers(
        self, label: str, agents: Sequence[str], deviators: Sequence[str], experience: Experience
    ) -> Metrics:
        """One step of the learner of these agents on their Lagrangians, and the meta-step where it is due."""
        multipliers, learner = self.multipliers.values, self.learners[agents[0]]
        rewards = self._lagrangians(agents, deviators, experience)
        metrics = updated(label, learner, experience.rollout([(agent, 0) for agent in agents], rewards))
        meta_gradient = self.deviations.take_meta_gradient(agents[0], self.config.meta_gradient)
        due = self.config.meta_step_size > 0 and self.iteration % self.config.meta_step_every == 0
        if due and meta_gradient is not None:
            multiplier = common_multiplier([multipliers[agent] for agent in agents if agent in deviators])
            with naming(label):
                meta_step(learner, meta_gradient, multiplier, self.config.meta_step_size)
        return metrics

    def _lagrangians(
        self, agents: Sequence[str], deviators: Sequence[str], experience: Experience
    ) -> dict[str, FloatArray]:
        """What these agents maximise, each alone or all together (`ERMASConfig.regret_of_others`)."""
        multipliers = self.multipliers.values
        planner_payoff = self.scales.in_units(self.env.planner, experience.payoffs[self.env.planner])
        if self.config.regret_of_others and deviators:
            assert isinstance(experience, Trajectories)  # checked in the configuration
            everybody = self.scales.rewards_in_units(experience, self.env.agents)
            blocks = {agent: experience.block(block) for block, agent in enumerate(deviators, start=1)}
            shared = joint_lagrangian(planner_payoff, everybody, multipliers, blocks, experience.block(0))
            return dict.fromkeys(agents, shared)
        own = self.scales.rewards_in_units(experience, agents)
        return {agent: lagrangian_reward(own[agent], planner_payoff, multipliers[agent]) for agent in agents}

    def _all_learners(self) -> dict[str, Learner]:
        labels = self._agents_by_label().items()
        found = super()._all_learners()
        for prefix, learners in ((_DEVIATION, self.deviations.learners), (_ORDINARY, self.ordinary)):
            found |= {f"{prefix}{label}": learners[agents[0]] for label, agents in labels if learners}
        return found

    def _extra_state(self) -> dict[str, Any]:
        return {"multipliers": self.multipliers.state(), "watch": self._watch.state()}

    def _load_extra_state(self, state: Mapping[str, Any]) -> None:
        saved_table("extra", state, ("multipliers", "watch"))
        self.multipliers.load_state(state["multipliers"], getattr(self.config.agent_learner, "num_seeds", 1))
        self._watch.load_state(state["watch"])
