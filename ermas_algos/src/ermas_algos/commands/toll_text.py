"""How `ermas certify` prints certificates of tolls."""

from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.table import Table

from ermas_algos.commands.console import print_table
from ermas_algos.commands.number_text import number
from ermas_algos.evaluation.toll_certificate import TollsFound
from ermas_envs.oracles.tolls import TollCertificate


def print_toll_certificate(console: Console, title: str, found: TollsFound) -> None:
    """Roads, drivers, and what follows, under a title."""
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    print_table(console, _roads(found.certificate))
    for line in _lines(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _roads(found: TollCertificate) -> Table:
    table = Table()
    columns = [found.equilibrium.counts / found.equilibrium.counts.sum()]
    names = ["toll", "equilibrium: share"]
    if found.flow is not None:
        columns.append(found.flow)
        names.append("as a flow")
    if found.drivers is not None:
        columns.append(found.drivers.loads)
        names.append("trained drivers")
    if found.worst is not None:
        columns.append(found.worst.probabilities @ found.worst.counts / found.worst.counts[0].sum())
        names.append("worst case")
    for name in ("road", *names):
        table.add_column(name, justify="right")
    for road, toll in enumerate(found.tolls.tolist()):
        shares = [f"{100 * column[road]:.1f} %" for column in columns]
        table.add_row(str(road), f"{toll:.4g}", *shares)
    return table


def _lines(found: TollsFound) -> Iterator[str]:
    """What follows, a sentence each."""
    tolls = found.certificate
    if found.probability is not None:
        yield f"The planner's likeliest tolls; it sets them with probability {found.probability:.3g}."
    if tolls.optimum is not None:
        yield f"Least mean latency that is possible: {number(tolls.optimum)}"
    yield f"Mean latency in equilibrium: {number(tolls.equilibrium.mean_latency)}"
    if tolls.drivers is not None:
        yield f"Mean latency with the trained drivers: {number(tolls.drivers.mean_latency)}"
        regret, mean = tolls.drivers.largest_regret, float(np.mean(tolls.drivers.regrets))
        yield f"The trained drivers are an ε-equilibrium for ε = {number(regret)} (mean regret {number(mean)})."
    whose = "" if tolls.drivers is not None else " in equilibrium"
    yield f"The bound ε = {tolls.epsilon:.4g} {'holds' if tolls.holds else 'does NOT hold'}{whose}."
    over = f"over all ε-coarse-correlated equilibria, ε = {tolls.epsilon:.4g}"
    worst = f"not known ({tolls.worst_reason})" if tolls.worst is None else number(tolls.worst.mean_latency)
    yield f"Worst mean latency {over}: {worst}"
    yield "Costs, latencies, regrets and ε are per drive; ε of a training is per step of an episode."
