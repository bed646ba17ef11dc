"""Presets: arguments and training settings that fit an environment, so that nobody must guess them to begin.

`ermas train` starts from the preset of its environment; what a user gives overrides it. A third party registers one for
an environment of theirs with `preset_registry`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ermas_envs.base.registry import Registry

NO_PRESET = "none"
"""Name by which a user asks for the plain defaults."""


@dataclass(frozen=True)
class Preset:
    """Values that differ from the defaults; JSON types."""

    environment: str
    """Registered environment that it is for."""
    purpose: str
    """What the values are chosen for, in a sentence."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the environment."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of every algorithm."""
    algorithm_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further settings by the algorithm's name."""
    iterations: int | None = None
    """Outer iterations of a training; None: as many as without a preset."""

    def settings_for(self, algorithm: str) -> dict[str, Any]:
        """Settings of one algorithm."""
        return {**self.settings, **self.algorithm_settings.get(algorithm, {})}


preset_registry: Registry[Preset] = Registry("preset")


def default_preset(environment: str) -> str:
    """Name of the preset that a training in this environment starts from, the first one that was registered for it;
    `NO_PRESET` where there is none."""
    return next((name for name in preset_registry if preset_registry.make(name).environment == environment), NO_PRESET)


_MASKED_PPO = {
    "algorithm": "MaskablePPO",
    "hidden_layers": [64, 64],
    "learning_rate": 1e-3,
    "gamma": 0.99,
    "gae_lambda": 0.95,
}
"""Actions of the economies depend on what an agent has; most of them have no effect without the masks."""

_FAR_SIGHTED_PPO = {**_MASKED_PPO, "gamma": 0.998, "gae_lambda": 0.98}
"""A house is the end of a long errand, so that little is discounted."""
_ALONE = 500
"""Iterations in which agents of the economy learn without taxes. The most skilled begin in a corner without resources,
and without coin to buy any: after 60 iterations they do nothing yet, and where others' taxes are shared out they never
learn what they could earn."""
_GATHERING = {
    "policy_sharing": "group",
    "planner_warmup": _ALONE,
    "practice_updates": 1,
    "agent_learner": {
        **_FAR_SIGHTED_PPO,
        "learning_rate": 3e-3,
        "minibatch_size": 1600,
        "anneal_epochs": 3300,
        "algorithm_kwargs": {"n_epochs": 3, "ent_coef": 0.05, "clip_range": 0.2},
    },
    "planner_learner": {
        **_FAR_SIGHTED_PPO,
        "learning_rate": 5e-3,
        "anneal_epochs": 1500,
        "algorithm_kwargs": {"n_epochs": 4, "ent_coef": 0.01, "clip_range": 0.2},
    },
}
"""Two phases (SPEC section 19): agents learn without taxes, while the cost of labor grows; then the planner learns, its
rates may grow, and half of the agents' updates are practice under random rates."""

_GATHERING_ERMAS = {
    "epsilon": 0.01,
    "warmup_iterations": _ALONE + 50,
    "deviation_updates": 1,
    "deviation_learner": {
        **_FAR_SIGHTED_PPO,
        "learning_rate": 5e-4,
        "minibatch_size": 1600,
        "algorithm_kwargs": {"n_epochs": 3, "ent_coef": 0.01, "clip_range": 0.2},
    },
    "multiplier": {"initial": 20.0, "step_size": 80.0, "proportional": 100.0, "maximum": 50.0},
}
"""Adversaries begin where agents have learned their trade: deviations that must learn it at the same time, from a share
of the experience, are worse than the agents themselves, and their estimates of regret are below 0. With steps three
times as large, batches of a quarter and only two of four who deviate they were, too: λ fell before adversaries had done
anything, and these ended at four times ε, by exploiters trained afterwards; with these values at 1.3 times ε."""


def _gather_trade_build(
    purpose: str, economy: Mapping[str, Any], taxes: Mapping[str, Any], num_envs: int = 32
) -> Preset:
    arguments = {
        "observations": "compact",
        "energy_warmup_method": "decay",
        "energy_warmup_constant": 20.0,
        "components": {"PeriodicBracketTax": {**taxes, "tax_annealing_schedule": [float(_ALONE), 0.02]}},
        **economy,
    }
    settings = {**_GATHERING, "num_envs": num_envs}
    return Preset("economy_v0", purpose, arguments, settings, {"ERMAS": _GATHERING_ERMAS}, _ALONE + 300)


