"""Replays a recording of the one-step economy in our engine, with its skills, actions and Saez's random rates."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ermas_envs.economy.observation_entries import Entries, slices
from ermas_envs.economy.replay.comparison import EXACT, FLOAT32, FLOAT64, Comparison
from ermas_envs.economy.replay.options import tax_component, tax_setter
from ermas_envs.economy.replay.taxes import TaxComparison, bracket_names, random_rates
from ermas_envs.economy.state import COIN
from ermas_envs.ids import PLANNER
from ermas_envs.one_step.engine import OneStepEngine
from ermas_envs.one_step.settings import COMPATIBILITY, OneStepSettings, SimpleLabor
from ermas_envs.one_step.step import advance, look
from ermas_envs.streams import ReplicaStreams


def replay_one_step(recording: Mapping[str, Any]) -> Comparison:
    """Replay all episodes of a recording, which belong to one environment."""
    replay = OneStepReplay(recording)
    for number, episode in enumerate(recording["episodes"]):
        replay.episode(number, episode)
    return replay.comparison


def one_step_settings(config: Mapping[str, Any]) -> OneStepSettings:
    """Settings of a recording; ValueError for an option that this engine does not have."""
    labor, taxes, kwargs = config["SimpleLabor"], config.get("PeriodicBracketTax"), config["kwargs"]
    components: list[Any] = [SimpleLabor(labor["mask_first_step"], labor["payment_max_skill_multiplier"])]
    if taxes is not None:
        components.append(tax_component(taxes, kwargs))
    names = ("agent_reward_type", "labor_cost", "labor_exponent", "isoelastic_eta", "planner_reward_type")
    return OneStepSettings(
        num_agents=config["n_agents"],
        horizon=config["episode_length"],
        components=components,
        **{name: config[name] for name in names},
        mixing_weight_gini_vs_coin=config["mixing_weight_gini_vs_coin"],
        multi_action_mode_planner=config["multi_action_mode_planner"],
        allow_observation_scaling=kwargs.get("allow_observation_scaling", True),
        compatibility=COMPATIBILITY,
    )


class OneStepReplay:
    """One replica of our engine beside a recording.

    Args:
        recording: of schema 1.
    """

    def __init__(self, recording: Mapping[str, Any]) -> None:
        config = recording["config"]
        taxes = config.get("PeriodicBracketTax")
        self.taxed = taxes is not None
        skills = [agent["skill"] for agent in recording["episodes"][0]["initial"]["agents"]]
        self.engine = OneStepEngine("replay", 1, one_step_settings(config), tax_setter(taxes), 1, skills)
        self.comparison = Comparison()
        self.taxes = TaxComparison(self.engine.rules.tax, self.comparison)

    def episode(self, number: int, episode: Mapping[str, Any]) -> None:
        """Reset, then step and compare."""
        initial, engine = episode["initial"], self.engine
        self.comparison.where = f"episode {number}, reset"
        engine.reset(np.zeros(1, np.int64), ReplicaStreams(0, 1), np.array([initial["completions"]]), anew=number == 0)
        self.comparison.numbers("skills", engine.rules.skills, [a["skill"] for a in initial["agents"]], EXACT)
        self._compare_state(initial["agents"], initial["planner_metric"])
        if self.taxed:
            tax = initial["tax"]
            self.taxes.schedule(engine.state.taxes, engine.state.saez, tax, tax["cycle_pos"])
        self._compare_sight(initial)
        for step in episode["steps"]:
            self.comparison.where = f"episode {number}, step {step['t']}"
            self._step(step)
        if episode.get("final_metrics"):
            self._compare_metrics(episode["final_metrics"])

    def _step(self, step: Mapping[str, Any]) -> None:
        engine, state = self.engine, self.engine.state
        hours = np.zeros((engine.settings.num_agents, 1), np.int64)
        planner = np.zeros((1, engine.planner_entries), np.int64)
        for role, action in step["a"].items():
            (planner[0] if role == "p" else hours[int(role)])[:] = action
        if self.taxed:
            raw = (step.get("tax") or self.taxes.recorded).get("saez", {}).get("raw_rates")
            engine.scratch.rates[0] = random_rates(engine.rules.tax, state.taxes, raw)
        rewards = np.zeros(hours.shape)
        advance(engine.rules, state, engine.scratch, hours, planner, 0, 0, rewards)
        look(engine.rules, state, engine.views, engine.scratch, 0, 0)
        compare = self.comparison
        self._compare_state(step["agents"], step["planner"]["metric"])
        compare.numbers("rewards", rewards[:, 0], [agent["rew"] for agent in step["agents"]], FLOAT64)
        compare.numbers("planner's reward", state.progress.planner_reward[0], step["planner"]["rew"], FLOAT64)
        compare.equal("done", bool(state.progress.timestep[0] >= engine.horizon), step["done"])
        if self.taxed:
            self.taxes.schedule(state.taxes, state.saez, step.get("tax"), step["tax_pos"])
            self.taxes.collection(state.taxes, step.get("events", {}).get("tax"), engine.rules.tax)
        self._compare_sight(step)

    def _compare_state(self, theirs: Any, planner: float) -> None:
        compare, state = self.comparison, self.engine.state
        for name, ours, key in (
            ("labor", state.agents.labor[0], "labor"),
            ("utilities", state.progress.utility[0], "util"),
            ("production", state.production[0], "production"),
        ):
            compare.numbers(name, ours, [agent[key] for agent in theirs], FLOAT64)
        compare.numbers("inventory: coin", state.agents.inventory[0, :, COIN], [a["inv"][2] for a in theirs], FLOAT64)
        compare.numbers("planner's objective", state.progress.planner_objective[0], planner, FLOAT64)

    def _compare_sight(self, recorded: Mapping[str, Any]) -> None:
        views = self.engine.views
        for role, mask in recorded.get("masks", {}).items():
            ours = views.planner_mask[0] if role == "p" else views.agent_mask[0]
            who = "planner's mask" if role == "p" else "agents' masks"
            self.comparison.equal(who, "".join(str(int(allowed)) for allowed in ours), mask)
        seen = recorded.get("obs") or {}
        for role, theirs in seen.get("raw", {}).items():
            self._compare_named("raw", role, theirs, {name: np.ravel(value) for name, value in self._raw(role).items()})
        for role, theirs in (seen.get("flat") or {}).items():
            self._compare_named("flattened", role, theirs, self._flat(role))

    def _compare_named(self, kind: str, role: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
        who = "planner" if role == "p" else "agents"
        singles = {
            f"{name}-{inner}": x
            for name, value in theirs.items()
            if isinstance(value, Mapping)
            for inner, x in value.items()
        }
        plain = {name: value for name, value in theirs.items() if not isinstance(value, Mapping)}
        for name in self.comparison.keys(f"{who} see, {kind}: names", ours, {**plain, **singles}):
            value = {**plain, **singles}[name]
            label = name.lstrip("p0123456789") if name[0] == "p" and name[1:2].isdigit() else name
            self.comparison.numbers(f"{who} see, {kind}: {label}", ours[name], np.ravel(value), FLOAT32)

    def _raw(self, role: str) -> dict[str, Any]:
        sight, views = self.engine.sight, self.engine.views
        if role != "p":
            return _named(views.agent_vector[0, int(role)], sight.agent_entries)
        found = _named(views.planner_vector[0], sight.planner_entries)
        for index, row in enumerate(views.planner_agents[0]):
            found |= {f"p{index}-{name}": value for name, value in _named(row, sight.agent_of_planner).items()}
        return found

    def _flat(self, role: str) -> dict[str, Any]:
        sight, views = self.engine.sight, self.engine.views
        vector, entries = views.planner_vector[0], sight.planner_entries
        if role != "p":
            vector, entries = views.agent_vector[0, int(role)], sight.agent_entries
        found = {"flat": vector, "time": vector[slices(entries)["time"]]}
        rows = views.planner_agents[0] if role == "p" else ()
        return {**found, **{f"p{index}": row for index, row in enumerate(rows)}}

    def _compare_metrics(self, recorded: Mapping[str, Any]) -> None:
        names = bracket_names(self.engine.rules.tax.cutoffs)
        ours: dict[str, float] = {"endow/p/Coin": 0.0}  # the planner holds nothing
        for name, values in self.engine.metrics().items():
            parts = ["p" if part == PLANNER else part for part in name.split("/")]
            if parts[-1].isdigit():
                parts[-1] = names[int(parts[-1])]
            ours["/".join(parts)] = float(values[0])
        if "PeriodicTax/saez/estimated_elasticity" in ours:  # theirs is the estimate before the last one
            ours["PeriodicTax/saez/estimated_elasticity"] = self.taxes.last_elasticity
        for name in self.comparison.keys("metrics: names", ours, recorded):
            self.comparison.numbers(f"metrics: {name.split('/')[0]}", ours[name], recorded[name], FLOAT64)


def _named(vector: Any, entries: Entries) -> dict[str, Any]:
    return {name: vector[where] for name, where in slices(entries).items()}
