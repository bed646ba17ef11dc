"""One step of the one-step economy: work, then taxes, then rewards and what is seen (SPEC section 17)."""

from typing import NamedTuple

from ermas_envs.arrays import Array, BoolArray, FloatArray, IntArray, UIntArray
from ermas_envs.economy.actions import decode_planner
from ermas_envs.economy.compiled import compiled, internal
from ermas_envs.economy.masks import planner_mask
from ermas_envs.economy.objectives import ObjectiveScratch
from ermas_envs.economy.random_draws import uniforms
from ermas_envs.economy.saez import SaezParameters
from ermas_envs.economy.state import Tallies
from ermas_envs.economy.taxes import SAEZ, TaxParameters, begin_episode, marginal_rates_so_far, tax
from ermas_envs.one_step import observe
from ermas_envs.one_step.labor import work
from ermas_envs.one_step.objectives import OneStepObjectives, reward, update_objectives
from ermas_envs.one_step.observe import OneStepObservations
from ermas_envs.one_step.state import OneStepState


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
    rewards: FloatArray,
) -> None:
    """A step with the random numbers in `scratch`; hours (n, R), planner_actions (R, entries), rewards (n, R)."""
    state.progress.timestep[replica] += 1
    work(rules.skills, state.agents, state.production, hours, replica)
    if rules.taxed:
        decoded = scratch.planner_actions[slot]
        decode_planner(rules.planner_multi, rules.planner_rates, planner_actions, replica, decoded)
        tax(
            rules.tax,
            state.taxes,
            rules.saez,
            state.saez,
            state.agents,
            state.tallies,
            decoded,
            scratch.rates[slot],
            scratch.saez[slot],
            replica,
        )
    reward(rules.objectives, state, scratch.objectives, slot, replica, rewards)


@compiled
def look(
    rules: OneStepRules, state: OneStepState, views: OneStepViews, scratch: OneStepScratch, slot: int, replica: int
) -> None:
    """Write everything that is seen in a replica, masks too."""
    seen, coins, ordered = rules.observations, scratch.objectives.coins[slot], scratch.objectives.sorted[slot]
    marginal = scratch.marginal[slot]
    if rules.taxed:
        marginal_rates_so_far(rules.tax.cutoffs, state.taxes, state.agents, replica, marginal)
    observe.agent_mask(seen, state, replica, views.agent_mask[replica])
    mask = views.planner_mask[replica]
    planner_mask(
        rules.tax, state.taxes, rules.planner_multi, rules.planner_brackets, rules.planner_rates, replica, mask
    )
    agents, planner = views.agent_vector[replica], views.planner_vector[replica]
    if rules.compact:
        observe.compact_agent_vectors(seen, state, rules.skills, marginal, replica, agents)
        observe.compact_planner_vector(seen, state, coins, ordered, replica, planner)
    else:
        observe.agent_vectors(seen, state, rules.skills, marginal, replica, agents)
        observe.planner_vector(seen, state, coins, ordered, replica, planner)
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
    rewards: FloatArray,
) -> None:
    """A whole step of replicas first … last − 1, in work space number `slot`; see `advance`."""
    for replica in range(first, last):
        draw(rules, state, streams, scratch, slot, replica)
        advance(rules, state, scratch, hours, planner_actions, slot, replica, rewards)
        look(rules, state, views, scratch, slot, replica)


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
            _clear_collections(state.tallies, replica)
            begin_episode(rules.tax, state.taxes, state.saez, state.agents, episodes[index], replica)
        update_objectives(rules.objectives, state, scratch.objectives, slot, replica)
        state.progress.rewards[replica] = 0.0
        state.progress.planner_reward[replica] = 0.0
        look(rules, state, views, scratch, slot, replica)


@internal
def _clear_collections(tallies: Tallies, replica: int) -> None:
    tallies.schedule[replica] = 0.0
    tallies.occupancy[replica] = 0.0
    tallies.paid[replica] = 0.0
    tallies.income[replica] = 0.0
    tallies.effective[replica] = 0.0
    tallies.collections[replica] = 0
