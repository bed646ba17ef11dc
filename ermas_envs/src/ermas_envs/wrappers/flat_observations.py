"""Observations as one vector each, for libraries that take no Dict: `gymnasium.spaces.flatten` for every agent."""

from typing import Any

from gymnasium import spaces

from ermas_envs.wrappers.conversion import Conversion


class FlatObservations(Conversion):
    """Every observation is a vector: the entries of a Dict one after another, Discrete ones as one-hot vectors.

    Infos, and so masks, stay where they are; wrap in `ActionMasks` afterwards to have a mask beside the vector.
    """

    def _shown_space(self, agent: str) -> spaces.Space[Any]:
        flat = spaces.flatten_space(self.env.observation_space(agent))
        if not isinstance(flat, spaces.Box):
            raise ValueError(f"observations of {agent!r} have no fixed number of entries: {flat}.")
        return flat

    def _convert(self, agent: str, seen: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        flat: Any = spaces.flatten(self.env.observation_space(agent), seen)
        return flat.astype(self.observation_spaces[agent].dtype, copy=False), info
