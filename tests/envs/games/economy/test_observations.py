"""What agents and the planner see, recomputed in plain Python from the state."""

from typing import Any

import numpy as np
import pytest

from ermas_envs import economy_v0
from ermas_envs.games.economy import compact
from ermas_envs.games.economy.state import (
    ASK,
    BID,
    HOUSE,
    STONE_SOURCE,
    WATER,
)
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.observations import size, slices
from ermas_envs.games.taxation.tax_planners import FixedBrackets
from ermas_envs.testing.actions import BatchActionSource

PERIOD, TOP = 4, 3
SMALL: dict[str, Any] = {
    "num_agents": 5,
    "horizon": 40,
    "layout": ["...W..", "WSW...", ".S@.W.", "......", "..SS@."],
    "components": [
        {"Build": {"skill_dist": "pareto", "payment": 5, "payment_max_skill_multiplier": 3}},
        {"ContinuousDoubleAuction": {"max_bid_ask": TOP, "order_duration": 4, "max_num_orders": 3}},
        {"Gather": {"skill_dist": "pareto"}},
        {
            "PeriodicBracketTax": {
                "period": PERIOD,
                "bracket_spacing": "linear",
                "n_brackets": 3,
                "top_bracket_cutoff": 8,
            }
        },
    ],
    "planner": FixedBrackets([0.1, 0.5, 0.9]),
    "starting_agent_coin": 6.0,
    "fixed_four_skill_and_loc": False,
    "mobile_agent_observation_range": 2,
    "wood": {"regen_weight": 0.3, "max_health": 2},
    "stone": {"regen_weight": 0.3},
}


def played(steps: int, seed: int = 0, **arguments: Any) -> tuple[Any, Any]:
    """A batch of 3 after random play, and what was seen last."""
    batch = economy_v0.batched_env(3, **{**SMALL, **arguments})
    source = BatchActionSource(batch, [0, 1, 2])
    seen: Any = batch.reset(seed)
    for _ in range(steps):
        seen = batch.step(source.draw(seen))
    return batch, seen


def named(batch: Any, vector: Any, planner: bool = False) -> dict[str, Any]:
    """Entries of a vector by name, float64."""
    entries = batch.engine.observer.planner_entries if planner else batch.engine.observer.agent_entries
    assert size(entries) == len(vector)
    return {name: vector[where].astype(np.float64) for name, where in slices(entries).items()}


class Truth:
    """One replica, by plain numbers; maps without their border."""

    def __init__(self, batch: Any, replica: int) -> None:
        state, pad = batch.engine.state, batch.engine.reset_parameters.pad
        height, width = batch.engine.size
        self.height, self.width = height, width
        inside = slice(pad, pad + height), slice(pad, pad + width)
        self.planes = state.world.planes[replica][(slice(None), *inside)].astype(int)
        self.owners, self.standing = (
            array[replica][inside].astype(int) for array in (state.world.owners, state.world.standing)
        )
        self.at = list(zip(state.agents.row[replica] - pad, state.agents.column[replica] - pad, strict=True))
        self.inventory, self.escrow = state.agents.inventory[replica], state.agents.escrow[replica]
        self.coin = (self.inventory + self.escrow)[:, COIN]
        self.payment, self.skill = state.agents.build_payment[replica], state.agents.build_skill[replica]
        self.bonus = state.agents.bonus_gather_prob[replica]
        market = state.market
        self.books = [
            [market.orders[replica, c, side, : market.counts[replica, c, side]].tolist() for side in (BID, ASK)]
            for c in range(2)
        ]
        self.history, self.market_rates = market.history[replica], market.rates[replica]
        self.base, self.rates = state.taxes.base_coin[replica], state.taxes.rates[replica]
        self.last_income = state.taxes.last_income[replica]
        self.last_marginal = state.taxes.last_marginal_rate[replica]
        self.time = int(state.progress.timestep[replica])
        self.position = 1 + self.time % PERIOD
        self.builds = state.tallies.builds[replica]

    def marginal(self, agent: int) -> float:
        income = self.coin[agent] - self.base[agent]
        return 0.0 if income < 0 else float(self.rates[sum(income >= cutoff for cutoff in (4.0, 8.0))])

    def depth(self, commodity: int, side: int, mine: int | None = None, others: int | None = None) -> list[int]:
        counts = [0] * (TOP + 1)
        for agent, price, _ in self.books[commodity][side]:
            counts[price] += (mine is None or agent == mine) and agent != others
        return counts

    def ground(self, row: int, column: int) -> bool:
        return 0 <= row < self.height and 0 <= column < self.width and not self.planes[:6, row, column].any()

    def can_enter(self, agent: int, row: int, column: int) -> bool:
        inside = 0 <= row < self.height and 0 <= column < self.width
        return bool(
            inside
            and not self.planes[WATER, row, column]
            and self.owners[row, column] in (0, agent + 2)
            and not self.standing[row, column]
        )


