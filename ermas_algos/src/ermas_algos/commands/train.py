"""`ermas train`: train one planner, from the command line or a file, resumable."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console

from ermas_algos.algorithms.run import OPTIONS, Run, merged, trainer_type, with_preset
from ermas_algos.algorithms.saved_training import read_training
from ermas_algos.algorithms.trainer import CHECKPOINT, Trainer
from ermas_algos.checkpoint import content_of
from ermas_algos.commands.configuration_file import nested, read_configuration, values_of, write_toml
from ermas_algos.commands.console import progress_bar
from ermas_algos.commands.exit_status import DONE
from ermas_algos.commands.options import RESOLVED, NamesAndValues, given_arguments, optional, prepare_directory
from ermas_algos.directory_lock import locked_directory
from ermas_algos.evaluation.tax_certificate import is_one_step, taxes_are_certified
from ermas_algos.learners.protocol import num_seeds
from ermas_algos.presets import NO_PRESET
from ermas_envs.base.arguments import check_integer, unknown_name
from ermas_envs.make import argument_names, check_arguments

_EVERY = "checkpoint_every"


@dataclass(frozen=True)
class Train:
    """Train a planner (and the agents it is trained with) and leave a checkpoint.

    Example: ermas train --environment augmented_bimatrix_v0 --arguments agents_observe own planner_observes false
    --settings epsilon 0.05 --iterations 300 --out runs/ermas

    Writes checkpoint.safetensors, progress.csv, TensorBoard files and train.toml, the complete configuration: `ermas
    train --file runs/ermas/train.toml --out runs/again` gives the same parameters bit for bit. Repeated with the same
    options and --out, it goes on from the last checkpoint. Exit status: 0 done, 1 stopped (something is NaN
    or infinite, or λ stood at its maximum for --settings multiplier.stop_at_maximum iterations; the last checkpoint is
    kept), 2 unusable input, 130 interrupted.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIRECTORY")]
    """Directory of the run; created."""
    file: Annotated[Path | None, optional("FILE")] = None
    """TOML or YAML file with the options below; what the command line names, too, overrides it."""
    algorithm: Annotated[str | None, optional("NAME", "ERMAS")] = None
    """Registered algorithm (`ermas info` lists them)."""
    environment: Annotated[str | None, optional("NAME")] = None
    """Registered environment (`ermas info` lists them); required here or in the file."""
    arguments: NamesAndValues = field(default_factory=dict)
    """Arguments of the environment: names, each followed by its value in JSON (text may be bare); dots reach into
    tables, as in perturbation.eta 0.5."""
    settings: NamesAndValues = field(default_factory=dict)
    """Settings that differ from the algorithm's defaults, likewise; dots as in agent_learner.learning_rate 0.01."""
    preset: Annotated[str | None, optional("NAME", "that of the environment")] = None
    """Arguments and settings to begin with (`ermas info` lists them); what is given here or in the file overrides it.
    none: the plain defaults."""
    seed: Annotated[int | None, optional("INT", "0")] = None
    """Everything random follows from it; the same as --settings seed."""
    iterations: Annotated[int | None, optional("INT", "the preset's, or 300")] = None
    """Outer iterations in all, those of earlier calls with the same --out included."""
    checkpoint_every: Annotated[int | None, optional("INT", "50")] = None
    """Outer iterations between two checkpoints; the last one is always written."""

    def run(self, console: Console) -> int:
        """Exit status."""
        path = self.out / CHECKPOINT
        with values_of(None if self._options() else self.file):
            run, checkpoint_every, preset = self._asked_for()
            fresh = None if path.exists() else run.trainer()  # what cannot be trained leaves no directory
        prepare_directory(self.out)
        with locked_directory(self.out):
            trainer = _resumed(path, run) if fresh is None or path.exists() else fresh
            begun = trainer.iteration
            total = max(run.iterations, begun)
            resolved = {**run.as_options(), "iterations": total, "checkpoint_every": checkpoint_every}
            # The values stand there in full, so that the file needs no preset.
            remark = None if preset == NO_PRESET else f"These values began as those of the preset {preset}."
            write_toml(self.out / RESOLVED, resolved, remark)
            with progress_bar(console) as progress:
                bar = progress.add_task(f"train {run.algorithm}", total=total, completed=begun, news="")

                def report(iteration: int, metrics: Mapping[str, Any]) -> None:
                    progress.update(bar, completed=iteration, news=_news(trainer, metrics))

                trainer.learn(total, self.out, checkpoint_every, report)
        for notice in trainer.notices():
            console.print(f"Note: {notice}", soft_wrap=True, highlight=False, markup=False)
        if begun >= run.iterations:
            console.print(f"{path} has {begun} iterations already; nothing was done.", soft_wrap=True)
        done = f"{trainer.iteration} outer iterations, {trainer.env_steps} environment steps."
        console.print(f"Checkpoint, progress.csv and {RESOLVED} are in {self.out}: {done}", soft_wrap=True)
        following = [
            f"ermas {name} {shlex.quote(str(self.out))}" for name in _next_commands(trainer, run.environment.name)
        ]
        console.print(f"Next: {', '.join(following)}", soft_wrap=True, highlight=False)
        return DONE

    def after_interrupt(self) -> str:
        """What the same command does next."""
        if (self.out / CHECKPOINT).exists():
            return "the same command goes on from the last checkpoint"
        return "there was no checkpoint yet; the same command starts from the beginning"

    def _options(self) -> dict[str, Any]:
        """What the command line asks for, beside the file."""
        named = ("algorithm", "environment", "preset", "iterations", _EVERY, "seed", "arguments", "settings")
        return {name: value for name in named if (value := getattr(self, name)) not in (None, {})}

    def _asked_for(self) -> tuple[Run, int, str]:
        """The run that file and command line ask for, the iterations between checkpoints, and the preset's name."""
        given = {} if self.file is None else read_configuration(self.file)
        for name in given:
            if name not in (*OPTIONS, _EVERY):
                raise unknown_name(f"{self.file}: option", name, (*OPTIONS, _EVERY))
        for name in ("arguments", "settings"):
            if not isinstance(given.get(name, {}), Mapping):
                raise ValueError(f"{self.file}: {name} must be a table of names and values, got {given[name]!r}.")
        options = self._options()
        seed = {"seed": options.pop("seed")} if "seed" in options else {}
        options["arguments"] = given_arguments(self.arguments, given.get("arguments", {}))
        options["settings"] = nested(self.settings) | seed
        values = merged(merged({**OPTIONS, _EVERY: 50}, given), options)
        if values["environment"] is None:
            raise ValueError("environment: which one? (--environment NAME; `ermas info` lists them)")
        every = check_integer(_EVERY, values.pop(_EVERY), 1)
        complete = with_preset(values)
        check_arguments("argument", complete["environment"], complete["arguments"])
        return Run.from_options(values), every, complete["preset"]


