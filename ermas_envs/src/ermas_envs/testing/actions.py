"""Random actions for checks, one source per replica: they do not depend on the number of replicas."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import Array
from ermas_envs.base.spaces import flat_mask, mask_size, split_mask
from ermas_envs.game.batch import BatchedEnv, BatchObservation


class ActionSource:
    """Actions of one replica, drawn from copies of the spaces; what a mask forbids is never drawn.

    Args:
        action_spaces: per agent.
        seed: non-negative.
    """

    def __init__(self, action_spaces: Mapping[str, spaces.Space[Any]], seed: int) -> None:
        self._spaces: dict[str, Any] = {agent: copy.deepcopy(space) for agent, space in action_spaces.items()}
        for index, space in enumerate(self._spaces.values()):
            space.seed(1000 * seed + index)

    def draw(self, agent: str, mask: Any) -> Any:
        """Next action of `agent`; `mask` is flat (`BatchObservation`), a tuple with one mask per part, or None."""
        space = self._spaces[agent]
        if mask is None or mask_size(space) is None:
            return space.sample()
        parts = [np.flatnonzero(part) for part in split_mask(space, flat_mask(mask))]
        # Draws what `space.sample` draws with a mask, without its checks, which would take most of a check's time.
        chosen = [part[space.np_random.integers(0, len(part))] if len(part) else 0 for part in parts]
        return space.start + (chosen[0] if isinstance(space, spaces.Discrete) else np.array(chosen, space.dtype))


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