def close(seen: Any, expected: Any, name: str) -> None:
    np.testing.assert_allclose(np.ravel(seen), np.ravel(expected), rtol=1e-5, atol=1e-6, err_msg=name)


# --- compact -----------------------------------------------------------------------------------------------------


def compact_agent(truth: Truth, agent: int) -> dict[str, Any]:
    """What `compact.agent_entries` promises, but for the nearest tiles, of which there may be several."""
    row, column = truth.at[agent]
    resources = [COIN, 0, 1]
    expected = {
        "time": truth.time / 40,
        "place": [row / truth.height, column / truth.width],
        "inventory": truth.inventory[agent, resources] / 100,
        "escrow": truth.escrow[agent, resources] / 100,
        "build_payment": truth.payment[agent] / 5,
        "bonus_gather_prob": truth.bonus[agent],
        "can_build": (truth.inventory[agent, :2] >= 1).all() and truth.ground(row, column),
        "tile": truth.planes[[0, 1, STONE_SOURCE, STONE_SOURCE + 1], row, column],
        "can_move": [truth.can_enter(agent, row + dr, column + dc) for dr, dc in ((0, -1), (0, 1), (-1, 0), (1, 0))],
        "rates": truth.rates,
        "is_first_day": truth.position == 1,
        "is_tax_day": truth.position == PERIOD,
        "tax_phase": truth.position / PERIOD,
        "marginal_rate": truth.marginal(agent),
        "income": (truth.coin[agent] - truth.base[agent]) / PERIOD,
        "last_income": truth.last_income[agent] / PERIOD,
    }
    for commodity, name in enumerate(("Stone", "Wood")):
        bids, asks = truth.books[commodity]
        others = [[o[1] / TOP for o in book if o[0] != agent] for book in (asks, bids)]
        mine = [[o[1] / TOP for o in book if o[0] == agent] for book in (asks, bids)]
        expected[f"market-{name}"] = [
            truth.market_rates[commodity] / TOP,
            bool(others[0]),
            min(others[0], default=0),
            bool(others[1]),
            max(others[1], default=0),
            min(mine[0], default=0),
            max(mine[1], default=0),
            (len(mine[0]) + len(mine[1])) / 3,
        ]
    return expected


def check_nearest(truth: Truth, agent: int, seen: dict[str, Any]) -> None:
    row, column = truth.at[agent]
    for resource, name in enumerate(("Stone", "Wood")):
        there, down, right, distance = seen[f"nearest-{name}"]
        tiles = np.argwhere(truth.planes[resource] > 0)
        assert there == (len(tiles) > 0)
        if there:
            target = row + round(down * truth.height), column + round(right * truth.width)
            assert truth.planes[(resource, *target)] > 0
            least = np.abs(tiles - (row, column)).sum(axis=1).min()
            assert abs(target[0] - row) + abs(target[1] - column) == least
            close(distance, least / (truth.height + truth.width), name)
    there, down, right = seen["nearest-ground"]
    free = [
        abs(r - row) + abs(c - column)
        for r in range(truth.height)
        for c in range(truth.width)
        if truth.ground(r, c) and (truth.standing[r, c] == 0 or (r, c) == (row, column))
    ]
    near = [distance for distance in free if distance <= compact.HOUSE_SEARCH]
    assert there == bool(near)
    if there:
        down, right = round(down * compact.HOUSE_SEARCH), round(right * compact.HOUSE_SEARCH)
        assert truth.ground(row + down, column + right)
        assert abs(down) + abs(right) == min(near)
    down, right, distance = seen["nearest-agent"]
    target = row + round(down * truth.height), column + round(right * truth.width)
    least = min(abs(r - row) + abs(c - column) for other, (r, c) in enumerate(truth.at) if other != agent)
    assert truth.standing[target] not in (0, agent + 2)
    assert abs(target[0] - row) + abs(target[1] - column) == least
    close(distance, least / (truth.height + truth.width), "distance")


