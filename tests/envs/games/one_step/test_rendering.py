"""The picture of the one-step economy: nothing is cut off, and bars have their heights."""

import numpy as np
import pytest

from ermas_envs import one_step_economy_v0
from ermas_envs.base.arrays import Array
from ermas_envs.games.one_step.rendering import BOTTOM, COIN_COLOUR, LEFT, MARGIN, PRODUCTION_COLOUR, TOP
from ermas_envs.games.one_step.settings import SimpleLabor
from ermas_envs.games.taxation.settings import PeriodicBracketTax
from ermas_envs.games.taxation.tax_planners import FixedBrackets, FreeMarket, USFederal


def picture(num_agents: int, hours: int, planner: object, *components: object) -> Array:
    chosen = {"components": components} if components else {}
    env = one_step_economy_v0.batched_env(1, planner=planner, num_agents=num_agents, autoreset=False, **chosen)
    env.reset(seed=0)
    for worked in (0, hours):
        env.step({agent: np.array([worked]) for agent in env.agents})
    return np.asarray(env.render(0, "rgb_array"))


@pytest.mark.parametrize("num_agents", [2, 30, 100])
def test_nothing_is_cut_off(num_agents: int) -> None:
    drawn = picture(num_agents, 20, USFederal())
    for border in (drawn[:, : MARGIN - 2], drawn[:, -(MARGIN - 2) :], drawn[:5], drawn[-3:]):
        assert (border == 255).all()


def test_many_brackets_leave_room_for_the_bars() -> None:
    taxes = PeriodicBracketTax(period=2, bracket_spacing="linear", n_brackets=12)
    drawn = picture(4, 20, FixedBrackets([0.25] * 12), SimpleLabor(), taxes)
    assert (drawn[TOP - 20 : TOP - 15, LEFT:] == 255).all()


def test_bars_are_as_high_as_coin() -> None:
    env = one_step_economy_v0.batched_env(1, planner=FreeMarket(), num_agents=2)
    wages = env.engine.rules.skills  # type: ignore[attr-defined]
    drawn = picture(2, 50, FreeMarket())
    for colour in (PRODUCTION_COLOUR, COIN_COLOUR):
        bars = (drawn[TOP:BOTTOM] == colour).all(axis=2).sum(axis=0)
        high, low = bars.max(), np.unique(bars[bars > 0])[0]
        assert high == BOTTOM - TOP
        assert low / high == pytest.approx(wages[0] / wages[1], abs=0.01)
