"""The state of our one-step economy in the form of a recording; the inverse of what `one_step` sets and compares."""

from typing import Any

import numpy as np

from ermas_envs.base.arrays import Array
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.replay.metrics import original_names
from ermas_envs.replay.one_step import flat, masks, raw
from ermas_envs.replay.own_state import written_observations
from ermas_envs.replay.own_taxes import TaxRecorder, plain


class OneStepRecorder:
    """Writes down what happens in an engine with one replica.

    Args:
        engine: with original observations, and the original's defects.
    """

    def __init__(self, engine: OneStepEngine) -> None:
        self.engine = engine
        self.taxes = TaxRecorder(engine.rules.tax) if engine.rules.taxed else None

    def reset(self, streams: ReplicaStreams, number: int) -> dict[str, Any]:
        """Start an episode, and write down all of its state."""
        engine = self.engine
        engine.reset(np.zeros(1, np.int64), streams, np.array([number]), from_scratch=number == 0)
        found: dict[str, Any] = {
            "timestep": 0,
            "completions": number,
            "agents": self._agents(),
            "planner_metric": plain(engine.state.progress.planner_objective[0]),
            "tax": None,
            "masks": masks(engine),
        }
        if self.taxes is not None:
            found["tax"] = self.taxes.reset(engine.state.taxes, engine.state.saez)
        for agent, skill in zip(found["agents"], plain(engine.rules.skills), strict=True):
            agent["skill"] = skill
        return found

    def step(self, agents: Array, planner: Array) -> dict[str, Any]:
        """Take actions, (n, 1) and (entries,), and write down all that happens."""
        engine, state = self.engine, self.engine.state
        if self.taxes is not None:
            self.taxes.before(state.taxes, state.saez)
        engine.advance(agents.T, planner[None])
        progress = state.progress
        found: dict[str, Any] = {
            "t": plain(progress.timestep[0]),
            "draws": {},
            "agents": self._agents(),
            "planner": {"metric": plain(progress.planner_objective[0]), "rew": plain(progress.planner_reward[0])},
            "masks": masks(engine),
            "done": bool(progress.timestep[0] >= engine.horizon),
        }
        for agent, reward in zip(found["agents"], plain(progress.rewards[0]), strict=True):
            agent["rew"] = reward
        if self.taxes is not None:
            found |= self.taxes.step(state.taxes, state.saez, engine.scratch.rates[0])
            found["events"] = self.taxes.event(state.taxes)
        return found

    def seen(self) -> dict[str, Any]:
        """Observations of all roles."""
        return written_observations(
            {role: (raw(self.engine, role), flat(self.engine, role)) for role in masks(self.engine)}
        )

    def metrics(self) -> dict[str, float]:
        """Metrics of the episode under the original's names."""
        engine = self.engine
        named = original_names(engine.metrics(), engine.rules.tax.cutoffs, engine.settings.num_agents)
        return {"endow/p/Coin": 0.0, **named, **(self.taxes.metrics(named) if self.taxes is not None else {})}

    def _agents(self) -> list[dict[str, Any]]:
        state = self.engine.state
        columns = (state.agents.inventory[0, :, COIN], state.agents.labor[0], state.progress.utility[0])
        rows = zip(*(plain(column) for column in (*columns, state.production[0])), strict=True)
        return [
            {"loc": [-1, -1], "inv": [0, 0, coin], "esc": [0, 0, 0], "labor": labor, "util": util, "production": earned}
            for coin, labor, util, earned in rows
        ]
