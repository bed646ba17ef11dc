"""Action masks in the form that a library wants: flat, as a table, inside the observation, or not at all."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import check_choice
from ermas_envs.base.arrays import Array
from ermas_envs.base.spaces import flat_mask, mask_size, sampling_mask, split_mask
from ermas_envs.faces.parallel_batch import without_mask
from ermas_envs.faces.parallel_checks import AnyParallelEnv
from ermas_envs.wrappers.conversion import Conversion

MASK_FORMS = ("sample", "flat", "table", "observation", "observations", "none")
_INSIDE = ("observation", "observations")  # forms that are named after the key beside the mask


class ActionMasks(Conversion):
    """Shows masks in one of these forms; 1 = allowed, int8. Elsewhere infos stay as they are.

    | form | where | shape |
    |---|---|---|
    | "sample" | `infos[agent]["action_mask"]` | as `action_space.sample` takes it: (n,), or a tuple with one per part |
    | "flat" | the same | (n,); for MultiDiscrete (Σ nvec,), one part after another |
    | "table" | the same | (n,); for MultiDiscrete (parts, max nvec), with 0 where a part has fewer actions |
    | "observation" | the observation, `{"observation": …, "action_mask": …}`: PettingZoo's habit | as "flat" |
    | "observations" | the observation, `{"observations": …, "action_mask": …}`: RLlib's | as "flat" |
    | "none" | nowhere | |

    A mask is read from `infos[agent]["action_mask"]` or from a Dict observation of `observation` and `action_mask`; an
    agent that is shown none may do everything. Agents with other actions than Discrete, or MultiDiscrete of one axis,
    are left alone.

    Args:
        env: the environment.
        form: one of `MASK_FORMS`.

    Raises:
        ValueError: another form.
    """

    def __init__(self, env: AnyParallelEnv, form: str) -> None:
        self.form = check_choice("form", form, MASK_FORMS)
        super().__init__(env)

    def _shown_space(self, agent: str) -> spaces.Space[Any]:
        seen = without_mask(self.env.observation_space(agent))
        size = mask_size(self.env.action_space(agent))
        if size is None:
            space: spaces.Space[Any] = self.env.observation_space(agent)
            return space
        if self.form not in _INSIDE:
            return seen
        return spaces.Dict({self.form: seen, "action_mask": spaces.Box(0, 1, (size,), np.int8)})

    def _convert(self, agent: str, seen: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        space = self.env.action_space(agent)
        size = mask_size(space)
        if size is None:
            return seen, info
        given = info.pop("action_mask", None)
        if without_mask(self.env.observation_space(agent)) is not self.env.observation_space(agent):
            given = seen["action_mask"] if given is None else given
            seen = seen["observation"]
        mask = np.ones(size, np.int8) if given is None else flat_mask(given).astype(np.int8)
        if self.form in _INSIDE:
            return {self.form: seen, "action_mask": mask}, info
        if self.form != "none":
            info["action_mask"] = self._formed(space, mask)
        return seen, info

    def _formed(self, space: spaces.Space[Any], mask: Array) -> Any:
        if self.form == "sample":
            return sampling_mask(space, mask)
        if self.form == "flat" or not isinstance(space, spaces.MultiDiscrete):
            return mask
        table = np.zeros((len(space.nvec), int(space.nvec.max())), np.int8)
        for row, part in zip(table, split_mask(space, mask), strict=True):
            row[: len(part)] = part
        return table
