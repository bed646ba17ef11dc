"""A trained planner as one that can be read: a decision tree that imitates it, and what that costs.

The tree learns what the planner is likeliest to do in the states of its own play, and of play in which trees of earlier
rounds decided (S. Ross, G. Gordon, D. Bagnell, "A reduction of imitation learning and structured prediction to
no-regret online learning", 2011; for trees O. Bastani et al., arXiv:1805.08328). The tree of the best round, by further
episodes, is then measured beside the planner in fresh ones, with the same frozen agents and the same random numbers.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_algos.algorithms.collection import SampledCollector
from ermas_algos.algorithms.config import rollout_length
from ermas_algos.algorithms.joint_rollout import Trajectories
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.evaluation.decision_tree import fitted_tree
from ermas_algos.evaluation.likeliest_action import likeliest_actions
from ermas_algos.learned_planner import ActingPlanner
from ermas_algos.learners.protocol import Learner, num_seeds
from ermas_algos.learners.uniform import UniformPolicy
from ermas_envs import BatchedEnv
from ermas_envs.base.arguments import check_integer
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.base.entries import entry_names
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.planners import TreePlanner

ROUNDS = 3
"""Trees that are fitted, each to the states of all rounds before it, too."""
TRAINED, LIKELIEST, READABLE, RANDOM = "trained", "likeliest", "readable", "random"
"""Who plays the planner."""
_NORMAL = 1.96
"""Standard errors on either side of 95 %."""


@dataclass(frozen=True)
class Rule:
    """A leaf of the tree in words."""

    conditions: tuple[str, ...]
    """All that must hold: names of what the planner sees, with bounds; none: always."""
    does: Mapping[str, float | None]
    """What the planner then does, in the game's units; None: it leaves that as it is."""
    share: float
    """Of the tree's decisions in the fresh episodes."""


@dataclass(frozen=True)
class Explanation:
    """A planner that can be read, and how it does; payoffs are the planner's, undiscounted means per step."""

    planner: TreePlanner
    """The tree."""
    rules: tuple[Rule, ...]
    """Its leaves."""
    payoffs: Mapping[str, float]
    """Of the planner that was trained, which draws its actions (`trained`), of the same at its likeliest actions
    (`likeliest`), of the tree (`readable`), and of one that acts uniformly at random (`random`; not there where actions
    have no bounds)."""
    differences: Mapping[str, tuple[float, float]]
    """95 % intervals of what the tree earns more than each of the others, from pairs of rollouts on the same random
    numbers."""
    gains: bool
    """Whether the planner at its likeliest actions earns more than one that acts at random, with 95 %."""
    agreement: float
    """Share of the fresh decisions of the tree in which it does just what the planner is likeliest to do."""
    rollouts: int
    """How many were measured."""

    @property
    def share_of_return(self) -> float | None:
        """What the tree earns over what the trained planner earns; None unless that is above 0."""
        trained = self.payoffs[TRAINED]
        return self.payoffs[READABLE] / trained if trained > 0.0 else None

    @property
    def share_of_gain(self) -> float | None:
        """What the tree earns more than a planner that acts at random, over what the planner at its likeliest actions
        earns more than that; None unless it `gains`."""
        if not self.gains:
            return None
        base = self.payoffs[RANDOM]
        return (self.payoffs[READABLE] - base) / (self.payoffs[LIKELIEST] - base)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "planner": {"name": "tree", "tree": self.planner.tree},
            "rules": [
                {"conditions": list(rule.conditions), "does": dict(rule.does), "share": rule.share}
                for rule in self.rules
            ],
            "payoffs": dict(self.payoffs),
            "differences": {who: list(interval) for who, interval in self.differences.items()},
            "share_of_return": self.share_of_return,
            "share_of_gain": self.share_of_gain,
            "agreement": self.agreement,
            "rollouts": self.rollouts,
        }


