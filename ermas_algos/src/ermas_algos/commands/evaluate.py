"""`ermas evaluate`: frozen planners of any library against fresh agents across a reality gap."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from ermas_algos.algorithms.config import from_json
from ermas_algos.algorithms.trainer import CHECKPOINT
from ermas_algos.checkpoint import checkpoint_kind, read_checkpoint
from ermas_algos.commands.configuration_file import json_value, nested
from ermas_algos.commands.exit_status import DONE
from ermas_algos.commands.progress import progress_bar
from ermas_algos.evaluation import FreshAgentsConfig, TransferRow, load_trainer, transfer_evaluation, write_rows
from ermas_algos.sb3_planner import SB3Planner
from ermas_envs import BatchedEnv, EnvironmentSpec
from ermas_envs.planners import ConstantPlanner, Planner


@dataclass(frozen=True)
class Evaluate:
    """Train fresh agents against frozen planners, at every reality gap, and measure the planners' payoff.

    Example: ermas evaluate runs/ermas constant:6 --gaps 0 0.3 0.6 --seeds 0 1 --out runs/evaluation.csv

    Agents train from scratch until they have converged; where the game has tables, the exact value and the agents'
    exact regret stand beside. Exit status: 0 done, 2 unusable input, 130 interrupted.
    """

    planners: tyro.conf.Positional[tuple[str, ...]]
    """Each a run's directory or its checkpoint.safetensors, a Stable-Baselines3 .zip (trusted: it holds pickles),
    constant:ACTION, or module:function (a function of one observation, found from the current directory)."""
    environment: str | None = None
    """Registered environment; default: the one that the first checkpoint names."""
    arguments: dict[str, str] = field(default_factory=dict)
    """Arguments of that environment: names, each followed by its value in JSON (text may be bare)."""
    gap_argument: str = "q"
    """Argument of the environment that the reality gap changes."""
    gaps: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    """Reality gaps."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of the fresh agents."""
    fresh_agents: dict[str, str] = field(default_factory=dict)
    """Settings of their training that differ from the defaults: names, each followed by its value in JSON, such as
    max_iterations 200 tolerance 0.001 agent_learner.learning_rate 0.005."""
    sb3_algorithm: str = "PPO"
    """Algorithm that saved the zips."""
    out: Path | None = None
    """CSV file for the table, a row per planner, gap and seed."""

    def run(self, console: Console) -> int:
        """Exit status."""
        if not self.planners:
            raise ValueError("planners: name at least one.")
        config: FreshAgentsConfig = from_json(FreshAgentsConfig, nested(self.fresh_agents))
        spec = self._environment()
        planners = _named([(_name(text), self._planner(text)) for text in self.planners])

        def game(num_envs: int, gap: float, planner: Planner) -> BatchedEnv:
            return EnvironmentSpec(spec.name, {**spec.arguments, self.gap_argument: gap, "planner": planner})(num_envs)

        with progress_bar(console) as progress:
            total = len(planners) * len(self.gaps) * len(self.seeds)
            bar = progress.add_task("fresh agents", total=total, news="")

            def report(row: TransferRow) -> None:
                news = f"{row.planner} at {self.gap_argument} = {row.gap:g}: J_p {row.planner_return:.3f}"
                progress.update(bar, advance=1, news=news)

            rows = transfer_evaluation(planners, game, self.gaps, self.seeds, config, progress=report)
        console.print(_table(rows, list(planners), self.gaps, self.gap_argument))
        if self.out is not None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            write_rows(self.out, rows)
            console.print(f"Wrote {self.out}", soft_wrap=True)
        return DONE

    def _environment(self) -> EnvironmentSpec:
        arguments = {name: json_value(text) for name, text in self.arguments.items()}
        if self.environment is not None:
            return EnvironmentSpec(self.environment, arguments)
        for path in filter(None, map(_checkpoint, self.planners)):
            spec: Any = read_checkpoint(path, checkpoint_kind(path)).metadata.get("environment_spec")
            if spec is not None:
                return EnvironmentSpec(spec["name"], {**spec["arguments"], **arguments})
        raise ValueError("environment: no checkpoint names one; give --environment NAME.")

    def _planner(self, text: str) -> Any:
        path = _checkpoint(text)
        if path is not None:
            return load_trainer(path).frozen_planner()
        if text.endswith(".zip"):
            return SB3Planner.load(text, self.sb3_algorithm)
        kind, separator, rest = text.partition(":")
        if not separator:
            raise ValueError(
                f"{text}: is no run, no .safetensors or .zip file, and not constant:ACTION or module:function."
            )
        return ConstantPlanner(json_value(rest)) if kind == "constant" else _function(kind, rest)


def _checkpoint(text: str) -> Path | None:
    """The checkpoint that a planner's text means, if it means one."""
    path = Path(text)
    if path.is_dir():
        return path / CHECKPOINT
    return path if path.suffix == Path(CHECKPOINT).suffix else None


def _function(module: str, name: str) -> Any:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{module}:{name}: cannot be imported ({error}).") from None
    finally:
        sys.path.pop(0)


def _name(text: str) -> str:
    """A short name: the run's directory, the zip's stem, or the text itself."""
    path = _checkpoint(text)
    if path is not None:
        return path.parent.name if path.name == CHECKPOINT and path.parent.name else path.stem
    return Path(text).stem if text.endswith(".zip") else text


def _named(planners: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """By name; a name that is taken gets a number."""
    named: dict[str, Any] = {}
    for name, planner in planners:
        free = name
        while free in named:
            free = f"{name}-{sum(key.startswith(name) for key in named) + 1}"
        named[free] = planner
    return named


def _table(rows: Sequence[TransferRow], names: Sequence[str], gaps: Sequence[float], argument: str) -> Table:
    """Planners × gaps, means over seeds, and the worst gap."""
    table = Table(title="Planner payoff against fresh agents (mean per step)")
    table.add_column("planner")
    capped = {row.gap for row in rows if not row.converged}
    for gap in gaps:
        table.add_column(f"{argument} = {gap:g}{'*' if gap in capped else ''}", justify="right")
    table.add_column("worst", justify="right")
    means: Mapping[str, list[float]] = {
        name: [
            float(np.mean([row.planner_return for row in rows if (row.planner, row.gap) == (name, gap)]))
            for gap in gaps
        ]
        for name in names
    }
    for name, values in means.items():
        table.add_row(name, *(f"{value:.3f}" for value in values), f"{min(values):.3f}")
    regrets = [row.exact_regret for row in rows if row.exact_regret is not None]
    notes = [f"the agents' largest exact regret: {max(regrets):.4f} per step"] if regrets else []
    if capped:
        notes.append("* the cap on training ended it before the agents had converged")
    table.caption = "\n".join(notes) or None
    return table
