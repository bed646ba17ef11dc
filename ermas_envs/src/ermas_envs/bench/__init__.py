"""Speed of the batched environments: `python -m ermas_envs.bench bimatrix`, `economy` and others."""

from ermas_envs.bench.bimatrix import Speed, measure
from ermas_envs.bench.command import main

__all__ = ["Speed", "main", "measure"]
