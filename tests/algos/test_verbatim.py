"""Names with characters that mean something to matplotlib or rich are shown as they are, in pictures and in tables."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from ermas_algos import MARL, ExactLearnerConfig, MARLConfig, command_line
from ermas_algos.commands.reproduce import print_failures
from ermas_algos.evaluation import TransferRow
from ermas_algos.experiments.jobs import Outcome
from ermas_algos.experiments.results import read_table
from ermas_algos.plots.sweep import plot_sweep
from ermas_algos.plots.tax_schedule import plot_tax_schedule
from ermas_algos.plots.transfer import plot_transfer
from ermas_algos.studies.figure_2_picture import plot_figure_2
from ermas_algos.studies.figure_3_picture import plot_figure_3
from ermas_algos.studies.figure_4_picture import plot_figure_4
from ermas_algos.studies.meta_gradient_picture import plot_meta_gradient
from ermas_algos.studies.mixing_picture import plot_mixing
from ermas_algos.studies.multipliers_picture import plot_multipliers
from ermas_algos.studies.regret_estimators_picture import plot_regret_estimators
from ermas_envs import EnvironmentSpec

RESULTS = Path(__file__).parents[2] / "docs/results"
ODD = (
    "_ablation",
    "_child0",
    "$x_1$",
    "a $β$ and $b$",
    r"$\frac$",
    "$ 5",
    r"\$6",
    r"\alpha^2\n",
    "[bold]b[/bold]",
    "_$_[red]x[/]_{",
    ":smile:",
)
"""Names: underscores, mathematics that is none, wrong mathematics, one dollar, backslashes, markup, an emoji's name."""


def texts(draw: Callable[[Path], Any], folder: Path) -> list[str]:
    """What a plot shows, text by text, from an SVG with texts as texts."""
    path = folder / "picture.svg"
    with mpl.rc_context({"svg.fonttype": "none"}):
        draw(path)
    elements = ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(element.itertext()) for element in elements]


def few(name: str, **chosen: Any) -> list[Any]:
    """Rows of a committed table: two seeds, the first iterations, and only these values; enough for every text."""
    rows = [r for r in read_table(RESULTS / f"{name}.csv") if r.get("seed", 0) < 2 and r.get("iteration", 0) <= 30]
    return [row for row in rows if all(row.get(column, value) == value for column, value in chosen.items())]


def renamed(rows: Sequence[Any], **columns: Sequence[str]) -> list[Any]:
    """Rows with the values of these columns, in their order, exchanged for names."""
    new: dict[str, dict[Any, str]] = {
        column: dict(zip(dict.fromkeys(row[column] for row in rows), names, strict=False))
        for column, names in columns.items()
    }
    return [{**row, **{c: names.get(row[c], row[c]) for c, names in new.items()}} for row in rows]


def transfer_row(name: str, gap: float) -> TransferRow:
    return TransferRow(name, gap, 0, 1.0 - gap, None, None, True, 10, 100, True)


# --- pictures ------------------------------------------------------------------------------------------------------


def test_names_of_tasks_and_methods_of_a_sweep(tmp_path: Path) -> None:
    rows = [
        {"task": task, "method_name": name, "gap": gap, "seed": 0, "planner_return": 1.0 - gap + k / 10}
        for task in ("_game", "$t$")
        for k, name in enumerate(("MARL", *ODD))
        for gap in (0.0, 0.5)
    ]
    shown = texts(lambda path: plot_sweep(path, rows), tmp_path)
    for name in ("MARL", *ODD):
        assert shown.count(name) == 1, name  # once in the legend of all panels
    assert {"_game", "$t$"} <= set(shown)


def test_the_legend_of_a_sweep_has_a_method_whose_name_begins_with_an_underscore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    save = Figure.savefig

    def spy(self: Figure, *given: Any, **named: Any) -> None:
        found.extend(text.get_text() for text in self.legends[0].get_texts())
        save(self, *given, **named)

    monkeypatch.setattr(Figure, "savefig", spy)
    rows = [
        {"task": "game", "method_name": name, "gap": gap, "seed": 0, "planner_return": 1.0 - gap}
        for name in ("MARL", "_ablation")
        for gap in (0.0, 0.5)
    ]
    plot_sweep(tmp_path / "legend.png", rows)
    assert found == ["MARL", "_ablation"]


def test_names_of_planners_in_the_transfer_plot(tmp_path: Path) -> None:
    names = (*ODD, "best constant planner (exact)", "")
    rows = [transfer_row(name, gap) for name in names for gap in (0.0, 0.4)]
    shown = texts(lambda path: plot_transfer(path, rows, {0.0: 1.0, 0.4: 0.5}), tmp_path)
    for name in ODD:
        assert shown.count(name) == 1, name
    assert shown.count("best constant planner (exact)") == 2  # the reference, and somebody's name


def test_names_of_tax_schedules(tmp_path: Path) -> None:
    schedules = {name: [k / 20, k / 20] for k, name in enumerate(ODD)}
    shown = texts(lambda path: plot_tax_schedule(path, schedules, [0.0, 10.0]), tmp_path)
    assert set(ODD) <= set(shown)


def test_names_of_learners_and_controls(tmp_path: Path) -> None:
    mixing = renamed(few("mixing"), learner=ODD[2:4])
    assert set(texts(lambda path: plot_mixing(path, mixing), tmp_path)) >= set(ODD[2:4])
    multipliers = renamed(few("multipliers", epsilon=0.05), learner=ODD[:2], control=ODD)
    shown = set(texts(lambda path: plot_multipliers(path, multipliers), tmp_path))
    assert shown >= {row["control"] for row in multipliers} | {f"{name}, ε = 0.05" for name in ODD[:2]}


