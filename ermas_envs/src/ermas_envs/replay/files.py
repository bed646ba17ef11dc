"""Recordings on disk: reading and writing, and choosing how they are replayed."""

import gzip
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ermas_envs.base.text import parsed_json, refuse_special_file
from ermas_envs.replay.comparison import Comparison
from ermas_envs.replay.known_options import ONE_STEP
from ermas_envs.replay.one_step import OneStepReplay
from ermas_envs.replay.spatial import SpatialReplay

SCHEMA = 1
MALFORMED = (IndexError, TypeError, AttributeError, OverflowError, MemoryError)
"""What a recording of the wrong structure leads to."""


def read_recording(path: Path) -> dict[str, Any]:
    """A recording; ValueError naming the file if it is none."""
    try:
        refuse_special_file(path)
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        found = parsed_json(text)
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file.") from None
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as (gzipped) JSON: {error}") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise ValueError(f"{path}: is no recording of schema {SCHEMA}.")
    if not found.get("episodes"):
        raise ValueError(f"{path}: has no episodes.")
    return found


def write_recording(path: Path, recording: Mapping[str, Any]) -> None:
    """Write gzipped JSON, the same bytes for the same recording; NaN becomes null."""
    text = json.dumps(_plain(recording), allow_nan=False, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def replay_file(path: Path) -> Comparison:
    """Replay a recording and compare every quantity.

    Raises:
        ValueError: naming the file, and what is not known, missing or malformed.
    """
    recording = read_recording(path)
    comparison = Comparison()
    try:
        one_step = recording["config"]["kwargs"]["scenario_name"] == ONE_STEP
        replay = (OneStepReplay if one_step else SpatialReplay)(recording, comparison)
        for number, episode in enumerate(recording["episodes"]):
            replay.episode(number, episode)
    except ValueError as error:
        raise ValueError(f"{path}: {comparison.where}: {error}") from None
    except KeyError as error:
        raise ValueError(f"{path}: {comparison.where}: {error} is missing.") from None
    except MALFORMED as error:
        raise ValueError(f"{path}: {comparison.where}: malformed: {error}") from None
    return comparison
