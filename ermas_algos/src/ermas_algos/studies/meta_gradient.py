"""Meta-gradient estimators (paper Eq. 13; FOMAML; Reptile) against the exact gradient, by differentiating the game.

The deviation starts from the agent's logits θ and takes M exact gradient steps of size α, θ_{j+1} = θ_j + α g_j with
g_j = ∇J_i(θ_j); θ′ = θ_{M+1}. Its payoff J_i(θ′(θ)) and the local regret J_i(θ′(θ)) − J_i(θ) are differentiated through
all steps by torch, and every estimator is compared with them by its cosine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

from ermas_algos.algorithms import ERMAS, ERMASConfig
from ermas_algos.algorithms.exact import tabular_policies
from ermas_algos.experiments.jobs import Job, Row, Scale, Tables
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_envs import bimatrix_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.oracles import Policies, TabularGame
from ermas_envs.oracles.evaluation import joint_probabilities
from ermas_envs.planners import ConstantPlanner

NAME = "meta-gradient"
TABLES = ("meta-gradient",)

UPDATES = (1, 2, 5, 10)
STEP_SIZES = (10.0, 100.0, 1000.0)
POINTS = ("random policy", "during ERMAS")
_ITERATIONS = 80
"""Outer iterations before a policy "during ERMAS" is taken, half of them after warm-up."""


@dataclass(frozen=True)
class Measurement:
    """All estimators at one joint policy."""

    point: str
    """One of `POINTS`."""
    seed: int
    """Seed of the policy."""
    updates: tuple[int, ...] = UPDATES
    """Values of M."""
    step_sizes: tuple[float, ...] = STEP_SIZES
    """Values of α, logits per unit of gradient of the summed payoff of an episode."""

    @property
    def key(self) -> str:
        return f"{self.point.replace(' ', '-')}_seed-{self.seed}"

    def configuration(self) -> dict[str, Any]:
        return asdict(self)

    def run(self) -> Tables:
        """A row per M, α, target and estimator."""
        game = _game(1).tabular_game()
        assert game is not None
        logits, policies = _joint_policy(game, self.point, self.seed)
        mdp = AgentMDP(game, policies, "agent_0")
        rows: list[Row] = []
        for updates in self.updates:
            for step_size in self.step_sizes:
                labels = {"point": self.point, "seed": self.seed, "updates": updates, "step_size": step_size}
                rows += [labels | row for row in _compare(mdp, logits, updates, step_size)]
        return {NAME: rows}


class AgentMDP:
    """What one agent faces while the others' policies stand still; differentiable in the agent's policy.

    Args:
        game: the tables.
        policies: (H, S, number of actions) of the other roles.
        agent: whose decision problem it is.
    """

    def __init__(self, game: TabularGame, policies: Policies, agent: str) -> None:
        complete = game.complete(policies)
        own, axes = game.axis(agent), range(1, 1 + len(game.roles))
        others = joint_probabilities(game, complete, without=agent)
        summed = tuple(1 + axis for axis in axes if axis != own)
        arrives = np.eye(game.start.size)[game.next_states]
        self._rewards = torch.tensor((others * game.rewards[agent]).sum(axis=summed))
        self._moves = torch.tensor((others[..., None] * arrives).sum(axis=summed))
        self._start = torch.tensor(game.start)
        seen, _ = game.decision_points(agent)
        _, index = np.unique(seen, axis=0, return_inverse=True)
        self._index = torch.tensor(index.reshape(game.horizon, game.start.size))

    def total(self, logits: torch.Tensor) -> torch.Tensor:
        """E[Σ_t r_t] of the agent for logits (O, number of actions), differentiable; payoff per episode."""
        policy = torch.softmax(logits, dim=-1)[self._index]
        visits, total = self._start, torch.zeros((), dtype=torch.float64)
        for step in range(len(policy)):
            flow = visits[:, None] * policy[step]
            total = total + (flow * self._rewards[step]).sum()
            visits = torch.einsum("sa,sat->t", flow, self._moves[step])
        return total

    def gradient(self, logits: torch.Tensor, create_graph: bool = False) -> torch.Tensor:
        """∇ of `total`."""
        (gradient,) = torch.autograd.grad(self.total(logits), logits, create_graph=create_graph)
        return gradient


def _compare(mdp: AgentMDP, start: FloatArray, updates: int, step_size: float) -> list[Row]:
    theta = torch.tensor(start, requires_grad=True)
    gradients, deviation = [], theta
    for _ in range(updates):
        gradients.append(mdp.gradient(deviation, create_graph=True))
        deviation = deviation + step_size * gradients[-1]
    (of_deviation,) = torch.autograd.grad(mdp.total(deviation), theta, retain_graph=True)
    first, mean = gradients[0].detach(), torch.stack(gradients).mean(dim=0).detach()
    at_deviation = mdp.gradient(deviation.detach().requires_grad_())
    printed = first - mean
    weights = theta.detach()
    estimators = {
        "deviation payoff": (
            of_deviation,
            {"FOMAML": at_deviation, "Reptile": mean, "Eq. 13 as printed": printed, "weights alone": -weights},
        ),
        "regret": (
            of_deviation - first,
            {
                "FOMAML": at_deviation - first,
                "Reptile": mean - first,
                "Eq. 13 as printed": printed - first,
                "Eq. 13, sign reversed": -printed,
                "none (β = 0)": -first,
                "weights alone": -weights,
            },
        ),
    }
    size = float(of_deviation.norm() / first.norm())
    return [
        {"target": target, "estimator": name, "cosine": _cosine(exact, found), "relative_norm": size}
        for target, (exact, candidates) in estimators.items()
        for name, found in candidates.items()
    ]


def _cosine(one: torch.Tensor, other: torch.Tensor) -> float | None:
    """None where one of the two vanishes (Eq. 13 with M = 1)."""
    norm = one.norm() * other.norm()
    return float((one * other).sum() / norm) if norm > 0 else None


def _game(num_envs: int) -> EngineBatch:
    return bimatrix_v0.batched_env(num_envs, agents_observe="own", planner=ConstantPlanner(0))


def _joint_policy(game: TabularGame, point: str, seed: int) -> tuple[FloatArray, Policies]:
    """Logits of agent_0, and everybody's policies; the deviation starts from these logits."""
    seen, _ = game.decision_points("agent_0")
    _, first = np.unique(seen, axis=0, return_index=True)
    if point == "during ERMAS":
        learner = ExactLearnerConfig(entropy=0.01)
        config = ERMASConfig(seed=seed, agent_learner=learner, planner_learner=learner)
        policies = tabular_policies(game, ERMAS(_game, config).learn(_ITERATIONS).learners)
        return np.log(policies["agent_0"].reshape(len(seen), -1)[first]), policies
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(len(first), 3))
    _, index = np.unique(seen, axis=0, return_inverse=True)
    own = game.as_policy(softmax(logits[index], axis=-1))
    other = game.as_policy(softmax(generator.normal(size=(len(first), 3)), axis=-1)[index])
    return logits, {"agent_0": own, "agent_1": other}


def jobs(scale: Scale) -> Sequence[Job]:
    """Both kinds of policies for every seed."""
    size: dict[str, Any] = {"updates": (2,), "step_sizes": (100.0,)} if scale.quick else {}
    return [Measurement(point, seed, **size) for point in POINTS for seed in scale.numbers]


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the figure."""
    from ermas_algos.studies.meta_gradient_picture import plot_meta_gradient  # Matplotlib takes a second to import

    plot_meta_gradient(path, tables[NAME])
