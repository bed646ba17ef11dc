"""Certificates of tolls: given ones, or those of a checkpoint, with its drivers.

A checkpoint's planner is frozen at the likeliest tolls of an episode's first period. Under them the drivers choose by
their policies' probabilities, drive by drive, independently of each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.evaluation.certified_game import engine_of, first_row, is_game
from ermas_algos.evaluation.likeliest_action import likeliest_action
from ermas_algos.learners.protocol import Learner
from ermas_envs import BatchedEnv
from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.game.batch import BatchObservation
from ermas_envs.games.toll.engine import TollEngine
from ermas_envs.oracles.tolls import TollCertificate, Traffic, certify_tolls, per_drive


@dataclass(frozen=True)
class TollsFound:
    """A certificate of tolls, and whence the tolls are."""

    certificate: TollCertificate
    """What is true of them."""
    probability: float | None
    """With which the planner of a checkpoint sets them; None for tolls that were given, or are any numbers."""

    @property
    def holds(self) -> bool:
        """Whether the bound ε does."""
        return self.certificate.holds

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**self.certificate.as_dict(), "tolls_probability": self.probability}


def has_tolls(env: BatchedEnv) -> bool:
    """Whether it is the toll game, in which tolls are certified."""
    return is_game(env, TollEngine)


def certify_given_tolls(env: BatchedEnv, tolls: Any, epsilon: float | None = None) -> TollsFound:
    """Certificate of tolls.

    Args:
        env: the toll game; who plays the planner in it does not matter.
        tolls: (L,) one per road.
        epsilon: see `certify_tolls`.

    Raises:
        ValueError: another game, one with action noise, or tolls that do not fit.
    """
    return TollsFound(certify_tolls(Traffic.of(_engine(env).settings), tolls, epsilon), None)


def certify_toll_run(trainer: Trainer[Any], epsilon: float | None = None) -> TollsFound:
    """Certificate of the likeliest tolls of a trainer's planner, and of its drivers under them.

    Args:
        trainer: trained in the toll game.
        epsilon: ε of the worst equilibrium, cost per drive; None takes that of the training (which is per step), or,
            for MARL, the largest regret of the drivers.

    Raises:
        ValueError: another game, one with action noise, or drivers who see loads and so can answer each other.
    """
    engine = _engine(trainer.env)
    if engine.settings.drivers_see_loads:
        raise ValueError("drivers_see_loads must be False: drivers who answer each other are not known exactly.")
    tolls, probability, drives = _likeliest_play(trainer, engine)
    trained = getattr(trainer.config, "epsilon", None)
    wanted = per_drive(engine.settings, trained) if epsilon is None and trained is not None else epsilon
    return TollsFound(certify_tolls(Traffic.of(engine.settings), tolls, wanted, drives), probability)


def _engine(env: BatchedEnv) -> TollEngine:
    """The game of an environment; ValueError unless it is the toll game, whose drivers do what they choose."""
    return engine_of(env, TollEngine, "tolls are certified in toll_v0", "drivers who take the road that they choose")


def _likeliest_play(trainer: Trainer[Any], engine: TollEngine) -> tuple[FloatArray, float | None, FloatArray]:
    """The planner's likeliest tolls (L,), their probability, and what drivers do: (T, n, L) probabilities."""
    env = trainer.env
    episode = trainer.iteration * (trainer.steps // engine.horizon)  # the next one of the training
    seen = env.reset(0, first_episode=episode)
    idle: dict[str, Array] = {agent: np.zeros(env.num_envs, dtype=np.int64) for agent in env.agents}
    probability = None
    if env.planner in trainer.learners:
        action, probability = likeliest_action(
            trainer.learners[env.planner], env.action_spaces[env.planner], *first_row(seen, env.planner)
        )
        idle[env.planner] = np.repeat(action[None], env.num_envs, axis=0)
    drives = []
    for _ in range(engine.settings.drives):
        seen = env.step(idle)
        drives.append(_choices(trainer.learners, env.agents, seen))
    return engine.tolls[0].copy(), probability, np.array(drives)


def _choices(learners: Mapping[str, Learner], agents: Sequence[str], seen: BatchObservation) -> FloatArray:
    """(n, L) probabilities of the roads, by what drivers see in the first replica."""
    rows = [np.ravel(learners[agent].action_probabilities(*first_row(seen, agent))) for agent in agents]
    return np.asarray(rows, dtype=np.float64)
