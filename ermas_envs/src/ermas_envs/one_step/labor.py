"""Hours of work and what they pay (SPEC section 17)."""

from ermas_envs.arrays import FloatArray, IntArray
from ermas_envs.economy.compiled import internal
from ermas_envs.economy.state import COIN, Agents

HOURS = 100
"""Most hours of a step; action k is k hours."""


@internal
def work(skills: FloatArray, agents: Agents, production: FloatArray, hours: IntArray, replica: int) -> None:
    """Set labor to the hours worked and pay for them; who works no hours keeps the labor of before.

    Args:
        skills: (n,) coin per hour.
        agents: their labor and coin change.
        production: (R, n) coin earned in the episode, before taxes.
        hours: (n, R) int64 in 0 … HOURS.
        replica: which.
    """
    for agent in range(len(skills)):
        worked = hours[agent, replica]
        if worked > 0:
            income = worked * skills[agent]
            agents.labor[replica, agent] = worked
            agents.inventory[replica, agent, COIN] += income
            production[replica, agent] += income
