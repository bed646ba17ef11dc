"""Deviation learners and estimated regret (paper Eqs. 10–12): who looks for a better response, and what it found.

Every agent that deviates has a block of replicas of its own, in which its deviation learner plays it against the frozen
others and planner, and trains on the agent's own reward. Agents that share a policy share the deviation learner, which
trains on the rows of the deviating agents only. `persistent` deviations are kept across outer iterations; `restarted`
ones (the paper) start from the agent's current policy each time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ermas_algos.algorithms.collection import Experience, PerSeed
from ermas_algos.algorithms.joint_rollout import Cast
from ermas_algos.algorithms.payoff_scales import PayoffScales
from ermas_algos.algorithms.training_stop import updated
from ermas_algos.learners.protocol import Learner, NotFiniteError
from ermas_envs.base.arrays import Array, FloatArray

MODES = ("persistent", "restarted")
META_GRADIENTS = ("reptile", "fomaml")
_HALVINGS = 20


class Deviations:
    """The deviation learners of all agents.

    Args:
        learners: per agent, the same one for agents that share it; parameters do not matter before `synchronise`.
        trust_region: largest KL(agent's policy ‖ deviation) in nats (Eq. 12), or None for no bound.
        scales: units of the rewards that learners are given; None gives them payoffs as they are.
    """

    def __init__(
        self, learners: Mapping[str, Learner], trust_region: float | None, scales: PayoffScales | None = None
    ) -> None:
        self.learners = dict(learners)
        self._scales = scales or PayoffScales(dict.fromkeys(learners, 1.0), learners, 1)
        self.trust_region = trust_region
        self._moves: dict[int, list[Array]] = {id(learner): [] for learner in self.learners.values()}

    def synchronise(self, current: Mapping[str, Learner]) -> None:
        """Make every deviation an exact copy of its agents' learner, optimiser included."""
        for agents in self._sharers(self.learners).values():
            self.learners[agents[0]].load_state(current[agents[0]].state())

    def cast(self, current: Mapping[str, Learner], with_joint: bool, deviators: Sequence[str] | None = None) -> Cast:
        """Block k is deviator k's deviation against the current others; `with_joint` puts the joint policy first.

        Args:
            current: learner of every acting role.
            with_joint: whether there is a block without deviation.
            deviators: agents that deviate; None: all.
        """
        agents = list(self.learners if deviators is None else deviators)
        joint: list[str | None] = [None] if with_joint else []
        return {
            role: [self.learners[role] if role == deviator else learner for deviator in (*joint, *agents)]
            for role, learner in current.items()
        }

    def update(
        self,
        experience: Experience,
        current: Mapping[str, Learner],
        first_block: int,
        deviators: Sequence[str] | None = None,
    ) -> None:
        """One update of every deviation on its agents' rewards in their blocks, kept inside the trust region."""
        chosen = list(self.learners if deviators is None else deviators)
        blocks = {agent: block for block, agent in enumerate(chosen, start=first_block)}
        for agents in self._sharers(chosen).values():
            learner, agent = self.learners[agents[0]], agents[0]
            before = learner.get_parameters()
            rewards = self._scales.rewards_in_units(experience, agents)
            rollout = experience.rollout([(each, blocks[each]) for each in agents], rewards)
            updated(f"deviation/{agent}", learner, rollout)
            if self.trust_region is not None:
                project(learner, current[agent], rollout, self.trust_region)
            self._moves[id(learner)].append(learner.get_parameters() - before)

    def _sharers(self, agents: Iterable[str]) -> dict[int, list[str]]:
        """These agents by the deviation learner that they share."""
        sharers: dict[int, list[str]] = {}
        for agent in agents:
            sharers.setdefault(id(self.learners[agent]), []).append(agent)
        return sharers

    def take_meta_gradient(self, agent: str, kind: str) -> Array | None:
        """Estimate of ∇J_i(θ′_i) from the deviation's parameter changes since the last call; None if there were none.

        Args:
            agent: whose deviation; of agents that share one, any.
            kind: `reptile`, the mean change per update (Nichol et al. 2018); `fomaml`, the last update's change alone,
                the gradient where all earlier updates had led (Finn et al. 2017, first order).
        """
        key = id(self.learners[agent])
        moves, self._moves[key] = self._moves[key], []
        if not moves:
            return None
        return np.asarray(np.mean(moves, axis=0)) if kind == "reptile" else moves[-1]


def estimated_regret(experience: Experience, agents: Iterable[str]) -> dict[str, PerSeed]:
    """J_i(deviation) − J_i(current) per agent, undiscounted mean per step, on common random numbers; payoff units.

    Block 0 is the joint policy, block 1 + k the deviation of the k-th of these agents. It is an unbiased estimate for
    the deviation that played, hence (on average) a lower bound of the exact regret; it may be negative.
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


def joint_lagrangian(
    planner_payoff: FloatArray,
    rewards: Mapping[str, FloatArray],
    multipliers: Mapping[str, PerSeed],
    blocks: Mapping[str, slice],
    joint: slice,
) -> FloatArray:
    """(−r_p − Σ_j λ_j · regret_j)/(1 + Σ_j λ_j), what all agents maximise together (Eq. 8), sampled in the joint block.

    The regret of j is sampled on common random numbers: its reward in its deviation's block minus that in the same
    replica of the joint block; deviating agents stand for all. What i's action does to it is in both parts, exactly
    where i acts alike in both blocks, as agents do who do not see what others do.

    Args:
        planner_payoff: (T, num_envs) in units of its scale.
        rewards: the same of every agent.
        multipliers: λ of every agent.
        blocks: replicas of each deviating agent's block; at least one.
        joint: replicas of the joint block.

    Returns:
        (T, num_envs), 0 outside the joint block.
    """
    lost = -planner_payoff[:, joint]
    for agent, price in multipliers.items():
        lost = lost + price * rewards[agent][:, joint]
    for agent, block in blocks.items():
        lost = lost - len(multipliers) / len(blocks) * multipliers[agent] * rewards[agent][:, block]
    mixed = np.zeros_like(planner_payoff)
    mixed[:, joint] = lost / (1.0 + sum(multipliers.values()))
    return mixed


def meta_step(learner: Learner, meta_gradient: Array, multiplier: PerSeed, step_size: float) -> None:
    """First-order correction for −λ_i ∇J_i(θ′_i) (Eqs. 9 and 13): θ_i ← θ_i − β λ_i/(1 + λ_i) · meta-gradient.

    The meta-gradient stands for ∇J_i(θ′_i) in the units of the agent's own updates (`Deviations.take_meta_gradient`);
    λ_i/(1 + λ_i) is the weight that ∇J_i(θ_i) has in `lagrangian_reward`; of agents that share θ, `common_multiplier`.
    """
    price = np.asarray(multiplier)[..., None]
    moved = learner.get_parameters() - step_size * price / (1.0 + price) * meta_gradient
    if not np.isfinite(moved).all():
        raise NotFiniteError("the meta-step leaves parameters that are not finite")
    learner.set_parameters(moved.astype(meta_gradient.dtype))


def common_multiplier(multipliers: Sequence[PerSeed]) -> PerSeed:
    """The λ whose weight λ/(1 + λ) is the mean of those of several agents."""
    if len(multipliers) == 1:
        return multipliers[0]
    weight = np.mean([np.asarray(value) / (1.0 + np.asarray(value)) for value in multipliers], axis=0)
    return np.asarray(weight / (1.0 - weight))
