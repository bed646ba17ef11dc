"""One step of the one-step economy: work, then taxes, then rewards and what is seen (SPEC section 17)."""

from typing import NamedTuple

from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray, UIntArray
from ermas_envs.games.one_step import observe
from ermas_envs.games.one_step.objectives import (
    OneStepObjectives,
    begin_objectives,
    keep_objectives,
    update_objectives,
)
from ermas_envs.games.one_step.observe import OneStepObservations
from ermas_envs.games.one_step.state import OneStepState, Workers
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.planner_actions import decode_planner, planner_mask
from ermas_envs.games.taxation.saez import SaezParameters
from ermas_envs.games.taxation.state import TaxTallies
from ermas_envs.games.taxation.taxes import SAEZ, TaxParameters, begin_episode, marginal_rates_so_far, tax
from ermas_envs.games.taxation.welfare import ObjectiveScratch
from ermas_envs.kernels.compiled import compiled, internal
from ermas_envs.kernels.random_draws import uniforms

HOURS = 100
"""Most hours of a step; action k is k hours."""


class OneStepRules(NamedTuple):
    """Everything that does not change."""

    skills: FloatArray
    """(n,) coin per hour."""
    planner_multi: bool
    """Whether the planner sets all brackets at once."""
    planner_brackets: int
    """Entries of the planner's action, 1 where it has no choice."""
    planner_rates: int
    """Rates that the planner can choose from, 0 where it has no choice."""
    compact: bool
    """Whether observations are compact."""
    taxed: bool
    """Whether there is the tax component."""
    tax: TaxParameters
    """Taxes."""
    saez: SaezParameters
    """Saez's formula."""
    objectives: OneStepObjectives
    """Utilities."""
    observations: OneStepObservations
    """What is seen."""


class OneStepViews(NamedTuple):
    """What is seen, written anew at every step."""

    agent_vector: Array
    """(R, n, F) float32."""
    agent_mask: BoolArray
    """(R, HOURS + 1), the same for all agents."""
    planner_vector: Array
    """(R, F) float32."""
    planner_agents: Array
    """(R, n, 3) float32; (R, 0, 0) where the planner sees nothing of single agents."""
    planner_mask: BoolArray
    """(R, mask size)."""


class OneStepScratch(NamedTuple):
    """Work space; the leading axis has a row per thread (`threads.ReplicaThreads.slots`)."""

    planner_actions: IntArray
    """(threads, B) the planner's action, decoded."""
    rates: FloatArray
    """(threads, B) uniforms of the Saez planner's first rates."""
    marginal: FloatArray
    """(threads, n) marginal tax rates."""
    objectives: ObjectiveScratch
    """For welfare."""
    saez: FloatArray
    """(threads, …) see `saez.work_array`."""


@internal
def draw(
    rules: OneStepRules, state: OneStepState, streams: UIntArray, scratch: OneStepScratch, slot: int, replica: int
) -> None:
    """The random numbers of a step: Saez's first rates. (Nothing depends on the original's order of the agents.)"""
    if rules.taxed and rules.tax.setter == SAEZ and not state.saez.ready[replica]:
        uniforms(streams, replica, scratch.rates[slot])


@compiled
def advance(
    rules: OneStepRules,
    state: OneStepState,
    scratch: OneStepScratch,
    hours: IntArray,
    planner_actions: IntArray,
    slot: int,
    replica: int,
) -> None:
    """A step with the random numbers in `scratch`; hours (R, n), planner_actions (R, entries)."""
    state.progress.timestep[replica] += 1
    changed = work(rules.skills, state.agents, state.production, hours, replica)
    if rules.taxed:
        decoded = scratch.planner_actions[slot]
        decode_planner(rules.planner_multi, rules.planner_rates, planner_actions, replica, decoded)
        tax(
            rules.tax,
            state.taxes,
            rules.saez,
            state.saez,
            state.agents,
            state.tax_tallies,
            decoded,
            scratch.rates[slot],
            scratch.saez[slot],
            replica,
        )
        changed = changed or state.taxes.collected[replica]
    if changed:
        update_objectives(rules.objectives, state, scratch.objectives, slot, replica)
    else:
        keep_objectives(state, scratch.objectives, slot, replica)


