"""Speed of the toll game on one core: as `bimatrix` measures, with 20 drivers, and 100 on three roads."""

from ermas_envs import toll_v0
from ermas_envs.bench.bimatrix import Speed, measure


def measure_toll(num_envs: int, seconds: float) -> list[Speed]:
    """With 20 drivers on two roads, and with 100 on three."""
    games = (toll_v0.batched_env(num_envs), toll_v0.batched_env(num_envs, num_drivers=100, roads="three_roads"))
    return [measure(env, seconds) for env in games]