@pytest.mark.parametrize("steps", [0, 3, 8, 21, 35])
def test_compact_vectors_say_what_they_promise(steps: int) -> None:
    batch, _ = played(steps, observations="compact")
    seen = batch.engine.observe()[0]
    for replica in range(3):
        truth = Truth(batch, replica)
        for agent in range(5):
            found = named(batch, seen[f"agent_{agent}"][replica])
            for name, expected in compact_agent(truth, agent).items():
                close(found[name], np.asarray(expected, np.float64), name)
            check_nearest(truth, agent, found)
        found = named(batch, seen["planner"][replica], planner=True)
        coins, n = np.sort(truth.coin), 5
        gini = np.abs(coins[:, None] - coins).sum() / (2 * n * coins.sum()) * n / (n - 1)
        close(found["mean_coin"], coins.mean() / 100, "mean coin")
        close(found["equality"], 1 - gini, "equality")
        close(found["coin"], coins / 100, "quantiles of five")
        close(found["houses"], truth.builds.sum() / n / 100, "houses")
        close(found["last_incomes"], np.sort(truth.last_income) / PERIOD, "incomes")
        for commodity, name in enumerate(("Stone", "Wood")):
            bids, asks = truth.books[commodity]
            market = [truth.market_rates[commodity] / TOP, len(bids) / n / 100, len(asks) / n / 100]
            close(found[f"market-{name}"], market, name)


def test_quantiles_of_many_agents() -> None:
    batch, seen = played(9, num_agents=9, observations="compact")
    truth = Truth(batch, 0)
    close(
        named(batch, batch.engine.observe()[0]["planner"][0], True)["coin"], np.sort(truth.coin)[::2] / 100, "quantiles"
    )
    assert seen.rewards


# --- original ----------------------------------------------------------------------------------------------------


def original_agent(truth: Truth, agent: int) -> dict[str, Any]:
    row, column = truth.at[agent]
    expected = {
        "Build-build_payment": truth.payment[agent] / 5,
        "Build-build_skill": truth.skill[agent],
        "Gather-bonus_gather_prob": truth.bonus[agent],
        "PeriodicBracketTax-curr_rates": truth.rates,
        "PeriodicBracketTax-is_first_day": truth.position == 1,
        "PeriodicBracketTax-is_tax_day": truth.position == PERIOD,
        "PeriodicBracketTax-last_incomes": np.sort(truth.last_income) / PERIOD,
        "PeriodicBracketTax-marginal_rate": truth.marginal(agent),
        "PeriodicBracketTax-tax_phase": truth.position / PERIOD,
        "time": truth.time / 40,
        "world-inventory-Coin": truth.inventory[agent, COIN] / 100,
        "world-inventory-Stone": truth.inventory[agent, 0] / 100,
        "world-inventory-Wood": truth.inventory[agent, 1] / 100,
        "world-loc-col": column / truth.width,
        "world-loc-row": row / truth.height,
    }
    for commodity, name in enumerate(("Stone", "Wood")):
        prefix = "ContinuousDoubleAuction-"
        expected |= {
            f"{prefix}available_asks-{name}": truth.depth(commodity, ASK, others=agent),
            f"{prefix}available_bids-{name}": truth.depth(commodity, BID, others=agent),
            f"{prefix}my_asks-{name}": truth.depth(commodity, ASK, mine=agent),
            f"{prefix}my_bids-{name}": truth.depth(commodity, BID, mine=agent),
            f"{prefix}market_rate-{name}": truth.market_rates[commodity],
            f"{prefix}price_history-{name}": truth.history[commodity] / 100,
        }
    return expected


def window(plane: Any, row: int, column: int, half: int) -> Any:
    padded = np.pad(plane, half)
    return padded[row : row + 2 * half + 1, column : column + 2 * half + 1]


def original_planes(truth: Truth) -> list[Any]:
    return [*truth.planes[:2], truth.planes[HOUSE], truth.planes[WATER], *truth.planes[STONE_SOURCE : STONE_SOURCE + 2]]


