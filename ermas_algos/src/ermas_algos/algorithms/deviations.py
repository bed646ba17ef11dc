"""Deviation learners and estimated regret (paper Eqs. 10–12): who looks for a better response, and what it found.

Every agent has a deviation learner that trains on the agent's own reward in a block of replicas of its own, against the
frozen others and planner. `persistent` deviations are kept across outer iterations; `restarted` ones (the paper) start
from the agent's current policy each time.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ermas_algos.algorithms.collection import Experience, PerSeed
from ermas_algos.algorithms.joint_rollout import Cast
from ermas_algos.algorithms.payoff_scales import PayoffScales
from ermas_algos.learners.protocol import Learner
from ermas_envs.base.arrays import Array, FloatArray

MODES = ("persistent", "restarted")
META_GRADIENTS = ("reptile", "fomaml")
_HALVINGS = 20


class Deviations:
    """The deviation learners of all agents.

    Args:
        learners: one per agent; their parameters do not matter before `synchronise`.
        trust_region: largest KL(agent's policy ‖ deviation) in nats (Eq. 12), or None for no bound.
        scales: units of the rewards that learners are given; None gives them payoffs as they are.
    """

    def __init__(
        self, learners: Mapping[str, Learner], trust_region: float | None, scales: PayoffScales | None = None
    ) -> None:
        self.learners = dict(learners)
        self._scales = scales or PayoffScales(dict.fromkeys(learners, 1.0), learners, 1)
        self.trust_region = trust_region
        self._moves: dict[str, list[Array]] = {agent: [] for agent in learners}

    def synchronise(self, current: Mapping[str, Learner]) -> None:
        """Make every deviation an exact copy of its agent's learner, optimiser included."""
        for agent, learner in self.learners.items():
            learner.load_state(current[agent].state())

    def cast(self, current: Mapping[str, Learner], with_joint: bool) -> Cast:
        """Block k is agent k's deviation against the current others; `with_joint` puts the joint policy first."""
        agents = list(self.learners)
        joint: list[str | None] = [None] if with_joint else []
        return {
            role: [self.learners[role] if role == deviator else learner for deviator in (*joint, *agents)]
            for role, learner in current.items()
        }

    def update(self, experience: Experience, current: Mapping[str, Learner], first_block: int) -> None:
        """One update of every deviation on its block's rewards, kept inside the trust region."""
        for block, (agent, learner) in enumerate(self.learners.items(), start=first_block):
            before = learner.get_parameters()
            rollout = experience.rollout(agent, block, self._scales.in_units(agent, experience.rewards[agent]))
            learner.update(rollout)
            if self.trust_region is not None:
                project(learner, current[agent], rollout, self.trust_region)
            self._moves[agent].append(learner.get_parameters() - before)

    def take_meta_gradient(self, agent: str, kind: str) -> Array | None:
        """Estimate of ∇J_i(θ′_i) from the deviation's parameter changes since the last call; None if there were none.

        Args:
            agent: whose deviation.
            kind: `reptile`, the mean change per update (Nichol et al. 2018); `fomaml`, the last update's change alone,
                the gradient where all earlier updates had led (Finn et al. 2017, first order).
        """
        moves, self._moves[agent] = self._moves[agent], []
        if not moves:
            return None
        return np.asarray(np.mean(moves, axis=0)) if kind == "reptile" else moves[-1]


def estimated_regret(experience: Experience, agents: Iterable[str]) -> dict[str, PerSeed]:
    """J_i(deviation) − J_i(current) per agent, undiscounted mean per step, on common random numbers; payoff units.

    Block 0 is the joint policy, block 1 + k the deviation of agent k. It is an unbiased estimate for the deviation that
    played, hence (on average) a lower bound of the exact regret; it may be negative.
    """
    return {
        agent: experience.mean(experience.rewards[agent], block) - experience.mean(experience.rewards[agent], 0)
        for block, agent in enumerate(agents, start=1)
    }


def project(deviation: Learner, current: Learner, rollout: Any, trust_region: float) -> None:
    """Pull the deviation's parameters towards `current`, halving the distance, until the KL is within the region."""
    observations = rollout.observations.reshape(-1, *rollout.observations.shape[2:])
    masks = None if rollout.action_masks is None else rollout.action_masks.reshape(len(observations), -1)
    centre, found = current.get_parameters(), deviation.get_parameters()
    share = np.ones((*found.shape[:-1], 1), dtype=found.dtype)
    for _ in range(_HALVINGS):
        outside = ~(np.asarray(current.kl(deviation, observations, masks))[..., None] <= trust_region)  # NaN too
        if not outside.any():
            return
        share = np.where(outside, share / 2, share).astype(found.dtype)
        deviation.set_parameters(np.where(share < 1, centre + share * (found - centre), found))
    outside = ~(np.asarray(current.kl(deviation, observations, masks))[..., None] <= trust_region)  # NaN too
    deviation.set_parameters(np.where(outside, centre, deviation.get_parameters()))


def lagrangian_reward(agent_reward: FloatArray, planner_payoff: FloatArray, multiplier: PerSeed) -> FloatArray:
    """(λ_i r_i − r_p)/(1 + λ_i), what an adversarial agent maximises (Eqs. 8 and 9); both in units of their scales.

    The shape is that of the rewards, with a leading axis (K,) where λ is (K,).
    """
    price = np.asarray(multiplier)
    price = price.reshape(price.shape + (1,) * agent_reward.ndim) if price.ndim else price
    mixed: FloatArray = (price * agent_reward - planner_payoff) / (1.0 + price)
    return mixed


def meta_step(learner: Learner, meta_gradient: Array, multiplier: PerSeed, step_size: float) -> None:
    """First-order correction for −λ_i ∇J_i(θ′_i) (Eqs. 9 and 13): θ_i ← θ_i − β λ_i/(1 + λ_i) · meta-gradient.

    The meta-gradient stands for ∇J_i(θ′_i) in the units of the agent's own updates (`Deviations.take_meta_gradient`);
    λ_i/(1 + λ_i) is the weight that ∇J_i(θ_i) has in `lagrangian_reward`.
    """
    price = np.asarray(multiplier)[..., None]
    moved = learner.get_parameters() - step_size * price / (1.0 + price) * meta_gradient
    learner.set_parameters(moved.astype(meta_gradient.dtype))
