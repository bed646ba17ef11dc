"""Checks of PettingZoo parallel environments, and of a whole environment module of this package's form."""

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces

from ermas_envs.faces.parallel_checks import AnyParallelEnv
from ermas_envs.game.perturbations import Bounded, PlannerAdversity, RewardPerturbation
from ermas_envs.game.planners import ConstantPlanner, Planner
from ermas_envs.make import EnvironmentModule
from ermas_envs.testing.actions import ActionSource
from ermas_envs.testing.batches import (
    check_batch_observations,
    check_batched_equals_single,
    check_groups,
    check_masks,
    check_replica_independence,
    check_tables,
)
from ermas_envs.testing.comparison import difference, exposed_global_generators
from ermas_envs.testing.perturbations import check_perturbation
from ermas_envs.testing.planners import check_planner

MAX_STEPS = 1000
"""Longer episodes are cut here."""

_Frame: TypeAlias = dict[str, Any]  # what one reset or step returned, by kind


def check_determinism(make_env: Callable[[], AnyParallelEnv], seed: int = 0) -> None:
    """One seed gives bit-identical whole episodes: in two fresh instances, and in one that is reset again.

    Compares observations, rewards, flags, action masks and whether the planner acts. The global generators of
    `random` and NumPy are reseeded before every step, so that an environment that draws from them fails.

    Args:
        make_env: makes the environment.
        seed: of the episode.
    """
    with exposed_global_generators() as generators:
        first, second = make_env(), make_env()
        recorded: list[_Frame] = []
        _compare(
            _recording(_frames(first, seed, generators.disturb), recorded),
            _frames(second, seed, generators.disturb),
            "two fresh instances",
        )
        list(_frames(first, seed + 1, generators.disturb))  # an episode of another seed in between
        again = _frames(first, seed, generators.disturb)
        _compare(again, iter(recorded), "an instance that is reset again")


def check_observations(make_env: Callable[[], AnyParallelEnv], seed: int = 0) -> None:
    """All observations of an episode have their space's dtype and shape, lie in it, and may be kept."""
    env = make_env()
    kept, copies = [], []
    for step, frame in enumerate(_frames(env, seed, copied=False)):
        for agent, observation in frame["observations"].items():
            _inside(env.observation_space(agent), observation, f"observation of {agent!r} at step {step - 1}")
        kept.append(frame["observations"])
        copies.append(copy.deepcopy(frame["observations"]))
    changed = difference(kept, copies, "kept observations")
    assert changed is None, f"the environment writes into observations that it gave away: {changed}"


def check_infos(make_env: Callable[[], AnyParallelEnv], seed: int = 0) -> None:
    """Every agent's infos have the same keys, shapes and dtypes at a reset, in every step and at the end.

    Libraries that preallocate (TorchRL among others) read the form of infos at a reset, and hold later ones to it.
    """
    forms: dict[str, Any] = {}
    for step, frame in enumerate(_frames(make_env(), seed)):
        for agent, form in frame["forms of infos"].items():
            first = forms.setdefault(agent, form)
            assert form == first, (
                f"infos of {agent!r} at step {step - 1} (−1 is reset) have the form {form}, not {first}"
            )


def check_environment(module: EnvironmentModule) -> None:
    """Everything that applies to an environment module: both faces, both hooks, and PettingZoo's own tests.

    Args:
        module: offers `parallel_env(**arguments)` and `batched_env(num_envs, **arguments)`, both of which know
            the arguments `planner` and `perturbation`.
    """
    check_determinism(module.parallel_env)
    check_observations(module.parallel_env)
    check_infos(module.parallel_env)
    check_batch_observations(module.batched_env)
    check_masks(module.batched_env)
    check_groups(module.batched_env)
    check_tables(module.batched_env)
    check_replica_independence(module.batched_env)
    check_batched_equals_single(module.batched_env, module.parallel_env)
    _check_hooks(module)
    _check_with_pettingzoo(module.parallel_env)


def _check_hooks(module: EnvironmentModule) -> None:
    def with_planner(num_envs: int, planner: Planner | str) -> Any:
        return module.batched_env(num_envs, planner=planner)

    def with_perturbation(num_envs: int, perturbation: RewardPerturbation) -> Any:
        return module.batched_env(num_envs, perturbation=perturbation)

    batch = module.batched_env(1)
    action = ActionSource(batch.action_spaces, 0).draw(batch.planner, None)
    check_planner(ConstantPlanner(action), with_planner)
    check_perturbation(lambda: PlannerAdversity(0.5), with_perturbation)
    check_perturbation(lambda: Bounded(PlannerAdversity(0.5), 0.1), with_perturbation, bound=0.1)


