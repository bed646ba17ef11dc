"""`ermas train`: train one planner, from the command line or a file, resumable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ermas_algos.algorithms import TRAINERS
from ermas_algos.algorithms.config import TrainerConfig, from_json, to_json
from ermas_algos.algorithms.trainer import CHECKPOINT, Trainer
from ermas_algos.checkpoint import read_checkpoint
from ermas_algos.commands.configuration_file import json_value, merged, nested, read_configuration, write_toml
from ermas_algos.commands.exit_status import DONE
from ermas_algos.commands.progress import progress_bar
from ermas_envs import EnvironmentSpec
from ermas_envs.arguments import check_choice, check_integer, unknown_name

RESOLVED = "train.toml"
"""The complete configuration that a training leaves beside its checkpoint."""
_DEFAULTS: Mapping[str, Any] = {
    "algorithm": "ERMAS",
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

    Repeated with the same --out it goes on from the last checkpoint. --out also gets progress.csv, TensorBoard files
    and train.toml, the complete configuration; `ermas train --file runs/ermas/train.toml --out runs/again` gives the
    same parameters bit for bit. Exit status: 0 done, 2 unusable input, 130 interrupted.
    """

    out: Path
    """Directory of the run."""
    file: Path | None = None
    """TOML or YAML file with the options below (algorithm, environment, arguments, settings, ...); options on the
    command line override it."""
    algorithm: str | None = None
    """MARL, ERMAS (default) or Population."""
    environment: str | None = None
    """Registered environment (`ermas info` lists them)."""
    arguments: dict[str, str] = field(default_factory=dict)
    """Arguments of the environment: names, each followed by its value in JSON (text may be bare)."""
    settings: dict[str, str] = field(default_factory=dict)
    """Settings of the algorithm that differ from its defaults: names, each followed by its value in JSON; dots reach
    into tables, such as agent_learner.learning_rate 0.01."""
    seed: int | None = None
    """Everything random follows from it (default 0)."""
    iterations: int | None = None
    """Outer iterations in all (default 300); more than were done go on."""
    checkpoint_every: int | None = None
    """Outer iterations between two checkpoints (default 50)."""

    def run(self, console: Console) -> int:
        """Exit status."""
        plan = self._plan()
        config, spec = plan.config(), plan.spec()
        path = self.out / CHECKPOINT
        trainer = _resumed(path, plan, config, spec) if path.exists() else plan.trainer()(spec, config)
        write_toml(self.out / RESOLVED, plan.resolved())
        begun = trainer.iteration
        with progress_bar(console) as progress:
            bar = progress.add_task(f"train {plan.algorithm}", total=plan.iterations, completed=begun, news="")

            def report(iteration: int, metrics: Mapping[str, float]) -> None:
                payoff, speed = metrics[f"payoff/{trainer.env.planner}"], metrics["steps_per_second"]
                progress.update(bar, completed=iteration, news=f"J_p {payoff:.3f}, {speed / 1000:.0f}k steps/s")

            trainer.learn(plan.iterations, self.out, plan.checkpoint_every, report)
        if trainer.iteration > plan.iterations:
            console.print(f"{path} has {trainer.iteration} iterations already; nothing was done.", soft_wrap=True)
        done = f"{trainer.iteration} outer iterations, {trainer.env_steps} environment steps."
        console.print(f"Checkpoint, progress.csv and {RESOLVED} are in {self.out}: {done}", soft_wrap=True)
        console.print(f"Next: ermas evaluate {path}, ermas certify {path}", soft_wrap=True, highlight=False)
        return DONE

    def _plan(self) -> "_Plan":
        given = {} if self.file is None else read_configuration(self.file)
        known = {*_DEFAULTS, "environment"}
        for name in given:
            if name not in known:
                raise unknown_name(f"{self.file}: option", name, known)
        options: dict[str, Any] = {
            name: getattr(self, name) for name in ("algorithm", "environment", "iterations", "checkpoint_every")
        }
        options = {name: value for name, value in options.items() if value is not None}
        options["arguments"] = {name: json_value(text) for name, text in self.arguments.items()}
        options["settings"] = nested(self.settings) | ({} if self.seed is None else {"seed": self.seed})
        values = merged(merged(_DEFAULTS, given), options)
        if "environment" not in values:
            raise ValueError("environment: which one? (--environment NAME; `ermas info` lists them)")
        return _Plan(**values)


@dataclass(frozen=True)
class _Plan:
    """The options after defaults, file and command line; JSON types."""

    algorithm: str
    environment: str
    arguments: Mapping[str, Any]
    settings: Mapping[str, Any]
    iterations: int
    checkpoint_every: int

    def __post_init__(self) -> None:
        check_choice("algorithm", self.algorithm, TRAINERS)
        for name in ("iterations", "checkpoint_every"):
            check_integer(name, getattr(self, name), 1)
        for name in ("arguments", "settings"):
            if not isinstance(getattr(self, name), Mapping):
                raise ValueError(f"{name} must be a table of names and values.")

    def trainer(self) -> Any:
        return TRAINERS[self.algorithm]

    def config(self) -> TrainerConfig:
        config: TrainerConfig = from_json(self.trainer().config_type, self.settings)
        return config

    def spec(self) -> EnvironmentSpec:
        return EnvironmentSpec(self.environment, dict(self.arguments))

    def resolved(self) -> dict[str, Any]:
        """Everything, defaults included."""
        return {
            "algorithm": self.algorithm,
            "environment": self.environment,
            "iterations": self.iterations,
            "checkpoint_every": self.checkpoint_every,
            "arguments": dict(self.arguments),
            "settings": to_json(self.config()),
        }


def _resumed(path: Path, plan: _Plan, config: TrainerConfig, spec: EnvironmentSpec) -> Trainer[Any]:
    """The trainer of a checkpoint of the same configuration; ValueError if it is another."""
    metadata: Any = read_checkpoint(path, plan.algorithm).metadata
    wanted = {"name": spec.name, "arguments": dict(spec.arguments)}
    if metadata["config"] != to_json(config) or metadata["environment_spec"] != wanted:
        raise ValueError(f"{path}: was trained with other settings or in another environment; choose another --out.")
    trainer: Trainer[Any] = plan.trainer().load(path, spec)
    return trainer
