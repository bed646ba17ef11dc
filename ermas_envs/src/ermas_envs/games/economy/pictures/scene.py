"""What one replica of the economy looks like at one step: plain arrays, copied from the engine's state."""

from dataclasses import dataclass

import numpy as np

from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.games.economy.state import HOUSE
from ermas_envs.games.economy.step import EconomyState, Rules
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.welfare import equality, productivity


@dataclass(frozen=True)
class Scene:
    """One replica; H × W tiles, n agents, B tax brackets (0 without taxes)."""

    name: str
    """Registered name of the game."""
    step: int
    """Steps taken in this episode."""
    horizon: int
    """Steps in an episode."""
    planes: Array
    """(7, H, W) uint8, see `state.NUM_PLANES`."""
    owners: Array
    """(H, W) int64: index of the agent that owns the house, −1 where there is none."""
    places: Array
    """(n, 2) int64: row and column of each agent."""
    holdings: FloatArray
    """(n, 3) stone and wood in units, coin; with what open orders hold."""
    labor: FloatArray
    """(n,) labor since the start of the episode."""
    utility: FloatArray
    """(n,) utility."""
    cutoffs: FloatArray
    """(B,) where the tax brackets begin, in coin of income per period."""
    rates: FloatArray
    """(B,) marginal tax rates in force, shares of the income."""
    tax_period: int
    """Steps in a tax period."""
    equality: float
    """1 − n / (n − 1) · Gini index of the coin, in [0, 1]."""
    productivity: float
    """Sum of the coin of all agents."""

    @property
    def num_agents(self) -> int:
        """n."""
        return len(self.places)

    @property
    def coin(self) -> FloatArray:
        """(n,) coin, with what open bids hold."""
        return self.holdings[:, COIN]

    @property
    def houses(self) -> Array:
        """(n,) int64: houses of each agent."""
        return np.bincount(self.owners[self.owners >= 0], minlength=self.num_agents)

    @property
    def header(self) -> str:
        """First line of the picture and of the text."""
        return f"{self.name}   step {self.step} of {self.horizon}"

    @property
    def clock(self) -> str:
        """Which tax period it is, "" without taxes."""
        if not len(self.cutoffs):
            return ""
        before = max(self.step - 1, 0) // self.tax_period
        return f"tax period {before + 1}, step {self.step - before * self.tax_period} of {self.tax_period}"

    @property
    def welfare(self) -> str:
        """Equality and productivity."""
        return f"equality {self.equality:.2f}   productivity {self.productivity:.1f} coin"


def scene_of(name: str, rules: Rules, state: EconomyState, replica: int) -> Scene:
    """The scene of one replica; changes of the state leave it as it is."""
    seen, agents, taxes, progress = rules.observations, state.agents, state.taxes, state.progress
    inside = (slice(seen.pad, seen.pad + seen.height), slice(seen.pad, seen.pad + seen.width))
    planes = state.world.planes[replica][:, *inside].copy()
    owners = state.world.owners[replica][inside].astype(np.int64) - 2
    holdings = agents.inventory[replica] + agents.escrow[replica]
    coin = np.ascontiguousarray(holdings[:, COIN])
    return Scene(
        name=name,
        step=int(progress.timestep[replica]),
        horizon=rules.horizon,
        planes=planes,
        owners=np.where(planes[HOUSE] > 0, owners, -1),
        places=np.stack([agents.row[replica], agents.column[replica]], axis=1).astype(np.int64) - seen.pad,
        holdings=holdings,
        labor=agents.labor[replica].copy(),
        utility=progress.utility[replica].copy(),
        cutoffs=rules.tax.cutoffs.copy(),
        rates=taxes.rates[replica].copy(),
        tax_period=rules.tax.period,
        equality=float(equality(coin, np.empty_like(coin))),
        productivity=float(productivity(coin)),
    )
