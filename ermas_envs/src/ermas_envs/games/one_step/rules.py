"""From settings to the constants that kernels take (`step.OneStepRules`), the agents' wages among them."""

import numpy as np

from ermas_envs.base.arguments import check_integer, check_positive
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.one_step.objectives import OneStepObjectives
from ermas_envs.games.one_step.observe import COIN_SCALE, OneStepObservations
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.one_step.step import HOURS, OneStepRules
from ermas_envs.games.taxation.skill_ranks import rank_means
from ermas_envs.games.taxation.tax_planners import TaxRule, planner_choices, saez_constants, tax_parameters
from ermas_envs.games.taxation.welfare import coin_minus_labor_cost


def one_step_rules(settings: OneStepSettings, rule: TaxRule | None) -> OneStepRules:
    """All constants of the game under a rule.

    Args:
        settings: the game.
        rule: how rates are set; None: by actions.
    """
    labor, taxes = settings.labor, settings.taxes
    constants = tax_parameters(taxes, rule, "stale_first_rates" in settings.compatibility)
    brackets, rates = planner_choices(taxes, constants)
    scaled = settings.allow_observation_scaling
    return OneStepRules(
        skills=_drawn_skills(settings) if settings.skills is None else np.array(settings.skills, dtype=np.float64),
        planner_multi=settings.multi_action_mode_planner,
        planner_brackets=max(brackets, 1),
        planner_rates=rates,
        compact=settings.observations == "compact",
        taxed=taxes is not None,
        tax=constants,
        saez=saez_constants(rule),
        objectives=OneStepObjectives(
            settings.agent_reward_type == "isoelastic_coin_minus_labor",
            np.array(settings.etas(), dtype=np.float64),
            settings.labor_cost,
            _labor_costs(settings),
            settings.planner_reward_type == "inv_income_weighted_utility",
            1.0 - settings.mixing_weight_gini_vs_coin,
        ),
        observations=OneStepObservations(
            brackets=len(constants.cutoffs),
            period=constants.period,
            top_wage=labor.payment_max_skill_multiplier,
            time_scale=float(settings.horizon) if scaled else 1.0,
            coin_scale=COIN_SCALE if scaled else 1.0,
            mask_first_step=labor.mask_first_step,
        ),
    )


def _labor_costs(settings: OneStepSettings) -> FloatArray:
    cost, exponent = settings.labor_cost, settings.labor_exponent
    return np.array([-coin_minus_labor_cost(0.0, float(hours), cost, exponent) for hours in range(HOURS + 1)])


def _drawn_skills(settings: OneStepSettings) -> FloatArray:
    labor = settings.labor
    generator = np.random.default_rng(settings.skill_seed)
    return one_step_skills(settings.num_agents, labor.payment_max_skill_multiplier, labor.pareto_param, generator)


def one_step_skills(
    num_agents: int, max_multiplier: float, pareto_param: float, generator: np.random.Generator
) -> FloatArray:
    """Wages by skill rank for the one-step economy (SPEC.md §17).

    The original accepts `pareto_param` and always draws with 4; here it counts.

    Args:
        num_agents: n ≥ 1.
        max_multiplier: M ≥ 1, the highest wage.
        pareto_param: shape of the Lomax distribution, > 0; the original's default is 4.
        generator: source of the 1000·n draws.

    Returns:
        (n,) float64 in [1, M], ascending, coin per hour: rank means of 1000 sorted rows of n multipliers
        min(M, (M − 1)·x + 1).

    Raises:
        ValueError: naming the argument that is out of range.
    """
    num_agents, pareto_param = check_integer("num_agents", num_agents, 1), check_positive("pareto_param", pareto_param)
    if not isinstance(generator, np.random.Generator):
        raise ValueError(f"generator must be a numpy.random.Generator, got {generator!r}.")
    return rank_means(generator.pareto(pareto_param, size=(1000, num_agents)), max_multiplier)
