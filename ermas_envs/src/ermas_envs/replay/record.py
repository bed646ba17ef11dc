"""Records episodes of our own economies as a replay reads them: `python -m ermas_envs.replay.record`.

A recording that is kept shows later whether the rules are still the same.
"""

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arguments import check_mapping
from ermas_envs.base.arrays import PLANNER, BoolArray, FloatArray, IntArray
from ermas_envs.base.streams import ReplicaStreams
from ermas_envs.base.text import parsed_json, replace_what_cannot_be_shown
from ermas_envs.game.planners import planner_registry
from ermas_envs.games.economy import settings as economy
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.one_step import settings as one_step
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.taxation.settings import from_options
from ermas_envs.games.taxation.tax_planners import tax_rule
from ermas_envs.replay.files import SCHEMA, write_recording
from ermas_envs.replay.own_config import economy_config, one_step_config
from ermas_envs.replay.own_one_step import OneStepRecorder
from ermas_envs.replay.own_state import EconomyRecorder

INVALID = 0.05
"""Share of actions that may be ones that a mask forbids."""
IDLE = 0.2
"""Share of parts of actions that do nothing, where an action has several."""
MOVES = 4
"""Kinds of actions with more than these are chosen as often as these."""


def record(
    environment: str,
    settings: Mapping[str, Any],
    planner: object = "learned",
    *,
    episodes: int = 1,
    seed: int = 0,
    observe_every: int = 10,
) -> dict[str, Any]:
    """A recording of random actions, nearly all of which are valid.

    Args:
        environment: economy_v0 or one_step_economy_v0.
        settings: fields of its settings, with original observations.
        planner: who sets the taxes, "learned" for random actions.
        episodes: how many.
        seed: of the environment and the actions.
        observe_every: steps between two observations that are recorded; there is one at every reset.
    """
    check_mapping("settings", settings)
    if settings.get("observations", "original") != "original":
        raise ValueError("observations must be original: those are what recordings have.")
    recorder, config = _recorder(environment, settings, planner)
    streams, generator = ReplicaStreams(seed, 1), np.random.default_rng(seed)
    found: dict[str, Any] = {"schema": SCHEMA, "simulator": "ermas-envs", "config": config, "episodes": []}
    for number in range(episodes):
        initial = recorder.reset(streams, number) | {"obs": recorder.seen()}
        steps = []
        for time in range(1, recorder.engine.horizon + 1):
            agents, planner_action = _random_actions(recorder, generator)
            step = {"a": _written_actions(agents, planner_action, recorder), **recorder.step(agents, planner_action)}
            if time % observe_every == 0:
                step["obs"] = recorder.seen()
            steps.append(step)
        found["episodes"].append({"initial": initial, "steps": steps, "final_metrics": recorder.metrics()})
    return found


def _recorder(
    environment: str, settings: Mapping[str, Any], planner: object
) -> tuple[EconomyRecorder | OneStepRecorder, dict[str, Any]]:
    if environment == "one_step_economy_v0":
        chosen = from_options(one_step.OneStepSettings, settings, environment)
        chosen = dataclasses.replace(chosen, compatibility=one_step.COMPATIBILITY)
        engine = OneStepEngine(environment, 1, chosen, tax_rule(planner, chosen.taxes), 1)
        return OneStepRecorder(engine), one_step_config(engine, planner)
    if environment != "economy_v0":
        raise ValueError(f"environment must be economy_v0 or one_step_economy_v0, got {environment!r}.")
    given = from_options(economy.EconomySettings, settings, environment)
    given = dataclasses.replace(given, compatibility=economy.COMPATIBILITY)
    spatial = EconomyEngine(environment, 1, given, tax_rule(planner, given.taxes), 1)
    return EconomyRecorder(spatial), economy_config(spatial, planner)


def _random_actions(
    recorder: EconomyRecorder | OneStepRecorder, generator: np.random.Generator
) -> tuple[IntArray, IntArray]:
    engine, views = recorder.engine, recorder.engine.views
    agents = []
    for index, agent in enumerate(engine.agents):
        mask = views.agent_mask[0, index] if views.agent_mask.ndim == 3 else views.agent_mask[0]
        agents.append(_random_action(engine.action_spaces[agent], mask, _weights(engine, len(mask)), generator))
    mask = views.planner_mask[0]
    planner = _random_action(engine.action_spaces[PLANNER], mask, np.ones(len(mask)), generator)
    return np.array(agents, np.int64), np.array(planner, np.int64)


def _weights(engine: EconomyEngine | OneStepEngine, size: int) -> FloatArray:
    """How often to choose each action: bids and asks, of which there are many, more rarely."""
    if isinstance(engine, OneStepEngine) or engine.rules.actions.multi:
        return np.ones(size)
    sizes = engine.rules.actions.sizes
    return np.concatenate([[1.0], np.repeat(np.minimum(1.0, MOVES / sizes), sizes)])


def _random_action(
    space: spaces.Space[Any], mask: BoolArray, weights: FloatArray, generator: np.random.Generator
) -> list[int]:
    several = isinstance(space, spaces.MultiDiscrete)
    sizes = space.nvec.tolist() if isinstance(space, spaces.MultiDiscrete) else [len(mask)]
    found, first = [], 0
    for size in sizes:
        part = slice(first, first + size)
        first += size
        chances = weights[part] * mask[part]
        if several and generator.random() < IDLE:
            found.append(0)
        elif generator.random() < INVALID:
            found.append(int(generator.integers(size)))
        else:
            found.append(int(generator.choice(size, p=chances / chances.sum())))
    return found


def _written_actions(
    agents: IntArray, planner: IntArray, recorder: EconomyRecorder | OneStepRecorder
) -> dict[str, int | list[int]]:
    several = isinstance(recorder.engine.action_spaces[PLANNER], spaces.MultiDiscrete)
    found = {str(index): row.tolist() if len(row) > 1 else int(row[0]) for index, row in enumerate(agents)}
    return {**found, "p": planner.tolist() if several else int(planner[0])}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one recording; exit status 2 for what is not known."""
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(
        prog="python -m ermas_envs.replay.record", description="Record random play of our economies."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="gzipped JSON that is written")
    parser.add_argument("--environment", default="economy_v0", help="economy_v0 (default) or one_step_economy_v0")
    parser.add_argument("--settings", type=parsed_json, default={}, metavar="JSON", help="arguments of the environment")
    parser.add_argument("--planner", default="learned", help="learned (random actions), us_federal, saez")
    parser.add_argument("--episodes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--observe-every", type=int, default=10, metavar="STEPS")
    given = parser.parse_args(arguments)
    options = {"episodes": given.episodes, "seed": given.seed, "observe_every": given.observe_every}
    try:
        planner = "learned" if given.planner == "learned" else planner_registry.make(given.planner)
        write_recording(given.out, record(given.environment, given.settings, planner, **options))
    except (OSError, TypeError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
