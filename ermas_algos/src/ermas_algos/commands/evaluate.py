"""`ermas evaluate`: frozen planners of any library against fresh agents across a reality gap."""

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from ermas_algos.algorithms.config import from_json
from ermas_algos.algorithms.trainer import CHECKPOINT
from ermas_algos.checkpoint import content_of
from ermas_algos.commands.configuration_file import json_value, nested
from ermas_algos.commands.console import print_table, progress_bar
from ermas_algos.commands.exit_status import DONE, FROM_THE_BEGINNING
from ermas_algos.commands.imported_planner import imported_planner
from ermas_algos.commands.options import (
    NamesAndValues,
    checkpoint_file,
    environment_spec,
    given_arguments,
    optional,
    prepare_file,
)
from ermas_algos.evaluation import FreshAgentsConfig, TransferRow, load_planner, transfer_evaluation, write_rows
from ermas_algos.evaluation.certificate import read_any_training
from ermas_algos.sb3_planner import SB3Planner
from ermas_envs import BatchedEnv, EnvironmentSpec
from ermas_envs.base.text import read_text
from ermas_envs.make import check_arguments, hook
from ermas_envs.planners import ConstantPlanner, Planner, planner_registry


@dataclass(frozen=True)
class Evaluate:
    """Train fresh agents against frozen planners, at every reality gap, and measure the planners' payoff.

    Example: ermas evaluate runs/ermas constant:6 --gaps 0 0.3 0.6 --seeds 0 1 --out runs/evaluation.csv

    A planner is a run's directory or its checkpoint.safetensors, a Stable-Baselines3 .zip (trusted files only, it
    holds pickles), a registered name such as us_federal, a table of name and arguments in JSON or a .json file of one
    (`ermas explain` writes some), constant:ACTION, or module:name (a function of one observation or a planner object,
    found from the current directory). Agents train from scratch until they have converged; where the game has tables,
    the exact value and the agents' exact regret stand beside. Exit status: 0 done, 2 unusable input, 130 interrupted.
    """

    planners: Annotated[tyro.conf.Positional[tuple[str, ...]], optional("PLANNER ...")]
    """Runs, Stable-Baselines3 zips, registered names, tables, constant:ACTION, module:name (see above)."""
    environment: Annotated[str | None, optional("NAME", "what the first checkpoint names")] = None
    """Registered environment (`ermas info` lists them)."""
    arguments: NamesAndValues = field(default_factory=dict)
    """Arguments of that environment: names, each followed by its value in JSON (text may be bare); dots reach into
    tables: perturbation.eta 0.5."""
    gap_argument: Annotated[str, optional("NAME", "q")] = "q"
    """Argument of the environment that takes the reality gap; a dotted name is one inside a hook: perturbation.eta."""
    gaps: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    """Reality gaps."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of the fresh agents."""
    fresh_agents: NamesAndValues = field(default_factory=dict)
    """Settings of their training that differ from the defaults, likewise: max_iterations 200 tolerance 0.001."""
    sb3_algorithm: Annotated[str, optional("NAME", "PPO")] = "PPO"
    """Algorithm that saved the zips."""
    out: Annotated[Path | None, optional("FILE")] = None
    """CSV file for the table, a row per planner, gap and seed."""

    def run(self, console: Console) -> int:
        """Exit status."""
        if not self.planners:
            raise ValueError(
                "planners: name at least one, such as a run's directory or constant:ACTION (`ermas evaluate --help`)."
            )
        config: FreshAgentsConfig = from_json(FreshAgentsConfig, nested(self.fresh_agents))
        planners = _named([(_name(text), self._planner(text)) for text in self.planners])
        spec = self._environment()
        argument, _, _ = self.gap_argument.partition(".")
        check_arguments("gap_argument", spec.name, [argument])
        spec.changed(self.gap_argument, 0.0)
        if argument == "planner":
            raise ValueError("gap_argument: the evaluated planners are the argument 'planner'; name another one.")

        def game(num_envs: int, gap: float, planner: Planner) -> BatchedEnv:
            return spec.changed(self.gap_argument, gap)(num_envs, planner=planner)

        if self.out is not None:
            prepare_file(self.out)
        with progress_bar(console) as progress:
            total = len(planners) * len(self.gaps) * len(self.seeds)
            bar = progress.add_task("fresh agents", total=total, news="")

            def report(row: TransferRow) -> None:
                news = f"{row.planner} at {self.gap_argument} = {row.gap:g}: J_p {row.planner_return:.3f}"
                progress.update(bar, advance=1, news=news)

            try:
                rows = transfer_evaluation(planners, game, self.gaps, self.seeds, config, progress=report)
            except ValueError as error:
                if config.rollout_steps is None and str(error).startswith("rollout_steps must be given"):
                    raise ValueError(f"{error} {self._how_long()}") from error
                raise
        if self.out is not None:  # before anything is printed, which may fail
            write_rows(self.out, rows)
        print_table(console, _table(rows, list(planners), self.gaps, self.gap_argument))
        if self.out is not None:
            console.print(f"Wrote {self.out}", soft_wrap=True)
        return DONE

    def after_interrupt(self) -> str:
        """What the same command does next."""
        return FROM_THE_BEGINNING

    def _environment(self) -> EnvironmentSpec:
        if self.environment is not None:
            return environment_spec(self.environment, given_arguments(self.arguments, {}))
        for path in filter(None, map(_checkpoint, self.planners)):
            spec = read_any_training(path)[1].environment_spec
            if spec is not None:
                with content_of(path):
                    return environment_spec(spec.name, given_arguments(self.arguments, spec.arguments))
        raise ValueError("environment: no checkpoint names one; give --environment NAME.")

    def _how_long(self) -> str:
        """What to give where nothing says how long fresh agents play."""
        run = next(filter(None, map(_checkpoint, self.planners)), None)
        number = "N" if run is None else f"{read_any_training(run)[1].rollout_steps}, as in the training"
        return f"Give --fresh-agents rollout_steps {number}."

    def _planner(self, text: str) -> Any:
        path = _checkpoint(text)
        if path is not None:
            return _learned(path)
        if text.endswith(".zip"):
            return SB3Planner.load(text, self.sb3_algorithm)
        if text.endswith(".json") or text.startswith("{") or text in planner_registry:
            table = {"name": text} if text in planner_registry else json_value(text, _json_of(text))
            if not isinstance(table, Mapping):
                raise ValueError(f"{text}: is no table in JSON.")
            return hook("planner", table)
        kind, separator, rest = text.partition(":")
        if not separator:
            if not {"/", os.sep}.isdisjoint(text):
                checkpoint_file(Path(text))  # which says what runs there are
            raise ValueError(
                f"{text}: is no run, no .safetensors, .zip or .json file, no registered name "
                f"({', '.join(planner_registry.names())}), and not constant:ACTION or module:name."
            )
        if kind == "constant":
            return ConstantPlanner(json_value(text, rest))
        try:
            return imported_planner(kind, rest)
        except ValueError as error:
            if get_close_matches(kind, ["constant"], cutoff=0.7):
                raise ValueError(f"{error} Did you mean constant:{rest}?") from error
            raise


