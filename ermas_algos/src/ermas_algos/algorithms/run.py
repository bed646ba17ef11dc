"""A training as data: all that determines it, the same for commands, files, sweeps, studies and checkpoints."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ermas_algos.algorithms import TRAINERS
from ermas_algos.algorithms.config import TrainerConfig, from_json, to_json
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_algos.presets import NO_PRESET, default_preset, preset_registry
from ermas_envs import EnvironmentSpec
from ermas_envs.base.arguments import check_choice, check_integer, keep
from ermas_envs.make import environment_registry

ITERATIONS = 300
"""Outer iterations where nobody says how many."""
OPTIONS: Mapping[str, Any] = {
    "environment": None,
    "arguments": {},
    "algorithm": "ERMAS",
    "settings": {},
    "iterations": None,
    "preset": None,
}
"""What a file or a command line can say of a run, with what holds where it does not."""


@dataclass(frozen=True)
class Run:
    """A training; its settings hold the learners and the seed."""

    environment: EnvironmentSpec
    """What is trained in."""
    algorithm: str
    """Name of a registered trainer (`TRAINERS`)."""
    config: TrainerConfig
    """Its settings, of the trainer's `config_type`."""
    iterations: int = ITERATIONS
    """Outer iterations in all."""

    def __post_init__(self) -> None:
        """ValueError naming the field."""
        expected = trainer_type(self.algorithm).config_type
        if type(self.config) is not expected:
            raise ValueError(f"config must be a {expected.__name__}, got a {type(self.config).__name__}.")
        keep(self, iterations=check_integer("iterations", self.iterations, 1))

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Run":
        """The run that options ask for.

        Args:
            options: `OPTIONS` by name, JSON types; `environment` at least. `preset` names the arguments and settings
                that the others are put on top of; None takes that of the environment, `none` the plain defaults.

        Raises:
            ValueError: an environment, algorithm, preset, argument or setting that does not exist or is out of range; a
                preset of another environment.
        """
        values = with_preset({**OPTIONS, **options})
        config_type = trainer_type(values["algorithm"]).config_type
        spec = EnvironmentSpec(values["environment"], values["arguments"])
        return cls(spec, values["algorithm"], from_json(config_type, values["settings"]), values["iterations"])

    def as_options(self) -> dict[str, Any]:
        """The run in full, JSON types, from which `from_options` makes it again."""
        return {
            "environment": self.environment.name,
            "arguments": dict(self.environment.arguments),
            "algorithm": self.algorithm,
            "settings": to_json(self.config),
            "iterations": self.iterations,
            "preset": NO_PRESET,
        }

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.config.seed

    @property
    def key(self) -> str:
        """A name for files: a few words, and a digest of all the data."""
        return data_key(f"{self.algorithm}_{self.environment.name}_seed-{self.seed}", self.as_options())

    def trainer(self) -> Trainer[Any]:
        """A trainer that has not begun."""
        trainer: Trainer[Any] = trainer_type(self.algorithm)(self.environment, self.config)
        return trainer


def trainer_type(algorithm: object) -> Any:
    """A registered trainer class; ValueError with the nearest match for an unknown name."""
    return TRAINERS[check_choice("algorithm", algorithm, TRAINERS)]


def as_of_now(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Saved data with those settings of its training that have been added since, at their defaults.

    Args:
        configuration: JSON types; `settings` are those of the trainer `algorithm`, as in `OPTIONS`.

    Returns:
        The same with all settings; as it was where it has none, or they are no trainer's of today.
    """
    settings = configuration.get("settings")
    if not isinstance(settings, Mapping):
        return dict(configuration)
    try:
        trainer = trainer_type(configuration.get("algorithm", OPTIONS["algorithm"]))
        return {**configuration, "settings": to_json(from_json(trainer.config_type, settings))}
    except ValueError:
        return dict(configuration)


def data_key(words: str, *data: Any) -> str:
    """`words` and a digest of JSON data, equal for equal data only.

    Of all settings of a training it is another one as soon as the trainer has a further setting: jobs with such a key
    then run again, under their new name.

    Args:
        words: how people find what is named; names that are joined here need not be told apart.
        data: all that tells it from others, in letter case too: some file systems do not tell that apart.
    """
    text = json.dumps(data, sort_keys=True)
    return f"{words}_{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def with_preset(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options on top of their preset's; ValueError for an unknown one, or that of another environment."""
    environment = check_choice("environment", options["environment"], environment_registry)
    name = default_preset(environment) if options["preset"] is None else options["preset"]
    check_choice("preset", name, (NO_PRESET, *preset_registry.names()))
    if name == NO_PRESET:
        return {**options, "preset": name, "iterations": _first(options["iterations"], ITERATIONS)}
    preset = preset_registry.make(name)
    if preset.environment != environment:
        raise ValueError(f"preset: {name!r} is for {preset.environment}, not for {environment}.")
    algorithm = check_choice("algorithm", options["algorithm"], TRAINERS)
    base = {"arguments": preset.arguments, "settings": preset.settings_for(algorithm)}
    iterations = _first(options["iterations"], preset.iterations, ITERATIONS)
    return {**merged(base, options), "preset": name, "iterations": iterations}


def _first(*values: Any) -> Any:
    """The first that is not None."""
    return next(value for value in values if value is not None)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`, table by table; a table that names another `kind` takes the place of the first."""
    result = dict(base)
    for name, value in changes.items():
        before = result.get(name)
        if not isinstance(value, Mapping) or not isinstance(before, Mapping) or _is_other_learner(before, value):
            result[name] = value
        else:
            result[name] = merged(before, value)
    return result


def _is_other_learner(before: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    return "kind" in value and value["kind"] != before.get("kind", SB3LearnerConfig.kind)
