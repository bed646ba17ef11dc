"""The command `python -m ermas_algos.bench`."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

import torch

from ermas_algos.bench import bimatrix, economy
from ermas_envs.base.text import replace_what_cannot_be_shown

SUITES: dict[str, Any] = {"bimatrix": bimatrix, "economy": economy}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print comparisons or JSON."""
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(
        prog="python -m ermas_algos.bench",
        description="Speed of training, side by side in one run with one thread. bimatrix: MARL against SB3's PPO "
        "through SuperSuit, and ERMAS against MARL. economy: MARL with the learner of kind jax against bare passes of "
        "its network, SB3's MaskablePPO through SuperSuit, MARL by its preset, and ERMAS. SuperSuit comes with the "
        "extra test, JAX with the extra jax.",
    )
    parser.add_argument("suite", nargs="?", choices=SUITES, default="bimatrix", help="(default bimatrix)")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="least length of a measurement; every side has 5 (default 3)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    suite, threads = SUITES[given.suite], torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        comparisons = suite.comparisons(given.seconds)
        settings = suite.hyper_parameters()
    finally:
        torch.set_num_threads(threads)
    if given.json:
        print(json.dumps({"hyper_parameters": settings, "comparisons": [c.as_json() for c in comparisons]}, indent=2))
        return
    print("\n".join(f"{name}: {json.dumps(value)}" for name, value in settings.items()))
    for comparison in comparisons:
        print(f"\n{comparison.as_text()}")