def explain_planner(trainer: Trainer[Any], seed: int = 0, rollouts: int = 256) -> Explanation:
    """A tree in the place of a trainer's planner; the trainer is left as it is.

    Args:
        trainer: whose planner is a learner that can be sampled; its agents stay as they are.
        seed: everything random follows from it.
        rollouts: that are played per round, to choose, and to measure; each as long as the training's. At least 2.

    Raises:
        ValueError: no learner plays the planner, a batch of seeds does, or it has nothing to decide.
    """
    planner = trainer.env.planner
    if planner not in trainer.learners:
        raise ValueError(f"the planner {planner!r} is not learned here; a planner object plays inside the environment.")
    if num_seeds(trainer.config.planner_learner) > 1:
        raise ValueError("a batch of seeds is not one planner; train with one seed.")
    rollouts = check_integer("rollouts", rollouts, 2)
    generator = np.random.default_rng(check_integer("seed", seed, 0))
    play = _Play(trainer, rollouts, generator)
    trees = play.trees(int(generator.integers(2**31)))
    earned, _ = play.payoffs([ActingPlanner(tree, *play.spaces) for tree in trees])
    best = trees[int(earned.mean(axis=1).argmax())]
    return play.measured(best)


def with_planner(trainer: Trainer[Any], planner: Any) -> Trainer[Any]:
    """A trainer as it is, but for a planner object in the place of its planner's learner; for certificates, not to be
    trained."""
    other, role = copy.copy(trainer), trainer.env.planner
    acting: Any = ActingPlanner(planner, trainer.env.observation_spaces[role], trainer.env.action_spaces[role])
    other.learners = {**trainer.learners, role: acting}
    return other


class _Likeliest:
    """Acts like a learner, but always does what that is likeliest to do."""

    noise_size = 1

    def __init__(self, learner: Learner, space: spaces.Space[Any]) -> None:
        self._learner, self._space = learner, space

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None = None) -> Array:
        return likeliest_actions(self._learner, self._space, observations, action_masks)