def _resumed(path: Path, run: Run) -> Trainer[Any]:
    """The trainer of a checkpoint of the same run, however far it has got; ValueError if it is another."""
    saved = read_training(path, run.algorithm)
    with content_of(path):
        config = saved.checked_config(type(run.config))
    names = [field.name for field in fields(config)]
    others = [name for name in names if getattr(config, name) != getattr(run.config, name)]
    if saved.environment_spec != run.environment:
        others.append("environment")
    if others:
        raise ValueError(
            f"{path}: was trained with other settings or in another environment ({', '.join(others)}); choose another "
            "--out."
        )
    trainer: Trainer[Any] = trainer_type(run.algorithm).from_saved(path, saved, run.environment)
    return trainer


def _next_commands(trainer: Trainer[Any], environment: str) -> list[str]:
    """Commands that have something to say of this run in a registered environment, whatever that calls itself."""
    batch = num_seeds(trainer.config.agent_learner) > 1
    certified = not is_one_step(trainer.env) or taxes_are_certified(trainer)
    gap = "q" in argument_names(environment)
    evaluate = ["evaluate"] if gap and not batch and trainer.env.planner in trainer.learners else []
    return [*evaluate, *(["certify"] if certified else [])] or ["info"]


def _news(trainer: Trainer[Any], metrics: Mapping[str, Any]) -> str:
    """Planner payoff, over a batch of seeds its mean; speed where steps are sampled; what has gone wrong."""
    payoffs = np.atleast_1d(metrics[f"payoff/{trainer.env.planner}"])
    batch = f" (mean of {len(payoffs)} seeds)" if len(payoffs) > 1 else ""
    speed = float(metrics["steps_per_second"])
    told = f"J_p {payoffs.mean():.3f}{batch}" + (f", {speed / 1000:.0f}k steps/s" if speed else "")
    return "; ".join([told, *trainer.notices()])
