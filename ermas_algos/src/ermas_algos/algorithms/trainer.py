"""What all trainers share: learners by role, the loop over outer iterations, logs, checkpoints, resuming."""

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from gymnasium import spaces

from ermas_algos.algorithms import config as configuration
from ermas_algos.algorithms.callbacks import Callback
from ermas_algos.algorithms.collection import Collector, Experience, MakeEnv, SampledCollector
from ermas_algos.algorithms.config import TrainerConfig, rollout_length
from ermas_algos.algorithms.exact import exact_metrics, tables_of, tabular_policies
from ermas_algos.algorithms.exact_collection import ExactCollector
from ermas_algos.algorithms.joint_rollout import Cast
from ermas_algos.algorithms.payoff_scales import ESTIMATED_DURING, PayoffScales
from ermas_algos.algorithms.risk import risk_averse_rewards
from ermas_algos.algorithms.saved_training import (
    Place,
    SavedTraining,
    check_told_apart,
    read_training,
    space_names,
    written,
)
from ermas_algos.algorithms.sharing import sharers
from ermas_algos.algorithms.training_stop import check_states, stop, stopping, updated
from ermas_algos.checkpoint import content_of, write_checkpoint
from ermas_algos.directory_lock import locked_directory
from ermas_algos.learned_planner import LearnedPlanner
from ermas_algos.learners.protocol import (
    Learner,
    LearnerFactory,
    LearnerState,
    Rollout,
    Spaces,
    check_array_observations,
)
from ermas_algos.learners.uniform import UniformPolicy
from ermas_algos.metrics_log import MetricsLog
from ermas_algos.saved_state import saved_table
from ermas_envs import BatchedEnv, EnvironmentSpec
from ermas_envs.base.arguments import check_integer
from ermas_envs.base.arrays import FloatArray
from ermas_envs.oracles import Policies, TabularGame

Metrics = dict[str, Any]
"""Metrics of an outer iteration by name: floats, or (K,) float64 where exact learners train K seeds in one batch."""
Progress = Callable[[int, Mapping[str, Any]], None]
"""Called after every outer iteration with its number (from 1) and its `Metrics`."""

CHECKPOINT = "checkpoint.safetensors"
"""File name of the checkpoint in a run's directory."""

ConfigT = TypeVar("ConfigT", bound=TrainerConfig)
T = TypeVar("T")


