"""Speed of the economies on all cores, in steps of single environments, and beside the original's."""

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba

from ermas_envs.bench.original import Original
from ermas_envs.bench.players import FacePlayer, Player, economy_player, one_step_player, steps_per_second

NUM_ENVS = 128
"""Replicas: the arrays of so many stay in the cache; 64 … 256 differ little."""
ONE_STEP_NUM_ENVS = 64
"""Of the one-step economy with 100 agents."""
RULES_NUM_ENVS = 1024
"""Without observations there is less to keep in the cache, and calls cost more than steps."""


@dataclass(frozen=True)
class Case:
    """One thing that is measured."""

    name: str
    text: str
    """What is written, for people."""
    num_envs: int
    """Replicas, unless others are asked for."""
    make: Callable[[int], Player]
    """From the number of replicas."""
    original: str | None
    """Configuration of the original that does the same."""


def _small_maps(num_envs: int) -> Player:
    return economy_player(num_envs, map_dtype="uint8")


def _blind(num_envs: int) -> Player:
    return economy_player(num_envs, looks=False)


CASES = (
    Case("full_float", "original observations, float32 maps", NUM_ENVS, economy_player, "economy"),
    Case("full_int", "original observations, uint8 maps", NUM_ENVS, _small_maps, "economy"),
    Case("rules_only", "no observations", RULES_NUM_ENVS, _blind, None),
    Case("batched_face", "EngineBatch.step, float32 maps", NUM_ENVS, FacePlayer, "economy"),
    Case("one_step_100_agents", "one-step economy, 100 agents", ONE_STEP_NUM_ENVS, one_step_player, "one_step"),
)


def measure_economy(seconds: float, rounds: int, num_envs: int | None, python: str | None) -> dict[str, Any]:
    """Medians over rounds, in each of which all cases, and the original, have their turn.

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
    try:
        for configuration in ("economy", "one_step") if python is not None else ():
            originals[configuration] = Original(str(python), configuration, cores)
        players = {case.name: case.make(num_envs or case.num_envs) for case in CASES}
        for player in players.values():
            player.play()
        speeds = _rounds(players, originals, seconds, rounds)
    finally:
        for original in originals.values():
            original.close()
    found: dict[str, Any] = {f"{name}_steps_per_s": _median(values) for name, values in speeds.items()}
    for case in CASES if originals else ():
        if case.original is not None:
            theirs = speeds[f"original_{case.original}"]
            ratios = [ours / other for ours, other in zip(speeds[case.name], theirs, strict=True)]
            found[f"{case.name}_ratio"] = statistics.median(ratios)
    if originals:
        found["original_processes"] = cores
        found["original_numpy"] = originals["economy"].numpy
    return {
        **found,
        "num_envs": {name: player.num_envs for name, player in players.items()},
        "memory_per_replica_bytes": {name: player.memory_per_replica for name, player in players.items()},
        "agents": 4,
        "map": [25, 25],
        "cores": cores,
        "threads": numba.config.NUMBA_NUM_THREADS,  # type: ignore[attr-defined]
        "rounds": rounds,
        "seconds": seconds,
    }


def _rounds(
    players: dict[str, Player], originals: dict[str, Original], seconds: float, rounds: int
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, player in players.items():
            found.setdefault(name, []).append(steps_per_second(player, seconds))
        for name, original in originals.items():
            found.setdefault(f"original_{name}", []).append(original.steps_per_second(seconds))
    return found


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 1)


def table(found: dict[str, Any]) -> str:
    """For people."""
    lines = [
        f"steps of single environments per second: {found['agents']} agents, {found['map'][0]}×{found['map'][1]} map, "
        f"{found['cores']} cores; medians of {found['rounds']} rounds"
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
            lines.append(f"{text:38} {speed:12,.0f}   {found['original_processes']} processes")
    return "\n".join(lines)
