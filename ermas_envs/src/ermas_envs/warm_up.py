"""Compiles the rules of games before they are needed: `ermas-envs warm-up`, for images, clusters and CI."""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ermas_envs.base.arguments import check_integer
from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.kernels.compiled import cache_directory

_PLAY = """
from ermas_envs import batched_env
env = batched_env({name!r}, 2, **{arguments!r})
env.reset(seed=0)
env.step({{role: [space.sample()] * 2 for role, space in env.action_spaces.items()}})
dict(env.engine.metrics() or {{}})
"""
"""Two replicas, since one does not wait for the compiler."""
_GAMES: Sequence[tuple[str, Mapping[str, str]]] = (
    ("economy_v0", {}),
    ("one_step_economy_v0", {}),
    ("economy_v0", {"observations": "compact"}),
    ("economy_v0", {"map_dtype": "uint8"}),
    ("contract_v0", {}),
)
"""What has kernels of its own, or kernels for other types; the longest comes first."""


def warm_up(processes: int) -> None:
    """Compile every kernel that is not yet in the cache, each game in a process of its own.

    Other games have no kernels. The cache is found again by every process of the user with the same `NUMBA_CACHE_DIR`
    (else the user's cache folder), the same sources and the same kind of processor.

    Args:
        processes: how many work at once, at least 1.

    Raises:
        ValueError: `processes`.
        subprocess.CalledProcessError: a game could not be played; its traceback is on stderr.
    """
    with ThreadPoolExecutor(check_integer("processes", processes, 1)) as pool:
        list(pool.map(_play, _GAMES))


def _play(game: tuple[str, Mapping[str, str]]) -> None:
    name, arguments = game
    subprocess.run([sys.executable, "-c", _PLAY.format(name=name, arguments=dict(arguments))], check=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command `ermas-envs`; exit status 0, 1 if a game could not be played, 2 for unusable arguments."""
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(prog="ermas-envs", description="Environments with a planner and agents.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    warm = commands.add_parser(
        "warm-up",
        help="compile the rules of all games now, so that nobody waits for them later",
        description="Compile the rules of all games that need it, and keep them for all later processes of this user "
        "on this kind of processor. NUMBA_CACHE_DIR names another folder.",
    )
    warm.add_argument("--processes", type=int, default=2, help="processes that work at once (default: 2)")
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.print_help()
        return
    began = time.perf_counter()
    print("compiling rules that are not yet kept; at first this takes about a minute", flush=True)
    try:
        warm_up(given.processes)
    except ValueError as error:
        warm.error(str(error))
    except subprocess.CalledProcessError:
        sys.exit("ermas-envs: a game could not be played; see above")
    print(f"ready after {time.perf_counter() - began:.0f} s, in {cache_directory()}")
