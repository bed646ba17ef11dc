"""The whole gradient of Eq. 8: what agents do to each other's regret, beside derivatives of exact values."""

import itertools

import numpy as np
import pytest

from ermas_algos import ERMAS, ERMASConfig, ExactLearnerConfig, SB3LearnerConfig
from ermas_algos.algorithms.deviations import joint_lagrangian, lagrangian_reward
from ermas_envs import EnvironmentSpec
from ermas_envs.games.toll.settings import TollSettings
from ermas_envs.oracles.tolls import Traffic, expected_latencies, expected_mean_latency

DRIVERS, TOLL, INSTEAD = 4, 0.6, 0
AGENTS = [f"agent_{k}" for k in range(DRIVERS)]
TRAFFIC = Traffic.of(TollSettings(num_drivers=DRIVERS))


def exact_lagrangian(share: float, prices: list[float]) -> float:
    """J_p less the priced regrets against the deviation `INSTEAD`, as the adversary's gain."""
    profile = np.tile([1.0 - share, share], (DRIVERS, 1))
    costs = expected_latencies(TRAFFIC, profile) + np.array([0.0, TOLL])
    regrets = (profile * costs).sum(axis=1) - costs[:, INSTEAD]
    return expected_mean_latency(TRAFFIC, profile) - float(np.dot(prices, regrets))


def enumerated(deviating: list[int], prices: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """All joint choices (rows, drivers), and the reward of each; block 0 is the joint one."""
    rows = np.array(list(itertools.product((0, 1), repeat=DRIVERS)))
    blocks = [rows, *(np.where(np.arange(DRIVERS) == k, INSTEAD, rows) for k in deviating)]
    played = np.concatenate(blocks)
    counts = np.stack([DRIVERS - played.sum(axis=1), played.sum(axis=1)], axis=1)
    latency = np.take_along_axis(TRAFFIC.latencies[[0, 1], counts], played, axis=1)
    payoffs = -(latency + TOLL * played)
    planner = -TRAFFIC.mean_latencies(counts)
    size = len(rows)
    reward = joint_lagrangian(
        planner[None],
        {agent: payoffs[None, :, k] for k, agent in enumerate(AGENTS)},
        dict(zip(AGENTS, prices, strict=True)),
        {AGENTS[k]: slice((b + 1) * size, (b + 2) * size) for b, k in enumerate(deviating)},
        slice(0, size),
    )
    assert (reward[0, size:] == 0.0).all()
    return rows, reward[0, :size] * (1.0 + sum(prices))


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_it_is_the_gradient_of_the_whole_lagrangian(share: float) -> None:
    """Scores times rewards, over all joint choices: the derivative by the share that all drivers have in common."""
    prices = [0.3, 0.3, 0.3, 0.3]
    rows, reward = enumerated(list(range(DRIVERS)), prices)
    chance = np.prod(np.where(rows == 1, share, 1.0 - share), axis=1)
    score = np.where(rows == 1, 1.0 / share, -1.0 / (1.0 - share)).sum(axis=1)
    step = 1e-6
    slope = (exact_lagrangian(share + step, prices) - exact_lagrangian(share - step, prices)) / (2 * step)
    assert float(chance @ (score * reward)) == pytest.approx(slope, rel=1e-6)
    assert float(chance @ reward) == pytest.approx(exact_lagrangian(share, prices))


def test_some_deviating_drivers_stand_for_all() -> None:
    prices = [0.1, 0.2, 0.3, 0.4]
    _, whole = enumerated(list(range(DRIVERS)), prices)
    hands = [enumerated([k], prices)[1] for k in range(DRIVERS)]
    np.testing.assert_allclose(np.mean(hands, axis=0), whole)


def test_one_agent_alone_has_the_gradient_that_it_had() -> None:
    """With nobody else's regret to count, the two rewards differ by what no action of the agent changes."""
    payoffs, planner = np.array([[0.2, 0.7, 0.5, 0.5]]), np.array([[0.3, 0.1, 0.4, 0.4]])
    joint = joint_lagrangian(planner, {"a": payoffs}, {"a": 2.0}, {"a": slice(2, 4)}, slice(0, 2))[:, :2]
    own = lagrangian_reward(payoffs, planner, 2.0)[:, :2]
    assert np.ptp(joint - own) == pytest.approx(0.0)


def test_it_trains_resumes_and_is_refused_without_samples() -> None:
    spec = EnvironmentSpec("toll_v0", {"num_drivers": 3, "drives": 2, "tolled": [1], "toll_levels": 3})
    small = SB3LearnerConfig(hidden_layers=(4,))
    settings = {"num_envs": 4, "warmup_iterations": 1, "agent_learner": small, "planner_learner": small}
    trained = {
        others: ERMAS(spec, ERMASConfig(**settings, regret_of_others=others, policy_sharing="group")).learn(3)  # type: ignore[arg-type]
        for others in (False, True)
    }
    parameters = [one.learners["agent_0"].get_parameters() for one in trained.values()]
    assert not np.array_equal(*parameters)
    exact = ExactLearnerConfig()
    with pytest.raises(ValueError, match="regret_of_others needs sampled episodes"):
        ERMASConfig(agent_learner=exact, planner_learner=exact, regret_of_others=True)
    with pytest.raises(ValueError, match="regret_of_others must be True or False"):
        ERMASConfig(regret_of_others=1)  # type: ignore[arg-type]


def leaving_price(full: int, toll: float, whole: bool) -> float:
    """λ above which one of 20 drivers leaves a road that all are on: what it does to the mean latency, per regret."""
    traffic = Traffic.of(TollSettings(num_drivers=20))
    tolls, other = (0.0, toll), 1 - full
    here, there, left = traffic.latencies[full][20], traffic.latencies[other][1], traffic.latencies[full][19]
    relief = here - (19 * left + there) / 20
    own = here + tolls[full] - there - tolls[other]
    others = 19 * ((here - left) - (there - traffic.latencies[other][2]))  # of both roads that the others compare
    return float(relief / (own + (others if whole else 0.0)))


def test_who_leaves_first() -> None:
    """What docs/tolls.md says: by their own part drivers leave the slow road first, by the whole gradient the fast."""
    own, whole = ([leaving_price(full, 0.7, way) for full in (0, 1)] for way in (False, True))
    assert own == pytest.approx([0.167, 0.252], abs=1e-3)
    assert whole == pytest.approx([0.166, 0.042], abs=1e-3)
