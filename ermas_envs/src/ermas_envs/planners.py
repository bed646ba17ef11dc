"""Planner objects for users: the protocol `Planner`, those that we ship, and their registry."""

from ermas_envs.game.planners import ConstantPlanner, FunctionPlanner, Planner, as_planner, planner_registry
from ermas_envs.game.tree_planner import TreePlanner
from ermas_envs.games.taxation import tax_planners
from ermas_envs.games.taxation.tax_planners import *

__all__ = ["ConstantPlanner", "FunctionPlanner", "Planner", "TreePlanner", "as_planner", "planner_registry"]
__all__ += tax_planners.__all__
