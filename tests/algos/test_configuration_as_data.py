"""A configuration that is accepted can be written as JSON, and comes back as it was, NumPy's numbers as Python's."""

import dataclasses
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ermas_algos import ERMAS, MARL, ERMASConfig, ExactLearnerConfig, MARLConfig, SB3LearnerConfig
from ermas_algos.algorithms.config import PopulationConfig, from_json, to_json
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.algorithms.risk import RiskConfig
from ermas_algos.evaluation import FreshAgentsConfig
from ermas_algos.experiments.sweep import Method, Sweep, Task
from ermas_algos.studies.agent_adv_search import AgentAdvSearch
from ermas_envs import EnvironmentSpec, augmented_bimatrix_v0

INTEGERS = st.sampled_from([int, np.int64, np.uint8, np.int32, np.int8])
FLOATS = st.sampled_from([float, np.float64, np.float32, np.float16])
SEQUENCES = st.sampled_from([tuple, list, np.array])


@st.composite
def integers(draw: st.DrawFn, least: int = 2, most: int = 100) -> Any:
    return draw(INTEGERS)(draw(st.integers(least, most)))


@st.composite
def numbers(draw: st.DrawFn, least: float = 0.0625, most: float = 1.0) -> Any:
    return draw(FLOATS)(draw(st.floats(least, most)))


@st.composite
def widths(draw: st.DrawFn) -> Any:
    return draw(SEQUENCES)(draw(st.lists(st.integers(1, 64), min_size=1, max_size=3)))


KWARGS = st.fixed_dictionaries(
    {}, optional={"n_epochs": integers(), "ent_coef": numbers(), "normalize_advantage": st.booleans().map(np.bool_)}
)
SB3 = st.builds(
    SB3LearnerConfig,
    learning_rate=numbers(),
    gamma=numbers(),
    gae_lambda=numbers(),
    hidden_layers=widths(),
    minibatch_size=integers() | st.none(),
    algorithm_kwargs=KWARGS | KWARGS.map(MappingProxyType),
)
EXACT = st.builds(
    ExactLearnerConfig, learning_rate=numbers(), entropy=numbers(0.0, 0.5), num_seeds=st.just(np.int64(1))
)
COMMON: dict[str, Any] = {"num_envs": integers(), "seed": integers(0), "rollout_steps": integers() | st.none()}
RISK = st.builds(RiskConfig, st.sampled_from(["crra", "exponential", "cvar"]), numbers(), numbers())
SAMPLED = {**COMMON, "agent_learner": SB3, "planner_learner": SB3, "planner_risk": RISK | st.none()}
MULTIPLIER = st.builds(MultiplierConfig, numbers(), numbers(), numbers(), numbers(), numbers(1.0, 8.0))
CONFIGURATIONS = st.one_of(
    st.builds(MARLConfig, **SAMPLED, extra_agent_updates=integers()),
    st.builds(MARLConfig, **COMMON, agent_learner=EXACT, planner_learner=EXACT),
    st.builds(PopulationConfig, **SAMPLED, multipliers=widths()),
    st.builds(
        ERMASConfig,
        **SAMPLED,
        epsilon=numbers(),
        warmup_iterations=integers(),
        deviation_updates=integers(),
        trust_region=numbers() | st.none(),
        multiplier=MULTIPLIER,
        meta_step_size=numbers(),
        meta_step_every=integers(),
    ),
    st.builds(
        FreshAgentsConfig,
        agent_learner=SB3,
        num_envs=integers(),
        window=integers(1, 10),
        tolerance=numbers(),
        max_iterations=integers(20),
        measured_envs=integers(),
    ),
)


def plain(value: Any) -> bool:
    """Whether a value consists of Python's own types."""
    if dataclasses.is_dataclass(value):
        return all(plain(getattr(value, entry.name)) for entry in dataclasses.fields(value))
    if type(value) is dict:
        return all(type(name) is str and plain(entry) for name, entry in value.items())
    if type(value) in (list, tuple):
        return all(plain(entry) for entry in value)
    return value is None or type(value) in (bool, int, float, str)


