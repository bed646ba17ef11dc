"""What agents have: coin in the inventory and in the escrow of open orders (SPEC section 2)."""

from typing import Protocol

from ermas_envs.base.arrays import FloatArray
from ermas_envs.kernels.compiled import internal

COIN = 2
"""Place of coin among the resources, after stone and wood."""


class Holdings(Protocol):
    """The agents of a game, as far as taxes touch them; a NamedTuple of arrays."""

    @property
    def inventory(self) -> FloatArray:
        """(R, n, 3) stone and wood in units, coin."""

    @property
    def escrow(self) -> FloatArray:
        """(R, n, 3) what open orders hold."""


@internal
def coin_endowment(agents: Holdings, replica: int, agent: int) -> float:
    """Coin of an agent."""
    return float(agents.inventory[replica, agent, COIN] + agents.escrow[replica, agent, COIN])


@internal
def coin_endowments(agents: Holdings, replica: int, out: FloatArray) -> None:
    """Write the coin of every agent into out (n,)."""
    for agent in range(len(out)):
        out[agent] = coin_endowment(agents, replica, agent)
