"""The tax clock: rates at the start of a period, collection and redistribution at its end (SPEC sections 11 and 17)."""

import math
from typing import NamedTuple

from ermas_envs.base.arrays import FloatArray, IntArray
from ermas_envs.games.taxation.holdings import COIN, Holdings, coin_endowment, coin_endowments
from ermas_envs.games.taxation.saez import SaezParameters, SaezState, append, random_rates, saez_is_ready, saez_rates
from ermas_envs.games.taxation.sorting import sort_in_order
from ermas_envs.games.taxation.state import Taxes, TaxTallies
from ermas_envs.games.taxation.tax_schedule import annealed_cap
from ermas_envs.kernels.compiled import compiled, internal

LEARNED, FIXED, SAEZ = 0, 1, 2
"""Who sets the rates: the planner's actions, a fixed schedule, Saez's formula."""


class TaxParameters(NamedTuple):
    """Constants of the component."""

    setter: int
    """LEARNED, FIXED or SAEZ."""
    period: int
    """Steps."""
    cutoffs: FloatArray
    """(B,) coin."""
    choices: FloatArray
    """(K,) rates that a learned planner can choose from; its action k > 0 is choices[k − 1]."""
    fixed_rates: FloatArray
    """(B,) of a fixed schedule."""
    rate_min: float
    """0 where taxes are disabled."""
    rate_max: float
    """0 where taxes are disabled."""
    warmup: float
    """Episodes before annealing (−∞: none)."""
    slope: float
    """Annealing per episode."""
    stale_rates: bool
    """Compatibility: the first observation shows rates under the last episode's cap, or its last rates (SAEZ)."""


@internal
def begin_episode(
    parameters: TaxParameters, taxes: Taxes, saez: SaezState, agents: Holdings, completions: int, replica: int
) -> None:
    """Clock at the start of a period; rates before anybody has set them; incomes count from the coin that agents hold.

    `taxes.rate_cap` must be that of the episode before (of episode 0 before the first).
    """
    stale = taxes.rate_cap[replica]
    cap = annealed_cap(completions, parameters.warmup, parameters.slope, parameters.rate_max)
    taxes.rate_cap[replica] = cap
    taxes.choice_limit[replica] = annealed_cap(completions, parameters.warmup, parameters.slope, parameters.choices[-1])
    taxes.position[replica] = 1
    taxes.collected[replica] = False
    taxes.last_lump_sum[replica] = 0.0
    for bracket in range(len(parameters.cutoffs)):
        taxes.rate_index[replica, bracket] = 0
        rate = parameters.choices[0]
        if parameters.setter == FIXED:
            rate = parameters.fixed_rates[bracket]
        elif parameters.setter == SAEZ:
            rate = saez.average_rates[replica, bracket]
        shown = rate if parameters.setter == LEARNED else min(rate, cap)
        if parameters.stale_rates and parameters.setter == FIXED:
            shown = min(rate, stale)
        elif parameters.stale_rates and parameters.setter == SAEZ:
            shown = taxes.rates[replica, bracket]
        taxes.shown_rates[replica, bracket] = shown
        taxes.rates[replica, bracket] = rate if parameters.setter == LEARNED else min(rate, cap)
    coin_endowments(agents, replica, taxes.base_coin[replica])
    taxes.last_income[replica] = 0.0
    taxes.sorted_income[replica] = 0.0
    taxes.last_marginal_rate[replica] = 0.0
    taxes.last_paid[replica] = 0.0


@internal
def tax(
    parameters: TaxParameters,
    taxes: Taxes,
    saez_parameters: SaezParameters,
    saez: SaezState,
    agents: Holdings,
    tallies: TaxTallies,
    planner_actions: IntArray,
    uniforms: FloatArray,
    work: FloatArray,
    replica: int,
) -> None:
    """One step of the clock.

    Args:
        planner_actions: (B,) 0 keeps a rate, k sets choices[k − 1]; used at the start of a period only.
        uniforms: (B,) for random rates before Saez's formula is ready.
        work: see `saez.work_array`.
    """
    taxes.collected[replica] = False
    if taxes.position[replica] == 1:
        _set_rates(parameters, taxes, saez_parameters, saez, planner_actions, uniforms, work, replica)
    if taxes.position[replica] >= parameters.period:
        _collect(parameters, taxes, saez, agents, tallies, replica)
        taxes.position[replica] = 0
    taxes.position[replica] += 1


@internal
def _set_rates(
    parameters: TaxParameters,
    taxes: Taxes,
    saez_parameters: SaezParameters,
    saez: SaezState,
    planner_actions: IntArray,
    uniforms: FloatArray,
    work: FloatArray,
    replica: int,
) -> None:
    rates, cap = taxes.rates[replica], taxes.rate_cap[replica]
    if parameters.setter == SAEZ:
        if saez_is_ready(saez, replica, saez_parameters):
            saez_rates(saez, replica, saez_parameters, parameters.cutoffs, cap, work, rates)
        else:
            random_rates(uniforms, parameters.rate_min, cap, rates)
    for bracket in range(len(rates)):
        if parameters.setter == FIXED:
            rates[bracket] = min(parameters.fixed_rates[bracket], cap)
        elif parameters.setter == SAEZ:
            rates[bracket] = min(rates[bracket], cap)
        elif planner_actions[bracket] > 0:
            taxes.rate_index[replica, bracket] = planner_actions[bracket] - 1
            rates[bracket] = parameters.choices[planner_actions[bracket] - 1]
        taxes.shown_rates[replica, bracket] = rates[bracket]