@compiled
def write_observations(
    rules: OneStepRules, state: OneStepState, views: OneStepViews, scratch: OneStepScratch, slot: int, replica: int
) -> None:
    """Write everything that is seen in a replica, masks too; the objective, updated just before, has left the coins."""
    seen, coins = rules.observations, scratch.objectives.coins[slot]
    marginal = scratch.marginal[slot]
    if rules.taxed and state.taxes.position[replica] == 1:  # nobody has earned anything in a period that begins
        marginal[:] = state.taxes.rates[replica, 0]
    elif rules.taxed:
        marginal_rates_so_far(rules.tax.cutoffs, state.taxes, coins, replica, marginal)
    observe.agent_mask(seen, state, replica, views.agent_mask[replica])
    mask = views.planner_mask[replica]
    planner_mask(
        rules.tax, state.taxes, rules.planner_multi, rules.planner_brackets, rules.planner_rates, replica, mask
    )
    agents, planner = views.agent_vector[replica], views.planner_vector[replica]
    if rules.compact:
        observe.compact_agent_vectors(seen, state, rules.skills, marginal, replica, agents)
        observe.compact_planner_vector(seen, state, coins, replica, planner)
    else:
        observe.agent_vectors(seen, state, rules.skills, marginal, replica, agents)
        observe.planner_vector(seen, state, coins, replica, planner)
        observe.planner_vectors_of_agents(seen, state, marginal, replica, views.planner_agents[replica])


@compiled
def step_replicas(
    rules: OneStepRules,
    state: OneStepState,
    streams: UIntArray,
    hours: IntArray,
    planner_actions: IntArray,
    views: OneStepViews,
    scratch: OneStepScratch,
    slot: int,
    first: int,
    last: int,
) -> None:
    """A whole step of replicas first … last − 1, in work space number `slot`; see `advance`."""
    for replica in range(first, last):
        draw(rules, state, streams, scratch, slot, replica)
        advance(rules, state, scratch, hours, planner_actions, slot, replica)
        write_observations(rules, state, views, scratch, slot, replica)


@compiled
def reset_replicas(
    rules: OneStepRules,
    state: OneStepState,
    views: OneStepViews,
    scratch: OneStepScratch,
    replicas: IntArray,
    episodes: IntArray,
    slot: int,
    first: int,
    last: int,
) -> None:
    """Start an episode, of a given number each, in replicas[first … last − 1], and write what is seen there."""
    for index in range(first, last):
        replica = replicas[index]
        state.progress.timestep[replica] = 0
        state.production[replica] = 0.0
        state.agents.labor[replica] = 0.0
        state.agents.inventory[replica] = 0.0
        if rules.taxed:
            _clear_collections(state.tax_tallies, replica)
            begin_episode(rules.tax, state.taxes, state.saez, state.agents, episodes[index], replica)
        if index == first:
            update_objectives(rules.objectives, state, scratch.objectives, slot, replica)
        begin_objectives(state.progress, replicas[first], replica)
        write_observations(rules, state, views, scratch, slot, replica)


@internal
def _clear_collections(tallies: TaxTallies, replica: int) -> None:
    tallies.schedule[replica] = 0.0
    tallies.occupancy[replica] = 0.0
    tallies.paid[replica] = 0.0
    tallies.income[replica] = 0.0
    tallies.effective[replica] = 0.0
    tallies.collections[replica] = 0


@internal
def work(skills: FloatArray, agents: Workers, production: FloatArray, hours: IntArray, replica: int) -> bool:
    """Set labor to the hours worked and pay for them; who works no hours keeps the labor of before.

    Returns whether anybody worked.

    Args:
        skills: (n,) coin per hour.
        agents: their labor and coin change.
        production: (R, n) coin earned in the episode, before taxes.
        hours: (R, n) int64 in 0 … HOURS.
        replica: which.
    """
    anybody = False
    for agent in range(len(skills)):
        worked = hours[replica, agent]
        if worked > 0:
            anybody = True
            income = worked * skills[agent]
            agents.labor[replica, agent] = worked
            agents.inventory[replica, agent, COIN] += income
            production[replica, agent] += income
    return anybody
