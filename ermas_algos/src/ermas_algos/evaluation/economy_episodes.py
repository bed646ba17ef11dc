"""Whole episodes of the gather-trade-build economy: who ends with what, by skill, and seven welfare functions of it.

They are of one set of episodes (SPEC section 10; Rawls 1971; Atkinson 1970): a reader sees who wins under which.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ermas_algos.algorithms.collection import MakeEnv, SampledCollector
from ermas_algos.learners.protocol import Learner
from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.games.economy.compact import agent_entries
from ermas_envs.games.taxation.observations import slices
from ermas_envs.oracles.taxes import atkinson

WELFARE = (
    "eq_times_prod",
    "utilitarian",
    "rawls",
    "atkinson_0.5",
    "atkinson_1",
    "atkinson_2",
    "inverse_income_weighted_utility",
)
"""Names of the welfare functions; those of Atkinson are of coin, which is never negative, and in coin."""
_ATKINSON = {"atkinson_0.5": 0.5, "atkinson_1": 1.0, "atkinson_2": 2.0}


_RATES = "PeriodicTax/avg_bracket_rate/"
"""Begins the metrics of rates, one per bracket."""


@dataclass(frozen=True)
class Episodes:
    """E whole episodes; agents stand in the order of their skill, the least first."""

    skills: FloatArray
    """(E, n) coin for a house, in units of the payment."""
    coins: FloatArray
    """(E, n) coin at the end, what orders hold included."""
    utilities: FloatArray
    """(E, n) at the end."""
    labor: FloatArray
    """(E, n) in all."""
    houses: FloatArray
    """(E, n) built."""
    sold: FloatArray
    """(E, n) units of wood and stone sold."""
    bought: FloatArray
    """(E, n) units bought."""
    incomes: FloatArray
    """(E, periods but the last, n) coin earned in a tax period, before taxes; without taxes there are no periods."""
    metrics: Mapping[str, FloatArray]
    """The environment's, (E,) each (SPEC section 16)."""

    def mean(self, metric: str) -> float:
        """Of a metric, over the episodes in which it is known; NaN where it never is."""
        known = self.metrics[metric][~np.isnan(self.metrics[metric])]
        return float(known.mean()) if len(known) else float("nan")

    def welfare(self) -> dict[str, float]:
        """Means over the episodes of `WELFARE`."""
        found = {
            "eq_times_prod": self.mean("social_welfare/coin_eq_times_productivity"),
            "utilitarian": float(self.utilities.mean()),
            "rawls": float(self.utilities.min(axis=1).mean()),
            "inverse_income_weighted_utility": self.mean("social_welfare/inv_income_weighted_utility"),
        }
        for name, aversion in _ATKINSON.items():
            found[name] = float(np.mean([_equal_coin(coins, aversion) for coins in self.coins]))
        return {name: found[name] for name in WELFARE}

    def outcome(self) -> dict[str, float]:
        """Means over the episodes: equality, productivity (sum of coin), utility and labor of an agent, houses and
        trades of all, and the share of income that is paid in taxes."""
        found = {
            "equality": self.mean("social/equality"),
            "productivity": self.mean("social/productivity"),
            "utility": float(self.utilities.mean()),
            "labor": float(self.labor.mean()),
            "houses": float(self.houses.sum(axis=1).mean()),
            "trades": float(self.sold.sum(axis=1).mean()),
        }
        rate = "PeriodicTax/avg_effective_tax_rate"
        return found | {"tax_rate": self.mean(rate) if rate in self.metrics else 0.0}

    def rates(self) -> list[float]:
        """Mean marginal rate of each bracket; none without taxes."""
        brackets = sum(name.startswith(_RATES) for name in self.metrics)
        return [self.mean(f"{_RATES}{bracket}") for bracket in range(brackets)]

    def by_skill(self) -> list[dict[str, float]]:
        """A row per rank of skill: means over the episodes of coin, utility, labor, houses, units sold and bought."""
        names = ("skills", "coins", "utilities", "labor", "houses", "sold", "bought")
        columns = {name: getattr(self, name).mean(axis=0) for name in names}
        ranks = range(self.skills.shape[1])
        return [{"rank": rank, **{name: float(means[rank]) for name, means in columns.items()}} for rank in ranks]


