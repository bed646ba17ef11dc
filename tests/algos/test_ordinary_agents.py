"""Ordinary agents beside ERMAS's adversaries: what they and the planner learn from, checkpoints, first phases."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ermas_algos import ERMAS, ERMASConfig
from ermas_algos.algorithms import Population, PopulationConfig
from ermas_algos.algorithms.marl import MARL
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.learners import ExactLearnerConfig
from ermas_envs import EnvironmentSpec
from ermas_envs.oracles import evaluate

BLIND = EnvironmentSpec("augmented_bimatrix_v0", {"agents_observe": "own", "planner_observes": False})
SEEN = EnvironmentSpec("bimatrix_v0", {"agents_observe": "own", "horizon": 6, "agent_index": True})
EXACT = ExactLearnerConfig()


def test_the_planner_learns_from_adversaries_and_ordinary_agents() -> None:
    """Adversaries of λ = 0 stand at level 0, ordinary agents at level 3: against the mean of both 12·a/2 − a² is
    largest at a = 3, against the ordinary ones alone at a = 6."""
    config = ERMASConfig(
        agent_learner=EXACT, planner_learner=EXACT, multiplier=MultiplierConfig.frozen(0.0), ordinary_agents=True
    )
    trainer = ERMAS(BLIND, config).learn(300)
    planner = trainer.policies()["planner"]
    late = planner[5:].mean(axis=(0, 1))  # the first steps, in which agents walk, have other optima
    assert int(late.argmax()) == 3
    assert late[3] > 0.9
    game = trainer.tables()
    levels = []
    for agents in (trainer.learners, trainer.ordinary):
        policies = {
            a: game.as_policy(agents[a].action_probabilities(*game.decision_points(a))) for a in trainer.env.agents
        }
        staked = {**policies, "planner": np.eye(7)[np.full((game.horizon, game.start.size), 1)]}
        levels.append((evaluate(game, staked)["planner"] + 1) / 12)  # of a·κ·r_p − a² with a = 1
    assert levels[0] < 0.02
    assert levels[1] > 0.95


class Told(ERMAS):
    """Remembers the last joint rollout, and from which blocks the planner learned."""

    seen: Any

    def _update_planner(self, experience: Any, blocks: Any = (0,)) -> Any:
        self.seen = experience, blocks
        return super()._update_planner(experience, blocks)


@pytest.mark.parametrize("deviating", [None, 1])
def test_ordinary_agents_play_in_the_last_block(deviating: int | None) -> None:
    config = ERMASConfig(num_envs=8, warmup_iterations=1, deviating_agents=deviating, ordinary_agents=True)
    trainer = Told(SEEN, config).learn(1)
    assert trainer.seen[1] == (0, 1)  # no deviations yet
    before = trainer.ordinary["agent_1"].get_parameters()
    rows: list[dict[str, Any]] = []
    trainer.learn(3, progress=lambda _, metrics: rows.append(dict(metrics)))
    experience, blocks = trainer.seen
    last = 1 + (deviating or 2)
    assert blocks == (0, last)
    assert experience.blocks == last + 1
    own = experience.payoffs["planner"][:, experience.block(last)]
    assert rows[-1]["ordinary/payoff/planner"] == pytest.approx(own.mean())
    assert not np.array_equal(before, trainer.ordinary["agent_1"].get_parameters())
    assert trainer.env_steps == 6 * 8 * (2 + 2 * (last + 1 + last - 1))


def test_agents_that_share_a_policy_share_the_ordinary_one() -> None:
    trainer = ERMAS(SEEN, ERMASConfig(num_envs=8, ordinary_agents=True, policy_sharing="group")).learn(2)
    assert trainer.ordinary["agent_0"] is trainer.ordinary["agent_1"]
    assert trainer.ordinary["agent_0"] is not trainer.learners["agent_0"]


def test_a_checkpoint_goes_on_bit_for_bit(tmp_path: Path) -> None:
    config = ERMASConfig(num_envs=8, warmup_iterations=1, ordinary_agents=True, practice_updates=1)
    whole, part = ERMAS(BLIND, config).learn(4), ERMAS(BLIND, config).learn(2)
    part.save(tmp_path / "e.safetensors")
    resumed = ERMAS.load(tmp_path / "e.safetensors", BLIND).learn(4)
    for agent, learner in whole.ordinary.items():
        np.testing.assert_array_equal(learner.get_parameters(), resumed.ordinary[agent].get_parameters())
    for role, learner in whole.learners.items():
        np.testing.assert_array_equal(learner.get_parameters(), resumed.learners[role].get_parameters())


def test_they_practise_too() -> None:
    """Beside a planner at random, before the planner's own play."""
    settings: dict[str, Any] = {"num_envs": 8, "warmup_iterations": 1, "ordinary_agents": True}
    once, twice = (ERMAS(BLIND, ERMASConfig(**settings, practice_updates=k)).learn(3) for k in (0, 1))
    updates = [trainer.ordinary["agent_0"].state().facts["n_updates"] for trainer in (once, twice)]
    assert updates[1] == 2 * updates[0]


def test_every_set_of_agents_goes_on_from_a_first_phase() -> None:
    first = MARL(BLIND, MARL.config_type(num_envs=8)).learn(2)
    ermas = ERMAS(BLIND, ERMASConfig(num_envs=8, ordinary_agents=True)).take_agents_of(first)
    population = Population(BLIND, PopulationConfig(num_envs=8, multipliers=(1.0, 4.0))).take_agents_of(first)
    for agents in (ermas.learners, ermas.ordinary, *population.members):
        for agent in first.env.agents:
            np.testing.assert_array_equal(agents[agent].get_parameters(), first.learners[agent].get_parameters())


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="ordinary_agents must be True or False"):
        ERMASConfig(ordinary_agents=1)  # type: ignore[arg-type]
