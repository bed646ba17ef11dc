"""`ermas info`: what is installed and registered; what a checkpoint holds."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from ermas_algos.algorithms import TRAINERS
from ermas_algos.commands.exit_status import DONE, FROM_THE_BEGINNING
from ermas_algos.commands.options import checkpoint_file, optional
from ermas_algos.evaluation.certificate import read_any_training
from ermas_algos.experiments.provenance import provenance
from ermas_algos.learners.protocol import learner_registry
from ermas_algos.presets import preset_registry
from ermas_algos.studies.reproduction import experiment_registry
from ermas_envs.behaviours import behaviour_registry
from ermas_envs.games.bimatrix.payoffs import payoffs_registry
from ermas_envs.make import environment_registry
from ermas_envs.perturbations import perturbation_registry
from ermas_envs.planners import planner_registry

ENDS_OF_PARTS = ("presets", "kinds of learners")
"""Rows below which there is a line: what one trains and reproduces; what one plugs in; what is installed."""


@dataclass(frozen=True)
class Info:
    """What is installed and what can be named in the other commands; or what a checkpoint or a preset holds.

    Examples: ermas info · ermas info runs/ermas · ermas info one-step

    Exit status: 0 done, 2 unusable input.
    """

    subject: Annotated[tyro.conf.Positional[Path | None], optional("RUN or PRESET")] = None
    """A run's directory, or its checkpoint.safetensors; the name of a preset; without it, what is installed."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> int:
        """Exit status."""
        found = _installation() if self.subject is None else _described(self.subject)
        if self.json:
            print(json.dumps(found, indent=1))
            return DONE
        table = Table(show_header=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in found.items():
            table.add_row(name, _text(value))
            if name in ENDS_OF_PARTS:
                table.add_section()
        console.print(table)
        return DONE

    def after_interrupt(self) -> str:
        """What the same command does next."""
        return FROM_THE_BEGINNING


def _installation() -> dict[str, Any]:
    where = provenance()
    return {
        "environments": environment_registry.names(),
        "algorithms": tuple(TRAINERS),
        "experiments": experiment_registry.names(),
        "presets": {name: preset_registry.make(name).purpose for name in preset_registry.names()},
        "planners": planner_registry.names(),
        "perturbations": perturbation_registry.names(),
        "behaviours": behaviour_registry.names(),
        "payoffs": payoffs_registry.names(),
        "kinds of learners": learner_registry.names(),
        "versions": where["versions"],
        "commit": where["commit"],
    }


def _described(subject: Path) -> dict[str, Any]:
    if str(subject) in preset_registry.names() and not subject.exists():
        return {"preset": str(subject), **dataclasses.asdict(preset_registry.make(str(subject)))}
    if not subject.exists() and len(subject.parts) == 1:
        raise ValueError(f"{subject}: is no run here, and no preset ({', '.join(preset_registry.names())}).")
    return _contents(subject)


def _contents(path: Path) -> dict[str, Any]:
    file = checkpoint_file(path)
    kind, saved = read_any_training(file)
    spec = saved.environment_spec
    return {
        "algorithm": kind,
        "environment": saved.environment if spec is None else dataclasses.asdict(spec),
        "iterations": saved.iteration,
        "environment steps": saved.collector.get("env_steps", 0),
        "learners": tuple(saved.learners),
        "settings": saved.config,
    }


def _text(value: Any) -> str:
    """Values of a table in one line each, of a text its first sentence."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {str(entry).partition('. ')[0].removesuffix('.')}" for name, entry in value.items())
    return ", ".join(value) if isinstance(value, tuple) else str(value)
