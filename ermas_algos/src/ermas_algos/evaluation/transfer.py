"""Transfer evaluation (paper section 4.3): freeze planners, train fresh agents across a reality gap, report J_p."""

import csv
import dataclasses
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ermas_algos.algorithms.config import MARLConfig
from ermas_algos.algorithms.marl import MARL
from ermas_algos.checkpoint import replace_file
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_envs import BatchedEnv
from ermas_envs.arguments import check_integer, check_number
from ermas_envs.planners import Planner

MakeTestEnv = Callable[[int, float, Planner], BatchedEnv]
"""(number of replicas, reality gap, planner) → environment with the planner playing inside."""

LAST_SHARE = 5
"""The planner's return is averaged over the last 1/LAST_SHARE of the fresh agents' training."""

FRESH_AGENT_PPO = SB3LearnerConfig(
    learning_rate=1e-2, gamma=0.9, gae_lambda=0.9, algorithm_kwargs={"n_epochs": 4, "ent_coef": 0.01, "clip_range": 0.3}
)
"""PPO settings whose fresh agents end with an exact regret below 0.002 per step in the augmented bimatrix game."""

_FRESH_AGENTS = 1
"""Keeps the seeds of fresh agents apart from those of the planner's training."""


@dataclass(frozen=True)
class Contender:
    """A frozen planner under test."""

    method: str
    """Name of what trained it."""
    epsilon: float | None
    """ε of its training, payoff per step; None where the method has none."""
    seed: int
    """Seed of its training; its fresh agents' seed follows from it."""
    planner: Planner
    """The planner; any object of the planner hook, whatever library trained it."""


@dataclass(frozen=True)
class TransferRow:
    """One row of the transfer table: one planner × one gap."""

    method: str
    """Name of what trained the planner."""
    epsilon: float | None
    """ε of its training, payoff per step; empty where the method has none."""
    seed: int
    """Seed of its training."""
    q_test: float
    """The reality gap of the test, Q."""
    planner_return: float
    """Planner payoff, mean per step, undiscounted, over the last fifth of the fresh agents' training."""


def transfer_evaluation(
    contenders: Sequence[Contender],
    make_env: MakeTestEnv,
    gaps: Sequence[float],
    config: MARLConfig,
    iterations: int,
    progress: Callable[[TransferRow], None] | None = None,
) -> list[TransferRow]:
    """Train fresh agents from scratch against every planner at every gap.

    Args:
        contenders: the frozen planners.
        make_env: makes the test environment.
        gaps: reality gaps, each finite.
        config: learner of the fresh agents; its seed is replaced by one that follows from the contender's.
        iterations: outer iterations of the fresh agents' training, at least `LAST_SHARE`.
        progress: called with every row when it is known.

    Returns:
        One row per contender and gap, in this order.

    Raises:
        ValueError: no contender or gap, a gap that is not finite, too few iterations, a planner whose spaces are not
            the environment's; all before any training starts.
    """
    if not contenders or not len(gaps):
        raise ValueError("contenders and gaps must each name at least one.")
    check_integer("iterations", iterations, LAST_SHARE)
    for gap in gaps:
        check_number("gaps", gap)
        for contender in contenders:
            make_env(1, gap, contender.planner)
    rows = []
    for contender in contenders:
        for gap in gaps:
            planner_return = _return_against_fresh_agents(contender, make_env, gap, config, iterations)
            row = TransferRow(contender.method, contender.epsilon, contender.seed, gap, planner_return)
            rows.append(row)
            if progress is not None:
                progress(row)
    return rows


def _return_against_fresh_agents(
    contender: Contender, make_env: MakeTestEnv, gap: float, config: MARLConfig, iterations: int
) -> float:
    seed = int(np.random.SeedSequence([contender.seed, _FRESH_AGENTS]).generate_state(1)[0])
    returns: list[float] = []
    agents = MARL(lambda num_envs: make_env(num_envs, gap, contender.planner), dataclasses.replace(config, seed=seed))
    planner = agents.env.planner
    agents.learn(iterations, progress=lambda _, metrics: returns.append(metrics[f"payoff/{planner}"]))
    return float(np.mean(returns[-(iterations // LAST_SHARE) :]))


def write_rows(path: Path | str, rows: Iterable[TransferRow]) -> None:
    """Write the table as CSV, atomically; floats keep every digit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([entry.name for entry in dataclasses.fields(TransferRow)])
    for row in rows:
        writer.writerow(["" if value is None else value for value in dataclasses.astuple(row)])
    replace_file(path, text.getvalue().encode())


def read_rows(path: Path | str) -> list[TransferRow]:
    """Read what `write_rows` wrote; ValueError if the columns are others."""
    with Path(path).open(newline="") as file:
        reader = csv.DictReader(file)
        expected = [entry.name for entry in dataclasses.fields(TransferRow)]
        if reader.fieldnames is None or list(reader.fieldnames) != expected:
            raise ValueError(f"{path}: columns must be {expected}, got {reader.fieldnames}.")
        return [
            TransferRow(
                row["method"],
                float(row["epsilon"]) if row["epsilon"] else None,
                int(row["seed"]),
                float(row["q_test"]),
                float(row["planner_return"]),
            )
            for row in reader
        ]