def _checkpoint(text: str) -> Path | None:
    """The checkpoint that a planner's text means, if it means one."""
    path = Path(text)
    named = bool(text) and not text.startswith("{") and (path.is_dir() or path.suffix == Path(CHECKPOINT).suffix)
    return checkpoint_file(path) if named else None


def _json_of(text: str) -> str:
    """The content of a file, or the text itself."""
    if not text.endswith(".json"):
        return text
    try:
        return read_text(Path(text))
    except ValueError as error:
        raise ValueError(f"{text}: {error}") from None


def _learned(path: Path) -> Planner:
    return load_planner(path)


def _name(text: str) -> str:
    """A short name: the run's directory, the zip's stem, or the text itself."""
    path = _checkpoint(text)
    if path is not None:
        return path.parent.name if path.name == CHECKPOINT and path.parent.name else path.stem
    return Path(text).stem if text.endswith((".zip", ".json")) else text


def _named(planners: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """By name; a name that is taken gets a number."""
    named: dict[str, Any] = {}
    for name, planner in planners:
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        named[next(free for free in itertools.chain([name], numbered) if free not in named)] = planner
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
    notes = []
    if regrets:
        known = dict.fromkeys(f"{row.gap:g}" for row in rows if row.exact_regret is not None)
        where = f" ({argument} = {', '.join(known)}, where the game has tables)" if len(regrets) < len(rows) else ""
        notes.append(f"the agents' largest exact regret{where}: {max(regrets):.4f} per step")
    if capped:
        notes.append("* the cap on training ended it before the agents had converged")
    table.caption = "\n".join(notes) or None
    return table
