"""`contract_v0`: conformance, payoffs by hand, drawn outcomes against their probabilities, refused input, pictures."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ermas_envs import contract_v0
from ermas_envs.base.arrays import AGENT_GROUP, Array
from ermas_envs.games.contract.instances import Instances, drawn_instances, reference_instances
from ermas_envs.oracles.contracts import ContractProblem
from ermas_envs.planners import ConstantPlanner
from ermas_envs.testing import check_environment

ONE = {
    "probabilities": [[0.75, 0.25], [0.25, 0.75]],
    "rewards": [0.0, 2.0],
    "costs": [0.0, 0.25],
}
"""One agent: shirking, work."""


def played(payments: Any, action: int, num_envs: int = 1, **arguments: Any) -> Any:
    """The batch and its last step, in which everybody has chosen an action under payments."""
    env = contract_v0.batched_env(num_envs, **{"instances": ONE, "outcomes": "expected", **arguments})
    env.reset(seed=3)
    named = np.tile(np.asarray(payments) / env.engine.most_paid * 2 - 1, (num_envs, 1)).astype(np.float32)  # type: ignore[attr-defined]
    for _ in range(2):
        step = env.step({**{agent: np.full(num_envs, action) for agent in env.agents}, "planner": named})
    return env, step


@pytest.mark.parametrize("levels", [11, 21, 50])
def test_no_level_of_a_grid_pays_more_than_is_allowed(levels: int) -> None:
    """Rounding may bring the highest level above the largest payment, which certificates refuse."""
    for first in range(20):
        env = contract_v0.batched_env(1, first_instance=first, payments="grid", payment_levels=levels)
        (problem,) = ContractProblem.all_of(env.engine.settings)  # type: ignore[attr-defined]
        highest = env.engine.payments_of(np.full((1, 4), levels - 1))[0]  # type: ignore[attr-defined]
        assert problem.checked_payments(highest[0]) == pytest.approx(problem.largest_payment, rel=1e-12)


@pytest.mark.parametrize("outcomes", ["expected", "drawn"])
def test_replicas_in_different_steps_are_what_they_are_alone(outcomes: str) -> None:
    """One of three begins anew while the others work."""
    batch = contract_v0.batched_env(3, num_agents=2, outcomes=outcomes)
    actions = {
        "agent_0": np.array([4, 3, 2]),
        "agent_1": np.array([0, 1, 4]),
        "planner": np.full((3, 8), 0.5, np.float32),
    }
    batch.reset(seed=5)
    batch.engine.step(batch._checked(actions))
    batch.engine.reset(np.array([1]), batch._streams, np.array([1]), from_scratch=False)
    mixed = batch.engine.step(batch._checked(actions))
    seen = batch.engine.observe()[0].by_group[AGENT_GROUP]

    alone = contract_v0.batched_env(3, num_agents=2, outcomes=outcomes)
    alone.reset(seed=5)
    signed = alone.step(actions).observations.by_group[AGENT_GROUP]
    worked = alone.step(actions).payoffs.by_group[AGENT_GROUP]
    np.testing.assert_array_equal(mixed.payoffs.by_group[AGENT_GROUP][[0, 2]], worked[[0, 2]])
    assert not mixed.payoffs.by_group[AGENT_GROUP][1].any()
    np.testing.assert_array_equal(seen[1], signed[1])


@pytest.mark.parametrize(
    "arguments",
    [{}, {"payments": "grid", "num_agents": 2, "payment_levels": 3}, {"outcomes": "expected", "instances": ONE}],
    ids=["continuous", "grid", "arrays"],
)
def test_it_passes_every_check(arguments: dict[str, Any]) -> None:
    batched, parallel = partial(contract_v0.batched_env, **arguments), partial(contract_v0.parallel_env, **arguments)
    check_environment(SimpleNamespace(batched_env=batched, parallel_env=parallel))


def test_expected_payoffs_by_hand() -> None:
    _, step = played([0.0, 0.5], 1)
    assert step.terminated.all()
    assert step.payoffs["agent_0"] == pytest.approx([0.75 * 0.5 - 0.25])
    assert step.payoffs["planner"] == pytest.approx([0.75 * 1.5])


def test_agents_see_what_actions_are_worth_to_both_sides() -> None:
    env = contract_v0.batched_env(1, instances=ONE)
    before = env.reset(seed=0).observations["agent_0"][0]
    step = env.step({"agent_0": np.array([0]), "planner": np.array([[-0.5, 0.0]], dtype=np.float32)})
    unsigned = [1.0, 0.0, 0.0, 0.0, -0.125, 0.25, 0.75]  # all in units of the largest reward, 2
    rounding = 2e-6  # observations leave room for it
    assert before == pytest.approx(unsigned, abs=rounding)
    u = [0.75 * 0.5 + 0.25 * 1.0, 0.25 * 0.5 + 0.75 * 1.0 - 0.25]
    v = [0.5 - u[0], 1.5 - 0.25 - u[1]]
    worth = [0.5, 0.25, 0.5, u[0] / 2, u[1] / 2, v[0] / 2, v[1] / 2]
    assert step.observations["agent_0"][0] == pytest.approx(worth, abs=rounding)


@pytest.mark.parametrize("num_envs", [1, 63, 64, 65, 200])
def test_what_is_seen_of_a_contract_is_what_its_numbers_say_in_every_replica(num_envs: int) -> None:
    """Sums of several replicas are made together, however many there are."""
    env = contract_v0.batched_env(num_envs, num_agents=2)
    named = np.random.default_rng(3).uniform(-1.0, 1.0, (num_envs, 8)).astype(np.float32)
    env.reset(seed=0)
    seen = env.step({**dict.fromkeys(env.agents, np.zeros(num_envs, int)), "planner": named}).observations
    problems = env.engine.settings.problems  # type: ignore[attr-defined]
    payments = env.engine.payments_of(named)  # type: ignore[attr-defined]
    largest = max(env.engine.most_paid, problems.rewards.max(), problems.costs.max())  # type: ignore[attr-defined]
    for k, agent in enumerate(env.agents):
        paid = payments[:, k] @ problems.probabilities[k].T
        expected = [payments[:, k], paid - problems.costs[k], problems.expected_rewards[k] - paid]
        np.testing.assert_allclose(seen[agent][:, 1:], np.concatenate(expected, axis=1) / largest, atol=3e-6)


def test_nobody_works_before_the_contract_is_signed_and_nobody_signs_after() -> None:
    env = contract_v0.batched_env(2, instances=ONE, payments="grid", payment_levels=5)
    seen = env.reset(seed=0)
    assert seen.planner_acts is not None
    assert seen.planner_acts.all()
    assert seen.action_masks["agent_0"].tolist() == [[True, False]] * 2
    assert seen.action_masks["planner"].all()
    actions = {"agent_0": np.array([1, 0]), "planner": np.array([[1, 4], [0, 2]])}
    step = env.step(actions)
    assert not step.payoffs["agent_0"].any()
    assert not step.payoffs["planner"].any()
    assert step.planner_acts is not None
    assert not step.planner_acts.any()
    assert step.action_masks["agent_0"].all()
    assert step.action_masks["planner"].reshape(2, 2, 5).sum(axis=-1).tolist() == [[1, 1], [1, 1]]
    assert step.observations["agent_0"][:, 1:3] == pytest.approx(np.array([[0.25, 1.0], [0.0, 0.5]]), abs=2e-6)


def test_outcomes_come_as_often_as_they_are_likely() -> None:
    """10 000 draws: a share is 5 standard deviations off by chance once in two million tests."""
    replicas = 10_000
    _, step = played([0.0, 0.5], 1, replicas, outcomes="drawn")
    good = step.payoffs["planner"] == 1.5
    assert np.array_equal(step.payoffs["agent_0"], np.where(good, 0.25, -0.25))
    assert (step.payoffs["planner"][~good] == 0.0).all()
    assert good.mean() == pytest.approx(0.75, abs=5 * (0.75 * 0.25 / replicas) ** 0.5)


def test_agents_have_contracts_of_their_own() -> None:
    """The planner's payoff is the sum; what another agent is paid touches nobody."""
    twice = {name: [array, array] for name, array in ONE.items()}
    _, step = played([0.0, 0.5, 0.0, 1.0], 1, instances=twice)
    assert step.payoffs["agent_0"] == pytest.approx([0.125])
    assert step.payoffs["agent_1"] == pytest.approx([0.5])
    assert step.payoffs["planner"] == pytest.approx([0.75 * 1.5 + 0.75 * 1.0])


