"""How `ermas certify` prints certificates of tax schedules."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from ermas_algos.commands.console import print_table
from ermas_algos.commands.number_text import number
from ermas_algos.evaluation.tax_certificate import TaxCertificate
from ermas_envs.oracles.taxes import ScheduleCertificate


def print_tax_certificate(console: Console, title: str, found: TaxCertificate) -> None:
    """Schedule, agents, and what follows, under a title."""
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    print_table(console, _brackets(found.schedule))
    print_table(console, _agents(found.schedule))
    for line in _lines(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _brackets(found: ScheduleCertificate) -> Table:
    table = _table("from coin", "rate")
    for cutoff, rate in zip(found.cutoffs.tolist(), found.rates.tolist(), strict=True):
        table.add_row(f"{cutoff:g}", f"{100 * rate:.4g} %")
    return table


def _agents(found: ScheduleCertificate) -> Table:
    columns = [found.wages, found.equilibrium.hours, found.equilibrium.regrets]
    if found.agents is not None:
        columns += [found.agents.hours, found.agents.regrets]
    names = ("wage", "equilibrium: hours", "regret", "trained: hours", "regret")
    table = _table("role", *names[: len(columns)])
    for agent, (wage, *rest) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        cells = [f"{value:.1f}" if index % 2 == 0 else number(value) for index, value in enumerate(rest)]
        table.add_row(f"agent_{agent}", f"{wage:.3f}", *cells)
    return table


def _table(first: str, *others: str) -> Table:
    table = Table()
    table.add_column(first, justify="left" if first == "role" else "right")
    for name in others:
        table.add_column(name, justify="right")
    return table


def _lines(found: TaxCertificate) -> Iterator[str]:
    """What follows, a sentence each."""
    schedule = found.schedule
    reached, agents = schedule.equilibrium, schedule.agents
    if found.probability is not None:
        yield f"The planner's most likely schedule; it plays it with probability {found.probability:.3g}."
    kinds = {"pure": "nobody mixes", "mixed": "one agent mixes", "nearest": "no exact one was found"}
    yield f"Equilibrium: {reached.kind} ({kinds[reached.kind]}), largest regret {number(reached.largest_regret)}."
    yield f"Welfare in equilibrium: {reached.welfare:.2f}"
    if agents is not None:
        welfare = f"not known ({agents.welfare_reason})" if agents.welfare is None else f"{agents.welfare:.2f}"
        yield f"Welfare with the trained agents: {welfare}"
        yield f"The trained agents are an ε-equilibrium for ε = {number(agents.largest_regret)}."
    whose = "" if agents is not None else " in equilibrium"
    yield f"The bound ε = {schedule.epsilon:.4g} {'holds' if schedule.holds else 'does NOT hold'}{whose}."
    over = f"over all ε-equilibria, ε = {schedule.epsilon:.4g}"
    if schedule.worst is None:
        yield f"Worst welfare {over}: not known ({schedule.worst_reason})"
    else:
        searches = "1 search" if schedule.searches == 1 else f"{schedule.searches} searches"
        yield f"Worst welfare {over}, found by {searches}: {schedule.worst.found:.2f}"
        yield f"Proven: none of them has less than {schedule.worst.bound:.2f}, {100 * schedule.worst.gap:.1f} % below."
    yield "Wages in coin per hour; regrets and ε in payoff per step; welfare is the planner's objective at the end."