@internal
def income_so_far(taxes: Taxes, agents: Holdings, replica: int, agent: int) -> float:
    """Change of an agent's coin endowment since the period began."""
    return float(coin_endowment(agents, replica, agent) - taxes.base_coin[replica, agent])


@internal
def marginal_rates_so_far(cutoffs: FloatArray, taxes: Taxes, coins: FloatArray, replica: int, out: FloatArray) -> None:
    """Write the marginal rate of every agent's income since the period began into out (n,); `marginal_rate` of each.

    Coins (n,) are what agents have. Bracket by bracket, as a processor then takes several agents at once.
    """
    rates, base = taxes.rates[replica], taxes.base_coin[replica]
    for agent in range(len(out)):
        out[agent] = 0.0
    for upper in range(1, len(cutoffs)):
        cutoff = cutoffs[upper]
        for agent in range(len(out)):
            out[agent] += 1.0 if coins[agent] - base[agent] >= cutoff else 0.0
    for agent in range(len(out)):
        out[agent] = rates[int(out[agent])] if coins[agent] - base[agent] >= 0.0 else 0.0


@internal
def _collect(
    parameters: TaxParameters, taxes: Taxes, saez: SaezState, agents: Holdings, tallies: TaxTallies, replica: int
) -> None:
    """Everybody pays what is due, as far as its inventory goes, and gets an equal share of the sum.

    As in the original, that holds for a negative inventory, too, which `redistribute` may leave: its owner is paid.
    """
    rates = taxes.rates[replica]
    incomes, marginal, paid = taxes.last_income[replica], taxes.last_marginal_rate[replica], taxes.last_paid[replica]
    for agent in range(len(incomes)):
        incomes[agent] = income_so_far(taxes, agents, replica, agent)
    _assess(parameters.cutoffs, rates, incomes, marginal, paid, tallies.occupancy[replica])
    pool, effective = 0.0, tallies.effective[replica]
    for agent in range(len(incomes)):
        paid[agent] = min(agents.inventory[replica, agent, COIN], paid[agent])
        agents.inventory[replica, agent, COIN] -= paid[agent]
        pool += paid[agent]
        effective += effective_rate(incomes[agent], paid[agent])
        if parameters.setter == SAEZ:
            append(saez, replica, incomes[agent], marginal[agent])
        tallies.paid[replica, agent] += paid[agent]
        tallies.income[replica, agent] += max(0.0, incomes[agent])
    tallies.effective[replica] = effective
    sort_in_order(incomes, taxes.order[replica], taxes.sorted_income[replica])
    taxes.last_lump_sum[replica] = pool / len(incomes)
    for agent in range(len(incomes)):
        agents.inventory[replica, agent, COIN] += taxes.last_lump_sum[replica]
        taxes.base_coin[replica, agent] = coin_endowment(agents, replica, agent)
    taxes.collected[replica] = True
    tallies.collections[replica] += 1
    for bracket in range(len(rates)):
        tallies.schedule[replica, bracket] += rates[bracket]


@internal
def _assess(
    cutoffs: FloatArray,
    rates: FloatArray,
    incomes: FloatArray,
    marginal: FloatArray,
    due: FloatArray,
    occupancy: FloatArray,
) -> None:
    """`marginal_rate` and `tax_due` of all incomes (n,), and how many more are in each bracket (B,).

    Bracket by bracket, as a processor then takes several agents at once.
    """
    for agent in range(len(incomes)):
        marginal[agent] = 0.0  # the bracket's number, at first
        due[agent] = 0.0
    for bracket in range(len(cutoffs)):
        lower, rate, size = cutoffs[bracket], rates[bracket], math.inf
        if bracket + 1 < len(cutoffs):
            size = cutoffs[bracket + 1] - lower
        for agent in range(len(incomes)):
            inside = incomes[agent] - lower
            inside = inside if inside > 0.0 else 0.0
            due[agent] += rate * (inside if inside < size else size)
        if bracket > 0:
            above = 0
            for agent in range(len(incomes)):
                marginal[agent] += 1.0 if incomes[agent] >= lower else 0.0
                above += incomes[agent] >= lower
            occupancy[bracket - 1] -= above
            occupancy[bracket] += above
    occupancy[0] += len(incomes)
    for agent in range(len(incomes)):
        marginal[agent] = rates[int(marginal[agent])] if incomes[agent] >= 0.0 else 0.0


@compiled
def effective_rate(income: float, paid: float) -> float:
    """Share of the income that was paid; 0 for incomes that are not positive."""
    return paid / max(1e-6, income)


@internal
def redistribute(agents: Holdings, replica: int) -> None:
    """Give all agents the same coin endowment; escrow stays where it is, so that an inventory may become negative."""
    num_agents = agents.inventory.shape[1]
    total = 0.0
    for agent in range(num_agents):
        total += coin_endowment(agents, replica, agent)
    for agent in range(num_agents):
        agents.inventory[replica, agent, COIN] = total / num_agents - agents.escrow[replica, agent, COIN]
