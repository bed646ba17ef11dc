"""Transfer evaluation (paper section 4.3): freeze planners, train fresh agents across a reality gap, report J_p.

Planners may come from any library. Where the agents of a game cannot tell what the planner does, fresh agents of one
seed and gap serve every planner; they are the same, bit for bit, as those trained beside each planner would be.
"""

import csv
import dataclasses
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ermas_algos.checkpoint import replace_file
from ermas_algos.evaluation.fresh_agents import (
    FreshAgents,
    FreshAgentsConfig,
    measure,
    train_fresh_agents,
)
from ermas_envs import BatchedEnv
from ermas_envs.base.arguments import check_integer, check_number
from ermas_envs.oracles import agents_ignore_planner
from ermas_envs.planners import Planner, as_planner

MakeTestEnv = Callable[[int, float, Planner], BatchedEnv]
"""(number of replicas, reality gap, planner) → environment with the planner playing inside."""


@dataclass(frozen=True)
class TransferRow:
    """One row of the transfer table: one planner × one gap × one seed."""

    planner: str
    """Name of the planner."""
    gap: float
    """The reality gap of the test, such as Q."""
    seed: int
    """Seed of the fresh agents."""
    planner_return: float
    """Planner payoff, mean per step, undiscounted, of frozen converged agents."""
    exact_planner_return: float | None
    """Its exact value for the same agents; empty where the game is not tabular."""
    exact_regret: float | None
    """Largest exact regret of the agents, payoff per step (`Measurement`); empty where the game is not tabular."""
    converged: bool
    """Whether the agents' training met the criterion of convergence; False means that the cap ended it."""
    iterations: int
    """Outer iterations of the agents' training."""
    env_steps: int
    """Environment steps of the agents' training."""
    shared_agents: bool
    """Whether the same agents served every planner."""


def transfer_evaluation(
    planners: Mapping[str, Any],
    make_env: MakeTestEnv,
    gaps: Sequence[float],
    seeds: Sequence[int],
    config: FreshAgentsConfig | None = None,
    share_agents: bool | None = None,
    progress: Callable[[TransferRow], None] | None = None,
) -> list[TransferRow]:
    """Train fresh agents from scratch at every gap, until they have converged, and measure every planner with them.

    Args:
        planners: frozen planners by name: planner objects (`LearnedPlanner`, `SB3Planner`, …) or plain functions of an
            observation.
        make_env: makes the test environment.
        gaps: reality gaps, each finite and once.
        seeds: seeds of the fresh agents, each once.
        config: how the fresh agents are trained and measured.
        share_agents: whether one set of agents serves every planner; None finds out, where the game has tables, and
            trains agents for each planner where it has none.
        progress: called with every row when it is known.

    Returns:
        One row per gap, seed and planner, in this order.

    Raises:
        ValueError: nothing named, a gap that is not finite, a duplicate, a planner that does not fit the environment,
            shared agents in a game whose tables show that they can tell planners apart; all before any training starts.
    """
    named = {name: as_planner(planner) for name, planner in planners.items()}
    if not named or not len(gaps) or not len(seeds):
        raise ValueError("planners, gaps and seeds must each name at least one.")
    if len(set(gaps)) < len(gaps) or len(set(seeds)) < len(seeds):
        raise ValueError("gaps and seeds must not repeat.")
    seeds = [check_integer("seeds", seed, 0) for seed in seeds]
    gaps = [check_number("gaps", gap) for gap in gaps]
    settings = config or FreshAgentsConfig()
    shared = {gap: _shared(named, make_env, gap, share_agents) for gap in gaps}
    rows = []
    for gap in gaps:
        for seed in seeds:
            for row in _rows(named, make_env, gap, seed, settings, shared[gap]):
                rows.append(row)
                if progress is not None:
                    progress(row)
    return rows


def _shared(named: Mapping[str, Planner], make_env: MakeTestEnv, gap: float, wanted: bool | None) -> bool:
    """Whether to share agents; makes every environment once, so that what does not fit fails before any training."""
    games = [make_env(1, gap, planner).tabular_game() for planner in named.values()]
    known = [agents_ignore_planner(game) for game in games if game is not None]
    if wanted and not all(known):
        raise ValueError(f"share_agents: at gap {gap:g} the agents' rewards or observations depend on the planner.")
    return (len(known) == len(games) and all(known)) if wanted is None else wanted


def _rows(
    named: Mapping[str, Planner],
    make_env: MakeTestEnv,
    gap: float,
    seed: int,
    config: FreshAgentsConfig,
    shared: bool,
) -> Iterable[TransferRow]:
    agents: FreshAgents | None = None
    for name, planner in named.items():

        def env(num_envs: int, planner: Planner = planner) -> BatchedEnv:
            return make_env(num_envs, gap, planner)

        if agents is None or not shared:
            agents = train_fresh_agents(env, config, seed)
        found = measure(env, agents, config, seed)
        yield TransferRow(
            planner=name,
            gap=gap,
            seed=seed,
            planner_return=found.planner_return,
            exact_planner_return=found.exact_planner_return,
            exact_regret=found.exact_regret,
            converged=agents.converged,
            iterations=agents.iterations,
            env_steps=agents.env_steps,
            shared_agents=shared,
        )


def write_rows(path: Path | str, rows: Iterable[TransferRow]) -> None:
    """Write the table as CSV, atomically; floats keep every digit, None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([entry.name for entry in dataclasses.fields(TransferRow)])
    for row in rows:
        writer.writerow(["" if value is None else value for value in dataclasses.astuple(row)])
    replace_file(path, text.getvalue().encode())


def read_rows(path: Path | str) -> list[TransferRow]:
    """Read what `write_rows` wrote; ValueError if the columns are others."""
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        expected = [entry.name for entry in dataclasses.fields(TransferRow)]
        if reader.fieldnames is None or list(reader.fieldnames) != expected:
            raise ValueError(f"{path}: columns must be {expected}, got {reader.fieldnames}.")
        return [
            TransferRow(
                planner=row["planner"],
                gap=float(row["gap"]),
                seed=int(row["seed"]),
                planner_return=float(row["planner_return"]),
                exact_planner_return=_number(row["exact_planner_return"]),
                exact_regret=_number(row["exact_regret"]),
                converged=row["converged"] == "True",
                iterations=int(row["iterations"]),
                env_steps=int(row["env_steps"]),
                shared_agents=row["shared_agents"] == "True",
            )
            for row in reader
        ]


def _number(text: str) -> float | None:
    return float(text) if text else None
