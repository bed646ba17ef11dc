"""Wrappers of PettingZoo parallel environments, ours and others, for what learners of other libraries want."""

from ermas_envs.wrappers.action_masks import ActionMasks
from ermas_envs.wrappers.conversion import Conversion
from ermas_envs.wrappers.discrete_actions import DiscreteActions
from ermas_envs.wrappers.flat_observations import FlatObservations
from ermas_envs.wrappers.same_spaces import SameSpaces

__all__ = ["ActionMasks", "Conversion", "DiscreteActions", "FlatObservations", "SameSpaces"]
