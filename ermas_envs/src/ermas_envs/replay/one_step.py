"""Replays a recording of the one-step economy in our engine, with its skills, actions and Saez's random rates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ermas_envs.base.arrays import IntArray
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.one_step.settings import COMPATIBILITY, OneStepSettings, SimpleLabor
from ermas_envs.games.one_step.step import advance, write_observations
from ermas_envs.games.taxation.holdings import COIN
from ermas_envs.games.taxation.tax_planners import tax_rule
from ermas_envs.replay.actions import take_actions
from ermas_envs.replay.brackets import brackets_by_name, share_actions
from ermas_envs.replay.comparison import EXACT, FLOAT64, Comparison
from ermas_envs.replay.known_options import check_options
from ermas_envs.replay.metrics import compare_metrics, original_names
from ermas_envs.replay.observations import (
    Seen,
    compare_flat,
    compare_masks,
    compare_raw,
    flat_vector,
    mask_text,
    named,
)
from ermas_envs.replay.options import tax_component, tax_setter
from ermas_envs.replay.taxes import TaxComparison, random_rates


def replay_one_step(recording: Mapping[str, Any]) -> Comparison:
    """Replay all episodes of a recording, which belong to one environment."""
    replay = OneStepReplay(recording, Comparison())
    for number, episode in enumerate(recording["episodes"]):
        replay.episode(number, episode)
    return replay.comparison


def one_step_settings(config: Mapping[str, Any], skills: Sequence[float]) -> OneStepSettings:
    """Settings of a recording with these wages; ValueError for an option that this engine does not have."""
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
        skills=skills,
    )


class OneStepReplay:
    """One replica of our engine beside a recording.

    Args:
        recording: of schema 1.
        comparison: where deviations go.
    """

    def __init__(self, recording: Mapping[str, Any], comparison: Comparison) -> None:
        config = recording["config"]
        check_options(config["kwargs"])
        taxes = config.get("PeriodicBracketTax")
        skills = [agent["skill"] for agent in recording["episodes"][0]["initial"]["agents"]]
        self.taxed, settings = taxes is not None, one_step_settings(config, skills)
        self.engine = OneStepEngine("replay", 1, settings, tax_rule(tax_setter(taxes), settings.taxes), 1)
        self.comparison = comparison
        self.taxes = TaxComparison(self.engine.rules.tax, self.comparison)

    def episode(self, number: int, episode: Mapping[str, Any]) -> None:
        """Reset, then step and compare."""
        initial, engine = episode["initial"], self.engine
        self.comparison.where = f"episode {number}, reset"
        engine.reset(
            np.zeros(1, np.int64), ReplicaStreams(0, 1), np.array([initial["completions"]]), from_scratch=number == 0
        )
        self.comparison.numbers("skills", engine.rules.skills, [a["skill"] for a in initial["agents"]], EXACT)
        self._compare_state(initial["agents"], initial["planner_metric"])
        if self.taxed:
            tax = initial["tax"]
            self.taxes.schedule(engine.state.taxes, engine.state.saez, tax, tax["cycle_pos"])
        self._compare_observations(initial)
        for step in episode["steps"]:
            self.comparison.where = f"episode {number}, step {step['t']}"
            self._step(step)
        if episode.get("final_metrics"):
            named = original_names(engine.metrics(), engine.rules.tax.cutoffs, engine.settings.num_agents)
            named["endow/p/Coin"] = 0.0
            compare_metrics(self.comparison, named, episode["final_metrics"], self.taxes.last_elasticity)

    def _step(self, step: Mapping[str, Any]) -> None:
        engine, state = self.engine, self.engine.state
        hours = np.zeros((1, engine.settings.num_agents), np.int64)
        planner = np.zeros((1, engine.planner_entries), np.int64)
        take_actions(step["a"], hours.T, planner[0], engine.action_spaces)
        if engine.rules.planner_rates:
            self._share_actions(planner[0])
        if self.taxed:
            raw = (step.get("tax") or self.taxes.recorded).get("saez", {}).get("raw_rates")
            engine.scratch.rates[0] = random_rates(engine.rules.tax, state.taxes, raw)
        advance(engine.rules, state, engine.scratch, hours, planner, 0, 0)
        write_observations(engine.rules, state, engine.views, engine.scratch, 0, 0)
        compare = self.comparison
        self._compare_state(step["agents"], step["planner"]["metric"])
        compare.numbers("rewards", state.progress.rewards[0], [agent["rew"] for agent in step["agents"]], FLOAT64)
        compare.numbers("planner's reward", state.progress.planner_reward[0], step["planner"]["rew"], FLOAT64)
        compare.equal("done", bool(state.progress.timestep[0] >= engine.horizon), step["done"])
        if self.taxed:
            self.taxes.schedule(state.taxes, state.saez, step.get("tax"), step["tax_pos"])
            self.taxes.collection(state.taxes, step.get("events", {}).get("tax"), engine.rules.tax)
        self._compare_observations(step)

    def _share_actions(self, planner: IntArray) -> None:
        rules = self.engine.rules
        if rules.planner_multi:
            share_actions(rules.tax.cutoffs, True, planner)
        elif len(brackets_by_name(rules.tax.cutoffs)) < len(rules.tax.cutoffs):
            raise ValueError("brackets that share a name, and a planner that sets one at a time, cannot be replayed.")

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

    def _compare_observations(self, recorded: Mapping[str, Any]) -> None:
        compare_masks(self.comparison, masks(self.engine), recorded.get("masks", {}))
        seen = recorded.get("obs") or {}
        for role, theirs in seen.get("raw", {}).items():
            compare_raw(self.comparison, role, raw(self.engine, role), theirs)
        for role, theirs in (seen.get("flat") or {}).items():
            compare_flat(self.comparison, role, flat(self.engine, role), theirs)


def masks(engine: OneStepEngine) -> dict[str, str]:
    """Masks of all roles as texts of 0 and 1."""
    agents = mask_text(engine.views.agent_mask[0])
    roles = [str(index) for index in range(engine.settings.num_agents)]
    return {**dict.fromkeys(roles, agents), "p": mask_text(engine.views.planner_mask[0])}


def raw(engine: OneStepEngine, role: str) -> Seen:
    """The unflattened observation of a role."""
    observer, views = engine.observer, engine.views
    if role != "p":
        return named(views.agent_vector[0, int(role)], observer.agent_entries)
    of_agents = enumerate(views.planner_agents[0])
    found = named(views.planner_vector[0], observer.planner_entries)
    return {**found, **{f"p{index}": named(row, observer.agent_of_planner) for index, row in of_agents}}


def flat(engine: OneStepEngine, role: str) -> Seen:
    """The flattened observation of a role."""
    observer, views = engine.observer, engine.views
    if role != "p":
        return flat_vector(views.agent_vector[0, int(role)], observer.agent_entries, ())
    return flat_vector(views.planner_vector[0], observer.planner_entries, views.planner_agents[0])
