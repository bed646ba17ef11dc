"""The exact tabular learner: natural policy gradients of a known game, without sampling, many seeds in one batch.

A softmax over actions for each distinct observation. Its natural gradient (S. Kakade, "A Natural Policy Gradient",
2001) is the advantage itself; with an entropy bonus the step is that of S. Cen et al., "Fast Global Convergence of
Natural Policy Gradient Methods with Entropy Regularization" (2021), with the bonus of one decision only, as in PPO.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from scipy import sparse
from scipy.special import log_softmax, softmax

from ermas_algos.learners.protocol import InGame, Learner, LearnerState, Spaces, check_updated, learner_registry
from ermas_algos.saved_state import check_tensors, saved_table
from ermas_envs.base.arguments import check_integer, check_number, check_positive, keep
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray
from ermas_envs.oracles import TabularGame

_INITIAL_SPREAD = 0.1
"""Standard deviation of the first logits: close to uniform play, different for every seed."""
MOST_SEEDS = 2**16
"""Largest batch of exact learners."""


@dataclass(frozen=True)
class ExactLearnerConfig:
    """Hyper-parameters of the exact learner."""

    kind: ClassVar[str] = "exact"
    """See `LearnerConfig.kind`."""
    needs: ClassVar[str] = "tables"
    """See `LearnerConfig.needs`."""

    learning_rate: float = 20.0
    """Logits gained per unit of advantage (payoff) in one update, > 0."""
    entropy: float = 0.002
    """Weight of the entropy bonus, payoff per nat, ≥ 0: log-probabilities tend to advantage/entropy."""
    num_seeds: int = 1
    """Independent learners in one batch, K ≥ 1; where K > 1, all that it returns has a leading axis of length K."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        keep(
            self,
            learning_rate=check_positive("learning_rate", self.learning_rate),
            entropy=check_number("entropy", self.entropy, minimum=0.0),
            num_seeds=check_integer("num_seeds", self.num_seeds, 1, MOST_SEEDS),
        )
        if self.learning_rate * self.entropy >= 1:
            raise ValueError("learning_rate * entropy must be < 1: one step would forget all logits.")

    def make(self, spaces: Spaces, seed: int, game: InGame | None = None) -> "ExactLearner":
        """See `LearnerConfig.make`; ValueError without tables."""
        if game is None:
            raise ValueError("the exact learner needs the game's tables.")
        return ExactLearner(self, game.game, game.roles, spaces.observation, spaces.action, seed)

    def least_numbers(self, spaces: Spaces) -> int:
        return self.num_seeds * int(getattr(spaces.action, "n", 1))


@dataclass(frozen=True)
class ExactRollout:
    """What a rollout of the current joint policy estimates, exactly; "…" is (K,), or nothing where K = 1."""

    observations: Array
    """(H, S, *observation shape) what the role sees at each step in each state."""
    action_masks: BoolArray
    """(H, S, number of actions)."""
    visits: FloatArray
    """(…, H, S) probability of each state at each step."""
    advantages: FloatArray
    """(…, H, S, number of actions) undiscounted advantage of the role's own action, payoff."""