class _Play:
    """Rollouts of a trainer's frozen agents with one planner or another."""

    def __init__(self, trainer: Trainer[Any], rollouts: int, generator: np.random.Generator) -> None:
        self.trainer, self.rollouts = trainer, rollouts
        self.env: BatchedEnv = trainer.env
        self.role = self.env.planner
        self.spaces = self.env.observation_spaces[self.role], self.env.action_spaces[self.role]
        self.trained = trainer.learners[self.role]
        self._collector = SampledCollector(trainer.make_env, rollouts, generator)
        self._collector.steps = rollout_length(trainer.config.rollout_steps, self.env.horizon, rollouts)

    def trees(self, seed: int) -> list[TreePlanner]:
        """One per round."""
        actor: Any = self.trained
        observations: list[Array] = []
        actions: list[Array] = []
        found = []
        for _ in range(ROUNDS):
            seen, masks = self._decisions(self._played([actor]), 0)
            if not len(seen):
                raise ValueError(f"the planner {self.role!r} has nothing to decide in these episodes.")
            observations.append(seen.reshape(len(seen), -1).astype(np.float32))
            actions.append(likeliest_actions(self.trained, self.spaces[1], seen, masks))
            tree = fitted_tree(np.concatenate(observations), np.concatenate(actions), self.spaces[1], seed)
            found.append(TreePlanner(tree))
            actor = ActingPlanner(found[-1], *self.spaces)
        return found

    def payoffs(self, players: Sequence[Any]) -> tuple[FloatArray, Trajectories]:
        """(players, rollouts) of the planner, by who plays it, on the same random numbers; and all that was played."""
        played = self._played(players)
        earned = played.payoffs[self.role].mean(axis=0)
        return np.stack([earned[played.block(block)] for block in range(len(players))]), played

    def measured(self, tree: TreePlanner) -> Explanation:
        """The explanation by a tree, in fresh rollouts."""
        space = self.spaces[1]
        players: dict[str, Any] = {TRAINED: self.trained, LIKELIEST: _Likeliest(self.trained, space)}
        if not isinstance(space, spaces.Box) or space.is_bounded():
            players = {RANDOM: UniformPolicy(space), **players}
        players[READABLE] = ActingPlanner(tree, *self.spaces)
        earned, played = self.payoffs(list(players.values()))
        by_name = dict(zip(players, earned, strict=True))
        seen, masks = self._decisions(played, len(players) - 1)
        same = likeliest_actions(self.trained, space, seen, masks) == tree.act(seen, np.empty((len(seen), 0)), None)
        return Explanation(
            planner=tree,
            rules=self._rules(tree, seen),
            payoffs={name: float(one.mean()) for name, one in by_name.items()},
            differences={name: _interval(by_name[READABLE] - one) for name, one in by_name.items() if name != READABLE},
            gains=RANDOM in by_name and _interval(by_name[LIKELIEST] - by_name[RANDOM])[0] > 0.0,
            agreement=float(same.reshape(len(seen), -1).all(axis=1).mean()),
            rollouts=self.rollouts,
        )

    def _rules(self, tree: TreePlanner, seen: Array) -> tuple[Rule, ...]:
        engine = self.env.engine if isinstance(self.env, EngineBatch) else None
        size = int(np.prod(seen.shape[1:]))
        names = entry_names([("entry", size)]) if engine is None else engine.planner_sees()
        flags = np.asarray(np.isin(seen.reshape(len(seen), -1), (0.0, 1.0)).all(axis=0))
        shares = np.bincount(tree.leaf_of(seen), minlength=len(tree.leaves)) / len(seen)
        rules = []
        for leaf, share in zip(tree.leaves, shares.tolist(), strict=True):
            action = np.asarray(leaf.action)
            numbers = action.ravel().tolist()
            stated = dict(zip(entry_names([("action", len(numbers))]), numbers, strict=True))
            does = stated if engine is None else engine.planner_does(action)
            rules.append(Rule(_in_words(leaf.conditions, names, flags), does, share))
        return tuple(rules)

    def _played(self, players: Sequence[Any]) -> Trajectories:
        cast: dict[str, Any] = {role: [learner] * len(players) for role, learner in self.trainer.learners.items()}
        return self._collector.collect({**cast, self.role: players}, self.trainer.iteration)

    def _decisions(self, played: Trajectories, block: int) -> tuple[Array, BoolArray | None]:
        """(N, …) what the planner of a block saw where it decided, and its masks there."""
        rows = played.block(block)
        seen, masks = played.observations[self.role][:-1, rows], None
        if self.role in played.action_masks:
            masks = played.action_masks[self.role][:, rows]
        decided = np.ones(seen.shape[:2], dtype=np.bool_)
        if self.role in played.decisions:
            decided = played.decisions[self.role].acts[:, rows]
        return seen[decided], None if masks is None else masks[decided]


def _interval(more: FloatArray) -> tuple[float, float]:
    """95 % interval of the mean of independent numbers."""
    mean, error = float(more.mean()), _NORMAL * float(more.std(ddof=1)) / float(np.sqrt(len(more)))
    return mean - error, mean + error


def _in_words(conditions: Sequence[tuple[int, bool, float]], names: Sequence[str], flags: BoolArray) -> tuple[str, ...]:
    """One condition per entry: the tightest bounds, in the order in which the tree asks; `flags` are only 0 or 1."""
    bounds: dict[int, tuple[float, float]] = {}
    for entry, below, limit in conditions:
        least, most = bounds.get(entry, (-np.inf, np.inf))
        bounds[entry] = (least, min(most, limit)) if below else (max(least, limit), most)
    words = []
    for entry, (least, most) in bounds.items():
        from_below = "" if least == -np.inf else f"{least:.4g} < "
        between = f"{from_below}{names[entry]}" + ("" if most == np.inf else f" ≤ {most:.4g}")
        words.append(f"{names[entry]} = {int(most == np.inf)}" if flags[entry] else between)
    return tuple(words)
