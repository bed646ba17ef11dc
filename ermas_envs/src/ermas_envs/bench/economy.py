"""Speed of the economies on all cores, in steps of single environments, and beside the original's."""

import os
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ermas_envs.bench.original import Original
from ermas_envs.bench.players import FacePlayer, Player, economy_player, one_step_player
from ermas_envs.bench.team import Team

NUM_ENVS = 128
"""Replicas: the arrays of so many stay in the cache; 64 … 256 differ little."""
ONE_STEP_NUM_ENVS = 64
"""Of the one-step economy with 100 agents."""


@dataclass(frozen=True)
class Case:
    """One thing that is measured."""

    name: str
    text: str
    """What is written, for people."""
    num_envs: int
    """Replicas, unless others are asked for."""
    make: Callable[..., Player]
    """From the number of replicas and the settings."""
    settings: Mapping[str, Any]
    """Of what is measured."""
    original: str
    """Configuration of the original beside which it stands; that one always observes."""


CASES = (
    Case("full_float", "original observations, float32 maps", NUM_ENVS, economy_player, {"threads": 1}, "economy"),
    Case(
        "full_int",
        "original observations, uint8 maps",
        NUM_ENVS,
        economy_player,
        {"threads": 1, "map_dtype": "uint8"},
        "economy",
    ),
    Case(
        "rules_only",
        "rules and rewards only",
        NUM_ENVS,
        economy_player,
        {"threads": 1, "writes_observations": False},
        "economy",
    ),
    Case("batched_face", "EngineBatch.step, float32 maps", NUM_ENVS, FacePlayer, {"num_threads": 1}, "economy"),
    Case(
        "one_step_100_agents",
        "one-step economy, 100 agents",
        ONE_STEP_NUM_ENVS,
        one_step_player,
        {"threads": 1},
        "one_step",
    ),
)


def measure_economy(seconds: float, rounds: int, num_envs: int | None, python: str | None) -> dict[str, Any]:
    """Medians over rounds, in each of which all cases, and the original, have their turn.

    Ours and the original run in as many processes as there are cores, with one thread each.

    Args:
        seconds: of a case in a round.
        rounds: how many.
        num_envs: replicas of every case; None: its own.
        python: interpreter in which the original is installed; None: without it.

    Raises:
        ValueError: the original does not run there.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    originals: dict[str, Original] = {}
    team: Team | None = None
    try:
        for configuration in ("economy", "one_step") if python is not None else ():
            originals[configuration] = Original(str(python), configuration, cores)
        makers = {case.name: partial(case.make, num_envs or case.num_envs, **case.settings) for case in CASES}
        team = Team(makers, cores)
        speeds = _rounds(team, originals, seconds, rounds)
        sizes = team.sizes
    finally:
        for original in originals.values():
            original.close()
        if team is not None:
            team.close()
    found: dict[str, Any] = {f"{name}_steps_per_s": _median(values) for name, values in speeds.items()}
    for case in CASES if originals else ():
        theirs = speeds[f"original_{case.original}"]
        ratios = [ours / other for ours, other in zip(speeds[case.name], theirs, strict=True)]
        found[f"{case.name}_ratio"] = float(f"{statistics.median(ratios):.4g}")
    if originals:
        found["original_numpy"] = originals["economy"].numpy
    return {
        **found,
        "num_envs": {name: size.num_envs for name, size in sizes.items()},
        "memory_per_replica_bytes": {name: size.memory_per_replica for name, size in sizes.items()},
        "agents": 4,
        "map": [25, 25],
        "cores": cores,
        "processes": cores,
        "threads_per_process": 1,
        "rounds": rounds,
        "seconds": seconds,
    }


def _rounds(team: Team, originals: dict[str, Original], seconds: float, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for case in CASES:
            found.setdefault(case.name, []).append(team.steps_per_second(case.name, seconds))
        for name, original in originals.items():
            found.setdefault(f"original_{name}", []).append(original.steps_per_second(seconds))
    return found


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 1)


def table(found: dict[str, Any]) -> str:
    """For people."""
    lines = [
        f"steps of single environments per second: {found['agents']} agents, {found['map'][0]}×{found['map'][1]} map, "
        f"{found['processes']} processes of one thread; medians of {found['rounds']} rounds"
    ]
    for case in CASES:
        size = (
            f"{found['num_envs'][case.name]} replicas of {found['memory_per_replica_bytes'][case.name] / 1000:.0f} kB"
        )
        line = f"{case.text:38} {found[f'{case.name}_steps_per_s']:12,.0f}   {size}"
        ratio = found.get(f"{case.name}_ratio")
        lines.append(line if ratio is None else f"{line}   {ratio:,.0f} × the original")
    for name, text in (("economy", "original"), ("one_step", "original, one-step economy, 100 agents")):
        if f"original_{name}_steps_per_s" in found:
            speed = found[f"original_{name}_steps_per_s"]
            lines.append(f"{text:38} {speed:12,.0f}   {found['processes']} processes")
    return "\n".join(lines)
