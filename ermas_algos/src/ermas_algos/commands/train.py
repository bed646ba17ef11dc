"""`ermas train`: train one planner, from the command line or a file, resumable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console

from ermas_algos.algorithms import TRAINERS
from ermas_algos.algorithms.config import TrainerConfig, from_json, to_json
from ermas_algos.algorithms.saved_training import read_training
from ermas_algos.algorithms.trainer import CHECKPOINT, Trainer
from ermas_algos.commands.configuration_file import merged, nested, read_configuration, write_toml
from ermas_algos.commands.console import progress_bar
from ermas_algos.commands.exit_status import DONE
from ermas_algos.commands.options import environment_spec, json_values, optional, prepare_directory
from ermas_algos.directory_lock import locked_directory
from ermas_algos.environment_arguments import argument_names
from ermas_algos.learners.exact import ExactLearnerConfig
from ermas_algos.presets import NO_PRESET, default_preset, preset_registry
from ermas_envs import EnvironmentSpec
from ermas_envs.base.arguments import check_choice, check_integer, keep, unknown_name
from ermas_envs.make import environment_registry

RESOLVED = "train.toml"
"""The complete configuration that a training leaves beside its checkpoint."""
_DEFAULTS: Mapping[str, Any] = {
    "algorithm": "ERMAS",
    "preset": None,
    "arguments": {},
    "settings": {},
    "iterations": 300,
    "checkpoint_every": 50,
}


@dataclass(frozen=True)
class Train:
    """Train a planner (and the agents it is trained with) and leave a checkpoint.

    Example: ermas train --environment augmented_bimatrix_v0 --arguments agents_observe own planner_observes false
    --settings epsilon 0.05 --iterations 300 --out runs/ermas

    Writes checkpoint.safetensors, progress.csv, TensorBoard files and train.toml, the complete configuration: `ermas
    train --file runs/ermas/train.toml --out runs/again` gives the same parameters bit for bit. Repeated with the same
    options and --out, it goes on from the last checkpoint. Exit status: 0 done, 2 unusable input, 130 interrupted.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIRECTORY")]
    """Directory of the run; created."""
    file: Annotated[Path | None, optional("FILE")] = None
    """TOML or YAML file with the options below; what the command line names, too, overrides it."""
    algorithm: Annotated[str | None, optional("NAME", "ERMAS")] = None
    """MARL, ERMAS or Population."""
    environment: Annotated[str | None, optional("NAME")] = None
    """Registered environment (`ermas info` lists them); required here or in the file."""
    arguments: Annotated[dict[str, str], optional("NAME VALUE ...")] = field(default_factory=dict)
    """Arguments of the environment: names, each followed by its value in JSON (text may be bare)."""
    settings: Annotated[dict[str, str], optional("NAME VALUE ...")] = field(default_factory=dict)
    """Settings that differ from the algorithm's defaults, likewise; dots as in agent_learner.learning_rate 0.01."""
    preset: Annotated[str | None, optional("NAME", "that of the environment")] = None
    """Arguments and settings to begin with (`ermas info` lists them); what is given here or in the file overrides it.
    none: the plain defaults."""
    seed: Annotated[int | None, optional("INT", "0")] = None
    """Everything random follows from it; the same as --settings seed."""
    iterations: Annotated[int | None, optional("INT", "300")] = None
    """Outer iterations in all, those of earlier calls with the same --out included."""
    checkpoint_every: Annotated[int | None, optional("INT", "50")] = None
    """Outer iterations between two checkpoints; the last one is always written."""

    def run(self, console: Console) -> int:
        """Exit status."""
        plan = self._plan()
        config, spec = plan.config(), plan.spec()
        path = self.out / CHECKPOINT
        fresh = None if path.exists() else plan.trainer()(spec, config)  # what cannot be trained leaves no directory
        prepare_directory(self.out)
        with locked_directory(self.out):
            trainer = _resumed(path, plan, config, spec) if fresh is None or path.exists() else fresh
            begun = trainer.iteration
            total = max(plan.iterations, begun)
            write_toml(self.out / RESOLVED, plan.resolved(total), plan.origin())
            with progress_bar(console) as progress:
                bar = progress.add_task(f"train {plan.algorithm}", total=total, completed=begun, news="")

                def report(iteration: int, metrics: Mapping[str, Any]) -> None:
                    progress.update(bar, completed=iteration, news=_news(trainer, metrics))

                trainer.learn(total, self.out, plan.checkpoint_every, report)
        for notice in trainer.notices():
            console.print(f"Note: {notice}", soft_wrap=True, highlight=False, markup=False)
        if begun >= plan.iterations:
            console.print(f"{path} has {begun} iterations already; nothing was done.", soft_wrap=True)
        done = f"{trainer.iteration} outer iterations, {trainer.env_steps} environment steps."
        console.print(f"Checkpoint, progress.csv and {RESOLVED} are in {self.out}: {done}", soft_wrap=True)
        following = [f"ermas {name} {self.out}" for name in _next_commands(trainer)]
        console.print(f"Next: {', '.join(following)}", soft_wrap=True, highlight=False)
        return DONE

    def after_interrupt(self) -> str:
        """What the same command does next."""
        if (self.out / CHECKPOINT).exists():
            return "the same command goes on from the last checkpoint"
        return "there was no checkpoint yet; the same command starts from the beginning"

    def _plan(self) -> "_Plan":
        given = {} if self.file is None else read_configuration(self.file)
        known = {*_DEFAULTS, "environment"}
        for name in given:
            if name not in known:
                raise unknown_name(f"{self.file}: option", name, known)
        for name in ("arguments", "settings"):
            if not isinstance(given.get(name, {}), Mapping):
                raise ValueError(f"{self.file}: {name} must be a table of names and values, got {given[name]!r}.")
        options: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("algorithm", "environment", "preset", "iterations", "checkpoint_every")
        }
        options = {name: value for name, value in options.items() if value is not None}
        options["arguments"] = json_values(self.arguments)
        options["settings"] = nested(self.settings) | ({} if self.seed is None else {"seed": self.seed})
        values = merged(merged(_DEFAULTS, given), options)
        if "environment" not in values:
            raise ValueError("environment: which one? (--environment NAME; `ermas info` lists them)")
        return _Plan(**_from_preset(values))


