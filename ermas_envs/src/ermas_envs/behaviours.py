"""Behaviours of agents for users: the protocol `Behaviour`, those that we ship, and their registry."""

from ermas_envs.game.behaviours import Behaviour, Habit, Intentions, behaviour_registry

__all__ = ["Behaviour", "Habit", "Intentions", "behaviour_registry"]