@given(CONFIGURATIONS)
def test_every_configuration_comes_back_from_json(config: Any) -> None:
    assert plain(config)
    assert from_json(type(config), json.loads(json.dumps(to_json(config)))) == config


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SB3LearnerConfig(algorithm_kwargs={"clip_range": abs}), "algorithm_kwargs: clip_range must be"),
        (lambda: SB3LearnerConfig(algorithm_kwargs={"ent_coef": np.nan}), "algorithm_kwargs: ent_coef must be a"),
        (lambda: SB3LearnerConfig(algorithm_kwargs=[0.1]), "algorithm_kwargs must be a mapping"),  # type: ignore[arg-type]
        (lambda: MARLConfig(agent_learner=3), "agent_learner must be a table of names and values, or .* got 3"),  # type: ignore[arg-type]
        (lambda: ERMASConfig(multiplier=4.0), "multiplier must be a table of names and values, got 4.0"),  # type: ignore[arg-type]
        (lambda: PopulationConfig(planner_risk="cvar"), "planner_risk must be a table"),  # type: ignore[arg-type]
        (lambda: FreshAgentsConfig(agent_learner=abs), "agent_learner must be what JSON can hold"),  # type: ignore[arg-type]
        (lambda: Task("bimatrix_v0", {"planner": object()}), "arguments.planner must be what JSON can hold"),
        (lambda: Method("MARL", {"seed": {1, 2}}), "settings.seed must be what JSON can hold"),
        (lambda: AgentAdvSearch("exact", "own", settings={"epsilon": np.inf}), "epsilon must be a finite number"),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_refused_at_once(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_sweep_with_numpy_numbers_is_written_as_json() -> None:
    tasks = {"game": Task("augmented_bimatrix_v0", {"horizon": np.int64(4)}, labels={"size": np.float32(0.5)})}
    methods = {"MARL": Method("MARL", {"agent_learner": {"hidden_layers": np.array([2])}}, {"q": np.float64(0.25)})}
    fresh = FreshAgentsConfig(window=np.int64(2))  # type: ignore[arg-type]
    sweep = Sweep(tasks, methods, tuple(np.arange(2)), tuple(np.linspace(0, 1, 2)), np.int64(3), fresh)  # type: ignore[arg-type]
    assert from_json(Sweep, json.loads(json.dumps(to_json(sweep)))) == sweep
    assert [json.dumps(training.configuration()) for training in sweep.trainings()]


def test_a_training_with_numpy_numbers_is_saved_and_resumed(tmp_path: Path) -> None:
    learner = SB3LearnerConfig(
        hidden_layers=np.array([4]),  # type: ignore[arg-type]
        algorithm_kwargs={"n_epochs": np.int64(1), "ent_coef": np.float32(0.5)},
    )
    settings: dict[str, Any] = {"num_envs": 8, "agent_learner": learner, "planner_learner": learner}
    for seed in np.arange(2):
        config = MARLConfig(**settings, seed=seed)
        MARL(augmented_bimatrix_v0.batched_env, config).learn(7, tmp_path / f"run-{seed}", checkpoint_every=5)
        resumed = MARL.resume(tmp_path / f"run-{seed}", augmented_bimatrix_v0.batched_env)
        assert resumed.config == config
        assert resumed.iteration == 7


def test_an_environment_as_data_keeps_plain_numbers_and_is_saved(tmp_path: Path) -> None:
    spec = EnvironmentSpec(
        "augmented_bimatrix_v0",
        {
            "horizon": np.int64(4),
            "q": np.float32(0.25),
            "perturbation": {"name": "planner_adversity", "q": np.float64(0.1)},
            "planner_observes": np.bool_(False),
        },
    )
    assert plain(spec)
    settings: dict[str, Any] = {"num_envs": 4, "warmup_iterations": 1}
    ERMAS(spec, ERMASConfig(**settings)).learn(2).save(tmp_path / "c")
    assert ERMAS.load(tmp_path / "c", spec).iteration == 2