def test_the_reference_instances_are_those_of_the_recipe() -> None:
    generator, found = np.random.default_rng(7), reference_instances()
    for k in range(30):
        assert np.allclose(found.probabilities[k], generator.dirichlet(np.ones(4), 5))
        assert np.array_equal(found.rewards[k], 2 * np.sort(generator.random(4)))
        assert np.array_equal(found.costs[k], [0.0, *(0.4 * np.sort(generator.random(4)))])
    later = drawn_instances(7, 2, first=28)
    assert np.array_equal(later.probabilities, found.probabilities[28:])
    env = contract_v0.batched_env(1, num_agents=2, first_instance=28)
    assert np.array_equal(env.engine.problems.costs, found.costs[28:])  # type: ignore[attr-defined]


def test_a_constant_planner_signs_the_same_contract_always() -> None:
    env = contract_v0.batched_env(
        3, instances=ONE, outcomes="expected", planner=ConstantPlanner(np.array([-1.0, -0.5], dtype=np.float32))
    )
    env.reset(seed=0)
    for _ in range(3):
        env.step({"agent_0": np.zeros(3, np.int64)})
        step = env.step({"agent_0": np.ones(3, np.int64)})
        assert step.payoffs["planner"] == pytest.approx(np.full(3, 1.125))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"instances": -1}, "instances"),
        ({"instances": {"rewards": [1.0]}}, "instances need probabilities, costs"),
        ({"instances": {**ONE, "prices": [1]}}, "prices"),
        ({"instances": {**ONE, "costs": [0.0, -0.1]}}, "instances.costs"),
        ({"instances": {**ONE, "rewards": [0.0, np.nan]}}, "instances.rewards"),
        ({"instances": {**ONE, "rewards": [0.0, 1.0, 2.0]}}, "instances.rewards must have shape"),
        ({"instances": {**ONE, "probabilities": [[0.5, 0.6], [0.5, 0.5]]}}, "sum to 1"),
        ({"instances": {**ONE, "probabilities": [[0.5, 0.5], [1.0]]}}, "instances.probabilities"),
        ({"instances": ONE, "num_agents": 2}, "one per agent"),
        ({"num_agents": 0}, "num_agents"),
        ({"payments": "coins"}, "payments"),
        ({"payment_levels": 1}, "payment_levels"),
        ({"largest_payment": 0.0}, "largest_payment"),
        ({"outcomes": "likely"}, "outcomes"),
    ],
)
def test_refused_arguments_are_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        contract_v0.batched_env(1, **arguments)


