"""Random actions for checks, one source per replica: they do not depend on the number of replicas."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.arrays import Array
from ermas_envs.batch import BatchedEnv, BatchObservation


class ActionSource:
    """Actions of one replica, drawn from copies of the spaces; masked-out Discrete actions are never drawn.

    Args:
        action_spaces: per agent.
        seed: non-negative.
    """

    def __init__(self, action_spaces: Mapping[str, spaces.Space[Any]], seed: int) -> None:
        self._spaces = {agent: copy.deepcopy(space) for agent, space in action_spaces.items()}
        for index, space in enumerate(self._spaces.values()):
            space.seed(1000 * seed + index)

    def draw(self, agent: str, mask: Array | None) -> Any:
        """Next action of `agent`; `mask` has one entry per Discrete action, or is None."""
        space = self._spaces[agent]
        if mask is not None and isinstance(space, spaces.Discrete):
            return space.sample(np.asarray(mask, dtype=np.int8))
        return space.sample()


class BatchActionSource:
    """Actions of a batch, one `ActionSource` per replica.

    Args:
        env: the batch.
        seeds: one per replica.
    """

    def __init__(self, env: BatchedEnv, seeds: list[int]) -> None:
        self._agents = env.possible_agents
        self._sources = [ActionSource(env.action_spaces, seed) for seed in seeds]

    def draw(self, seen: BatchObservation) -> dict[str, Array]:
        """Next actions, per agent (num_envs, *action shape)."""
        actions = {}
        for agent in self._agents:
            masks = seen.action_masks.get(agent)
            rows = [
                source.draw(agent, None if masks is None else masks[replica])
                for replica, source in enumerate(self._sources)
            ]
            actions[agent] = np.asarray(rows)
        return actions
