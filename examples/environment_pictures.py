"""Draw the pictures of the small environments: `bimatrix.gif`, `augmented-bimatrix.gif`, `one-step-economy.png`.

    .venv/bin/python examples/environment_pictures.py --out docs    # a few seconds

In the bimatrix games the agents play their exact equilibrium, from the start cell of seed 3. In the one-step economy
six agents work the hours that maximise their own utility under US federal taxes.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ermas_envs import augmented_bimatrix_v0, bimatrix_v0, one_step_economy_v0
from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.oracles import equilibrium_policies
from ermas_envs.oracles.taxes import Population, equilibrium
from ermas_envs.planners import ConstantPlanner, USFederal

STEPS = 8
MILLISECONDS = 600


def main() -> None:
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    out = parser.parse_args().out
    save_film(out / "bimatrix.gif", bimatrix_v0.batched_env(1))
    save_film(out / "augmented-bimatrix.gif", augmented_bimatrix_v0.batched_env(1, q=0.3, planner=ConstantPlanner(4)))
    draw_one_step(out / "one-step-economy.png")


def save_film(path: Path, env: EngineBatch) -> None:
    """The first steps of an episode."""
    first, *others = [Image.fromarray(picture).quantize(128) for picture in walk(env)]
    first.save(path, save_all=True, append_images=others, duration=MILLISECONDS, loop=0, optimize=True)
    print(f"Wrote {path}")


def walk(env: EngineBatch) -> Iterator[np.ndarray]:
    """Pictures of a game in which the agents play their equilibrium."""
    policies = equilibrium_policies(env.tabular_game())
    env.reset(seed=3)
    for step in range(STEPS):
        yield env.render(0, "rgb_array")
        (state,) = env.engine.states()
        moves = {agent: policies[agent][step, state].argmax() for agent in env.agents}
        env.step({role: np.array([moves.get(role, 0)]) for role in env.possible_agents})


def draw_one_step(path: Path) -> None:
    """Production and coin of six agents who know their best hours."""
    env = one_step_economy_v0.batched_env(1, planner=USFederal(), num_agents=6, labor_cost=0.012, autoreset=False)
    people = Population.of(env.engine.settings)
    found = equilibrium(people.under(USFederal().rates(env.engine.rules.tax.cutoffs, "us-federal")))
    hours = found.profile.argmax(axis=1)
    env.reset(seed=0)
    idle = {agent: np.zeros(1, np.int64) for agent in env.agents}
    env.step(idle)
    env.step({agent: hours[k : k + 1] for k, agent in enumerate(env.agents)})
    Image.fromarray(env.render(0, "rgb_array")).quantize(32).save(path, optimize=True)
    print(f"Wrote {path}")


if __name__ == "__main__":
    main()