@pytest.mark.parametrize("steps", [0, 3, 8, 21, 35])
def test_original_observations_say_what_they_promise(steps: int) -> None:
    batch, _ = played(steps, planner_gets_spatial_info=True)
    seen = batch.engine.observe()[0]
    for replica in range(3):
        truth = Truth(batch, replica)
        for agent in range(5):
            own = seen[f"agent_{agent}"]
            found, expected = named(batch, own["flat"][replica]), original_agent(truth, agent)
            assert list(found) == sorted(found)
            assert found.keys() == expected.keys()
            for name in found:
                close(found[name], np.asarray(expected[name], np.float64), name)
            row, column = truth.at[agent]
            planes = [*original_planes(truth), np.ones((truth.height, truth.width))]
            windows = [window(plane, row, column, 2) for plane in planes]
            np.testing.assert_array_equal(own["world-map"][replica], windows)
            ids = [window(plane, row, column, 2) for plane in (truth.owners, truth.standing)]
            np.testing.assert_array_equal(own["world-idx_map"][replica], np.where(np.array(ids) == agent + 2, 1, ids))
            assert own["world-idx_map"].dtype == np.int16
            of_planner = [truth.marginal(agent), truth.last_income[agent] / PERIOD, truth.last_marginal[agent]]
            of_planner += [*truth.inventory[agent, [COIN, 0, 1]] / 100, column / truth.width, row / truth.height]
            close(seen["planner"][f"p{agent}"][replica], of_planner, "p")
        np.testing.assert_array_equal(seen["planner"]["world-map"][replica], original_planes(truth))
        np.testing.assert_array_equal(seen["planner"]["world-idx_map"][replica], [truth.owners, truth.standing])
        found = named(batch, seen["planner"]["flat"][replica], planner=True)
        for commodity, name in enumerate(("Stone", "Wood")):
            close(found[f"ContinuousDoubleAuction-full_asks-{name}"], truth.depth(commodity, ASK), name)
            close(found[f"ContinuousDoubleAuction-full_bids-{name}"], truth.depth(commodity, BID), name)
        assert not any(found[f"world-inventory-{name}"].any() for name in ("Coin", "Stone", "Wood"))


@pytest.mark.parametrize("full", [False, True])
def test_single_entries_are_slices_of_the_flat_vector(full: bool) -> None:
    whole, _ = played(11, full_observability=full, planner_gets_spatial_info=True)
    single, _ = played(11, full_observability=full, planner_gets_spatial_info=True, flatten_observations=False)
    flat, entries = whole.engine.observe()[0], single.engine.observe()[0]
    for role, seen in entries.items():
        of_whole = {name: values for name, values in flat[role].items() if name.endswith("map")}
        where = slices(
            whole.engine.observer.planner_entries if role == "planner" else whole.engine.observer.agent_entries
        )
        of_whole |= {name: flat[role]["flat"][:, at] for name, at in where.items()}
        if role == "planner":
            for index in range(5):
                where = slices(whole.engine.observer.agent_of_planner)
                of_whole |= {f"p{index}-{name}": flat[role][f"p{index}"][:, at] for name, at in where.items()}
        assert of_whole.keys() == seen.keys()
        for name, values in seen.items():
            np.testing.assert_array_equal(values, of_whole[name], err_msg=name)


def test_small_maps_hold_the_same_numbers() -> None:
    as_original, _ = played(21, planner_gets_spatial_info=True)
    as_bytes, _ = played(21, planner_gets_spatial_info=True, map_dtype="uint8")
    original, small = as_original.engine.observe()[0], as_bytes.engine.observe()[0]
    for role, seen in original.items():
        for name, values in seen.items():
            np.testing.assert_array_equal(small[role][name], values)
            assert small[role][name].dtype == (np.uint8 if name.endswith("map") else np.float32)
            assert as_bytes.engine.observation_spaces[role][name].dtype == small[role][name].dtype


def test_full_observability_hides_inventories_as_the_original_does_only_if_asked_to() -> None:
    arguments: dict[str, Any] = {"full_observability": True, "planner_gets_spatial_info": True}
    honest, _ = played(1, **arguments)
    assert honest.engine.observation_spaces["planner"]["p0"].shape == (8,)
    as_original, _ = played(1, **arguments, compatibility=["full_observability_hides_inventories"])
    assert as_original.engine.observation_spaces["planner"]["p0"].shape == (3,)
    untaxed, _ = played(
        1, **arguments, compatibility=["full_observability_hides_inventories"], components=["Gather"], planner="learned"
    )
    assert "p0" not in untaxed.engine.observation_spaces["planner"].spaces


def test_unscaled_observations() -> None:
    batch, _ = played(5, observations="compact", allow_observation_scaling=False)
    truth = Truth(batch, 0)
    found = named(batch, batch.engine.observe()[0]["agent_0"][0])
    assert found["time"] == 5
    close(found["inventory"], truth.inventory[0, [COIN, 0, 1]], "inventory")