def _from_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options on top of their preset's; ValueError for an unknown one, or that of another environment."""
    environment = check_choice("environment", values["environment"], environment_registry.names())
    name = default_preset(environment) if values["preset"] is None else values["preset"]
    check_choice("preset", name, (NO_PRESET, *preset_registry.names()))
    if name == NO_PRESET:
        return {**values, "preset": name}
    preset = preset_registry.make(name)
    if preset.environment != environment:
        raise ValueError(f"preset: {name!r} is for {preset.environment}, not for {environment}.")
    algorithm = check_choice("algorithm", values["algorithm"], TRAINERS)
    base = {"arguments": preset.arguments, "settings": preset.settings_for(algorithm)}
    return {**merged(base, values), "preset": name}


@dataclass(frozen=True)
class _Plan:
    """The options after defaults, file and command line; JSON types."""

    algorithm: str
    environment: str
    preset: str
    arguments: Mapping[str, Any]
    settings: Mapping[str, Any]
    iterations: int
    checkpoint_every: int

    def __post_init__(self) -> None:
        check_choice("algorithm", self.algorithm, TRAINERS)
        for name in ("iterations", "checkpoint_every"):
            keep(self, **{name: check_integer(name, getattr(self, name), 1)})

    def trainer(self) -> Any:
        return TRAINERS[self.algorithm]

    def config(self) -> TrainerConfig:
        config: TrainerConfig = from_json(self.trainer().config_type, self.settings)
        return config

    def spec(self) -> EnvironmentSpec:
        return environment_spec(self.environment, self.arguments)

    def origin(self) -> str | None:
        """Where the values of the resolved file come from; they stand there in full, so that it needs no preset."""
        return None if self.preset == NO_PRESET else f"These values began as those of the preset {self.preset}."

    def resolved(self, iterations: int) -> dict[str, Any]:
        """Everything, defaults included, with the outer iterations that the checkpoint has or will have."""
        return {
            "algorithm": self.algorithm,
            "environment": self.environment,
            "preset": NO_PRESET,
            "iterations": iterations,
            "checkpoint_every": self.checkpoint_every,
            "arguments": dict(self.arguments),
            "settings": to_json(self.config()),
        }


def _resumed(path: Path, plan: _Plan, config: TrainerConfig, spec: EnvironmentSpec) -> Trainer[Any]:
    """The trainer of a checkpoint of the same configuration; ValueError if it is another."""
    saved = read_training(path, plan.algorithm)
    if saved.config != to_json(config) or saved.environment_spec != spec:
        raise ValueError(f"{path}: was trained with other settings or in another environment; choose another --out.")
    trainer: Trainer[Any] = plan.trainer().from_saved(path, saved, spec)
    return trainer


def _next_commands(trainer: Trainer[Any]) -> list[str]:
    """Commands that have something to say of this run."""
    agents = trainer.config.agent_learner
    batch = isinstance(agents, ExactLearnerConfig) and agents.num_seeds > 1
    tabular = trainer.env.tabular_game() is not None
    gap = "q" in argument_names(trainer.env.name)
    evaluate = ["evaluate"] if gap and not batch and trainer.env.planner in trainer.learners else []
    return [*evaluate, *(["certify"] if tabular else [])] or ["info"]


def _news(trainer: Trainer[Any], metrics: Mapping[str, Any]) -> str:
    """Planner payoff, over a batch of seeds its mean; speed where steps are sampled; what has gone wrong."""
    payoffs = np.atleast_1d(metrics[f"payoff/{trainer.env.planner}"])
    batch = f" (mean of {len(payoffs)} seeds)" if len(payoffs) > 1 else ""
    speed = float(metrics["steps_per_second"])
    told = f"J_p {payoffs.mean():.3f}{batch}" + (f", {speed / 1000:.0f}k steps/s" if speed else "")
    return "; ".join([told, *trainer.notices()])
