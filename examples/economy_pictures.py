"""Draw the economy's pictures: `economy.png`, an episode's last step, and `tax-schedules.png`, three tax rules.

    .venv/bin/python examples/economy_pictures.py --out docs    # half a minute

Scripted agents play (`ermas_envs.games.economy.scripted`), so that nothing has to be trained. Saez's rates are random
until a replica has 500 incomes; the plot shows the episodes after that.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from ermas_algos.plots.tax_schedule import plot_tax_schedule
from ermas_envs import economy_v0
from ermas_envs.base.text import replace_what_cannot_be_shown
from ermas_envs.games.economy.pictures.animation import play
from ermas_envs.games.economy.scripted import ScriptedAgents
from ermas_envs.planners import FreeMarket, Saez, USFederal

STEPS = 300
REPLICAS = 16
RANDOM_EPISODES, EPISODES = 14, 10
"""Episodes of 10 tax periods and 4 agents: after 13 there are 500 incomes; then those whose rates are drawn."""
COLOURS = 64


def main() -> None:
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    out = parser.parse_args().out
    draw_episode(out / "economy.png")
    draw_schedules(out / "tax-schedules.png")


def draw_episode(path: Path) -> None:
    """The last step of an episode of 4 agents under US federal taxes."""
    *_, last = play(STEPS, "us_federal", agents=4, layout="open_quadrant", seed=3)
    Image.fromarray(last).quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"Wrote {path}")


def draw_schedules(path: Path) -> None:
    """Marginal rates of the free market, US federal taxes and Saez's formula."""
    env = economy_v0.batched_env(REPLICAS, planner=Saez(), observations="compact")
    cutoffs = env.engine.rules.tax.cutoffs
    schedules = {
        "free market": FreeMarket().rates(cutoffs, "us-federal"),
        "US federal": USFederal().rates(cutoffs, "us-federal"),
        "Saez": saez_rates(env, len(cutoffs)),
    }
    plot_tax_schedule(path, schedules, cutoffs.tolist())
    print(f"Wrote {path}")


def saez_rates(env: economy_v0.EngineBatch, brackets: int) -> np.ndarray:
    """Mean rates of every replica and episode in which the formula is in use, (samples, brackets)."""
    agents, rates = ScriptedAgents(env.engine.settings), []
    seen = env.reset(seed=0)
    for episode in range(RANDOM_EPISODES + EPISODES):
        for _ in range(env.horizon):
            seen = env.step(agents.act(seen.observations, seen.action_masks))
        by_bracket = [seen.final_metrics[f"PeriodicTax/avg_bracket_rate/{bracket}"] for bracket in range(brackets)]
        if episode >= RANDOM_EPISODES:
            rates.append(np.stack(by_bracket, axis=1))
    return np.concatenate(rates)


if __name__ == "__main__":
    main()
