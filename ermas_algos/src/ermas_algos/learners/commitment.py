"""A planner that commits itself: it searches for the best fixed action, by what the agents then make of it.

Like a learner it acts, learns from rollouts and has a state. It *acts* by what it has found to be best; in training its
`explorer` acts, which tries an arm in every step and replica of a rollout.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ermas_algos.learners import bandits, gaussian_process
from ermas_algos.learners.commitments import grid, number_of
from ermas_algos.learners.protocol import InGame, Learner, LearnerState, NotFiniteError, Rollout, Spaces
from ermas_algos.saved_state import check_finite, restore_generator, saved_count, saved_table
from ermas_envs.base.arguments import check_choice, check_integer, check_number, check_positive, keep
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray

RULES = ("epsilon_greedy", "ucb1", "thompson", "gp_ucb", "expected_improvement")
PROCESSES = ("gp_ucb", "expected_improvement")
LARGEST_GRID = 2**14
"""Most arms."""


@dataclass(frozen=True)
class CommitmentSearch:
    """How a planner searches for the best commitment; rewards are its payoffs per step in units of its scale."""

    needs: ClassVar[str] = "samples"
    """See `LearnerConfig.needs`."""
    kind: ClassVar[str] = "commitment"
    """See `LearnerConfig.kind`; it is no kind that other trainers' planners can have."""

    rule: str = "ucb1"
    """`epsilon_greedy`, `ucb1`, `thompson`; with a Gaussian process over all arms, `gp_ucb`, `expected_improvement`."""
    levels: int = 11
    """Evenly spaced numbers in every dimension of a Box, ≥ 2."""
    most_arms: int = 256
    """Arms, ≥ 1: where the grid has more, so many of it are drawn by the seed."""
    epsilon: float = 0.1
    """`epsilon_greedy`: share of rollouts with an arm that is drawn, in [0, 1]."""
    width: float = 1.0
    """`ucb1`: width of the interval that rewards lie in, > 0; smaller explores less."""
    noise: float = 0.05
    """`thompson` and Gaussian processes: standard deviation of the mean reward of a rollout, > 0."""
    prior_deviation: float = 1.0
    """`thompson`: standard deviation of an arm's expected reward before it was tried, > 0; its mean is 0."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        check_choice("rule", self.rule, RULES)
        keep(
            self,
            levels=check_integer("levels", self.levels, 2, LARGEST_GRID),
            most_arms=check_integer("most_arms", self.most_arms, 1, LARGEST_GRID),
            epsilon=check_number("epsilon", self.epsilon, 0.0, 1.0),
            width=check_positive("width", self.width),
            noise=check_positive("noise", self.noise),
            prior_deviation=check_positive("prior_deviation", self.prior_deviation),
        )

    def make(self, spaces: Spaces, seed: int, game: InGame | None = None) -> "CommitmentLearner":
        """See `LearnerConfig.make`."""
        return CommitmentLearner(self, spaces.observation, spaces.action, seed)

    def least_numbers(self, spaces: Spaces) -> int:
        """See `LearnerConfig.least_numbers`: two per arm."""
        return 2 * number_of(spaces.action, self.levels, self.most_arms)


class CommitmentLearner:
    """A `Learner` over commitments.

    Args:
        config: how it searches.
        observation_space: what it sees, which does not matter.
        action_space: of its commitments; see `commitments.grid`.
        seed: draws the arms of a large grid, and what a rule draws.

    Attributes:
        arms: (K, *action shape).
        counts: (K,) how often every arm was tried.
        sums: (K,) what it has earned in all.
        trying: index of the arm that `explorer` plays.
        best: index of the arm with the best mean; with Gaussian processes and Thompson sampling, the best posterior
            mean. The first arm before anything was tried.
    """

    noise_size = 1

    def __init__(
        self, config: CommitmentSearch, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], seed: int
    ) -> None:
        self.config = config
        self.observation_space, self.action_space = observation_space, action_space
        self._generator = np.random.default_rng(seed)
        self.arms, self._places = grid(action_space, config.levels, config.most_arms, self._generator)
        self.counts: IntArray = np.zeros(len(self.arms), dtype=np.int64)
        self.sums: FloatArray = np.zeros(len(self.arms))
        self.trying = self.best = 0
        self._decide()

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        """The best arm, (R, *action shape)."""
        return np.repeat(self.arms[[self.best]], len(observations), axis=0)

    def explorer(self) -> "Explorer":
        """Who acts in training."""
        return Explorer(self)

    def update(self, rollout: Any) -> dict[str, Any]:
        """Count a rollout of `explorer`, and choose what to try next."""
        assert isinstance(rollout, Rollout)
        earned = float(rollout.rewards.mean())
        if not np.isfinite(earned):
            raise NotFiniteError(f"the reward of arm {self.trying} is {earned}")
        self.counts[self.trying] += 1
        self.sums[self.trying] += earned
        tried = self.trying
        self._decide()
        return {"arm": float(tried), "arm_reward": earned, "best_arm": float(self.best)}

    def _decide(self) -> None:
        """What is tried next, and what is the best so far."""
        beliefs = self._beliefs()
        self.trying, self.best = self._next(beliefs), self._best(beliefs)

    def _beliefs(self) -> tuple[FloatArray, FloatArray]:
        """What is expected of every arm, and the standard deviation of that, where the rule knows one; (K,) each."""
        config = self.config
        if config.rule in PROCESSES and self.counts.any():
            return gaussian_process.beliefs(self._places, self.counts, self.sums, config.noise)
        if config.rule == "thompson":
            return bandits.posterior(self.counts, self.sums, 0.0, config.prior_deviation, config.noise)
        return bandits.means_of(self.counts, self.sums), np.zeros(len(self.arms))

    def _best(self, beliefs: tuple[FloatArray, FloatArray]) -> int:
        return int(beliefs[0].argmax())

    def _next(self, beliefs: tuple[FloatArray, FloatArray]) -> int:
        config, trials, (means, deviations) = self.config, int(self.counts.sum()), beliefs
        if config.rule == "epsilon_greedy":
            return bandits.epsilon_greedy(self.counts, self.sums, config.epsilon, self._generator)
        if config.rule == "ucb1":
            return int(bandits.ucb1_indices(self.counts, self.sums, config.width).argmax())
        if config.rule == "thompson":
            return bandits.thompson(means, deviations, self._generator)
        if trials == 0:
            return int(self._generator.integers(len(self.arms)))
        if config.rule == "gp_ucb":
            return int(gaussian_process.upper_bounds(means, deviations, trials).argmax())
        best = float(means[self.counts > 0].max())
        return int(gaussian_process.expected_improvement(means, deviations, best).argmax())

    def state(self) -> LearnerState:
        tensors = {"counts": self.counts.copy(), "sums": self.sums.copy()}
        return LearnerState(tensors, {"trying": self.trying, "generator": self._generator.bit_generator.state})

    def load_state(self, state: LearnerState) -> None:
        facts = saved_table("facts", dict(state.facts), ("trying", "generator"))
        tensors: Mapping[str, Any] = saved_table("tensors", dict(state.tensors), ("counts", "sums"))
        for name, own in (("counts", self.counts), ("sums", self.sums)):
            given = tensors[name]
            if not isinstance(given, np.ndarray) or given.shape != own.shape or given.dtype != own.dtype:
                raise ValueError(f"{name} must be an array of {own.dtype} of shape {own.shape}.")
        check_finite(tensors)
        if (tensors["counts"] < 0).any() or tensors["sums"][tensors["counts"] == 0].any():
            raise ValueError("counts must be at least 0, and sums 0 where they are 0.")
        trying = saved_count("trying", facts["trying"], len(self.arms) - 1)
        restore_generator("generator", self._generator, facts["generator"])
        self.counts, self.sums, self.trying = tensors["counts"].copy(), tensors["sums"].copy(), trying
        self.best = self._best(self._beliefs())

    def get_parameters(self) -> NDArray[Any]:
        """(2K,) counts and sums."""
        return np.concatenate([self.counts, self.sums])

    def set_parameters(self, vector: NDArray[Any]) -> None:
        counts, sums = np.split(np.asarray(vector, dtype=np.float64), 2)
        self.counts, self.sums = counts.astype(np.int64), sums.copy()
        self.best = self._best(self._beliefs())

    def kl(self, other: Learner, observations: Array, action_masks: BoolArray | None = None) -> float:
        """0 for the same best arm, else infinite."""
        assert isinstance(other, CommitmentLearner)
        return 0.0 if np.array_equal(self.arms[self.best], other.arms[other.best]) else float("inf")

    def action_probabilities(self, observations: Array, action_masks: BoolArray | None = None) -> FloatArray:
        if not isinstance(self.action_space, spaces.Discrete):
            raise TypeError(f"probabilities are known of Discrete actions only, not of {self.action_space}.")
        best = int(self.arms[self.best] - self.action_space.start)
        return np.repeat(np.eye(int(self.action_space.n))[[best]], len(observations), axis=0)


class Explorer:
    """Acts by the arm that a `CommitmentLearner` tries."""

    noise_size = 1

    def __init__(self, learner: CommitmentLearner) -> None:
        self._learner = learner

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        """That arm, (R, *action shape)."""
        return np.repeat(self._learner.arms[[self._learner.trying]], len(observations), axis=0)
