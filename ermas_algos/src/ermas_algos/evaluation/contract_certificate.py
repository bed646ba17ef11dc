"""Certificates of contracts: given ones, or those of a checkpoint, with its agents.

A checkpoint's planner is frozen at its likeliest contracts. Under them the agents choose by their policies'
probabilities.
Everything is per contract: of the two steps of an episode one is for signing, so that means per step are half as large.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.evaluation.certified_game import engine_of, first_row, is_game
from ermas_algos.evaluation.likeliest_action import likeliest_action
from ermas_envs import BatchedEnv
from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.games.contract.engine import HORIZON, ContractEngine
from ermas_envs.oracles.contracts import ContractProblem, ContractsCertificate, certify_contracts


@dataclass(frozen=True)
class ContractsFound:
    """A certificate of contracts, and whence they are."""

    certificate: ContractsCertificate
    """What is true of them."""
    probability: float | None
    """With which the planner of a checkpoint signs them; None for given ones, and where payments are any numbers."""

    @property
    def holds(self) -> bool:
        """Whether the bound ε does."""
        return self.certificate.holds

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**self.certificate.as_dict(), "contracts_probability": self.probability}


def has_contracts(env: BatchedEnv) -> bool:
    """Whether it is the game in which contracts are certified."""
    return is_game(env, ContractEngine)


def certify_given_contracts(env: BatchedEnv, payments: Any, epsilon: float | None = None) -> ContractsFound:
    """Certificate of contracts.

    Args:
        env: `contract_v0`; who plays the planner in it does not matter.
        payments: N · O numbers, agent by agent and outcome by outcome.
        epsilon: see `certify_contracts`.

    Raises:
        ValueError: another game, one with action noise, or payments that do not fit.
    """
    problems = ContractProblem.all_of(_engine(env).settings)
    return ContractsFound(certify_contracts(problems, payments, epsilon), None)


def certify_contract_run(trainer: Trainer[Any], epsilon: float | None = None) -> ContractsFound:
    """Certificate of the likeliest contracts of a trainer's planner, and of its agents under them.

    Args:
        trainer: trained in `contract_v0`.
        epsilon: ε of the worst responses, payoff of one contract; None takes that of the training (which is per step),
            or, for MARL, the largest regret of the agents.

    Raises:
        ValueError: another game, or one with action noise.
    """
    problems = ContractProblem.all_of(_engine(trainer.env).settings)
    payments, probability, mixtures = likeliest_contracts(trainer)
    trained = getattr(trainer.config, "epsilon", None)
    wanted = HORIZON * trained if epsilon is None and trained is not None else epsilon
    return ContractsFound(certify_contracts(problems, payments, wanted, mixtures), probability)


def likeliest_contracts(trainer: Trainer[Any]) -> tuple[FloatArray, float | None, FloatArray]:
    """The likeliest contracts of a trainer's planner, (N, O) payments; their probability, None where payments are any
    numbers; and what its agents do under them, (N, n) probabilities. ValueError as of `certify_contract_run`."""
    env, engine = trainer.env, _engine(trainer.env)
    seen = env.reset(0)
    actions: dict[str, Array] = {agent: np.zeros(env.num_envs, dtype=np.int64) for agent in env.agents}
    probability = None
    if env.planner in trainer.learners:
        space, row = env.action_spaces[env.planner], first_row(seen, env.planner)
        action, probability = likeliest_action(trainer.learners[env.planner], space, *row)
        actions[env.planner] = np.repeat(action[None], env.num_envs, axis=0)
    seen = env.step(actions)
    rows = [trainer.learners[agent].action_probabilities(*first_row(seen, agent))[0] for agent in env.agents]
    return engine.payments[0].copy(), probability, np.asarray(rows, dtype=np.float64)


def _engine(env: BatchedEnv) -> ContractEngine:
    """The game of an environment; ValueError unless it is `contract_v0`, without action noise."""
    return engine_of(
        env, ContractEngine, "contracts are certified in contract_v0", "agents who take the action that they choose"
    )
