"""Random games: nothing is created or lost but by the rules, what is stored twice agrees, and masks tell the truth.

Everything is recomputed in plain Python from the state before and after a step.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ermas_envs import economy_v0
from ermas_envs.base.spaces import split_mask
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.state import (
    AGENT,
    ASK,
    BID,
    HOUSE,
    INSIDE,
    LIFETIME,
    PRICE,
    STONE_SOURCE,
    WATER,
)
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.tax_planners import FixedBrackets, FreeMarket, Saez, USFederal

CANONICAL = ("Build", "ContinuousDoubleAuction", "Gather", "PeriodicBracketTax", "WealthRedistribution")
OBJECTIVES = (
    "coin_eq_times_productivity",
    "inv_income_weighted_coin_endowments",
    "inv_income_weighted_utility",
)
ENOUGH_SAMPLES = [(3.0 * (k % 11), 0.1 * (k % 7)) for k in range(500)]


@dataclass
class Game:
    arguments: dict[str, Any]
    seed: int
    steps: int

    def start(self) -> Any:
        """A batch of one replica whose agents own some material."""
        batch = economy_v0.batched_env(1, **self.arguments)
        batch.reset(self.seed)
        material = np.random.default_rng(self.seed).integers(0, 4, (1, self.arguments["num_agents"], 2))
        batch.engine.state.agents.inventory[:, :, :2] += material
        batch.engine.write_observations(np.arange(1))
        return batch


def labor() -> Any:
    return st.sampled_from([0.0, 0.25, 1.0, 2.5])


def skills() -> Any:
    return st.sampled_from(["none", "pareto", "lognormal"])


def resource() -> Any:
    return st.fixed_dictionaries(
        {
            "regen_weight": st.sampled_from([0.0, 0.01, 0.3, 1.0]),
            "regen_halfwidth": st.integers(0, 2),
            "max_health": st.integers(1, 3),
        }
    )


OPTIONS = {
    "Build": st.fixed_dictionaries(
        {
            "skill_dist": skills(),
            "payment": st.sampled_from([0.0, 3.7, 10.0]),
            "payment_max_skill_multiplier": st.sampled_from([1.0, 3.0]),
            "build_labor": labor(),
        }
    ),
    "ContinuousDoubleAuction": st.fixed_dictionaries(
        {
            "max_bid_ask": st.integers(1, 4),
            "order_labor": labor(),
            "order_duration": st.integers(1, 4),
            "max_num_orders": st.sampled_from([None, 1, 2, 5]),
        }
    ),
    "Gather": st.fixed_dictionaries({"move_labor": labor(), "collect_labor": labor(), "skill_dist": skills()}),
    "PeriodicBracketTax": st.fixed_dictionaries(
        {
            "period": st.integers(1, 5),
            "bracket_spacing": st.sampled_from(["linear", "log"]),
            "n_brackets": st.just(3),
            "top_bracket_cutoff": st.sampled_from([4.0, 30.0]),
            "rate_disc": st.just(0.25),
            "disable_taxes": st.sampled_from([False, False, False, True]),
            "tax_annealing_schedule": st.sampled_from([None, [-3, 0.1]]),
        }
    ),
    "WealthRedistribution": st.just({}),
}


@st.composite
def layouts(draw: Any, agents: int) -> Any:
    if draw(st.integers(0, 5)) == 0:
        return {"layout": {"starting_wood_coverage": 0.1, "starting_stone_coverage": 0.1}, "world_size": (7, 8)}
    width = draw(st.integers(1, 6))
    least = -(-agents // width)
    rows = draw(st.lists(st.text("WS..@", min_size=width, max_size=width), min_size=least, max_size=least + 3))
    return {"layout": [*rows, "." * width] if "".join(rows).count("@") == 0 else [*rows, *["." * width] * least]}


@st.composite
def games(draw: Any, ordered: bool = False) -> Game:
    agents = draw(st.integers(2, 12))
    names = list(CANONICAL) if ordered else draw(st.permutations(CANONICAL))
    names = [name for name in names if draw(st.integers(0, 3 if name == "WealthRedistribution" else 8)) > 0]
    if "WealthRedistribution" in names and draw(st.booleans()):
        names.remove("WealthRedistribution")
    planner = draw(
        st.sampled_from(["learned", FreeMarket(), FixedBrackets([0.1, 0.7, 1.0]), Saez(), Saez(samples=ENOUGH_SAMPLES)])
    )
    components = [{name: draw(OPTIONS[name])} for name in names]
    if draw(st.integers(0, 4)) == 0:
        planner = USFederal()
        for component in components:
            component.get("PeriodicBracketTax", {})["bracket_spacing"] = "us-federal"
    if "PeriodicBracketTax" not in names:
        planner = draw(st.sampled_from(["learned", FreeMarket()]))
    arguments = {
        "num_agents": agents,
        "horizon": 1000,
        "components": components,
        **draw(layouts(agents)),
        "wood": draw(resource()),
        "stone": draw(resource()),
        "planner": planner,
        "starting_agent_coin": draw(st.sampled_from([0.0, 2.5, 20.0])),
        "fixed_four_skill_and_loc": False,
        "isoelastic_eta": draw(st.sampled_from([0.0, 0.23, 1.0])),
        "energy_warmup_constant": draw(st.sampled_from([0.0, 5.0])),
        "energy_warmup_method": draw(st.sampled_from(["decay", "auto"])),
        "planner_reward_type": draw(st.sampled_from(OBJECTIVES)),
        "mixing_weight_gini_vs_coin": draw(st.sampled_from([0.0, 0.4])),
        "multi_action_mode_agents": draw(st.booleans()),
        "multi_action_mode_planner": draw(st.booleans()),
        "mobile_agent_observation_range": 1,
    }
    return Game(arguments, draw(st.integers(0, 2**20)), draw(st.integers(1, 12)))


def option(game: Game, component: str, name: str, default: Any = None) -> Any:
    for given_ in game.arguments["components"]:
        if component in given_:
            return given_[component][name]
    return default


def has(game: Game, component: str) -> bool:
    return any(component in given_ for given_ in game.arguments["components"])


def actions_of(batch: Any, generator: Any, masked: bool) -> dict[str, Any]:
    """Random actions: of those that the mask allows, or of all."""
    masks = batch.engine.observe()[1]
    chosen = {}
    for role, space in batch.action_spaces.items():
        parts = split_mask(space, masks[role][0])
        numbers = [generator.choice(np.flatnonzero(part) if masked else len(part)) for part in parts]
        chosen[role] = np.array([numbers] if space.shape else numbers)
    return chosen


def copied(engine: EconomyEngine) -> Any:
    """The one replica's state: arrays by name."""
    return {
        f"{type(part).__name__}.{name}": np.array(array[0])
        for part in engine.state
        for name, array in part._asdict().items()
    }


