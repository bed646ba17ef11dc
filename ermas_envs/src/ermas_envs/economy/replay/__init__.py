"""Replays recordings of the original simulator: `python -m ermas_envs.economy.replay FILE…` (format: schema 1)."""

from ermas_envs.economy.replay.comparison import Comparison
from ermas_envs.economy.replay.files import replay_file

__all__ = ["Comparison", "replay_file"]
