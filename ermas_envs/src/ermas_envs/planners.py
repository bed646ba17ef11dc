"""Planner objects for users: the protocol `Planner`, those that we ship, and their registry."""

from ermas_envs.game.planners import ConstantPlanner, FunctionPlanner, Planner, as_planner, planner_registry
from ermas_envs.games.taxation.tax_planners import FixedBrackets, FreeMarket, Saez, TaxPlanner, USFederal

__all__ = [
    "ConstantPlanner",
    "FixedBrackets",
    "FreeMarket",
    "FunctionPlanner",
    "Planner",
    "Saez",
    "TaxPlanner",
    "USFederal",
    "as_planner",
    "planner_registry",
]
