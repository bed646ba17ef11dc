"""What agents and the planner see as Gymnasium spaces and arrays: the face of `step.OneStepViews`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.arrays import Array, BoolArray, Observation
from ermas_envs.economy.observation_entries import size, slices
from ermas_envs.economy.views import planner_mask_size
from ermas_envs.ids import PLANNER, agent_id
from ermas_envs.one_step import observe
from ermas_envs.one_step.labor import HOURS
from ermas_envs.one_step.observe import Entries
from ermas_envs.one_step.settings import OneStepSettings
from ermas_envs.one_step.step import OneStepRules, OneStepViews


class OneStepSight:
    """Names and shapes of everything that is seen, and its arrays.

    Args:
        settings: the game.
        rules: its constants.
        num_envs: number of replicas.
    """

    def __init__(self, settings: OneStepSettings, rules: OneStepRules, num_envs: int) -> None:
        self.compact = settings.observations == "compact"
        self.flatten = settings.flatten_observations
        agents, brackets = settings.num_agents, rules.observations.brackets
        self.agents = tuple(agent_id(index) for index in range(agents))
        self.agent_entries: Entries = observe.agent_entries(agents, brackets)
        self.planner_entries: Entries = observe.planner_entries(agents, brackets)
        self.agent_of_planner: Entries = observe.planner_entries_of_agent(brackets)
        if self.compact:
            self.agent_entries = observe.compact_agent_entries(brackets)
            self.planner_entries = observe.compact_planner_entries(brackets)
            self.agent_of_planner = ()
        single = agents if self.agent_of_planner else 0
        choices = rules.planner_multi, rules.planner_brackets, rules.planner_rates
        self._shapes = {
            "agent_vector": ((num_envs, agents, size(self.agent_entries)), np.float32),
            "agent_mask": ((num_envs, HOURS + 1), np.bool_),
            "planner_vector": ((num_envs, size(self.planner_entries)), np.float32),
            "planner_agents": ((num_envs, single, size(self.agent_of_planner)), np.float32),
            "planner_mask": ((num_envs, planner_mask_size(*choices)), np.bool_),
        }
        self._slices = {entries: slices(entries) for entries in (self.agent_entries, self.planner_entries)}

    def arrays(self) -> OneStepViews:
        """New arrays, with nothing meaningful in them."""
        return OneStepViews(**{name: np.empty(shape, dtype) for name, (shape, dtype) in self._shapes.items()})

    def observations(self, views: OneStepViews) -> dict[str, Observation]:
        """Per role its observation; arrays are views of `views`."""
        found = {agent: self._of_agent(views, index) for index, agent in enumerate(self.agents)}
        return {**found, PLANNER: self._of_planner(views)}

    def copied(self, seen: Mapping[str, Any]) -> dict[str, Observation]:
        """Observations whose mappings are new, so that changing them does no harm; arrays are the same."""
        return dict(seen) if self.compact else {role: dict(one) for role, one in seen.items()}

    def masks(self, views: OneStepViews) -> dict[str, BoolArray]:
        """Per role its mask; all agents have the same array."""
        return {**dict.fromkeys(self.agents, views.agent_mask), PLANNER: views.planner_mask}

    def observation_spaces(self) -> dict[str, spaces.Space[object]]:
        """Observation space of every role."""
        sample = self.observations(self.arrays())
        agent = _space(sample[self.agents[0]])
        return {**dict.fromkeys(self.agents, agent), PLANNER: _space(sample[PLANNER])}

    def _of_agent(self, views: OneStepViews, index: int) -> Observation:
        vector = views.agent_vector[:, index]
        return vector if self.compact else self._entries(vector, self.agent_entries)

    def _of_planner(self, views: OneStepViews) -> Observation:
        if self.compact:
            return views.planner_vector
        seen = self._entries(views.planner_vector, self.planner_entries)
        for index in range(views.planner_agents.shape[1]):
            of_agent = views.planner_agents[:, index]
            if self.flatten:
                seen[f"p{index}"] = of_agent
            else:
                seen |= {
                    f"p{index}-{name}": of_agent[:, where] for name, where in slices(self.agent_of_planner).items()
                }
        return seen

    def _entries(self, vector: Array, entries: Entries) -> dict[str, Array]:
        where = self._slices[entries]
        if self.flatten:
            return {"flat": vector, "time": vector[:, where["time"]]}
        return {name: vector[:, at] for name, at in where.items()}


def _space(seen: Observation) -> spaces.Space[Any]:
    if isinstance(seen, Mapping):
        return spaces.Dict({name: _space(values) for name, values in seen.items()})
    return spaces.Box(-np.inf, np.inf, seen.shape[1:], np.float32)
