"""Digests of what every game shows and pays, and of trainings that go on: the same before and after a move.

    make digests

prints a line for each game, and for each checkpoint in tests/algos/checkpoints after two more iterations. The digests
depend on versions of libraries and on the processor, so that none is committed: run it on both commits, and compare.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ermas_algos.checkpoint import read_checkpoint
from ermas_algos.evaluation import load_trainer
from ermas_envs import EnvironmentSpec

CHECKPOINTS = Path(__file__).parent / "algos/checkpoints"
TABLES = {"name": "random_tables", "scale": 0.1, "seed": 3}
BOUNDED = {"name": "bounded", "perturbation": TABLES, "epsilon": 0.05}
GAMES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("bimatrix_v0", {"horizon": 5}),
    ("bimatrix_v0", {"agents_observe": "own", "perturbation": TABLES, "action_noise": 0.2}),
    ("augmented_bimatrix_v0", {"q": 0.3, "horizon": 7}),
    ("augmented_bimatrix_v0", {"planner": {"name": "constant", "action": 4}, "perturbation": BOUNDED}),
    ("economy_v0", {"horizon": 120}),
    ("economy_v0", {"horizon": 120, "observations": "compact", "action_noise": 0.1}),
    ("economy_v0", {"horizon": 120, "observations": "compact", "planner": {"name": "saez"}}),
    ("economy_v0", {"horizon": 110, "planner": {"name": "us_federal"}, "flatten_observations": False}),
    (
        "economy_v0",
        {
            "horizon": 60,
            "multi_action_mode_agents": True,
            "layout": {"starting_wood_coverage": 0.05},
            "map_dtype": "uint8",
        },
    ),
    (
        "economy_v0",
        {"horizon": 110, "perturbation": {"name": "risk_aversion", "eta": 0.35}, "full_observability": True},
    ),
    ("one_step_economy_v0", {}),
    ("one_step_economy_v0", {"num_agents": 100, "planner": {"name": "us_federal"}}),
    ("one_step_economy_v0", {"num_agents": 10, "planner": {"name": "saez"}, "observations": "compact"}),
    (
        "one_step_economy_v0",
        {"perturbation": {"name": "risk_aversion", "eta": 0.31}, "agent_reward_type": "isoelastic_coin_minus_labor"},
    ),
    ("contract_v0", {"num_agents": 3}),
    ("contract_v0", {"payments": "grid", "outcomes": "expected", "first_instance": 4}),
    ("toll_v0", {"perturbation": {"name": "value_of_time", "value": 0.5}}),
    ("toll_v0", {"roads": "three_roads", "periods": 3, "drives": 2, "toll_levels": 5, "drivers_see_loads": True}),
)
NUM_ENVS = 6


def arrays(value: Any) -> Iterator[bytes]:
    """Every array in nested mappings, with its name, dtype and shape."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name).encode()
            yield from arrays(inner)
    elif value is not None:
        array = np.asarray(value)
        yield f"{array.dtype}{array.shape}".encode()
        yield np.ascontiguousarray(array).tobytes()


def digest_of_game(name: str, arguments: Mapping[str, Any]) -> str:
    """Two episodes of random actions: observations, masks, rewards, payoffs, decisions of the planner, metrics."""
    env = EnvironmentSpec(name, arguments)(NUM_ENVS)
    found, generator = hashlib.sha256(), np.random.default_rng(5)
    spaces: Mapping[str, Any] = env.action_spaces
    seen: Any = env.reset(seed=9)
    for _ in range(2 * env.horizon + 1):
        parts = [seen.observations, seen.action_masks, seen.planner_acts]
        if hasattr(seen, "rewards"):
            parts += [seen.rewards, seen.payoffs, seen.terminated, seen.truncated]
            parts += [seen.final_observations, seen.final_metrics]
        for part in parts:
            for piece in arrays(part):
                found.update(piece)
        actions = {
            role: generator.integers(getattr(space, "nvec", getattr(space, "n", 1)), size=(NUM_ENVS, *space.shape))
            for role, space in spaces.items()
        }
        seen = env.step(actions)
    return found.hexdigest()[:16]


def digest_of_continuation(path: Path) -> str:
    """Two more iterations: all tensors of all learners, multipliers and counters."""
    trainer = load_trainer(path)
    trainer.learn(trainer.iteration + 2)
    with tempfile.TemporaryDirectory() as folder:
        trainer.save(Path(folder) / "saved")
        saved = read_checkpoint(Path(folder) / "saved", trainer.name)
    found = hashlib.sha256()
    for name, tensor in sorted(saved.tensors.items()):
        found.update(name.encode() + tensor.numpy().tobytes())
    # Versions may add settings, and say how states are kept; what was learned must not depend on that.
    known = {name: value for name, value in saved.metadata.items() if name not in ("config", "arrays")}
    found.update(repr(sorted(known.items())).encode())
    return found.hexdigest()[:16]


def main() -> None:
    """Print all."""
    for name, arguments in GAMES:
        print(digest_of_game(name, arguments), name, arguments, flush=True)
    for path in sorted(CHECKPOINTS.iterdir()):
        print(digest_of_continuation(path), path.name, flush=True)


if __name__ == "__main__":
    main()