def test_nothing_is_worth_anything() -> None:
    nothing = Instances(np.full((1, 2, 2), 0.5), np.zeros((1, 2)), np.zeros((1, 2)))
    env, step = played([0.0, 0.0], 1, instances=nothing)
    assert step.payoffs["planner"] == 0.0
    assert env.planner_payoff_scale == env.agent_payoff_scales["agent_0"] == 1.0


def test_text_says_what_was_chosen_and_what_came() -> None:
    env, _ = played([0.0, 0.5], 1, autoreset=False)
    lines = env.render().splitlines()
    assert "over" in lines[0]
    assert "[1]     0.250     0.125     1.125" in lines[-1]
    drawn, step = played([0.0, 0.5], 1, outcomes="drawn", autoreset=False)
    came = 1 if step.payoffs["planner"][0] > 0 else 0
    assert f"[{came}]" in drawn.render().splitlines()[3 + came]


@pytest.mark.parametrize("num_agents", [1, 6])
def test_nothing_of_the_picture_is_cut_off(num_agents: int) -> None:
    drawn: Array = np.asarray(
        played(np.full(4 * num_agents, 0.3), 2, instances=7, num_agents=num_agents, autoreset=False)[0].render(
            0, "rgb_array"
        )
    )
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] > 190 * min(num_agents, 4)
    for border in (drawn[:, :4], drawn[:, -4:], drawn[:4], drawn[-4:]):
        assert (border == 255).all()
