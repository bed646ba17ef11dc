"""Cross-play of a test's sets of fresh agents: what one of a set gains among those of another, under the same planner.

Sets that end in different economies under the same taxes have either not learned, and then somebody of the better one
gains among the others, or both have learned, and the game has several equilibria: then nobody does.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ermas_algos.algorithms.run import data_key
from ermas_algos.evaluation.exploiters import ExploiterConfig, visitors_gain
from ermas_algos.experiments.jobs import Finished, Job, Row, Tables, read_file
from ermas_algos.learners.protocol import Learner, Spaces
from ermas_algos.studies.economy_sizes import Size
from ermas_algos.studies.figure_5_economy_jobs import AGENTS_FILE, Test
from ermas_envs import BatchedEnv

CROSS_PLAY = "cross-play"
"""Table of the jobs: a row per set of fresh agents and visitor, gains and rewards in utility per step."""


@dataclass(frozen=True)
class CrossPlay:
    """Puts one agent of a set into another set, for every pair of a planner's sets at one risk aversion."""

    tests: tuple[Test, ...]
    """Those of the planner at that value, one per set."""
    agents: tuple[bytes, ...]
    """What they left (`AGENTS_FILE`), in the same order."""

    @property
    def key(self) -> str:
        """See `Job.key`."""
        return data_key(f"cross-play_eta-{self.tests[0].eta:g}", self.configuration())

    def configuration(self) -> dict[str, Any]:
        sets = [hashlib.sha256(agents).hexdigest() for agents in self.agents]
        return {"tests": [test.configuration() for test in self.tests], "agents": sets}

    def run(self) -> Tables:
        """A row per ordered pair: `fresh_seed` is the set that lives there, `visitor` the other one's."""
        rows: list[Row] = []
        for place, test in enumerate(self.tests):
            for other, visitor in enumerate(self.tests):
                if other != place:
                    rows.append(self._visit(test, self.agents[place], visitor, self.agents[other]))
        return {CROSS_PLAY: rows}

    def _visit(self, test: Test, agents: bytes, visitor: Test, visiting: bytes) -> Row:
        game, size = test.game(test.size.test_arguments(test.eta)), test.size
        env = game(1)
        policies, visitors = (dict.fromkeys(env.agents, _policy(size, env, one)) for one in (agents, visiting))
        config = ExploiterConfig(episodes=max(64, size.test_episodes))
        trained = size.fresh_alone + size.fresh_iterations
        gains, rewards = visitors_gain(game, policies, visitors, config, test.seed, trained)
        found = gains.mean(axis=0)
        error = float(found.std(ddof=1) / np.sqrt(len(found)))
        labels = {**test.labels, "eta_test": test.eta, "fresh_seed": test.seed, "visitor": visitor.seed}
        return {**labels, "reward": float(rewards.mean()), "gain": float(found.mean()), "gain_standard_error": error}


def _policy(size: Size, env: BatchedEnv, agents: bytes) -> Learner:
    """The one that all share."""
    spaces = Spaces(env.observation_spaces[env.agents[0]], env.action_spaces[env.agents[0]])
    learner = size.fresh_agents().agent_learner.make(spaces, 0)
    learner.set_parameters(np.load(io.BytesIO(agents), allow_pickle=False))
    return learner


def cross_plays(tests: Sequence[Job], finished: Sequence[Finished], folder: Path) -> list[CrossPlay]:
    """A job for every planner and risk aversion of which two sets or more are finished and have left their agents."""
    by_key = {done.key: done for done in finished}
    found: dict[tuple[Any, ...], list[tuple[Test, bytes]]] = {}
    for test in tests:
        done = by_key.get(test.key)
        if isinstance(test, Test) and test.eta is not None and done is not None and AGENTS_FILE in done.files:
            same = found.setdefault((*test.labels.items(), test.eta), [])
            same.append((test, read_file(folder, done, AGENTS_FILE)))
    return [CrossPlay(*zip(*sets, strict=True)) for sets in found.values() if len(sets) > 1]