class Trainer(ABC, Generic[ConfigT]):
    """An outer loop around learners.

    Args:
        make_env: makes the environment with a given number of replicas; a checkpoint names its environment if this is
            an `EnvironmentSpec`.
        config: settings; everything random follows from `config.seed`.
        make_learner: makes each role's learner; None makes the configuration's, Stable-Baselines3's or exact ones.

    Attributes:
        learners: learner of every acting role (the planner too, unless a planner object plays inside); roles that share
            a policy (`TrainerConfig.policy_sharing`) have the same one.
        sharers: per label of a learner the roles that act by it; a role that shares with nobody is its own label.
        iteration: outer iterations done.
        scales: the units in which learners are given their rewards.
        env: the environment of the joint rollout.
        make_env: makes others like it.

    Raises:
        ValueError: exact learners in an environment without tables, steps that do not fit the horizon, an acting role
            that observes a Dict, roles that cannot share a policy, or whose learners no checkpoint could tell apart.
    """

    name: ClassVar[str]
    config_type: ClassVar[type[TrainerConfig]]

    def __init__(self, make_env: MakeEnv, config: ConfigT, make_learner: LearnerFactory | None = None) -> None:
        self.config = config
        self.make_env = make_env
        self._make_learner = make_learner or self._configured_learner
        seeds = np.random.SeedSequence(config.seed)
        self._learner_seeds = np.random.default_rng(seeds.spawn(1)[0])
        sampled = SampledCollector(make_env, config.num_envs, np.random.default_rng(seeds.spawn(1)[0]))
        self.env: BatchedEnv = sampled.env(1)
        check_array_observations(self.env, self.env.possible_agents)
        self.steps = sampled.steps = rollout_length(config.rollout_steps, self.env.horizon, config.num_envs)
        if config.planner_risk is not None and self.env.horizon is None:
            raise ValueError("planner_risk needs episodes of one length: the environment has no fixed horizon.")
        self._game = self.env.tabular_game()
        self.scales = PayoffScales.of(self.env, self._game, self._estimating_iterations())
        exact = make_learner is None and config.agent_learner.needs == "tables"
        self._collector: Collector = ExactCollector(self.tables()) if exact else sampled
        self.sharers = sharers(config.policy_sharing, self.env)
        self._places_by_label = self.places(config, self.env)
        self._labels: list[str] = []
        made = {label: self._new_learner(label, roles[0]) for label, roles in self.sharers.items()}
        if len({id(learner) for learner in made.values()}) < len(made):
            raise ValueError("make_learner must make a new learner for every role, got the same object twice.")
        self.learners: dict[str, Learner] = self._by_role(made)
        self.iteration = 0

    @property
    def env_steps(self) -> int:
        """Environment steps (one replica, all roles, one step) so far, deviations included; 0 for exact learners."""
        return self._collector.env_steps

    def tables(self) -> TabularGame:
        """The environment's tables; ValueError where it has none."""
        return tables_of(self.env) if self._game is None else self._game

    def _configured_learner(
        self, label: str, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], seed: int
    ) -> Learner:
        return self._places_by_label[label].learner(Spaces(observation_space, action_space), seed, self.tables)

    @classmethod
    def places(cls, config: Any, env: BatchedEnv) -> dict[str, Place]:
        """The place of every learner whose state belongs into a checkpoint, by label."""
        learners = {env.planner: config.planner_learner}
        return {
            label: Place(roles, learners.get(label, config.agent_learner))
            for label, roles in sharers(config.policy_sharing, env).items()
        }

    def _by_role(self, by_label: Mapping[str, T]) -> dict[str, T]:
        """What labels have, for every role."""
        label_of = {role: label for label, roles in self.sharers.items() for role in roles}
        return {role: by_label[label_of[role]] for role in self.env.possible_agents}

    def _agents_by_label(self) -> dict[str, tuple[str, ...]]:
        """`sharers` without the planner."""
        return {label: roles for label, roles in self.sharers.items() if label != self.env.planner}

    def _new_learner(self, label: str, role: str) -> Learner:
        check_told_apart(label, self._labels)
        self._labels.append(label)
        seed = int(self._learner_seeds.integers(2**31))
        return self._make_learner(label, self.env.observation_spaces[role], self.env.action_spaces[role], seed)

    def _further_agents(self, name: Callable[[str], str]) -> dict[str, Learner]:
        """Another learner for all agents, shared as theirs are; `name` makes its label from theirs."""
        labels = self._agents_by_label().items()
        made = {label: self._new_learner(name(label), agents[0]) for label, agents in labels}
        return {agent: made[label] for label, agents in labels for agent in agents}

    def take_agents_of(self, first: "Trainer[Any]") -> Self:
        """Go on from another training with these agents, of which it may be that another planner, or none, took part:
        their learners, scales and the number of outer iterations are taken over, everything else is not.

        The scales stand still from then on, so that trainings of every algorithm that go on from it count in the same
        units; and what follows is drawn from other random numbers than those of `first`, even if both have one seed.

        Args:
            first: a training whose agents have the same labels, and learners of the same settings.

        Raises:
            ValueError: other agents or learners.
        """
        ours, theirs = self._agents_by_label(), first._agents_by_label()
        if ours != theirs:
            raise ValueError(f"first has other agents' learners: {theirs}, not {ours}.")
        for label, agents in ours.items():
            with content_of(f"learner {label!r}"):
                for learners in self._sets_of_agents():
                    learners[agents[0]].load_state(first.learners[agents[0]].state())
        self.scales.load_state(first.scales.state())
        self.scales.stand_still()
        self._collector.branch()
        self.iteration = first.iteration
        return self

    def _sets_of_agents(self) -> Sequence[Mapping[str, Learner]]:
        """Learners of all agents, of which a trainer may have several sets."""
        return [self.learners]

    def learn(
        self,
        total_iterations: int,
        directory: Path | str | None = None,
        checkpoint_every: int = 50,
        progress: Progress | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train until `iteration == total_iterations`, or until a callback stops it.

        Args:
            total_iterations: outer iterations in all, those before a resume included.
            directory: where `progress.csv`, TensorBoard files and the checkpoint go; None writes nothing.
            checkpoint_every: outer iterations between two checkpoints; the last one is always written.
            progress: called after every outer iteration; the simplest callback, a function.
            callbacks: told of start, iterations, checkpoints and end, in this order.

        Raises:
            TrainingStopped: a loss, a parameter, a payoff or an observation is NaN or infinite, or λ stands at its
                maximum (`MultiplierConfig.stop_at_maximum`); the last checkpoint is kept.
            ValueError: a number out of range; another command is using the directory, or its `progress.csv` is damaged.
            OSError: the disk refused; the last checkpoint stays intact.
        """
        total_iterations = check_integer("total_iterations", total_iterations, 0)
        checkpoint_every = check_integer("checkpoint_every", checkpoint_every, 1)
        folder = None if directory is None else Path(directory)
        checkpoint = None if folder is None else folder / CHECKPOINT
        with nullcontext() if folder is None else locked_directory(folder), MetricsLog(folder) as log:
            log.resume_from(self.iteration)
            for callback in callbacks:
                callback.on_start(self)
            done = self.iteration >= total_iterations
            while not done:
                with stopping(self.iteration + 1, checkpoint):
                    metrics = self._timed_iteration()
                if log.columns is not None and (later := [name for name in metrics if name not in log.columns]):
                    log.add_columns(later)
                # A learner that has nothing to learn from, or waits, says nothing.
                row = {name: metrics.get(name, np.nan) for name in (log.columns or metrics)}
                log.log(self.iteration - 1, {name: float(np.mean(value)) for name, value in row.items()})
                asked = [callback.on_iteration(self, metrics) for callback in callbacks]
                done = self.iteration == total_iterations or False in asked
                if (reason := self._reason_to_stop()) is not None:
                    raise stop(reason, self.iteration, checkpoint)
                if checkpoint is not None and (done or self.iteration % checkpoint_every == 0):
                    with stopping(self.iteration, checkpoint):
                        self.save(checkpoint)
                    for callback in callbacks:
                        callback.on_checkpoint(self, checkpoint)
                if progress is not None:
                    progress(self.iteration, metrics)
            for callback in callbacks:
                callback.on_end(self)
        return self

    def _timed_iteration(self) -> Metrics:
        started, steps_before = time.perf_counter(), self.env_steps
        for actors in self._practice():
            self._train_at_random(actors)
        metrics = self._iterate()
        if self._game is not None:
            metrics |= exact_metrics(self._game, self.learners)
        metrics |= self._watched(metrics)
        self.iteration += 1
        seconds = time.perf_counter() - started
        return {**metrics, "env_steps": self.env_steps, "steps_per_second": (self.env_steps - steps_before) / seconds}

    @abstractmethod
    def _iterate(self) -> Metrics:
        """One outer iteration after the agents' practice; returns its metrics.

        The columns of `progress.csv` are their names: one that comes later begins a column, one that is missing leaves
        its cell without a number.
        """

    def _watched(self, metrics: Metrics) -> Metrics:
        """Further metrics of an iteration whose others are these."""
        return {}

    def notices(self) -> list[str]:
        """What has gone wrong so far, a sentence each, beside what errors tell; empty where all is well."""
        if self._collector.saw_an_end is not False:
            return []
        return [f"no episode has ended within rollout_steps = {self.steps}; what comes later is never played."]

    def _reason_to_stop(self) -> str | None:
        """Why the training must not go on after this iteration; None where it may."""
        return None

    def _collect(self, cast: Cast) -> Experience:
        """Play of one block per learner in the cast's rows; scales that are not known follow it."""
        experience = self._collector.collect(cast, self.iteration)
        self.scales.observe(experience, self.iteration)
        return experience

    def _practice(self) -> Iterator[dict[str, Any]]:
        """Who acts in the rollouts of the agents' further updates: everybody as now, but the planner at random."""
        planner = self.env.planner
        for _ in range(self.config.practice_updates if planner in self.learners else 0):
            yield {**self.learners, planner: UniformPolicy(self.env.action_spaces[planner])}

    def _train_at_random(self, actors: Mapping[str, Any]) -> None:
        """What agents learn in practice, before every `_iterate`: here from their own rewards.

        Args:
            actors: who acts for every role (`_practice`).
        """
        self._update_agents(self._collect({role: [actor] for role, actor in actors.items()}))

    def _learn_at_once(self, cast: Cast, further_updates: int) -> Metrics:
        """Agents learn from some rollouts of a cast; then all learn from another one, of which the metrics speak."""
        for _ in range(further_updates):
            self._update_agents(self._collect(cast))
        experience = self._collect(cast)
        metrics = self._outcome_metrics(experience) | self._update_agents(experience)
        return metrics | self._update_planner(experience)

    def _update_agents(
        self, experience: Experience, agents: Mapping[str, Learner] | None = None, block: int = 0, prefix: str = ""
    ) -> Metrics:
        """Ordinary update of the learners of `agents` (None: the trainer's) in a block; `prefix` of their labels."""
        learners = self.learners if agents is None else agents
        metrics: Metrics = {}
        for label, sharing in self._agents_by_label().items():
            rewards = self._agents_rewards(experience, sharing)
            rollout = experience.rollout([(agent, block) for agent in sharing], rewards)
            metrics |= updated(f"{prefix}{label}", learners[sharing[0]], rollout)
        return metrics

    def _agents_rewards(self, experience: Experience, agents: Sequence[str]) -> Mapping[str, FloatArray]:
        """What agents learn from, in units of their scales: their own rewards."""
        return self.scales.rewards_in_units(experience, agents)

    def _estimating_iterations(self) -> int:
        """Outer iterations whose play scales are estimated from: those of beginners alone would be too small."""
        return max(ESTIMATED_DURING, self.config.planner_warmup)

    def _update_planner(self, experience: Experience, blocks: Sequence[int] = (0,)) -> Metrics:
        """Ordinary update of the planner on its own reward in some blocks, if it is a learner that has had a choice and
        whose warm-up is over."""
        planner = self.env.planner
        if planner not in self.learners or self.iteration < self.config.planner_warmup:
            return {}
        rewards = self._planner_rewards(experience)
        if self.config.planner_risk is not None:
            assert self.env.horizon is not None  # checked in __init__
            rewards = risk_averse_rewards(rewards, self.env.horizon, self.config.planner_risk)
        rollout = experience.rollout([(planner, block) for block in blocks], {planner: rewards})
        if rollout is None:
            return {}
        steps = self.steps * self.config.num_envs * len(blocks)
        if isinstance(rollout, Rollout) and rollout.rewards.size < steps:
            # A decision earns what several steps do: as a mean of them, so that values stay of order 1.
            rollout = dataclasses.replace(rollout, rewards=rollout.rewards * (rollout.rewards.size / steps))
        return updated(planner, self.learners[planner], rollout)

    def _planner_rewards(self, experience: Experience) -> FloatArray:
        """What the planner learns from, in units of its scale: its own rewards."""
        return self.scales.in_units(self.env.planner, experience.rewards[self.env.planner])

    def _outcome_metrics(self, experience: Experience) -> Metrics:
        payoffs = {f"payoff/{role}": experience.mean(payoff, 0) for role, payoff in experience.payoffs.items()}
        rewards = {f"reward/{role}": experience.mean(reward, 0) for role, reward in experience.rewards.items()}
        return payoffs | rewards | {f"payoff_scale/{role}": value for role, value in self.scales.values.items()}

    def policies(self) -> Policies:
        """Everybody's current policy as tables (`ermas_envs.oracles`); ValueError where the game has no tables."""
        return tabular_policies(self.tables(), self.learners)

    def frozen_planner(self) -> LearnedPlanner:
        """The planner as it is now, to be put into an environment; ValueError if no learner plays it."""
        planner = self.env.planner
        if planner not in self.learners:
            raise ValueError(f"the planner {planner!r} is not learned here; it plays inside the environment.")
        frozen = self._make_learner(planner, self.env.observation_spaces[planner], self.env.action_spaces[planner], 0)
        frozen.load_state(self.learners[planner].state())
        return LearnedPlanner(frozen)

    def save(self, path: Path | str) -> None:
        """Write a checkpoint from which `load` goes on bit for bit; the previous one stays intact until it is whole.
        NotFiniteError, and nothing is written, where a learner could not go on."""
        states = self._learner_states()
        check_states(states)
        tensors, learners = written(states)
        metadata: dict[str, Any] = {
            "environment": self.env.name,
            "environment_spec": dataclasses.asdict(self.make_env)
            if isinstance(self.make_env, EnvironmentSpec)
            else None,
            "spaces": space_names(self.env),
            "rollout_steps": self.steps,
            "config": configuration.to_json(self.config),
            "iteration": self.iteration,
            "collector": self._collector.state(),
            "scales": self.scales.state(),
            **learners,
            "extra": self._extra_state(),
        }
        write_checkpoint(path, self.name, tensors, metadata)

    @classmethod
    def load(cls, path: Path | str, make_env: MakeEnv, make_learner: LearnerFactory | None = None) -> Self:
        """A trainer that goes on from a checkpoint.

        Raises:
            CheckpointError: missing, truncated or foreign file, another algorithm's checkpoint, an environment whose
                name, spaces or horizon are not those of the checkpoint, or content that cannot be gone on from: numbers
                out of range or not finite, tensors of another shape or dtype than the settings make.
        """
        return cls.from_saved(path, read_training(path, cls.name), make_env, make_learner)

    @classmethod
    def from_saved(
        cls, path: Path | str, saved: SavedTraining, make_env: MakeEnv, make_learner: LearnerFactory | None = None
    ) -> Self:
        """`load` from what `read_training` found in `path`, which errors name."""
        with content_of(path):
            config = saved.checked_config(cls.config_type)
            # One replica is cheap, and tells whether what the file asks for is what it holds, before that is made.
            env = make_env(1)
            saved.check_environment(env, rollout_length(config.rollout_steps, env.horizon, config.num_envs))
            saved.check_learners(env, cls.places(config, env), sized=make_learner is None)
            trainer = cls(make_env, configuration.on_this_machine(config), make_learner)
            trainer.config = config
            trainer.iteration = saved.iteration
            trainer._collector.load_state(saved.collector)
            trainer.scales.load_state(saved.scales)
            trainer._load_extra_state(saved.extra)
            for label, learner in trainer._all_learners().items():
                with content_of(f"{path}: learner {label!r}"):
                    learner.load_state(saved.learners[label])
        return trainer

    @classmethod
    def resume(cls, directory: Path | str, make_env: MakeEnv, make_learner: LearnerFactory | None = None) -> Self:
        """`load` from a run's directory; call `learn` with the same directory to go on."""
        return cls.load(Path(directory) / CHECKPOINT, make_env, make_learner)

    def _all_learners(self) -> dict[str, Learner]:
        """Every learner whose state belongs into a checkpoint, by label."""
        return {label: self.learners[roles[0]] for label, roles in self.sharers.items()}

    def _learner_states(self) -> dict[str, LearnerState]:
        return {label: learner.state() for label, learner in self._all_learners().items()}

    def _extra_state(self) -> dict[str, Any]:
        """What a checkpoint needs beyond learners and generator; JSON types."""
        return {}

    def _load_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `_extra_state`; ValueError for another form."""
        saved_table("extra", state, ())
