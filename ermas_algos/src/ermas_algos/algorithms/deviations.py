"""Deviation learners and estimated regret (paper Eqs. 10–12): who looks for a better response, and what it found.

Every agent has a deviation learner that trains on the agent's own reward in a block of replicas of its own, against the
frozen others and planner. `persistent` deviations are kept across outer iterations; `restarted` ones (the paper) start
from the agent's current policy each time.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ermas_algos.algorithms.joint_rollout import Cast, Trajectories
from ermas_algos.learners.protocol import Learner, Rollout
from ermas_envs.arrays import FloatArray

MODES = ("persistent", "restarted")
_HALVINGS = 20


class Deviations:
    """The deviation learners of all agents.

    Args:
        learners: one per agent; their parameters do not matter before `synchronise`.
        trust_region: largest KL(agent's policy ‖ deviation) in nats (Eq. 12), or None for no bound.
    """

    def __init__(self, learners: Mapping[str, Learner], trust_region: float | None) -> None:
        self.learners = dict(learners)
        self.trust_region = trust_region
        self._displacements: dict[str, list[NDArray[np.float32]]] = {agent: [] for agent in learners}

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

    def update(self, trajectories: Trajectories, current: Mapping[str, Learner], first_block: int) -> None:
        """One update of every deviation on its block's rewards, kept inside the trust region."""
        for block, (agent, learner) in enumerate(self.learners.items(), start=first_block):
            before = learner.get_parameters()
            rollout = trajectories.rollout(agent, block, trajectories.rewards[agent])
            learner.update(rollout)
            if self.trust_region is not None:
                project(learner, current[agent], rollout, self.trust_region)
            self._displacements[agent].append(learner.get_parameters() - before)

    def take_displacement(self, agent: str) -> NDArray[np.float32] | None:
        """Mean change of the agent's deviation per update since the last call, (P,), for the meta-step (Eq. 13)."""
        moves, self._displacements[agent] = self._displacements[agent], []
        return np.mean(moves, axis=0) if moves else None


def estimated_regret(trajectories: Trajectories, agents: Iterable[str]) -> dict[str, float]:
    """J_i(deviation) − J_i(current) per agent, undiscounted mean per step, on common random numbers; payoff units.

    Block 0 is the joint policy, block 1 + k the deviation of agent k. It is an unbiased estimate for the deviation that
    played, hence (on average) a lower bound of the exact regret; it may be negative.
    """
    return {
        agent: trajectories.mean(trajectories.rewards[agent], block) - trajectories.mean(trajectories.rewards[agent], 0)
        for block, agent in enumerate(agents, start=1)
    }


def project(deviation: Learner, current: Learner, rollout: Rollout, trust_region: float) -> None:
    """Pull the deviation's parameters towards `current`, halving the distance, until the KL is within the region."""
    observations = rollout.observations.reshape(-1, *rollout.observations.shape[2:])
    masks = None if rollout.action_masks is None else rollout.action_masks.reshape(len(observations), -1)
    centre, found = current.get_parameters(), deviation.get_parameters()
    for halvings in range(1, _HALVINGS + 1):
        if current.kl(deviation, observations, masks) <= trust_region:
            return
        deviation.set_parameters(centre + np.float32(0.5**halvings) * (found - centre))
    deviation.set_parameters(centre)


def lagrangian_reward(agent_reward: FloatArray, planner_payoff: FloatArray, multiplier: float) -> FloatArray:
    """(λ_i r_i − r_p)/(1 + λ_i), what an adversarial agent maximises (Eqs. 8 and 9); r_p in units of its scale."""
    mixed: FloatArray = (multiplier * agent_reward - planner_payoff) / (1.0 + multiplier)
    return mixed


def meta_step(learner: Learner, displacement: NDArray[np.float32], multiplier: float, step_size: float) -> None:
    """First-order correction for −λ_i ∇J_i(θ′_i) (Eqs. 9 and 13): θ_i ← θ_i − β λ_i/(1 + λ_i) · (mean deviation step).

    The deviation's parameter change per update stands for ∇J_i(θ′_i), in the units of the agent's own updates (Reptile,
    Nichol et al. 2018); λ_i/(1 + λ_i) is the weight that ∇J_i(θ_i) has in `lagrangian_reward`.
    """
    weight = step_size * multiplier / (1.0 + multiplier)
    learner.set_parameters((learner.get_parameters() - weight * displacement).astype(np.float32))
