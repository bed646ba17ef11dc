"""From settings to the constants that kernels take (`step.OneStepRules`), the agents' wages among them."""

from collections.abc import Sequence

import numpy as np

from ermas_envs.arguments import check_sequence
from ermas_envs.arrays import FloatArray
from ermas_envs.economy.ranges import check_amount
from ermas_envs.economy.rules import planner_choices, saez_constants, tax_parameters
from ermas_envs.economy.skills import one_step_skills
from ermas_envs.economy.welfare import coin_minus_labor_cost
from ermas_envs.one_step.labor import HOURS
from ermas_envs.one_step.objectives import OneStepObjectives
from ermas_envs.one_step.observe import COIN_SCALE, OneStepObservations
from ermas_envs.one_step.settings import OneStepSettings
from ermas_envs.one_step.step import OneStepRules


def one_step_rules(
    settings: OneStepSettings, planner: object, skills: Sequence[float] | FloatArray | None = None
) -> OneStepRules:
    """All constants of the game under a planner.

    Args:
        settings: the game.
        planner: a `TaxPlanner`, or anything else that acts.
        skills: wages of the agents, coin per hour; None draws them.
    """
    labor, taxes = settings.labor, settings.taxes
    constants = tax_parameters(taxes, planner, "stale_first_rates" in settings.compatibility)
    brackets, rates = planner_choices(taxes, planner)
    scaled = settings.allow_observation_scaling
    return OneStepRules(
        skills=_drawn_skills(settings) if skills is None else _given_skills(settings, skills),
        planner_multi=bool(settings.multi_action_mode_planner),
        planner_brackets=max(brackets, 1),
        planner_rates=rates,
        compact=settings.observations == "compact",
        taxed=taxes is not None,
        tax=constants,
        saez=saez_constants(taxes, planner),
        objectives=OneStepObjectives(
            settings.agent_reward_type == "isoelastic_coin_minus_labor",
            np.array(settings.etas(), dtype=np.float64),
            float(settings.labor_cost),
            _labor_costs(settings),
            settings.planner_reward_type == "inv_income_weighted_utility",
            1.0 - settings.mixing_weight_gini_vs_coin,
        ),
        observations=OneStepObservations(
            brackets=len(constants.cutoffs),
            period=constants.period,
            top_wage=float(labor.payment_max_skill_multiplier),
            time_scale=float(settings.horizon) if scaled else 1.0,
            coin_scale=COIN_SCALE if scaled else 1.0,
            mask_first_step=bool(labor.mask_first_step),
        ),
    )


def _labor_costs(settings: OneStepSettings) -> FloatArray:
    cost, exponent = float(settings.labor_cost), float(settings.labor_exponent)
    return np.array([-coin_minus_labor_cost(0.0, float(hours), cost, exponent) for hours in range(HOURS + 1)])


def _drawn_skills(settings: OneStepSettings) -> FloatArray:
    labor = settings.labor
    generator = np.random.default_rng(settings.skill_seed)
    return one_step_skills(settings.num_agents, labor.payment_max_skill_multiplier, labor.pareto_param, generator)


def _given_skills(settings: OneStepSettings, skills: Sequence[float] | FloatArray) -> FloatArray:
    wages = check_sequence("skills", skills, "[1.0, 2.5]")
    values = [check_amount("skills", value) for value in wages]
    if len(values) != settings.num_agents:
        raise ValueError(f"skills must be {settings.num_agents} wages, one per agent, got {len(values)}.")
    return np.array(values, dtype=np.float64)
