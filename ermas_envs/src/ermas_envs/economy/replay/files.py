"""Recordings on disk: reading, and choosing how they are replayed."""

import gzip
import json
from pathlib import Path
from typing import Any

from ermas_envs.economy.replay.comparison import Comparison
from ermas_envs.economy.replay.one_step import replay_one_step
from ermas_envs.economy.replay.spatial import replay_economy

SCHEMA = 1


def read_recording(path: Path) -> dict[str, Any]:
    """A recording; ValueError naming the file if it is none."""
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        found = json.loads(text)
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as (gzipped) JSON: {error}") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or "episodes" not in found:
        raise ValueError(f"{path}: is no trajectory of schema {SCHEMA}.")
    return found


def replay_file(path: Path) -> Comparison:
    """Replay a recording and compare every quantity; ValueError naming the file, or the option that is not known."""
    recording = read_recording(path)
    if recording["config"]["kwargs"].get("scenario_name") == "one-step-economy":
        return replay_one_step(recording)
    return replay_economy(recording)
