"""Coin endowments: what an agent has in its inventory and in the escrow of open orders (SPEC section 2)."""

from ermas_envs.arrays import FloatArray
from ermas_envs.economy.compiled import internal
from ermas_envs.economy.state import COIN, Agents


@internal
def coin_endowment(agents: Agents, replica: int, agent: int) -> float:
    """Coin of an agent."""
    return float(agents.inventory[replica, agent, COIN] + agents.escrow[replica, agent, COIN])


@internal
def coin_endowments(agents: Agents, replica: int, out: FloatArray) -> None:
    """Write the coin of every agent into out (n,)."""
    for agent in range(len(out)):
        out[agent] = coin_endowment(agents, replica, agent)
