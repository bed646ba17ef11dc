"""The planner's objective in ERMAS: its own payoff, or the Lagrangian, whose gradient counts what agents can lose."""

from typing import Any

import numpy as np
import pytest

from ermas_algos import ERMAS, ERMASConfig
from ermas_algos.algorithms.planner_sight import sees_agents
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_envs import EnvironmentSpec

WORK_OR_SHIRK = {"probabilities": [[0.75, 0.25], [0.25, 0.75]], "rewards": [0.0, 2.0], "costs": [0.0, 0.25]}
GAME = EnvironmentSpec("contract_v0", {"instances": WORK_OR_SHIRK, "outcomes": "expected"})


class Told(ERMAS):
    """Remembers what the planner was given."""

    seen: tuple[Any, Any]

    def _planner_rewards(self, experience: Any) -> Any:
        self.seen = experience, super()._planner_rewards(experience)
        return self.seen[1]


def test_a_row_is_paid_for_what_the_deviation_gains_in_it() -> None:
    config = ERMASConfig(num_envs=16, warmup_iterations=1, planner_objective="lagrangian")
    trainer = Told(GAME, config).learn(3)
    experience, given = trainer.seen
    scales, price = trainer.scales.values, trainer.multipliers.values["agent_0"]
    own, agent = experience.rewards["planner"][:, :16], experience.rewards["agent_0"]
    expected = own / scales["planner"] + price * (agent[:, 16:] - agent[:, :16]) / scales["agent_0"]
    assert given[:, :16] == pytest.approx(expected)
    mean = trainer.multipliers.values["agent_0"] * (agent[:, 16:].mean() - agent[:, :16].mean()) / scales["agent_0"]
    assert given[:, :16].mean() == pytest.approx(own.mean() / scales["planner"] + mean)


def test_by_default_the_planner_learns_from_its_own_payoff() -> None:
    trainer = Told(GAME, ERMASConfig(num_envs=16, warmup_iterations=1)).learn(3)
    experience, given = trainer.seen
    assert np.array_equal(given, experience.rewards["planner"] / trainer.scales.values["planner"])


def test_a_planner_that_answers_to_agents_is_refused() -> None:
    config = ERMASConfig(num_envs=16, warmup_iterations=1, planner_objective="lagrangian")
    with pytest.raises(ValueError, match="act alike whatever agents do"):
        ERMAS(EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 8}), config)


@pytest.mark.parametrize(("periods", "sees"), [(1, False), (2, True)])
def test_a_planner_that_decides_again_sees_the_traffic(periods: int, sees: bool) -> None:
    tolls = EnvironmentSpec("toll_v0", {"num_drivers": 2, "drives": 1, "periods": periods})
    assert sees_agents(tolls, 2 * periods, seed=0) == sees
    assert not sees_agents(GAME, 2, seed=0)


def test_exact_learners_are_refused() -> None:
    exact = ExactLearnerConfig()
    with pytest.raises(ValueError, match="needs sampled episodes"):
        ERMASConfig(planner_objective="lagrangian", agent_learner=exact, planner_learner=exact)
    with pytest.raises(ValueError, match="planner_objective"):
        ERMASConfig(planner_objective="welfare")
