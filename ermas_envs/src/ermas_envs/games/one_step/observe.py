"""Vectors that agents and the planner see (SPEC section 17): the original's, and compact ones for small networks.

Kernels write in the order of the entries, which for the original ones is the alphabetical order of its names.
"""

from typing import NamedTuple

from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.games.one_step.state import OneStepState
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.observations import (
    TAXES_OF_AGENT,
    Entries,
    compact_tax_entries,
    schedule_and_phase,
    shared_taxes,
    tax_entries,
)
from ermas_envs.games.taxation.welfare import productivity
from ermas_envs.kernels.compiled import internal

DECILES = 11
"""Least income, nine deciles, largest."""
COIN_SCALE = 0.01
"""Factor of coin in compact observations."""


class OneStepObservations(NamedTuple):
    """Constants of the observations."""

    brackets: int
    """Number of brackets, 0 without taxes."""
    period: int
    """Steps of a tax period."""
    top_wage: float
    """What wages are divided by."""
    time_scale: float
    """What the time is divided by."""
    coin_scale: float
    """Factor of coin in compact observations."""
    mask_first_step: bool
    """Whether agents' masks forbid work before the first step."""


def agent_entries(num_agents: int, brackets: int) -> Entries:
    """(name, size) of an agent's vector."""
    return (*tax_entries(num_agents, brackets, marginal=True), ("SimpleLabor-skill", 1), ("time", 1))


def planner_entries(num_agents: int, brackets: int) -> Entries:
    """(name, size) of the planner's vector."""
    welfare = (("world-equality", 1), ("world-normalized_per_capita_productivity", 1))
    return (*tax_entries(num_agents, brackets, marginal=False), ("time", 1), *welfare)


def planner_entries_of_agent(brackets: int) -> Entries:
    """(name, size) of what the planner sees of each agent."""
    return TAXES_OF_AGENT if brackets else ()


def compact_agent_entries(brackets: int) -> Entries:
    """(name, size) of an agent's compact vector."""
    shared = compact_tax_entries(brackets, ("mean_income", 1))
    own_taxes = (("marginal_rate", 1), ("last_income", 1)) if brackets else ()
    return (("time", 1), *shared, ("skill", 1), ("coin", 1), *own_taxes)


def compact_planner_entries(brackets: int) -> Entries:
    """(name, size) of the planner's compact vector."""
    return (("time", 1), *compact_tax_entries(brackets, ("last_incomes", DECILES)), ("equality", 1), ("mean_coin", 1))


@internal
def agent_vectors(
    parameters: OneStepObservations,
    state: OneStepState,
    skills: FloatArray,
    marginal: FloatArray,
    replica: int,
    out: Array,
) -> None:
    """Write all agents' vectors, (n, size of `agent_entries`) float32; skills and marginal tax rates are (n,)."""
    taxes, first, size = state.taxes, out[0], out.shape[1]
    cursor = 0
    if parameters.brackets > 0:
        cursor = shared_taxes(parameters.brackets, parameters.period, taxes, replica, first, 0)
        first[cursor + 1] = taxes.position[replica] / parameters.period
        cursor += 2
    first[cursor + 1] = state.progress.timestep[replica] / parameters.time_scale
    for agent in range(len(out)):
        vector = out[agent]
        for entry in range(size):  # nearly all of it is the same for everybody
            vector[entry] = first[entry]
        if parameters.brackets > 0:
            vector[cursor - 2] = marginal[agent]
        vector[cursor] = skills[agent] / parameters.top_wage


@internal
def planner_vector(
    parameters: OneStepObservations,
    state: OneStepState,
    coins: FloatArray,
    replica: int,
    out: Array,
) -> None:
    """Write the planner's vector, (size of `planner_entries`,) float32, for coins (n,)."""
    taxes = state.taxes
    cursor = 0
    if parameters.brackets > 0:
        cursor = shared_taxes(parameters.brackets, parameters.period, taxes, replica, out, 0)
        out[cursor] = taxes.position[replica] / parameters.period
        cursor += 1
    out[cursor] = state.progress.timestep[replica] / parameters.time_scale
    out[cursor + 1] = state.progress.equality[replica]
    out[cursor + 2] = productivity(coins) / len(coins) / 1000.0


@internal
def planner_vectors_of_agents(
    parameters: OneStepObservations, state: OneStepState, marginal: FloatArray, replica: int, out: Array
) -> None:
    """Write what the planner sees of the agents, (n, size of `planner_entries_of_agent`) float32."""
    taxes = state.taxes
    for agent in range(len(out)):
        out[agent, 0] = marginal[agent]
        out[agent, 1] = taxes.last_income[replica, agent] / parameters.period
        out[agent, 2] = taxes.last_marginal_rate[replica, agent]


@internal
def compact_agent_vectors(
    parameters: OneStepObservations,
    state: OneStepState,
    skills: FloatArray,
    marginal: FloatArray,
    replica: int,
    out: Array,
) -> None:
    """Write all agents' vectors, (n, size of `compact_agent_entries`) float32; see `agent_vectors`."""
    taxes, num_agents = state.taxes, len(out)
    first, brackets, scale = out[0], parameters.brackets, parameters.coin_scale
    first[0] = state.progress.timestep[replica] / parameters.time_scale
    cursor = 1
    if brackets > 0:
        cursor = schedule_and_phase(brackets, parameters.period, taxes, replica, first, cursor)
        first[cursor] = productivity(taxes.last_income[replica]) / num_agents * scale
        cursor += 1
    for agent in range(num_agents):
        vector = out[agent]
        for entry in range(cursor):
            vector[entry] = first[entry]
        vector[cursor] = skills[agent] / parameters.top_wage
        vector[cursor + 1] = state.agents.inventory[replica, agent, COIN] * scale
        if brackets > 0:
            vector[cursor + 2] = marginal[agent]
            vector[cursor + 3] = taxes.last_income[replica, agent] * scale


@internal
def compact_planner_vector(
    parameters: OneStepObservations,
    state: OneStepState,
    coins: FloatArray,
    replica: int,
    out: Array,
) -> None:
    """Write the planner's vector, (size of `compact_planner_entries`,) float32, for coins (n,)."""
    taxes, last = state.taxes, len(coins) - 1
    out[0] = state.progress.timestep[replica] / parameters.time_scale
    cursor = 1
    if parameters.brackets > 0:
        cursor = schedule_and_phase(parameters.brackets, parameters.period, taxes, replica, out, cursor)
        for decile in range(DECILES):
            income = taxes.sorted_income[replica, decile * last // (DECILES - 1)]
            out[cursor + decile] = income * parameters.coin_scale
        cursor += DECILES
    out[cursor] = state.progress.equality[replica]
    out[cursor + 1] = productivity(coins) / len(coins) * parameters.coin_scale


@internal
def agent_mask(parameters: OneStepObservations, state: OneStepState, replica: int, out: BoolArray) -> None:
    """Write the mask that all agents have, (HOURS + 1,): no work, or before the first step, if so set, only that."""
    allowed = state.progress.timestep[replica] > 0 or not parameters.mask_first_step
    out[0] = True
    for hours in range(1, len(out)):
        out[hours] = allowed
