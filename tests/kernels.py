"""Compiles the kernels that the tests use before they start, two processes at once: `make kernels`.

Tests then find them in the cache. A test that has to compile one for long nevertheless warns: what it plays belongs
here.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

PLAY = """
from ermas_envs import economy_v0, one_step_economy_v0
env = {game}.batched_env(1, **{arguments})
env.reset(seed=0)
env.step({{role: [space.sample()] for role, space in env.action_spaces.items()}})
env.engine.metrics()
"""

# What has kernels of its own, or other types. The longest comes first; those that share much with it come late.
GAMES = (
    ("economy_v0", {}),
    ("one_step_economy_v0", {}),
    ("economy_v0", {"observations": "compact"}),
    ("economy_v0", {"map_dtype": "uint8"}),
)


def play(game: tuple[str, dict[str, str]]) -> None:
    """In a process of its own; an error ends this one, too."""
    name, arguments = game
    subprocess.run([sys.executable, "-c", PLAY.format(game=name, arguments=arguments)], check=True)


def main() -> None:
    """Play all games."""
    began = time.perf_counter()
    print("kernels: compiling those that are not in the cache; at first this takes one to two minutes", flush=True)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(play, GAMES))
    print(f"kernels: ready after {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
