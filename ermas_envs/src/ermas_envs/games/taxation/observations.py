"""What agents and the planner see of taxes, and vectors as Gymnasium observations (SPEC section 13)."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import AGENT_GROUP, PLANNER, Array, Observation, agent_id
from ermas_envs.base.groups import ByRole, Roles
from ermas_envs.games.taxation.state import Taxes
from ermas_envs.kernels.compiled import internal

Entries: TypeAlias = Sequence[tuple[str, int]]
"""(name, size) of each entry of a vector."""
TAXES_OF_AGENT = tuple(
    (f"PeriodicBracketTax-{name}", 1) for name in ("curr_marginal_rate", "last_income", "last_marginal_rate")
)
"""What the planner sees of an agent's taxes."""


def tax_entries(num_agents: int, brackets: int, marginal: bool) -> list[tuple[str, int]]:
    """Entries about taxes; none without brackets."""
    if brackets == 0:
        return []
    entries = [("curr_rates", brackets), ("is_first_day", 1), ("is_tax_day", 1), ("last_incomes", num_agents)]
    entries += [("marginal_rate", 1)] if marginal else []
    return [(f"PeriodicBracketTax-{name}", size) for name, size in [*entries, ("tax_phase", 1)]]


def compact_tax_entries(brackets: int, *more: tuple[str, int]) -> Entries:
    """Entries about taxes in compact observations: the schedule, then `more`; none without brackets."""
    if brackets == 0:
        return ()
    return [("rates", brackets), ("is_first_day", 1), ("is_tax_day", 1), ("tax_phase", 1), *more]


def size(entries: Entries) -> int:
    """Length of the vector."""
    return sum(length for _, length in entries)


def slices(entries: Entries) -> dict[str, slice]:
    """Where each entry stands in the vector."""
    found, start = {}, 0
    for name, length in entries:
        found[name] = slice(start, start + length)
        start += length
    return found


@internal
def schedule(brackets: int, period: int, taxes: Taxes, replica: int, out: Array, cursor: int) -> int:
    """Write the rates shown, whether a period begins, and whether the next step ends one; return where to go on."""
    for bracket in range(brackets):
        out[cursor + bracket] = taxes.shown_rates[replica, bracket]
    cursor += brackets
    out[cursor] = 1.0 if taxes.position[replica] == 1 else 0.0
    out[cursor + 1] = 1.0 if taxes.position[replica] >= period else 0.0
    return cursor + 2


@internal
def schedule_and_phase(brackets: int, period: int, taxes: Taxes, replica: int, out: Array, cursor: int) -> int:
    """Write `schedule` and how much of the period has passed (`compact_tax_entries`); return where to go on."""
    cursor = schedule(brackets, period, taxes, replica, out, cursor)
    out[cursor] = taxes.position[replica] / period
    return cursor + 1


@internal
def shared_taxes(brackets: int, period: int, taxes: Taxes, replica: int, out: Array, cursor: int) -> int:
    """Write what everybody sees of taxes: `schedule` and the sorted incomes; return where to go on."""
    cursor = schedule(brackets, period, taxes, replica, out, cursor)
    num_agents = taxes.sorted_income.shape[1]
    for rank in range(num_agents):
        out[cursor + rank] = taxes.sorted_income[replica, rank] / period
    return cursor + num_agents


def tax_roles(num_agents: int) -> Roles:
    """Everybody in an economy: the agents, who are alike, and the planner."""
    return Roles({AGENT_GROUP: [agent_id(index) for index in range(num_agents)], PLANNER: [PLANNER]})


class VectorObserver:
    """Names of everything that is seen.

    Args:
        settings: the economy: num_agents, observations, flatten_observations.
        agent_entries: of an agent's vector.
        planner_entries: of the planner's vector.
        agent_of_planner: of what the planner sees of each agent.
    """

    def __init__(
        self, settings: Any, agent_entries: Entries, planner_entries: Entries, agent_of_planner: Entries
    ) -> None:
        self.compact = settings.observations == "compact"
        self.flatten = settings.flatten_observations
        self.roles = tax_roles(settings.num_agents)
        self.agent_entries, self.planner_entries = agent_entries, planner_entries
        self.agent_of_planner = agent_of_planner
        self._names_of_agents = [f"p{index}" for index in range(settings.num_agents)]
        self._agent_slices, self._planner_slices = slices(agent_entries), slices(planner_entries)
        self._agent_of_planner_slices = slices(agent_of_planner)

    def observations(self, views: Any) -> ByRole[Observation]:
        """What everybody observes; arrays are views of `views`: `agent_vector`, `planner_vector`, `planner_agents`."""
        return ByRole(self.roles, {AGENT_GROUP: self._of_agents(views), PLANNER: self._of_planner(views)})

    def spaces_of(self, views: Any) -> dict[str, spaces.Space[object]]:
        """Observation space of every role, from arrays of the right shapes."""
        sample, agents = self.observations(views), self.roles.groups[AGENT_GROUP]
        agent = self._space(sample[agents[0]])
        return {**dict.fromkeys(agents, agent), PLANNER: self._space(sample[PLANNER])}

    def maps_of_agents(self, views: Any) -> dict[str, Array]:
        """Maps that agents see beside their vectors: none."""
        return {}

    def maps_of_planner(self, views: Any) -> dict[str, Array]:
        """Maps that the planner sees beside its vector: none."""
        return {}

    def _of_agents(self, views: Any) -> Observation:
        vectors: Array = views.agent_vector
        if self.compact:
            return vectors
        return {**self._named(vectors, self._agent_slices), **self.maps_of_agents(views)}

    def _of_planner(self, views: Any) -> Observation:
        vector: Array = views.planner_vector[:, None]
        if self.compact:
            return vector
        maps = {name: values[:, None] for name, values in self.maps_of_planner(views).items()}
        # Taken apart by iteration: with a hundred agents, one index after another costs a fifth of a step.
        of_agents = zip(self._names_of_agents, views.planner_agents[:, None].transpose(2, 0, 1, 3), strict=False)
        seen = {**self._named(vector, self._planner_slices), **maps}
        if self.flatten:
            return {**seen, **dict(of_agents)}
        where = self._agent_of_planner_slices.items()
        return {**seen, **{f"{name}-{entry}": one[..., at] for name, one in of_agents for entry, at in where}}

    def _named(self, vector: Array, where: Mapping[str, slice]) -> dict[str, Array]:
        if self.flatten:
            return {"flat": vector, "time": vector[..., where["time"]]}
        return {name: vector[..., at] for name, at in where.items()}

    def _space(self, seen: Observation) -> spaces.Space[Any]:
        if not isinstance(seen, Mapping):
            return self._box("", seen)
        return spaces.Dict({name: self._box(name, values) for name, values in seen.items()})

    def _box(self, name: str, values: Array) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, values.shape[1:], np.float32)
