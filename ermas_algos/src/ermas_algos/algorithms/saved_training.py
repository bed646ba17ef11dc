"""What a trainer's checkpoint holds beside tensors, read and checked before anything is made from it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ermas_algos.algorithms.config import from_json, to_json
from ermas_algos.checkpoint import content_of, prefixed, read_checkpoint, with_prefix
from ermas_algos.learners.protocol import InGame, Learner, LearnerConfig, LearnerState, Spaces
from ermas_algos.saved_state import LARGEST_COUNT, saved_count, saved_table
from ermas_envs import BatchedEnv, EnvironmentSpec
from ermas_envs.oracles import TabularGame

_ARRAYS = "arrays"
"""Entry of the metadata: labels of the learners whose states are NumPy arrays."""
_OF_ALL: Mapping[str, Any] = {"policy_sharing": "none", "planner_warmup": 0, "practice_updates": 0}
_ADDED: Mapping[str, Mapping[str, Any]] = {
    "MARL": _OF_ALL,
    "ERMAS": {**_OF_ALL, "deviating_agents": None},
    "Population": _OF_ALL,
}
"""Settings by trainer, tables inside tables, that checkpoints of earlier versions lack, with what these versions did.
Any other setting that a checkpoint lacks is at its default: one that is added with a default that does what was done
before needs no entry."""
_ADDED_TO_LEARNERS: Mapping[str, Mapping[str, Any]] = {"sb3": {"anneal_epochs": None, "annealed_share": 0.05}}
"""The same for learners, by their kind."""


class Place(NamedTuple):
    """A learner's place in a training."""

    roles: tuple[str, ...]
    """Which roles it plays, of equal spaces."""
    settings: LearnerConfig
    """Its settings, unless the user's own factory makes it."""

    def learner(self, spaces: Spaces, seed: int, tables: Callable[[], TabularGame]) -> Learner:
        """A fresh learner with these settings; `tables` gives the game's, where they are needed."""
        game = InGame(tables(), self.roles) if self.settings.needs == "tables" else None
        return self.settings.make(spaces, seed, game)


@dataclass(frozen=True)
class SavedTraining:
    """The content of a trainer's checkpoint; the fields are the names in its metadata."""

    environment: str
    """Name of the environment."""
    environment_spec: EnvironmentSpec | None
    """All of the environment, where it was given as data."""
    spaces: Mapping[str, Any]
    """Per acting role the texts of its observation and action space."""
    rollout_steps: int
    """Steps of a rollout."""
    config: Mapping[str, Any]
    """Settings of the trainer, JSON types."""
    iteration: int
    """Outer iterations done."""
    collector: Mapping[str, Any]
    """State of the collector."""
    scales: Mapping[str, Any]
    """State of the payoffs' scales."""
    learners: Mapping[str, LearnerState]
    """State of every learner, by label."""
    extra: Mapping[str, Any]
    """What else the algorithm needs."""

    def checked_config(self, config_type: Any) -> Any:
        """The settings as a configuration, those that have been added since at their defaults.

        Raises:
            ValueError: one does not exist, is not possible, or has no default and is missing.
        """
        config = from_json(config_type, self.config)
        if not _holds(to_json(config), self.config):
            raise ValueError(f"config must hold settings as {config_type.__name__} keeps them, got {self.config}.")
        return config

    def check_environment(self, env: BatchedEnv, steps: int) -> None:
        """ValueError unless an environment, of any number of replicas, is the one of the training."""
        if self.environment != env.name:
            raise ValueError(f"trained in environment {self.environment!r}, make_env gives {env.name!r}.")
        if self.rollout_steps != steps:
            raise ValueError(f"trained on rollouts of {self.rollout_steps} steps, make_env gives {steps}.")
        given = space_names(env)
        for role in sorted(given.keys() | self.spaces.keys()):
            trained, here = self.spaces.get(role), given.get(role)
            if trained != here:
                raise ValueError(
                    f"role {role!r} was trained with spaces (observation, action) {trained}, make_env gives {here}."
                )

    def check_learners(self, env: BatchedEnv, places: Mapping[str, Place], sized: bool) -> None:
        """ValueError unless there is a state for every place, as large as its settings ask for.

        Args:
            env: the environment, of any number of replicas.
            places: of all learners, by label.
            sized: whether the settings' sizes count, that is whether they make the learners. Networks are made only
                after that: a small file cannot ask for large ones.
        """
        if self.learners.keys() != places.keys():
            raise ValueError(f"learners must be {sorted(places)}, got {sorted(self.learners)}.")
        for label, place in places.items() if sized else ():
            role = place.roles[0]
            least = place.settings.least_numbers(Spaces(env.observation_spaces[role], env.action_spaces[role]))
            found = sum(math.prod(tensor.shape) for tensor in self.learners[label].tensors.values())
            if found < least:
                raise ValueError(f"learner {label!r}: its settings ask for {least} numbers at least, it has {found}.")


