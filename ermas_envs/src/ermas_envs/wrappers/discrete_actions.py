"""Several choices as one: a MultiDiscrete action as a number of all its combinations, for libraries without it."""

from functools import reduce
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import check_integer
from ermas_envs.base.spaces import flat_mask, split_mask
from ermas_envs.faces.parallel_checks import AnyParallelEnv
from ermas_envs.wrappers.conversion import Conversion


class DiscreteActions(Conversion):
    """Every MultiDiscrete action space of one axis becomes Discrete: action k is the k-th combination, in C order.

    A combination is allowed where all its parts are; masks in infos are converted. Other action spaces stay.

    Args:
        env: the environment.
        most: most combinations of one agent, at least 1; a network has an output for each.

    Raises:
        ValueError: an agent has more combinations. In the economies `multi_action_mode_planner=False` then gives a
            planner of one bracket at a time, and a larger `rate_disc` or fewer brackets make their number smaller.
    """

    def __init__(self, env: AnyParallelEnv, most: int = 2000) -> None:
        self.most = check_integer("most", most, 1)
        super().__init__(env)

    def _taken_space(self, agent: str) -> spaces.Space[Any]:
        space: spaces.Space[Any] = self.env.action_space(agent)
        if not isinstance(space, spaces.MultiDiscrete) or space.nvec.ndim != 1:
            return space
        combinations = reduce(lambda product, size: product * int(size), space.nvec, 1)
        if combinations > self.most:
            raise ValueError(
                f"{agent!r} has {combinations} combinations of actions in {space}, more than most = {self.most}; "
                "use fewer parts, or choices per part (in our economies multi_action_mode_planner=False, or a larger "
                "rate_disc)."
            )
        return spaces.Discrete(combinations)

    def _convert(self, agent: str, seen: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        space = self.env.action_space(agent)
        if self.action_spaces[agent] is not space and "action_mask" in info:
            parts = split_mask(space, flat_mask(info["action_mask"]))
            info["action_mask"] = reduce(np.logical_and.outer, parts).ravel().astype(np.int8)
        return seen, info

    def _taken(self, agent: str, action: Any) -> Any:
        space, own = self.env.action_space(agent), self.action_spaces.get(agent)
        if not isinstance(own, spaces.Discrete) or own is space:
            return action
        number = np.asarray(action)
        if number.size != 1 or number.dtype.kind not in "iu" or not 0 <= int(number.item()) < own.n:
            raise ValueError(f"actions[{agent!r}] must be one of {own}, got {action!r}.")
        return np.array(np.unravel_index(int(number.item()), space.nvec), space.dtype) + space.start
