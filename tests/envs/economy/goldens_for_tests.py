"""Recordings of the original simulator; they lie beside the repository, and tests of them are skipped without them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

GOLDENS = Path(__file__).parents[4] / "shared/economy/goldens"


def golden_path(name: str) -> Path:
    """The file of that name."""
    path = GOLDENS / f"{name}.json.gz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return path


def golden(name: str) -> Any:
    """Its content."""
    with gzip.open(golden_path(name)) as stream:
        return json.load(stream)
