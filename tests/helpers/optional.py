"""Tests that need what is not installed everywhere."""

from importlib.util import find_spec

import pytest


def needs_jax() -> None:
    """Skips the test where JAX is not installed; it is not imported."""
    if find_spec("jax") is None:
        pytest.skip("JAX is not installed")
