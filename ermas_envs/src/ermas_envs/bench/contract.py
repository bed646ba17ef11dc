"""Speed of `contract_v0` on one core, as the bimatrix games are measured: one agent, drawn outcomes."""

from ermas_envs import contract_v0
from ermas_envs.bench.bimatrix import Speed, measure


def measure_contract(num_envs: int, seconds: float) -> list[Speed]:
    """Of the game as it is made without arguments."""
    return [measure(contract_v0.batched_env(num_envs), seconds)]
