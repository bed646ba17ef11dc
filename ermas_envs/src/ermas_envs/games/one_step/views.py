"""What agents and the planner see as Gymnasium spaces and arrays: the face of `step.OneStepViews`."""

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import AGENT_GROUP, PLANNER, BoolArray, Observation
from ermas_envs.base.groups import ByRole, same_for_all
from ermas_envs.games.one_step import observe
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.one_step.step import HOURS, OneStepRules, OneStepViews
from ermas_envs.games.taxation.observations import Entries, VectorObserver, size
from ermas_envs.games.taxation.planner_actions import planner_mask_size


class OneStepObserver(VectorObserver):
    """Names and shapes of everything that is seen, and its arrays.

    Args:
        settings: the game.
        rules: its constants.
        num_envs: number of replicas.
    """

    def __init__(self, settings: OneStepSettings, rules: OneStepRules, num_envs: int) -> None:
        agents, brackets = settings.num_agents, rules.observations.brackets
        entries: tuple[Entries, Entries, Entries]
        if settings.observations == "compact":
            entries = observe.compact_agent_entries(brackets), observe.compact_planner_entries(brackets), ()
        else:
            entries = (
                observe.agent_entries(agents, brackets),
                observe.planner_entries(agents, brackets),
                observe.planner_entries_of_agent(brackets),
            )
        super().__init__(settings, *entries)
        single = agents if self.agent_of_planner else 0
        choices = rules.planner_multi, rules.planner_brackets, rules.planner_rates
        self._shapes = {
            "agent_vector": ((num_envs, agents, size(self.agent_entries)), np.float32),
            "agent_mask": ((num_envs, HOURS + 1), np.bool_),
            "planner_vector": ((num_envs, size(self.planner_entries)), np.float32),
            "planner_agents": ((num_envs, single, size(self.agent_of_planner)), np.float32),
            "planner_mask": ((num_envs, planner_mask_size(*choices)), np.bool_),
        }

    def arrays(self) -> OneStepViews:
        """New arrays, with nothing meaningful in them."""
        return OneStepViews(**{name: np.empty(shape, dtype) for name, (shape, dtype) in self._shapes.items()})

    def copied(self, seen: ByRole[Observation]) -> ByRole[Observation]:
        """Observations whose mappings are new, so that changing them does no harm; arrays are the same."""
        by_group = seen.by_group.items()
        return ByRole(self.roles, {group: one if self.compact else dict(one) for group, one in by_group})

    def masks(self, views: OneStepViews) -> ByRole[BoolArray]:
        """What everybody may do; all agents have the same array."""
        agents = same_for_all(views.agent_mask, len(self.roles.groups[AGENT_GROUP]))
        return ByRole(self.roles, {AGENT_GROUP: agents, PLANNER: views.planner_mask[:, None]})

    def observation_spaces(self) -> dict[str, spaces.Space[object]]:
        """Observation space of every role."""
        return self.spaces_of(self.arrays())
