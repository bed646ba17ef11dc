"""Replays recordings of the original simulator: `python -m ermas_envs.replay FILE…` (format: schema 1)."""

from ermas_envs.replay.comparison import Comparison
from ermas_envs.replay.files import replay_file

__all__ = ["Comparison", "replay_file"]
