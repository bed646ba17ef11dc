"""Which tax wins? Questions of a public study of the one-step economy (saez-vs-ai-economist, 2026), answered exactly.

docs/which-tax-wins.md has the questions, E1 to E8, by these names, and the answers. Nothing is learned here: agents'
choices are equilibria of `ermas_envs.oracles.taxes`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ermas_algos.experiments.jobs import Job, Scale
from ermas_algos.studies.which_tax_wins_elasticity import ELASTICITIES, MEASURES, STARTS, Turns
from ermas_algos.studies.which_tax_wins_formula import PEOPLE, RATES, SUMMARY, Formula
from ermas_algos.studies.which_tax_wins_periods import PERIODS, TwoPeriods
from ermas_algos.studies.which_tax_wins_published import AGENTS
from ermas_algos.studies.which_tax_wins_schedules import TABLE, WEIGHTS, WELFARES, Schedules

NAME = "which-tax-wins"
TABLES = (TABLE, RATES, SUMMARY, WELFARES, PERIODS, PEOPLE, WEIGHTS, ELASTICITIES)

MANY = 100
"""Agents of the larger economy of E8."""


def jobs(scale: Scale) -> Sequence[Job]:
    """One per question, or two; of E8 one per start. Seeds are samples of incomes, 20 to a seed; the rest has none."""
    quick = scale.quick
    found: list[Job] = [
        Schedules(2, 1) if quick else Schedules(200, 50),
        Formula(2 if quick else 20 * scale.seeds, 10_000 if quick else 1_000_000),
        TwoPeriods(),
    ]
    starts, agents, rounds = (STARTS[2:4], (AGENTS,), 3) if quick else (STARTS, (AGENTS, MANY), 40)
    return found + [Turns(n, measure, e, rounds) for n in agents for measure in MEASURES for e in starts]


def plot(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the figure."""
    from ermas_algos.studies.which_tax_wins_picture import plot_which_tax_wins  # Matplotlib takes a second to import

    plot_which_tax_wins(path, tables)
