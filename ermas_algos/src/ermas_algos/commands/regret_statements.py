"""How `ermas certify` prints what exploiters show of the agents' regret."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ermas_algos.commands.console import print_table
from ermas_algos.commands.number_text import number
from ermas_algos.evaluation.exploiters import RegretStatement
from ermas_envs.base.arguments import check_number


def check_epsilon(given: float | None) -> float | None:
    """ε, if there is one; ValueError unless it is at least 0."""
    return None if given is None else check_number("epsilon", given, minimum=0.0)


def print_statements(
    console: Console, title: str, statements: Sequence[RegretStatement], epsilon: float | None
) -> None:
    """A row per agent, and what follows for ε, which may be None."""
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    table = Table()
    for column in ("role", "reward", "best exploiter gains", "share", "regret is at least (95 %)"):
        table.add_column(column, justify="left" if column == "role" else "right")
    for one in statements:
        share = f"{one.gain / abs(one.reward):z.1%}" if one.reward else ""
        table.add_row(one.agent, number(one.reward), number(one.gain), share, number(one.lower))
    print_table(console, table)
    count, episodes = len(statements[0].gains), statements[0].episodes
    lines = [
        f"{count} exploiters of every agent; the best in other episodes plays {episodes} fresh ones.",
        "All per step, undiscounted. Each bound is true with 95 %; that nobody gains more is not shown.",
    ]
    if epsilon is not None:
        above = [one.agent for one in statements if one.lower > epsilon]
        verdict = f"does NOT hold for {', '.join(above)}" if above else "is not shown to be exceeded"
        lines.append(f"The bound ε = {epsilon:g} {verdict}.")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