_ECONOMY = _gather_trade_build(
    "The map of 25 × 25 for 200 steps, with compact observations and small networks.",
    {"horizon": 200},
    {},
)
_VILLAGE = _gather_trade_build(
    "Gather, trade and build in small: a map of 13 × 13 for 100 steps; incomes are a quarter, and so are tax brackets.",
    {"horizon": 100, "layout": "village"},
    {"period": 25, "usd_scaling": 4000.0},
)
_AI_ECONOMIST = _gather_trade_build(
    "The map of 25 × 25 for 1000 steps, as the original has them, in 8 replicas instead of 32.",
    {"horizon": 1000},
    {},
    num_envs=8,
)
_ONE_STEP = Preset(
    environment="one_step_economy_v0",
    purpose="Ten agents with isoelastic utility, who share a policy, under a planner who trades equality against "
    "productivity. Agents first learn their answers to all schedules; entropy falls while the planner learns. 220 "
    "iterations are enough.",
    arguments={
        "observations": "compact",
        "num_agents": 10,
        "agent_reward_type": "isoelastic_coin_minus_labor",
        "isoelastic_eta": 0.23,
        "labor_cost": 0.3,
        "planner_reward_type": "coin_eq_times_productivity",
    },
    settings={
        "num_envs": 512,
        "policy_sharing": "group",
        "practice_updates": 1,
        "planner_warmup": 120,
        "agent_learner": {
            **_MASKED_PPO,
            "gamma": 1.0,
            "learning_rate": 6e-3,
            "minibatch_size": 1280,
            "anneal_epochs": 1300,
            "algorithm_kwargs": {"n_epochs": 4, "ent_coef": 0.2, "clip_range": 0.2},
        },
        "planner_learner": {
            **_MASKED_PPO,
            "gamma": 1.0,
            "learning_rate": 2e-3,
            "anneal_epochs": 200,
            "algorithm_kwargs": {"n_epochs": 2, "ent_coef": 0.05, "clip_range": 0.2},
        },
    },
    algorithm_settings={
        "ERMAS": {
            "epsilon": 0.5,
            "warmup_iterations": 100,
            "deviating_agents": 2,
            "multiplier": {"initial": 2.0, "step_size": 6.0, "proportional": 60.0},
        }
    },
)
_DRIVERS = {
    "hidden_layers": [32, 32],
    "learning_rate": 3e-3,
    "gamma": 0.0,
    "gae_lambda": 0.0,
    "minibatch_size": 2048,
    "algorithm_kwargs": {"n_epochs": 4, "ent_coef": 0.05, "clip_range": 0.2},
}
"""What a driver does changes no later drive, so that nothing needs to be counted beyond one."""
_TOLLS = Preset(
    environment="toll_v0",
    purpose="Twenty drivers, who share a policy, on Pigou's two roads, with a toll on the second. Drivers first learn "
    "their answers to all tolls; deviations with much entropy go on finding better roads. λ counts in the effect of "
    "one driver of twenty. 240 iterations are enough.",
    arguments={"drives": 5, "tolled": [1], "toll_levels": 21},
    settings={
        "num_envs": 32,
        "policy_sharing": "group",
        "practice_updates": 1,
        "planner_warmup": 40,
        "agent_learner": _DRIVERS,
        "planner_learner": {
            "learning_rate": 5e-3,
            "gamma": 0.0,
            "gae_lambda": 0.0,
            "algorithm_kwargs": {"n_epochs": 4, "ent_coef": 0.02, "clip_range": 0.2},
        },
    },
    algorithm_settings={
        "ERMAS": {
            "epsilon": 0.08,
            "regret_of_others": True,
            "warmup_iterations": 5,
            "deviating_agents": 4,
            "deviation_learner": {
                **_DRIVERS,
                "learning_rate": 1e-2,
                "minibatch_size": 128,
                "algorithm_kwargs": {"n_epochs": 4, "ent_coef": 0.2, "clip_range": 0.2},
            },
            "multiplier": {"initial": 0.2, "step_size": 0.1, "proportional": 1.5, "maximum": 5.0},
        }
    },
)
_CONTRACT_AGENT = {
    "learning_rate": 2e-2,
    "gamma": 1.0,
    "gae_lambda": 1.0,
    "algorithm_kwargs": {"n_epochs": 4, "ent_coef": 0.1, "clip_range": 0.2},
}
"""Agents see what every action is worth to both sides, so that every answer that matters is linear in what they see.
With less entropy an adversary may never again try what it has not done while λ was high; λ then falls to 0."""
_CONTRACTS = Preset(
    environment="contract_v0",
    purpose="One agent, payoffs expected given its action, payments up to 1. Agents learn answers to all contracts, "
    "first alone, then beside the planner, whose steps become small. ERMAS's planner learns from the Lagrangian; its λ "
    "begins high, so that deviations begin at best responses.",
    arguments={"outcomes": "expected", "largest_payment": 1.0},
    iterations=500,
    settings={
        "num_envs": 128,
        "practice_updates": 1,
        "planner_warmup": 40,
        "agent_learner": _CONTRACT_AGENT,
        "planner_learner": {
            "learning_rate": 1e-2,
            "gamma": 1.0,
            "gae_lambda": 1.0,
            "anneal_epochs": 1840,
            "algorithm_kwargs": {"n_epochs": 4, "ent_coef": 0.0, "clip_range": 0.2},
        },
    },
    algorithm_settings={
        "ERMAS": {
            "epsilon": 0.025,
            "warmup_iterations": 40,
            "planner_objective": "lagrangian",
            "deviation_learner": {
                **_CONTRACT_AGENT,
                "learning_rate": 4e-2,
                "algorithm_kwargs": {"n_epochs": 4, "ent_coef": 0.02, "clip_range": 0.2},
            },
            "multiplier": {"initial": 1.0, "step_size": 0.1, "proportional": 0.15},
        }
    },
)
preset_registry.register("gather-trade-build", lambda: _ECONOMY)
preset_registry.register("village", lambda: _VILLAGE)
preset_registry.register("ai-economist", lambda: _AI_ECONOMIST)
preset_registry.register("one-step", lambda: _ONE_STEP)
preset_registry.register("tolls", lambda: _TOLLS)
preset_registry.register("contracts", lambda: _CONTRACTS)
