"""The command `python -m ermas_envs.bench`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.bench import bimatrix, contract, economy, growth, start, toll

SUITES = ("bimatrix", "contract", "economy", "economy-growth", "economy-start", "toll")

_STEPPED = {
    "bimatrix": bimatrix.measure_bimatrix,
    "contract": contract.measure_contract,
    "toll": toll.measure_toll,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table or JSON."""
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(
        prog="python -m ermas_envs.bench",
        description="Speed of the batched environments. bimatrix: steps of the bimatrix games, checked, on one core. "
        "contract: of contract_v0, likewise. "
        "economy: of the economies, on all cores. economy-growth: how the time of a step grows with agents and map. "
        "economy-start: how long the first step takes with and without compiled kernels at hand. "
        "toll: steps of the toll game, checked, on one core.",
    )
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument(
        "--num-envs", type=int, help="replicas (bimatrix, contract, toll: 1024; others: those of each measurement)"
    )
    parser.add_argument("--seconds", type=float, help="length of a repetition (bimatrix, contract, toll: 2; others: 1)")
    parser.add_argument("--rounds", type=int, default=3, help="economy: repetitions of all measurements (default 3)")
    parser.add_argument(
        "--against-original",
        nargs="?",
        const=sys.executable,
        metavar="PYTHON",
        help="economy: also the original's speed, in rounds beside ours; PYTHON is the interpreter of an environment "
        "where ai-economist 1.7.1 is installed (default: this one)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    given = parser.parse_args(arguments)
    for name, value in (("--num-envs", given.num_envs), ("--rounds", given.rounds)):
        if value is not None and value < 1:
            parser.error(f"{name} must be at least 1, got {value}")
    try:
        found, text = _measured(given)
    except ValueError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)
    print(found if given.json else text)


def _measured(given: argparse.Namespace) -> tuple[str, str]:
    """JSON and table of a suite."""
    seconds = given.seconds if given.seconds is not None else 2.0 if given.suite in _STEPPED else 1.0
    if given.suite in _STEPPED:
        speeds = _STEPPED[given.suite](given.num_envs or bimatrix.NUM_ENVS, seconds)
        return json.dumps([asdict(speed) for speed in speeds], indent=2), bimatrix.table(speeds)
    if given.suite == "economy":
        found = economy.measure_economy(seconds, given.rounds, given.num_envs, given.against_original)
        return json.dumps(found), economy.table(found)
    if given.suite == "economy-growth":
        rows = growth.measure_growth(seconds, num_envs=given.num_envs or growth.NUM_ENVS)
        return json.dumps(rows), growth.table(rows)
    rows = start.measure_start()
    return json.dumps(rows), start.table(rows)
