"""Games that tests of several oracles share: bimatrix games in tables, separable games of any shape, other units."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0
from ermas_envs.oracles import TabularGame

ROLES = ("agent_0", "agent_1", "planner")
SIZES, ACTIONS, HORIZON = (2, 3), (2, 3), 2


def own_game(**arguments: Any) -> TabularGame:
    game = bimatrix_v0.batched_env(1, **{"agents_observe": "own", **arguments}).tabular_game()
    assert game is not None
    return game


def augmented(**arguments: Any) -> TabularGame:
    game = augmented_bimatrix_v0.batched_env(1, **{"agents_observe": "own", **arguments}).tabular_game()
    assert game is not None
    return game


def separable_game(seed: int) -> tuple[TabularGame, np.ndarray]:
    """Two agents on 2 and 3 local states, the states in random order; and a blind planner with three actions."""
    generator = np.random.default_rng(seed)
    cells = generator.permutation(list(itertools.product(*map(range, SIZES))))
    local = [generator.integers(size, size=(size, actions)) for size, actions in zip(SIZES, ACTIONS, strict=True)]
    terms = generator.normal(size=(3, 2, 3, 3, 3))  # of each role, in each agent's local state and action, by planner's
    shape = (len(cells), *ACTIONS, 3)
    next_states, rewards = np.empty(shape, dtype=np.int64), {role: np.empty(shape) for role in ROLES}
    for state, *acts in itertools.product(range(len(cells)), *map(range, (*ACTIONS, 3))):
        own = list(zip(cells[state], acts, strict=False))
        following = [moves[at] for moves, at in zip(local, own, strict=True)]
        next_states[state, *acts] = np.flatnonzero((cells == following).all(axis=1))[0]
        for role, term in zip(ROLES, terms, strict=True):
            rewards[role][state, *acts] = sum(term[k, s, a, acts[2]] for k, (s, a) in enumerate(own))
    seen = {
        agent: np.array([[[7.0 * cell, step] for cell in cells[:, k]] for step in range(HORIZON)])
        for k, agent in enumerate(ROLES[:2])
    }
    start = generator.dirichlet(np.ones(len(cells)))
    game = TabularGame(ROLES, HORIZON, start, next_states, rewards, rewards["planner"], seen, {})
    return game, np.repeat(generator.dirichlet(np.ones(3), HORIZON)[:, None], len(cells), axis=1)


def in_units(
    game: TabularGame, units: Mapping[str, float] | None = None, added: Mapping[str, float] | None = None
) -> TabularGame:
    """The same game with each role's rewards in another unit (multiplied), or with a constant added to them."""
    factors, constants = units or {}, added or {}
    rewards = {role: factors.get(role, 1.0) * table + constants.get(role, 0.0) for role, table in game.rewards.items()}
    return replace(game, rewards=rewards)
