"""Certificates of tax schedules in the one-step economy: a given one, or that of a checkpoint, with its agents.

A checkpoint's planner is frozen at its most likely schedule: at the start of an episode it sees the same in every one,
and acts once. Under it the agents' hours are their policies' probabilities in the second step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.evaluation.certified_game import engine_of, first_row, is_game
from ermas_algos.evaluation.likeliest_action import NOISE_LEVELS, drawn_at_all_levels
from ermas_algos.learners.protocol import Learner
from ermas_envs import BatchedEnv
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.game.batch import BatchObservation
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.taxation.taxes import FIXED
from ermas_envs.oracles.taxes import Population, ScheduleCertificate, certify_schedule
from ermas_envs.oracles.taxes.population import CHOICES


@dataclass(frozen=True)
class TaxCertificate:
    """A schedule's certificate, and whence the schedule is."""

    schedule: ScheduleCertificate
    """What is true of it."""
    probability: float | None
    """With which the planner of a checkpoint plays it, as to the brackets that incomes can reach; None for a schedule
    that was given."""

    @property
    def holds(self) -> bool:
        """Whether the bound ε does."""
        return self.schedule.holds

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**self.schedule.as_dict(), "schedule_probability": self.probability}


def is_one_step(env: BatchedEnv) -> bool:
    """Whether it is the one-step economy, in which tax schedules are certified."""
    return is_game(env, OneStepEngine)


def taxes_are_certified(trainer: Trainer[Any]) -> bool:
    """Whether `certify_taxes` has something to say of a trainer, and does not refuse it."""
    try:
        _frozen_at_its_likeliest(trainer)
    except ValueError:
        return False
    return True


def certify_given_schedule(env: BatchedEnv, rates: Any, epsilon: float | None = None) -> TaxCertificate:
    """Certificate of a tax schedule.

    Args:
        env: the one-step economy; who plays the planner in it does not matter.
        rates: (B,) marginal rates in [0, 1], one per bracket.
        epsilon: see `certify_schedule`.

    Raises:
        ValueError: another game, one that the oracles do not know, or rates that do not fit.
    """
    return TaxCertificate(certify_schedule(Population.of(_engine(env).settings), rates, epsilon), None)


def certify_taxes(trainer: Trainer[Any], epsilon: float | None = None) -> TaxCertificate:
    """Certificate of the most likely schedule of a trainer's planner, and of its agents under it.

    Args:
        trainer: trained in the one-step economy.
        epsilon: ε of the worst equilibrium, payoff per step; None takes that of the training, or, for MARL, the largest
            regret of the agents.

    Raises:
        ValueError: another game, one that the oracles do not know; agents who work in the first step, or who know what
            every episode draws; a planner object whose schedule is not fixed.
    """
    engine = _engine(trainer.env)
    rates, probability, seen = _frozen_at_its_likeliest(trainer)
    wanted = getattr(trainer.config, "epsilon", None) if epsilon is None else epsilon
    population = Population.of(engine.settings)
    return TaxCertificate(
        certify_schedule(population, rates, wanted, mixed_hours(trainer.learners, trainer.env.agents, seen)),
        probability,
    )


class LikeliestPlay(NamedTuple):
    """The most likely schedule of a trainer's planner, and what its agents do under it."""

    rates: FloatArray
    """(B,) marginal rates."""
    probability: float
    """Of the schedule, as to the brackets that incomes can reach."""
    profile: FloatArray
    """(n, 101) the agents' probabilities of hours."""


def likeliest_play(trainer: Trainer[Any], env: BatchedEnv | None = None) -> LikeliestPlay:
    """What a trainer's planner and agents are most likely to do.

    Args:
        trainer: trained in the one-step economy.
        env: where they play; None: where they were trained. It must be another one after a training whose episodes draw
            what people are like (`RandomRiskAversion`): one that always draws the same.

    Raises:
        ValueError: as in `certify_taxes`.
    """
    rates, probability, seen = _frozen_at_its_likeliest(trainer, env)
    return LikeliestPlay(rates, probability, mixed_hours(trainer.learners, trainer.env.agents, seen))


