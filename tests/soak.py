"""Engines, trainings, a sweep and an evaluation for hours: memory, handles and temporary files stay flat.

    make soak ARGS="--minutes 60"

Three processes play at once, each in rounds: batched and parallel environments of every game, made and dropped; a
training that is saved, loaded, continued, and whose planner meets fresh agents; a sweep with worker processes. After
every round a process writes down its resident memory, its open handles, its threads, its child processes and the files
under its temporary folder. The first half of the rounds is for caches to fill; what the second half adds is printed,
and status 1 says that it was more than `MEMORY_GROWTH` of memory, or one of anything else.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

MEMORY_GROWTH = 0.03  # of the resident memory in the middle, between the third and the last quarter of rounds
ENVIRONMENTS = (
    ("bimatrix_v0", {"horizon": 10}),
    ("augmented_bimatrix_v0", {"horizon": 10, "perturbation": {"name": "random_tables", "scale": 0.1, "seed": 3}}),
    ("economy_v0", {"horizon": 100, "observations": "compact"}),
    ("economy_v0", {"horizon": 50, "planner": {"name": "saez"}}),
    ("one_step_economy_v0", {"num_agents": 100}),
    ("contract_v0", {"num_agents": 3}),
    ("toll_v0", {"drives": 2}),
)


@dataclass(frozen=True)
class Usage:
    """What a process holds after a round."""

    memory: float
    """Resident memory in MiB."""

    handles: int
    """Open files, sockets and pipes."""

    threads: int
    """Threads of the process."""

    children: int
    """Processes that it started and that still run."""

    files: int
    """Files and folders under its temporary folder."""

    @classmethod
    def now(cls, temporary: Path) -> "Usage":
        """Linux's own account, in /proc."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        tasks = list(Path("/proc/self/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
        return cls(
            memory=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
            handles=len(os.listdir("/proc/self/fd")),
            threads=len(tasks),
            children=len(children),
            files=sum(1 for _ in temporary.rglob("*")),
        )


def play_engines(number: int, folder: Path) -> None:
    """Every game through both faces, with other numbers of replicas in every round."""
    from ermas_envs import EnvironmentSpec, parallel_env
    from ermas_envs.make import hook

    generator = np.random.default_rng(number)
    for name, arguments in ENVIRONMENTS:
        batch = EnvironmentSpec(name, arguments)(int(generator.integers(1, 65)))
        batch.reset(seed=number)
        for _ in range(120):
            batch.step(
                {
                    role: np.stack([space.sample() for _ in range(batch.num_envs)])
                    for role, space in batch.action_spaces.items()
                }
            )
        single = parallel_env(name, **{argument: hook(argument, value) for argument, value in arguments.items()})
        single.reset(seed=number)
        for _ in range(20):
            if not single.agents:
                single.reset()
            single.step({agent: single.action_space(agent).sample() for agent in single.agents})
        single.close()


def train_and_evaluate(number: int, folder: Path) -> None:
    """ERMAS in a matrix game and in the economy: saved, loaded, continued; its planner meets fresh agents."""
    from ermas_algos import FreshAgentsConfig, Run, transfer_evaluation
    from ermas_algos.evaluation import load_planner, load_trainer
    from ermas_envs import augmented_bimatrix_v0

    few = {"num_envs": 8, "seed": number, "epsilon": 0.1, "warmup_iterations": 1}
    for name, arguments in (ENVIRONMENTS[1], ENVIRONMENTS[2]):
        run = Run.from_options(
            {"environment": name, "arguments": arguments, "algorithm": "ERMAS", "settings": few, "iterations": 2}
        )
        path = folder / f"{name}.safetensors"
        run.trainer().learn(run.iterations).save(path)
        load_trainer(path).learn(1)
        planner = load_planner(path)
        if name == "augmented_bimatrix_v0":
            transfer_evaluation(
                {"ERMAS": planner},
                lambda num_envs, gap, frozen: augmented_bimatrix_v0.batched_env(num_envs, q=gap, planner=frozen),
                [0.0, 0.5],
                [number],
                FreshAgentsConfig(num_envs=4, window=1, max_iterations=2, measured_envs=8),
            )


