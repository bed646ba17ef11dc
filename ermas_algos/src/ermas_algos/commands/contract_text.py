"""How `ermas certify` prints certificates of contracts."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from ermas_algos.commands.console import print_table
from ermas_algos.commands.number_text import number
from ermas_algos.evaluation.contract_certificate import ContractsFound
from ermas_envs.oracles.contracts import ContractCertificate

SHOWN_AGENTS = 10
"""Most agents that have tables of their own."""


def print_contract_certificate(console: Console, title: str, found: ContractsFound) -> None:
    """Contracts, actions, and what follows, under a title."""
    console.print(title, markup=False, highlight=False, soft_wrap=True)
    for agent, contract in enumerate(found.certificate.agents[:SHOWN_AGENTS]):
        console.print(f"agent_{agent}", markup=False, highlight=False)
        print_table(console, _outcomes(contract))
        print_table(console, _actions(contract))
        for line in _of_agent(contract):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    for line in _of_all(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _outcomes(found: ContractCertificate) -> Table:
    table = _table("outcome", "reward", "payment", "robust payment")
    rows = zip(found.problem.rewards, found.payments, found.robust.payments, strict=True)
    for outcome, row in enumerate(rows):
        table.add_row(str(outcome), *(number(float(value)) for value in row))
    return table


def _actions(found: ContractCertificate) -> Table:
    own = found.problem.utilities(found.payments)
    columns = [own, found.problem.kept(found.payments), found.worst.mixture]
    names = ["agent", "principal", "worst case: share"]
    if found.agent is not None:
        columns.append(found.agent.mixture)
        names.append("trained: share")
    table = _table("action", *names)
    for action, row in enumerate(zip(*columns, strict=True)):
        shares = [f"{100 * value:.1f} %" for value in row[2:]]
        table.add_row(str(action), number(float(row[0])), number(float(row[1])), *shares)
    return table


def _table(*names: str) -> Table:
    table = Table()
    for name in names:
        table.add_column(name, justify="right")
    return table


def _of_agent(found: ContractCertificate) -> Iterator[str]:
    if found.agent is not None:
        yield f"With the trained agent the principal earns {number(found.agent.value)}."
        yield f"The trained agent's exact regret: {number(found.agent.regret)}"
    yield f"Without deviation it chooses action {found.best_action}, and the principal earns {number(found.value)}."
    yield f"Worst case, expected regret up to {found.epsilon:g}: {number(found.worst.value)}"
    yield f"λ of it: {number(found.worst.multiplier)}"
    if found.support_value is not None:
        yield f"Worst case, actions within {found.epsilon:g} of the best: {number(found.support_value)}"
    yield (
        f"The optimal contract earns {number(found.optimum.value)}, and in its worst case {number(found.naive_worst)}."
    )
    robust, bound = found.robust, number(found.robust.bound)
    yield f"The robust contract earns {number(robust.value)} in its worst case; proven: none earns more than {bound}."


def _of_all(found: ContractsFound) -> Iterator[str]:
    """What follows for all agents, a sentence each."""
    contracts = found.certificate
    if found.probability is not None:
        yield f"The planner's likeliest contracts; it signs them with probability {found.probability:.3g}."
    if len(contracts.agents) > 1:
        yield f"All agents without deviation: {number(contracts.value)}"
        yield f"All agents in the worst case: {number(contracts.worst_value)}"
        yield f"Robust contracts in their worst case: {number(contracts.robust_value)}"
    if contracts.largest_regret is not None:
        held = "holds" if contracts.holds else "does NOT hold"
        yield f"The bound ε = {contracts.epsilon:.4g} {held} for the trained agents."
    yield "Payoffs, regrets and ε are per contract; ε of a training is per step, half as large."