def test_names_of_estimators(tmp_path: Path) -> None:
    rows = renamed(few("regret-estimators"), learner=ODD[:2], estimator=ODD[2:])
    shown = set(texts(lambda path: plot_regret_estimators(path, rows), tmp_path))
    assert {f"{row['learner']}: {row['estimator']}" for row in rows} <= shown


def test_names_in_the_picture_of_meta_gradients(tmp_path: Path) -> None:
    rows = renamed(few("meta-gradient", step_size=10.0), target=ODD[2:5], point=ODD[5:8])
    shown = set(texts(lambda path: plot_meta_gradient(path, rows), tmp_path))
    assert {f"{row['target']}, {row['point']}, α = 10" for row in rows} <= shown
    assert {"FOMAML", "Eq. 13 as printed"} <= shown  # the legend


def test_names_in_figure_3(tmp_path: Path) -> None:
    rows = renamed(few("figure-3", learner="exact"), learner=ODD[:2], deviation=ODD[2:4], meta_gradient=ODD[4:6])
    shown = set(texts(lambda path: plot_figure_3(path, rows), tmp_path))
    for row in rows:
        assert {row["learner"], f"{row['deviation']} deviations", f"{row['meta_gradient']} meta-gradient"} <= shown
    assert [text for text in sorted(shown) if text.startswith("β")] == ["β = 0", "β = 0.2", "β = 1"]


def test_names_of_payoffs_in_figure_4(tmp_path: Path) -> None:
    parts = ("", "-summary", "-choice", "-optimum", "-frontier")
    tables = [renamed(few(f"figure-4{part}", planner_observes=False), payoffs=["$p_1$ and $q$"]) for part in parts]
    shown = texts(lambda path: plot_figure_4(path, *tables), tmp_path)
    assert sum("$p_1$ and $q$, planner blind" in text for text in shown) == 1
    assert {"best constant planner, exact", "MARL, Q = 0", "ERMAS, ε chosen on validation gaps"} <= set(shown)


def test_figure_2_has_its_legends(tmp_path: Path) -> None:
    """Nothing in it is free."""
    shown = set(texts(lambda path: plot_figure_2(path, few("figure-2"), few("figure-2-frontier")), tmp_path))
    assert {'SB3 PPO, "own"', "regret = ε", 'exact frontier ("own")', "frozen λ, exact learner"} <= shown


# --- tables and lines ----------------------------------------------------------------------------------------------

NAMES = ("[red]x[/red]", "[bold]", "_$a$", ":smile:", "[/]", r"\[b]")
FRESH = ("--fresh-agents", "num_envs", "4", "window", "1", "max_iterations", "2", "measured_envs", "8")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints, on both streams."""
    with pytest.raises(SystemExit):
        command_line.main(arguments)
    printed = capsys.readouterr()
    return printed.out + printed.err


@pytest.mark.parametrize("name", NAMES)
def test_certify_and_info_show_names_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    exact = ExactLearnerConfig()
    game = EnvironmentSpec("bimatrix_v0", {"agents_observe": "own", "horizon": 2, "payoffs": "tragedy_of_commons"})
    MARL(game, MARLConfig(agent_learner=exact, planner_learner=exact)).learn(1, Path("run", name.replace("/", "|")))
    run = Path("run", name.replace("/", "|"))
    printed = said(capsys, "certify", str(run))
    assert printed.startswith(f"{run}/checkpoint.safetensors\n")
    assert name in said(capsys, "certify", f"none{name}")
    monkeypatch.setattr("ermas_algos.commands.info._contents", lambda path: {name: {name: name}})
    assert said(capsys, "info", str(run)).count(name) == 3


@pytest.mark.parametrize("name", NAMES)
def test_evaluate_shows_names_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def rows(planners: Any, game: Any, gaps: Any, seeds: Any, config: Any, progress: Any) -> list[TransferRow]:
        found = [replace(transfer_row(planner, gap), converged=False) for planner in planners for gap in gaps]
        for row in found:
            progress(row)
        return found

    monkeypatch.setattr("ermas_algos.commands.evaluate.transfer_evaluation", rows)
    monkeypatch.setattr("ermas_algos.commands.evaluate._name", lambda text: name)
    Path("out").mkdir()
    out = f"out/{name.replace('/', '|')}.csv"
    printed = said(
        capsys, "evaluate", "constant:0", "--environment", "augmented_bimatrix_v0", "--gaps", "0", "--out", out
    )
    assert any(line.startswith(f"│ {name} ") for line in printed.splitlines()), printed
    assert f"{name} at q = 0: J_p 1.000" in printed  # the progress line
    assert f"Wrote {out}" in printed


def test_failed_jobs_are_told_with_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job that fails with an error in brackets."""
    monkeypatch.chdir(tmp_path)
    outcome = Outcome([], {name: f"ValueError: {name}" for name in NAMES})

    def run(self: Any, console: Any) -> int:
        print_failures(console, outcome)
        return 1

    monkeypatch.setattr("ermas_algos.commands.sweep.Sweep.run", run)
    printed = said(capsys, "sweep", "s.toml", "--out", "out")
    for name in NAMES:
        assert f"failed: {name}: ValueError: {name}\n" in printed


def test_jobs_that_failed_by_the_same_error_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = Outcome([], {f"job-{number}": "ValueError: no JAX" for number in range(48)} | {"other": "OSError: full"})
    monkeypatch.setattr(
        "ermas_algos.commands.sweep.Sweep.run", lambda self, console: print_failures(console, outcome) or 1
    )
    printed = said(capsys, "sweep", "s.toml", "--out", "out")
    assert printed.count("failed: ") == 2
    assert "failed: job-0 and 47 more: ValueError: no JAX\n" in printed
    assert "49 jobs failed" in printed