def _check_with_pettingzoo(make_env: Callable[[], AnyParallelEnv]) -> None:
    """PettingZoo's tests; what they only warn about counts as wrong."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore", DeprecationWarning)  # raised by importing the tests
        from pettingzoo.test import parallel_api_test, parallel_seed_test

        warnings.simplefilter("error", UserWarning)
        try:
            parallel_api_test(make_env(), num_cycles=100)
            parallel_seed_test(make_env, num_cycles=100)
        except UserWarning as warning:
            raise AssertionError(f"PettingZoo's tests: {warning}") from warning


def _frames(
    env: AnyParallelEnv, seed: int, before_step: Callable[[], None] = lambda: None, copied: bool = True
) -> Iterator[_Frame]:
    """One episode with random actions: what `reset` and each `step` returned."""
    source = ActionSource({agent: env.action_space(agent) for agent in env.possible_agents}, seed)
    before_step()
    observations, infos = env.reset(seed=seed)
    frame = _shown(observations, infos)
    yield copy.deepcopy(frame) if copied else frame
    for _ in range(MAX_STEPS):
        if not env.agents:
            return
        actions = {agent: source.draw(agent, frame["masks"].get(agent)) for agent in env.agents}
        before_step()
        observations, rewards, terminations, truncations, infos = env.step(actions)
        ends = {"terminations": terminations, "truncations": truncations}
        frame = {**_shown(observations, infos), "rewards": rewards, **ends}
        yield copy.deepcopy(frame) if copied else frame


def _shown(observations: dict[str, Any], infos: dict[str, Any]) -> _Frame:
    masks = _masks(observations, infos)
    return {"observations": observations, "masks": masks, "acts": _told(infos, "acts"), "forms of infos": _form(infos)}


def _recording(frames: Iterator[_Frame], into: list[_Frame]) -> Iterator[_Frame]:
    for frame in frames:
        into.append(frame)
        yield frame


def _compare(first: Iterator[_Frame], second: Iterator[_Frame], between: str) -> None:
    """Steps both episodes in turn, so that instances which share something disturb each other."""
    for step, (a, b) in enumerate(zip_longest(first, second)):
        found = difference(a, b) if a and b else "one episode is over, the other goes on"
        assert found is None, f"{between}, step {step - 1} (−1 is reset): {found}"


def _masks(observations: dict[str, Any], infos: dict[str, Any]) -> dict[str, Any]:
    inside = {a: o["action_mask"] for a, o in observations.items() if isinstance(o, dict) and "action_mask" in o}
    return inside | _told(infos, "action_mask")


def _form(value: Any) -> Any:
    """Shape and dtype of an entry of infos, of each part of what has several; the keys of a dict."""
    if isinstance(value, dict):
        return {key: _form(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return tuple(_form(part) for part in value)
    return f"{np.shape(value)} {np.asarray(value).dtype}"


def _told(infos: dict[str, Any], what: str) -> dict[str, Any]:
    return {agent: info[what] for agent, info in infos.items() if what in info}


def _inside(space: spaces.Space[Any], observation: Any, what: str) -> None:
    if isinstance(space, spaces.Dict):
        assert isinstance(observation, dict), f"{what} is a {type(observation).__name__}, not a dict"
        more = sorted(observation.keys() - space.spaces.keys())
        assert not more, f"{what} has keys that its space has not: {more}"
        for key, part in space.spaces.items():
            assert key in observation, f"{what} lacks {key!r}"
            _inside(part, observation[key], f"{key!r} in the {what}")
        return
    if isinstance(space, (spaces.Box, spaces.MultiDiscrete, spaces.MultiBinary)):
        assert isinstance(observation, np.ndarray), f"{what} is a {type(observation).__name__}, not an array"
        assert observation.shape == space.shape, f"{what} has shape {observation.shape}, not {space.shape}"
        assert observation.dtype == space.dtype, f"{what} has dtype {observation.dtype}, not {space.dtype}"
    assert space.contains(observation), f"{what} lies outside {space}: {observation}"
