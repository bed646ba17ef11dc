"""Speed of training, side by side in one run: `python -m ermas_algos.bench`."""

from ermas_algos.bench.command import main

__all__ = ["main"]
