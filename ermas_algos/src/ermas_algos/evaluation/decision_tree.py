"""From what a planner does in many states to a decision tree of few leaves (scikit-learn's CART).

L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and regression trees" (1984), grown best first.
"""

from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array, IntArray
from ermas_envs.game.tree_planner import Tree

MOST_LEAVES = 16
"""As many as a person reads in a table."""


def fitted_tree(observations: Array, actions: Array, space: spaces.Space[Any], seed: int) -> Tree:
    """The tree that does most of what was done; splits that change nothing are left out.

    Args:
        observations: (N, F) float32, N ≥ 1.
        actions: (N, *action shape) what was done there.
        space: of the actions; numbers in a Box are approximated in the mean square, all others by each part's most
            frequent value.
        seed: decides between splits that are equally good.

    Returns:
        As `TreePlanner` takes it, of at most `MOST_LEAVES` leaves.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # takes a second to import

    kind = DecisionTreeRegressor if isinstance(space, spaces.Box) else DecisionTreeClassifier
    model = kind(max_leaf_nodes=MOST_LEAVES, random_state=seed)
    model.fit(observations, actions.reshape(len(actions), -1))
    return _nested(model.tree_, 0, model.apply(observations), actions, space)


def _nested(fitted: Any, node: int, leaf_of: IntArray, actions: Array, space: spaces.Space[Any]) -> dict[str, Any]:
    """A node and all below it; siblings that do the same are one leaf."""
    below, above = int(fitted.children_left[node]), int(fitted.children_right[node])
    if below < 0:
        return {"action": _usual(actions[leaf_of == node], space).tolist()}
    then, otherwise = (_nested(fitted, child, leaf_of, actions, space) for child in (below, above))
    if "action" in then and then == otherwise:
        return then
    return {
        "entry": int(fitted.feature[node]),
        "at_most": float(fitted.threshold[node]),
        "then": then,
        "otherwise": otherwise,
    }


def _usual(actions: Array, space: spaces.Space[Any]) -> Array:
    """The mean of actions (n, *shape) in a Box; else each part's most frequent value."""
    if isinstance(space, spaces.Box):
        return np.asarray(np.clip(actions.mean(axis=0), space.low, space.high), dtype=space.dtype)
    parts = actions.reshape(len(actions), -1)
    least = int(parts.min())  # Discrete spaces may begin below 0
    usual = [np.bincount(part - least).argmax() + least for part in parts.T]
    return np.asarray(usual, dtype=space.dtype).reshape(actions.shape[1:])
