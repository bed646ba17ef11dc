"""Recordings of the original simulator, without its maps in tests/originals; tests of the others, which lie beside the
repository, are skipped where there are none."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

GOLDENS = Path(__file__).parents[3] / "shared/economy/goldens"
ORIGINALS = Path(__file__).parents[1] / "originals"


def golden_path(name: str) -> Path:
    """The file of that name."""
    path = ORIGINALS / f"{name}.json.gz"
    path = path if path.is_file() else GOLDENS / path.name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return path


def golden(name: str) -> Any:
    """Its content."""
    with gzip.open(golden_path(name)) as stream:
        return json.load(stream)