def play_episodes(
    make_env: MakeEnv, learners: Mapping[str, Learner], episodes: int, seed: int, iteration: int
) -> Episodes:
    """Play frozen learners.

    Args:
        make_env: the economy, with compact observations.
        learners: of every acting role.
        episodes: how many.
        seed: of the episodes.
        iteration: outer iterations of the learners' training: what depends on the number of episodes so far, as the
            cost of labor and the annealed rates do, is as far as there.

    Raises:
        ValueError: other observations than compact ones.
    """
    collector = SampledCollector(make_env, episodes, np.random.default_rng(seed))
    env = collector.env(1)
    if env.horizon is None or len(env.observation_spaces[env.agents[0]].shape or ()) != 1:
        raise ValueError("play_episodes needs economy_v0 with observations='compact'.")
    collector.steps = env.horizon
    played = collector.collect({role: [learners[role]] for role in env.possible_agents}, iteration)
    metrics = played.metrics
    if metrics is None or f"endow/{env.agents[0]}/Coin" not in metrics:
        raise ValueError(f"play_episodes needs economy_v0; {env.name} has no metrics of coin.")
    seen = np.stack([played.observations[agent] for agent in env.agents], axis=2)  # (T + 1, E, n, F)
    where = slices(agent_entries(sum(name.startswith(_RATES) for name in metrics)))
    skills = seen[0][:, :, where["build_payment"]][:, :, 0]
    order = np.argsort(skills, axis=1, kind="stable")

    def ranked(*names: str) -> FloatArray:
        """(E, n) sum of the agents' metrics of these names; what did not happen counts 0."""
        total = np.zeros(order.shape)
        for name in names:
            values = [metrics.get(name.format(agent), np.zeros(len(order))) for agent in env.agents]
            total += np.nan_to_num(np.stack(values, axis=1))
        return _in_order(total, order)

    return Episodes(
        skills=_in_order(skills.astype(np.float64), order),
        coins=ranked("endow/{}/Coin"),
        utilities=ranked("util/{}"),
        labor=ranked("endogenous/{}/Labor"),
        houses=ranked("Build/{}/n_builds"),
        sold=ranked("Trade/{}/SellStone/n_sales", "Trade/{}/SellWood/n_sales"),
        bought=ranked("Trade/{}/BuyStone/n_sales", "Trade/{}/BuyWood/n_sales"),
        incomes=_incomes(seen, where, order),
        metrics=metrics,
    )


def _incomes(seen: Array, where: Mapping[str, slice], order: Array) -> FloatArray:
    """Those of a period are seen on the first day of the next one, per step."""
    if "last_income" not in where:
        return np.zeros((len(order), 0, order.shape[1]))
    starts = np.flatnonzero(seen[:-1, 0, 0, where["is_first_day"]][:, 0])
    found = [
        _in_order(seen[day][:, :, where["last_income"]][:, :, 0] * float(day - before), order)
        for before, day in itertools.pairwise(starts)
    ]
    return np.stack(found, axis=1) if found else np.zeros((len(order), 0, order.shape[1]))


def _equal_coin(coins: FloatArray, aversion: float) -> float:
    """`atkinson` of coins (n,), of which some may be 0: the limit, which is 0 from an aversion of 1 on."""
    held = coins[coins > 0.0]
    if not len(held) or (aversion >= 1.0 and len(held) < len(coins)):
        return 0.0
    share = len(held) / len(coins)
    return atkinson(held, aversion) * (1.0 if share == 1.0 else share ** (1.0 / (1.0 - aversion)))


def _in_order(values: Array, order: Array) -> FloatArray:
    return np.take_along_axis(values, order, axis=1)
