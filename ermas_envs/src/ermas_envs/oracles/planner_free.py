"""Whether the agents of a game can tell what the planner does: where they cannot, agents may be trained once for all.

A sufficient condition: states that look alike to every agent at every step form classes, and neither the agents'
rewards nor the class that follows depend on the planner's action or on the member of the class (a bisimulation of the
agents' game; R. Givan, T. Dean, M. Greig, "Equivalence notions and model minimization", 2003).
"""

import numpy as np

from ermas_envs.game.tabular import TabularGame


def agents_ignore_planner(game: TabularGame) -> bool:
    """True if no planner changes what the agents see, may do and earn, whatever they do themselves.

    False may also mean that the condition above is too narrow for the game.
    """
    agents = game.roles[:-1]
    states = game.start.size
    looks = [game.observations[agent].swapaxes(0, 1).reshape(states, -1) for agent in agents]
    masks = [game.action_masks[agent].reshape(states, -1) for agent in agents]
    _, representative, label = np.unique(
        np.concatenate([*looks, *masks], axis=1), axis=0, return_index=True, return_inverse=True
    )
    consequences = [label[game.next_states], *(game.rewards[agent] for agent in agents)]
    return all(np.array_equal(table, _alike(table, representative[label])) for table in consequences)


def _alike(table: np.ndarray, representatives: np.ndarray) -> np.ndarray:
    """(S, A…) what the table says of each state's representative, for the planner's first action."""
    return np.broadcast_to(table[representatives][..., :1], table.shape)
