"""An episode of trained agents in the economy, as an animated GIF.

    .venv/bin/ermas train --environment economy_v0 --preset village --algorithm MARL --out runs/village
    .venv/bin/python examples/trained_economy.py runs/village --out village.gif

The checkpoint's planner sets the taxes; the cost of labor and the cap on rates are those of the training's end.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ermas_algos.evaluation.certificate import load_trainer
from ermas_envs.base.arrays import Array
from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.games.economy.pictures.animation import write_gif

CHECKPOINT = "checkpoint.safetensors"


def main() -> None:
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a training in economy_v0, or its checkpoint")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--seed", type=int, default=0, help="of the episode (default: %(default)s)")
    parser.add_argument("--fps", type=int, default=8, help="pictures per second (default: %(default)s)")
    given = parser.parse_args()
    path = given.run / CHECKPOINT if given.run.is_dir() else given.run
    write_gif(given.out, frames(path, given.seed), given.fps)
    print(f"Wrote {given.out} ({given.out.stat().st_size / 1e6:.1f} MB)")


def frames(checkpoint: Path, seed: int) -> Iterator[Array]:
    """Pictures of an episode: of its start, and after every step but the last, which begins the next episode."""
    trainer = load_trainer(checkpoint)
    env, generator = trainer.make_env(1), np.random.default_rng(seed)
    if env.name != "economy_v0":
        raise SystemExit(f"{checkpoint}: a training in {env.name}; only economy_v0 has a map.")
    seen = env.reset(seed, trainer.iteration)
    for _ in range(env.horizon):
        yield np.asarray(env.render(mode="rgb_array"))
        actions = {}
        for role in env.possible_agents:
            learner, mask = trainer.learners[role], seen.action_masks.get(role)
            actions[role] = learner.act(seen.observations[role], generator.random((1, learner.noise_size)), mask)
        seen = env.step(actions)


if __name__ == "__main__":
    main()
