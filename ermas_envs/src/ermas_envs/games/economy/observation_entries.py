"""What stands where in an observation (SPEC section 13): names and sizes, in the order in which kernels write them.

Entries are in alphabetical order of the original's names.
"""

from collections.abc import Sequence

from ermas_envs.games.economy.settings import (
    Build,
    ContinuousDoubleAuction,
    EconomySettings,
    Gather,
)
from ermas_envs.games.economy.state import RESOURCES
from ermas_envs.games.taxation.observations import TAXES_OF_AGENT, Entries, tax_entries
from ermas_envs.games.taxation.settings import PeriodicBracketTax

INVENTORY = tuple((f"world-inventory-{resource}", 1) for resource in ("Coin", *RESOURCES))


def agent_entries(settings: EconomySettings, brackets: int) -> Entries:
    """Entries of an agent's vector."""
    found: list[tuple[str, int]] = []
    if settings.component(Build) is not None:
        found += [("Build-build_payment", 1), ("Build-build_skill", 1)]
    market = settings.component(ContinuousDoubleAuction)
    if market is not None:
        prices = market.max_bid_ask + 1
        books = ("available_asks", "available_bids"), ("my_asks", "my_bids", "price_history")
        found += _by_commodity(books[0], prices) + _by_commodity(("market_rate",), 1) + _by_commodity(books[1], prices)
    if settings.component(Gather) is not None:
        found.append(("Gather-bonus_gather_prob", 1))
    found += tax_entries(settings.num_agents, brackets, marginal=True)
    found += [("time", 1), *INVENTORY]
    if not settings.full_observability:
        found += [("world-loc-col", 1), ("world-loc-row", 1)]
    return found


def planner_entries(settings: EconomySettings, brackets: int) -> Entries:
    """Entries of the planner's vector."""
    found: list[tuple[str, int]] = []
    market = settings.component(ContinuousDoubleAuction)
    if market is not None:
        prices = market.max_bid_ask + 1
        found += _by_commodity(("full_asks", "full_bids"), prices)
        found += _by_commodity(("market_rate",), 1) + _by_commodity(("price_history",), prices)
    return [*found, *tax_entries(settings.num_agents, brackets, marginal=False), ("time", 1), *INVENTORY]


def planner_entries_of_agent(settings: EconomySettings) -> Entries:
    """Entries of what the planner sees of each agent, `p0`, `p1`, …; none where it sees nothing of them."""
    found: list[tuple[str, int]] = []
    if settings.component(PeriodicBracketTax) is not None:
        found += TAXES_OF_AGENT
    if planner_sees_inventories(settings):
        found += INVENTORY
        if settings.planner_gets_spatial_info:
            found += [("world-loc-col", 1), ("world-loc-row", 1)]
    return found


def planner_sees_inventories(settings: EconomySettings) -> bool:
    """Whether the planner sees the agents' inventories (and, with spatial information, places)."""
    hidden = "full_observability_hides_inventories" in settings.compatibility
    return not (settings.full_observability and hidden)


def _by_commodity(names: Sequence[str], length: int) -> list[tuple[str, int]]:
    return [(f"ContinuousDoubleAuction-{name}-{resource}", length) for name in names for resource in RESOURCES]
