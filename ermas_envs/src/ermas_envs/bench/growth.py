"""How the time of a step grows with agents and map: no faster than what is observed."""

from typing import Any

from ermas_envs.bench.players import EnginePlayer, economy_player, make_ready, one_step_player, steps_per_second
from ermas_envs.games.economy.layouts import open_quadrant

AGENTS = (2, 4, 8, 16, 32, 64, 100)
MAPS = (15, 25, 40)
NUM_ENVS = 32
"""Replicas."""


def measure_growth(
    seconds: float, agents: tuple[int, ...] = AGENTS, maps: tuple[int, ...] = MAPS, num_envs: int = NUM_ENVS
) -> list[dict[str, Any]]:
    """Time per step of a replica, on one thread, beside the number of numbers that are observed, masks included.

    Agents see windows of 11×11, which do not grow with the map, and the planner the whole map.
    """
    found = []
    for side in maps:
        layout = open_quadrant(side, side, sources_each=20)
        for number in agents:
            settings: dict[str, Any] = {"num_agents": number, "layout": layout, "fixed_four_skill_and_loc": False}
            player = economy_player(num_envs, threads=1, planner_gets_spatial_info=True, **settings)
            found.append(_row("economy_v0", side, number, player, seconds))
    for number in agents:
        player = one_step_player(num_envs, threads=1, num_agents=number)
        found.append(_row("one_step_economy_v0", None, number, player, seconds))
    return found


def _row(environment: str, side: int | None, agents: int, player: EnginePlayer, seconds: float) -> dict[str, Any]:
    make_ready(player)
    microseconds = 1e6 / steps_per_second(player, seconds)
    numbers = player.observed_numbers
    return {
        "environment": environment,
        "map": side,
        "agents": agents,
        "observed_numbers": numbers,
        "microseconds_per_step": microseconds,
        "nanoseconds_per_number": 1e3 * microseconds / numbers,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """For people."""
    lines = [
        f"{'environment':20} {'map':>6} {'agents':>7} {'numbers seen':>13} {'µs per step':>12} {'ns per number':>14}"
    ]
    for row in rows:
        side = "" if row["map"] is None else f"{row['map']}×{row['map']}"
        lines.append(
            f"{row['environment']:20} {side:>6} {row['agents']:7} {row['observed_numbers']:13,} "
            f"{row['microseconds_per_step']:12.2f} {row['nanoseconds_per_number']:14.2f}"
        )
    return "\n".join(lines)