def _frozen_at_its_likeliest(
    trainer: Trainer[Any], other: BatchedEnv | None = None
) -> tuple[FloatArray, float, BatchObservation]:
    """The planner's most likely schedule, its probability, and what is seen under it in the second step."""
    env = trainer.env if other is None else other
    engine = _engine(env)
    if other is None and isinstance(env, EngineBatch) and env.draws:
        raise ValueError("agents were trained for what every episode draws, and answer each draw in another way.")
    population = Population.of(engine.settings)
    episode = trainer.iteration * (trainer.steps // engine.horizon)  # the next one of the training
    seen = env.reset(0, first_episode=episode)
    if (mixed_hours(trainer.learners, trainer.env.agents, seen)[:, 0] < 1.0 - 1e-6).any():
        raise ValueError(
            "the agents work in an episode's first step, in which their masks allow none (MaskablePPO obeys masks); "
            "the oracles know agents who choose their hours once."
        )
    actions: dict[str, Array] = {agent: np.zeros(env.num_envs, dtype=np.int64) for agent in env.agents}
    probability = 1.0
    if env.planner in trainer.learners:
        action, probability = _most_likely(
            trainer.learners[env.planner], engine, population, first_row(seen, env.planner)
        )
        actions[env.planner] = np.repeat(action[None], env.num_envs, axis=0)
    elif engine.rules.tax.setter != FIXED:
        raise ValueError("the planner that plays inside the environment has no fixed schedule; certify one of its own.")
    seen = env.step(actions)
    return engine.state.taxes.rates[0].copy(), probability, seen


def _engine(env: BatchedEnv) -> OneStepEngine:
    """The game of an environment; ValueError unless it is the one-step economy, where agents do what they choose."""
    return engine_of(
        env,
        OneStepEngine,
        "tax schedules are certified in one_step_economy_v0",
        "agents who work the hours that they choose",
    )


def mixed_hours(learners: Mapping[str, Learner], agents: Sequence[str], seen: BatchObservation) -> FloatArray:
    """(n, 101) the agents' probabilities of hours, by what they see in the first replica."""
    rows = [learners[agent].action_probabilities(*first_row(seen, agent))[0] for agent in agents]
    return np.asarray(rows, dtype=np.float64).reshape(-1, CHOICES)


def _most_likely(
    learner: Learner, engine: OneStepEngine, population: Population, seen: tuple[Array, BoolArray | None]
) -> tuple[Array, float]:
    """The planner's action for its most likely schedule, and the probability of that schedule.

    Learners act by inverse distribution functions, so that noise at all levels gives the distribution. Keeping a rate
    and choosing the same one are the same schedule. Brackets that no income reaches do not count.
    """
    drawn = drawn_at_all_levels(learner, *seen)
    kept, choices = engine.state.taxes.rates[0], engine.rules.tax.choices
    reached = population.cutoffs < population.wages.max() * (CHOICES - 1)
    if not engine.settings.multi_action_mode_planner:
        schedules = np.repeat(kept[None], NOISE_LEVELS, axis=0)
        sets = np.flatnonzero(drawn > 0)
        brackets, chosen = np.divmod(drawn[sets] - 1, len(choices))
        schedules[sets, brackets] = choices[chosen]
        likeliest, share = _mode(schedules[:, reached])
        return np.asarray(drawn[likeliest]), share
    action: Array = np.zeros(len(kept), dtype=np.int64)
    probability = 1.0
    for bracket, column in enumerate(drawn.T):
        first, share = _mode(np.where(column == 0, kept[bracket], choices[np.maximum(column - 1, 0)])[:, None])
        action[bracket] = column[first]
        probability *= share if reached[bracket] else 1.0
    return action, probability


def _mode(rows: FloatArray) -> tuple[int, float]:
    """Index of the first of the most frequent rows, and their share."""
    _, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    return int(first[counts.argmax()]), float(counts.max() / len(rows))