def sweep(number: int, folder: Path) -> None:
    """A sweep with two workers."""
    from ermas_algos.algorithms.config import from_json
    from ermas_algos.experiments.backends import Processes
    from ermas_algos.experiments.sweep import Sweep, run_sweep

    data = {
        "tasks": {"blind": {"environment": "augmented_bimatrix_v0", "arguments": {"horizon": 4}, "labels": {}}},
        "methods": {"MARL": {"algorithm": "MARL", "settings": {"num_envs": 4}, "labels": {}}},
        "seeds": [number, number + 1],
        "gaps": [0.0, 0.5],
        "iterations": 2,
        "fresh_agents": {"num_envs": 4, "window": 1, "max_iterations": 2, "measured_envs": 8},
    }
    outcome = run_sweep(from_json(Sweep, data), folder, Processes(2))
    if outcome.failed:
        raise RuntimeError(f"jobs of the sweep failed: {outcome.failed}")


KINDS: dict[str, Callable[[int, Path], None]] = {
    "engines": play_engines,
    "training": train_and_evaluate,
    "sweep": sweep,
}


def rounds(kind: str, minutes: float) -> None:
    """Play one kind, each round in a folder that is removed, and print a line of JSON after every round."""
    temporary = Path(tempfile.gettempdir())
    end, number = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end or number < 8:
        with tempfile.TemporaryDirectory() as folder:
            KINDS[kind](number, Path(folder))
        number += 1
        print(json.dumps(asdict(Usage.now(temporary))), flush=True)


def rounds_file(kind: str, folder: str) -> Path:
    """Where a process writes what it holds."""
    return Path(folder, f"{kind}.rounds")


def growth(kind: str, usages: Sequence[Usage]) -> bool:
    """Print the medians of the third and of the last quarter of the rounds; true if the last has too much more."""
    quarter = len(usages) // 4
    middle, last = usages[2 * quarter : 3 * quarter], usages[-quarter:]
    grown = False
    for name in Usage.__dataclass_fields__:
        before, after = (statistics.median(getattr(usage, name) for usage in part) for part in (middle, last))
        too_much = after > before * (1 + MEMORY_GROWTH) if name == "memory" else after > before
        grown |= too_much
        print(f"{kind:8} {name:9} {before:8.1f} -> {after:8.1f}{'  GROWS' if too_much else ''}")
    return grown


def main(arguments: Sequence[str] | None = None) -> None:
    """All kinds at once, each in a process with a temporary folder of its own."""
    parser = argparse.ArgumentParser(description="Memory, handles and temporary files of long runs.")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long to play (default: 60)")
    parser.add_argument("--kind", choices=list(KINDS), help=argparse.SUPPRESS)  # one of the processes
    given = parser.parse_args(arguments)
    if given.kind is not None:
        return rounds(given.kind, given.minutes)
    with tempfile.TemporaryDirectory() as folder:
        players = {}
        for kind in KINDS:
            (own := Path(folder, kind)).mkdir()
            command = [sys.executable, __file__, "--minutes", str(given.minutes), "--kind", kind]
            environment = {**os.environ, "TMPDIR": str(own), "OMP_NUM_THREADS": "1"}
            with rounds_file(kind, folder).open("w") as lines:  # a pipe that is full would hold the process
                players[kind] = subprocess.Popen(command, env=environment, stdout=lines)
        grown = False
        for kind, player in players.items():
            if player.wait():
                sys.exit(f"{kind}: the process ended with status {player.returncode}")
            usages = [Usage(**json.loads(line)) for line in rounds_file(kind, folder).read_text().splitlines()]
            print(f"{kind}: {len(usages)} rounds")
            grown |= growth(kind, usages)
    sys.exit(1 if grown else 0)


if __name__ == "__main__":
    main()