def read_training(path: Path | str, kind: str) -> SavedTraining:
    """Read a trainer's checkpoint.

    Raises:
        CheckpointError: see `read_checkpoint`; also content of another form than trainers write.
    """
    checkpoint = read_checkpoint(path, kind)
    with content_of(path):
        metadata = {_ARRAYS: [], **checkpoint.metadata}
        for name in SavedTraining.__dataclass_fields__:
            if name not in metadata:
                raise KeyError(name)  # as of a file of another version, which has other entries
        fields = saved_table("metadata", metadata, (*SavedTraining.__dataclass_fields__, _ARRAYS))
        arrays = fields.pop(_ARRAYS)
        for name in ("spaces", "config", "collector", "scales", "learners", "extra"):
            if not isinstance(fields[name], dict):
                raise ValueError(f"{name} must be a table, got {fields[name]!r}.")
        spec = fields["environment_spec"]
        steps = saved_count("rollout_steps", fields["rollout_steps"])
        return SavedTraining(
            **{
                **fields,
                "config": _as_of_now(kind, fields["config"]),
                "environment_spec": None if spec is None else _spec(spec),
                # So that the index of an episode is a count, too: a rollout has `steps` of them at most.
                "iteration": saved_count("iteration", fields["iteration"], LARGEST_COUNT // max(steps, 1)),
                "learners": _states(checkpoint.tensors, fields["learners"], arrays),
            }
        )


def space_names(env: BatchedEnv) -> dict[str, list[str]]:
    """Per acting role its observation and its action space as text."""
    return {role: [str(env.observation_spaces[role]), str(env.action_spaces[role])] for role in env.possible_agents}


def _spec(value: object) -> EnvironmentSpec:
    return EnvironmentSpec(**saved_table("environment_spec", value, ("name", "arguments")))


def _as_of_now(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a checkpoint with what earlier versions did not write."""
    complete = _completed(_ADDED.get(kind, {}), config)
    for name, value in complete.items():
        if name.endswith("_learner") and isinstance(value, dict):
            table = {"kind": "sb3" if "algorithm" in value else "exact", **value}
            complete[name] = {**_ADDED_TO_LEARNERS.get(table["kind"], {}), **table}
    return complete


def _completed(added: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with what it lacks of `added`, table by table."""
    complete = dict(config)
    for name, value in added.items():
        if isinstance(value, Mapping) and isinstance(complete.get(name), Mapping):
            complete[name] = _completed(value, complete[name])
        elif name not in complete:
            complete[name] = value
    return complete


def _holds(whole: Any, part: Any) -> bool:
    """Whether all that stands in `part`, table by table, stands in `whole` just so."""
    if isinstance(whole, Mapping) and isinstance(part, Mapping):
        return all(name in whole and _holds(whole[name], value) for name, value in part.items())
    return bool(whole == part)


def check_told_apart(label: str, others: Iterable[str]) -> None:
    """ValueError unless tensors under a learner's label can be no other learner's: the names of agents are free."""
    for other in others:
        if f"{label}/".startswith(f"{other}/") or f"{other}/".startswith(f"{label}/"):
            raise ValueError(f"agents: no checkpoint can tell the learners {other!r} and {label!r} apart; rename one.")


def written(states: Mapping[str, LearnerState]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Learners' states, by label, as tensors and entries of metadata, from which `read_training` gives them back."""
    tensors: dict[str, torch.Tensor] = {}
    arrays = []
    for label, state in states.items():
        if any(isinstance(tensor, np.ndarray) for tensor in state.tensors.values()):
            arrays.append(label)
        as_tensors = {name: torch.as_tensor(tensor) for name, tensor in state.tensors.items()}
        tensors |= prefixed(label, as_tensors)
    return tensors, {"learners": {label: dict(state.facts) for label, state in states.items()}, _ARRAYS: arrays}


def _states(tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any], arrays: object) -> dict[str, LearnerState]:
    """The learners' states by label, those of `arrays` as NumPy's; ValueError for facts that are no table, or tensors
    that are nobody's."""
    if not isinstance(arrays, list) or not all(label in facts for label in arrays):
        raise ValueError(f"{_ARRAYS} must be labels of learners, got {arrays!r}.")
    states = {}
    for label, known in facts.items():
        if not isinstance(known, dict):
            raise ValueError(f"learner {label!r}: its facts must be a table, got {known!r}.")
        own: dict[str, Any] = with_prefix(label, tensors)
        if label in arrays:
            own = {name: tensor.numpy().copy() for name, tensor in own.items()}
        states[label] = LearnerState(own, known)
    nobodys = sorted(name for name in tensors if not any(name.startswith(f"{label}/") for label in facts))
    if nobodys:
        raise ValueError(f"tensors belong to no learner: {nobodys}.")
    return states