class Step:
    """State before and after a step."""

    def __init__(self, game: Game, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.game, self.before, self.after = game, before, after

    def coin(self, state: Any) -> Any:
        return (state["Agents.inventory"] + state["Agents.escrow"])[:, COIN]


# --- what must hold ----------------------------------------------------------------------------------------------


def check_coin(step: Step) -> None:
    built = step.after["Tallies.built"]
    minted = sum(income for income in built if income >= 0)
    np.testing.assert_allclose(step.coin(step.after).sum(), step.coin(step.before).sum() + minted, rtol=1e-12)
    for agent, income in enumerate(built):
        assert income in (-1.0, step.after["Agents.build_payment"][agent])
    paid, lump = step.after["Taxes.last_paid"], step.after["Taxes.last_lump_sum"]
    np.testing.assert_allclose(paid.sum(), lump * len(paid), rtol=1e-12, atol=1e-12)


def check_units(step: Step) -> None:
    builds = (step.after["Tallies.built"] >= 0).sum()
    gathered = step.after["Tallies.gathered"]
    assert set(gathered.flat) <= {0, 1, 2}
    assert not (gathered == 2)[step.after["Agents.bonus_gather_prob"] == 0].any()
    for resource in range(2):
        held = [
            (state["Agents.inventory"] + state["Agents.escrow"])[:, resource].sum()
            for state in (step.before, step.after)
        ]
        assert held[1] == held[0] + gathered[:, resource].sum() - builds
        before, after = (state["World.planes"][resource].astype(int) for state in (step.before, step.after))
        grown = after - before
        for agent in np.flatnonzero(gathered[:, resource]):
            grown[step.after["Agents.row"][agent], step.after["Agents.column"][agent]] += 1
        assert set(grown.flat) <= {0, 1}
        sources = step.after["World.planes"][STONE_SOURCE + resource] > 0
        assert not grown[~sources].any()
        options = step.game.arguments["stone" if resource == 0 else "wood"]
        assert after.max() <= options["max_health"]
        if options["regen_weight"] == 0:
            assert not grown.any()
        listed = step.after["World.growing"][resource][: step.after["World.growing_counts"][resource]]
        assert sorted(listed.tolist()) == np.argwhere(sources & (after < options["max_health"])).tolist()


def check_books(step: Step) -> None:
    """Escrow, counts by price and by agent are those of the open orders, which stand in the order of their rank."""
    state = step.after
    agents, prices = len(state["Agents.row"]), state["Market.total_depth"].shape[-1]
    escrow = np.zeros((agents, 3))
    depth = np.zeros((2, 2, agents, prices), int)
    for commodity in range(2):
        for side, sign in ((BID, -1), (ASK, 1)):
            book = state["Market.orders"][commodity, side][: state["Market.counts"][commodity, side]].tolist()
            for agent, price, lifetime in book:
                escrow[agent, COIN if side == BID else commodity] += price if side == BID else 1
                depth[commodity, side, agent, price] += 1
                assert 1 <= lifetime <= option(step.game, "ContinuousDoubleAuction", "order_duration")
            ranks = [(sign * order[PRICE], -order[LIFETIME]) for order in book]
            assert ranks == sorted(ranks)
        bids, asks = (
            state["Market.orders"][commodity, side][: state["Market.counts"][commodity, side]] for side in (BID, ASK)
        )
        crossing = bids[:, None, PRICE] >= asks[None, :, PRICE]
        assert not (crossing & (bids[:, None, AGENT] != asks[None, :, AGENT])).any()
    np.testing.assert_array_equal(state["Agents.escrow"], escrow)
    if has(step.game, "ContinuousDoubleAuction"):
        np.testing.assert_array_equal(state["Market.depth"], depth)
        np.testing.assert_array_equal(state["Market.total_depth"], depth.sum(axis=2))
        np.testing.assert_array_equal(state["Market.open_orders"], depth.sum(axis=(1, 3)))
        most = option(step.game, "ContinuousDoubleAuction", "max_num_orders")
        assert depth.sum(axis=(1, 3)).max() <= (most or option(step.game, "ContinuousDoubleAuction", "order_duration"))


def check_holdings(step: Step) -> None:
    inventory = step.after["Agents.inventory"]
    assert (inventory[:, :2] >= 0).all()
    if not has(step.game, "WealthRedistribution"):
        assert (inventory[:, COIN] >= 0).all()
    elif list(step.game.arguments["components"][-1]) == ["WealthRedistribution"]:
        coin = step.coin(step.after)
        np.testing.assert_allclose(coin, coin.mean(), rtol=1e-9)


def check_labor(step: Step) -> None:
    """Labor grows by what was done, and some number of orders, at most one of each kind."""
    before, after = step.before, step.after
    moved = (before["Agents.row"] != after["Agents.row"]) | (before["Agents.column"] != after["Agents.column"])
    known = (after["Tallies.built"] >= 0) * option(step.game, "Build", "build_labor", 0.0)
    known = known + moved * option(step.game, "Gather", "move_labor", 0.0)
    known = known + (after["Tallies.gathered"] > 0).sum(axis=1) * option(step.game, "Gather", "collect_labor", 0.0)
    orders = after["Agents.labor"] - before["Agents.labor"] - known
    price = option(step.game, "ContinuousDoubleAuction", "order_labor", 0.0)
    most = 4 if step.game.arguments["multi_action_mode_agents"] else 1
    allowed = np.arange(most + 1) * price
    assert (np.abs(orders[:, None] - allowed).min(axis=1) < 1e-9).all()


def check_places(step: Step) -> None:
    state = step.after
    planes, owners, standing = state["World.planes"], state["World.owners"], state["World.standing"]
    expected = np.zeros_like(standing)
    for agent, (row, column) in enumerate(zip(state["Agents.row"], state["Agents.column"], strict=True)):
        assert expected[row, column] == 0, "two agents on a tile"
        expected[row, column] = agent + 2
        assert planes[INSIDE, row, column]
        assert not planes[WATER, row, column]
        assert owners[row, column] in (0, agent + 2)
    np.testing.assert_array_equal(standing, expected)
    houses = planes[HOUSE] > 0
    np.testing.assert_array_equal(houses, owners > 0)
    assert not (houses & (planes[[0, 1, WATER, STONE_SOURCE, STONE_SOURCE + 1]] > 0).any(axis=0)).any()
    assert houses.sum() == state["Tallies.builds"].sum()
    assert (houses | ~(step.before["World.planes"][HOUSE] > 0)).all(), "a house is gone"


def check_clock(step: Step) -> None:
    time = step.after["Progress.timestep"]
    assert time == step.before["Progress.timestep"] + 1
    if has(step.game, "PeriodicBracketTax"):
        period = option(step.game, "PeriodicBracketTax", "period")
        assert step.after["Taxes.position"] == 1 + time % period
        assert step.after["Taxes.collected"] == (time % period == 0)
        assert step.after["TaxTallies.collections"] == time // period


def utilities(step: Step, state: Any) -> list[float]:
    weight = float(state["Progress.energy_weight"]) * 0.21
    eta = step.game.arguments["isoelastic_eta"]
    found = []
    for coin, hours in zip(step.coin(state), state["Agents.labor"], strict=True):
        coin = max(float(coin), 0.0)
        worth = math.log(max(coin, 1e-10)) if eta == 1 else (coin ** (1 - eta) - 1) / (1 - eta)
        found.append(worth - weight * float(hours))
    return found


def planner_objective(step: Step, state: Any) -> float:
    coins, kind = [float(coin) for coin in step.coin(state)], step.game.arguments["planner_reward_type"]
    n, total = len(coins), sum(coins)
    if kind == OBJECTIVES[0]:
        gini = sum(abs(a - b) for a in coins for b in coins) / (2 * n * total + 1e-10) * n / (n - 1)
        share = 1 - step.game.arguments["mixing_weight_gini_vs_coin"]
        return (share * (1 - gini) + 1 - share) * total / n
    weights = [1 / max(coin, 1.0) for coin in coins]
    worth = coins if kind == OBJECTIVES[1] else utilities(step, state)
    return sum(w * value for w, value in zip(weights, worth, strict=True)) / sum(weights)


def check_rewards(step: Step) -> None:
    before, after = step.before, step.after
    earned = np.array(utilities(step, after)) - np.array(utilities(step, before))
    np.testing.assert_allclose(after["Progress.rewards"], earned, rtol=1e-9, atol=1e-9)
    planner = planner_objective(step, after) - planner_objective(step, before)
    np.testing.assert_allclose(after["Progress.planner_reward"], planner, rtol=1e-9, atol=1e-9)
    constant, auto = step.game.arguments["energy_warmup_constant"], step.game.arguments["energy_warmup_method"]
    grown = after["Progress.positive_steps"] - before["Progress.positive_steps"]
    if abs(earned.mean()) > 1e-9:
        assert grown == (earned.mean() > 0)
    elapsed = before["Progress.positive_steps"] if auto == "auto" else 0  # the first episode
    weight = 1.0 if constant == 0 else 1 - math.exp(-elapsed / constant)
    np.testing.assert_allclose(after["Progress.energy_weight"], weight, rtol=1e-12)


CHECKS = (
    check_coin,
    check_units,
    check_books,
    check_holdings,
    check_labor,
    check_places,
    check_clock,
    check_rewards,
)
patient = settings(max_examples=150, suppress_health_check=list(HealthCheck))


@patient
@given(games(), st.booleans())
def test_nothing_is_created_or_lost(game: Game, masked: bool) -> None:
    batch = game.start()
    generator = np.random.default_rng(game.seed)
    for _ in range(game.steps):
        before = copied(batch.engine)
        batch.step(actions_of(batch, generator, masked))
        step = Step(game, before, copied(batch.engine))
        for check in CHECKS:
            check(step)


def test_random_games_do_everything() -> None:
    """The test above would be worth little if nobody built, traded, expired or paid in it."""
    arguments: dict[str, Any] = {
        "num_agents": 6,
        "layout": ["WSWS", "....", "SWSW", "...."],
        "components": [
            {"Build": {}},
            {"ContinuousDoubleAuction": {"max_bid_ask": 2, "order_duration": 2}},
            {"Gather": {"skill_dist": "pareto"}},
            {"PeriodicBracketTax": {"period": 3, "bracket_spacing": "linear", "n_brackets": 3}},
        ],
        "stone": {"regen_weight": 0.3},
        "wood": {"regen_weight": 0.3},
        "starting_agent_coin": 5.0,
        "fixed_four_skill_and_loc": False,
        "planner": FixedBrackets([0.5] * 3),
    }
    batch = Game(arguments, 1, 0).start()
    generator = np.random.default_rng(0)
    seen = dict.fromkeys(("built", "traded", "expired", "paid", "gathered", "bonus"), 0)
    for _ in range(60):
        before = copied(batch.engine)
        batch.step(actions_of(batch, generator, True))
        state = batch.engine.state
        seen["built"] += (state.tallies.built > 0).sum()
        seen["traded"] += state.market.trade_counts[0]
        seen["expired"] += (before["Market.orders"][..., LIFETIME] == 2).any()
        seen["paid"] += (state.taxes.last_paid > 0).any()
        seen["gathered"] += state.tallies.gathered.sum()
        seen["bonus"] += (state.tallies.gathered == 2).sum()
    assert all(seen.values()), seen


# --- masks -------------------------------------------------------------------------------------------------------


def restore(engine: EconomyEngine, arrays: list[Any]) -> None:
    targets = [array for part in engine.state for array in part] + [engine._streams]
    for target, array in zip(targets, arrays, strict=True):
        target[...] = array


def after_acting(engine: EconomyEngine, saved: list[Any], agent: int, action: Any) -> Any:
    """The state after a step in which one agent acts alone (agent −1: the planner)."""
    restore(engine, saved)
    agents = np.zeros((1, len(engine.agents), engine.agent_entries), np.int64)
    planner = np.zeros((1, engine.planner_entries), np.int64)
    (planner[0] if agent < 0 else agents[0, agent])[:] = action
    engine.advance(agents, planner, writes_observations=False)
    return copied(engine)


def single_sub_actions(space: Any) -> list[Any]:
    """Every action with one entry that is not 0, in the order of the masks' True and False behind each 0."""
    if not space.shape:
        return list(range(1, int(space.n)))
    found = []
    for part, size in enumerate(space.nvec):
        for value in range(1, size):
            action = np.zeros(len(space.nvec), np.int64)
            action[part] = value
            found.append(action)
    return found


def flags_of(space: Any, mask: Any) -> Any:
    return np.concatenate([part[1:] for part in split_mask(space, mask)])


@settings(patient, max_examples=40)
@given(games(ordered=True), st.data())
def test_masks_of_agents_tell_the_truth(game: Game, data: Any) -> None:
    batch = game.start()
    generator = np.random.default_rng(game.seed)
    for _ in range(game.steps):
        batch.step(actions_of(batch, generator, True))
    engine = batch.engine
    saved = [array.copy() for part in engine.state for array in part] + [engine._streams.copy()]
    mask = engine.observe()[1]
    idle = after_acting(engine, saved, 0, 0)
    agent = data.draw(st.integers(0, len(engine.agents) - 1))
    space = batch.action_spaces[f"agent_{agent}"]
    flags = flags_of(space, mask[f"agent_{agent}"][0])
    assert len(flags) == len(single_sub_actions(space))
    for action, allowed in zip(single_sub_actions(space), flags, strict=True):
        state = after_acting(engine, saved, agent, action)
        same = all(np.array_equal(state[name], idle[name], equal_nan=True) for name in state)
        assert same != allowed, f"agent {agent}, action {action}: mask {allowed}, same as idle {same}"


@settings(patient, max_examples=40)
@given(games(ordered=True))
def test_masks_of_the_planner_tell_the_truth(game: Game) -> None:
    batch = game.start()
    if "planner" not in batch.possible_agents or not has(game, "PeriodicBracketTax"):
        return
    generator = np.random.default_rng(game.seed)
    for _ in range(game.steps):
        batch.step(actions_of(batch, generator, True))
    engine = batch.engine
    saved = [array.copy() for part in engine.state for array in part] + [engine._streams.copy()]
    space, mask = batch.action_spaces["planner"], engine.observe()[1]["planner"][0]
    acts = bool(engine.planner_acts()[0])
    rates = engine.rules.tax.choices
    if option(game, "PeriodicBracketTax", "disable_taxes"):
        assert not acts
        assert mask.all()
        return
    assert acts == (saved_position(engine, saved) == 1)
    idle = after_acting(engine, saved, -1, 0)
    for number, (action, allowed) in enumerate(zip(single_sub_actions(space), flags_of(space, mask), strict=True)):
        state = after_acting(engine, saved, -1, action)
        if acts:
            bracket, chosen = divmod(number, len(rates))
            assert state["Taxes.rates"][bracket] == rates[chosen]
            assert allowed == (rates[chosen] <= engine.state.taxes.choice_limit[0])
        else:
            assert not allowed
            assert all(np.array_equal(state[name], idle[name]) for name in state)


def saved_position(engine: EconomyEngine, saved: list[Any]) -> int:
    restore(engine, saved)
    return int(engine.state.taxes.position[0])


def test_two_agents_want_one_tile_and_either_may_get_it() -> None:
    winners = set()
    for seed in range(20):
        batch = economy_v0.batched_env(
            1, num_agents=2, layout="...", components=["Gather"], fixed_four_skill_and_loc=False
        )
        batch.reset(seed)
        state, pad = batch.engine.state, batch.engine.reset_parameters.pad
        state.world.standing[:] = 0
        for agent, column in enumerate((pad, pad + 2)):
            state.agents.row[0, agent], state.agents.column[0, agent] = pad, column
            state.world.standing[0, pad, column] = agent + 2
        batch.step({"agent_0": [2], "agent_1": [1], "planner": [[0]]})  # right, left
        winners.add(int(state.world.standing[0, pad, pad + 1]))
    assert winners == {2, 3}