class ExactLearner:
    """A tabular softmax policy behind the `Learner` protocol; it learns from an `ExactRollout`.

    Args:
        config: hyper-parameters.
        game: the tables whose observations the policy distinguishes.
        role: whose policy it is; several roles share it.
        observation_space: what the role sees.
        action_space: Discrete.
        seed: initial logits depend on it alone; member k of the batch does not depend on K.

    Attributes:
        logits: (…, O, number of actions) float64; O distinct observations.
    """

    noise_size = 1

    def __init__(
        self,
        config: ExactLearnerConfig,
        game: TabularGame,
        role: str | Sequence[str],
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        seed: int,
    ) -> None:
        if not isinstance(action_space, spaces.Discrete):
            raise ValueError(f"the exact learner acts in Discrete spaces, got {action_space}.")
        self.config = config
        self.observation_space = observation_space
        self.action_space = action_space
        roles = (role,) if isinstance(role, str) else role
        self._rows = {row.tobytes(): 0 for each in roles for row in game.decision_points(each)[0]}
        self._rows = {key: index for index, key in enumerate(self._rows)}
        draws = [
            np.random.default_rng([seed, k]).normal(0.0, _INITIAL_SPREAD, (len(self._rows), int(action_space.n)))
            for k in range(config.num_seeds)
        ]
        self.logits: FloatArray = np.stack(draws) if config.num_seeds > 1 else draws[0]

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        """See `Learner.act`; masks are ignored. ValueError for a batch of seeds, which cannot be sampled as one."""
        self._require_one_seed("act")
        cumulative = np.cumsum(self.action_probabilities(observations), axis=-1)
        chosen = (cumulative <= noise * cumulative[:, -1:]).sum(axis=1)
        return np.asarray(np.minimum(chosen, cumulative.shape[1] - 1), dtype=np.int64)

    def update(self, rollout: ExactRollout) -> dict[str, Any]:
        """One natural-gradient step: θ(o, a) ← θ(o, a) + η (A(o, a) − τ log π(a|o)).

        A(o, a) is the mean of the advantages over the states and steps that look like o, weighted by their visits.
        """
        if not isinstance(rollout, ExactRollout):
            raise TypeError(f"the exact learner learns from an ExactRollout, got {type(rollout).__name__}.")
        log_policy = log_softmax(self.logits, axis=-1)
        visits, advantages = self._by_observation(rollout)
        step = advantages - self.config.entropy * log_policy
        # A common change of all logits of an observation changes no policy; centring keeps the numbers small.
        logits = self.logits + self.config.learning_rate * step
        self.logits = logits - logits.mean(axis=-1, keepdims=True)
        check_updated(bool(np.isfinite(self.logits).all()), {})
        entropy = -(np.exp(log_policy) * log_policy).sum(axis=-1)
        return {"entropy": (visits * entropy).sum(axis=-1) / visits.sum(axis=-1)}

    def policy_gradient(self, rollout: ExactRollout) -> FloatArray:
        """∂(Σ_t E[r_t])/∂logits, (…, O, number of actions), by the policy gradient theorem (Sutton et al. 2000)."""
        visits, advantages = self._by_observation(rollout)
        policy = softmax(self.logits, axis=-1)
        centred = advantages - (policy * advantages).sum(axis=-1, keepdims=True)
        gradient: FloatArray = visits[..., None] * policy * centred
        return gradient

    def _by_observation(self, rollout: ExactRollout) -> tuple[FloatArray, FloatArray]:
        """Visits (…, O) and mean advantages (…, O, number of actions) of each distinct observation."""
        points = rollout.observations.reshape(-1, *rollout.observations.shape[2:])
        index = self._indices(points)
        gather = sparse.csr_matrix((np.ones(index.size), (np.arange(index.size), index)), (index.size, len(self._rows)))
        lead = rollout.visits.shape[:-2]
        weights = rollout.visits.reshape(-1, index.size)
        weighted = (rollout.visits[..., None] * rollout.advantages).reshape(len(weights), index.size, -1)
        visits = np.stack([row @ gather for row in weights])
        sums = np.stack([gather.T @ member for member in weighted])
        means = np.divide(sums, visits[..., None], out=np.zeros_like(sums), where=visits[..., None] > 0)
        return visits.reshape(*lead, -1), means.reshape(*lead, *means.shape[1:])

    def _indices(self, observations: Array) -> IntArray:
        """Row of the table of each observation; ValueError for one that the game does not hold."""
        try:
            return np.array([self._rows[row.tobytes()] for row in observations], dtype=np.int64)
        except KeyError:
            raise ValueError(
                "an observation does not occur in the game that this exact learner was made for."
            ) from None

    def state(self) -> LearnerState:
        return LearnerState({"logits": self.logits.copy()}, {"table": list(self.logits.shape)})

    def load_state(self, state: LearnerState) -> None:
        saved_table("facts", dict(state.facts), ("table",))
        if state.facts["table"] != list(self.logits.shape):
            raise ValueError(f"a table {state.facts['table']} does not fit this learner's {list(self.logits.shape)}.")
        tensors = {name: np.asarray(tensor) for name, tensor in state.tensors.items()}
        check_tensors(tensors, self.state().tensors)
        self.logits = tensors["logits"].copy()

    def get_parameters(self) -> FloatArray:
        """See `Learner.get_parameters`; (K, P) for a batch of seeds."""
        return self.logits.reshape(*self.logits.shape[:-2], -1).copy()

    def set_parameters(self, vector: FloatArray) -> None:
        wanted = (*self.logits.shape[:-2], self.logits.shape[-2] * self.logits.shape[-1])
        if vector.shape != wanted:
            raise ValueError(f"vector must have shape {wanted}, got {vector.shape}.")
        self.logits = vector.reshape(self.logits.shape).astype(np.float64)

    def kl(self, other: Learner, observations: Array, action_masks: BoolArray | None = None) -> Any:
        """See `Learner.kl`; (K,) for a batch of seeds; TypeError unless `other` is an exact learner too."""
        if not isinstance(other, ExactLearner):
            raise TypeError(f"KL is computed between exact learners, other is a {type(other).__name__}.")
        index = self._indices(observations)
        own, others = (log_softmax(learner.logits[..., index, :], axis=-1) for learner in (self, other))
        divergence = (np.exp(own) * (own - others)).sum(axis=-1).mean(axis=-1)
        return np.maximum(divergence, 0.0)  # rounding can leave −1e-17

    def action_probabilities(self, observations: Array, action_masks: BoolArray | None = None) -> FloatArray:
        """See `Learner.action_probabilities`; (K, R, number of actions) for a batch of seeds."""
        probabilities: FloatArray = softmax(self.logits[..., self._indices(observations), :], axis=-1)
        return probabilities

    def _require_one_seed(self, what: str) -> None:
        if self.config.num_seeds > 1:
            raise ValueError(f"{what}: a batch of {self.config.num_seeds} seeds is not one policy; use num_seeds=1.")


learner_registry.register(ExactLearnerConfig.kind, ExactLearnerConfig)
