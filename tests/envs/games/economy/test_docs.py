"""The tables of docs/economy.md and docs/one-step-economy.md against the code: entries, defaults, metrics."""

import dataclasses
import inspect
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from gymnasium import spaces

from ermas_envs import economy_v0, one_step_economy_v0
from ermas_envs.games.economy import compact, observation_entries, settings
from ermas_envs.games.economy.actions import action_table
from ermas_envs.games.economy.settings import EconomySettings
from ermas_envs.games.economy.uniform_layout import UniformLayoutSettings
from ermas_envs.games.one_step import observe
from ermas_envs.games.one_step.settings import OneStepSettings, SimpleLabor
from ermas_envs.games.taxation import tax_planners
from ermas_envs.games.taxation.observations import slices
from ermas_envs.planners import planner_registry

DOCS = Path(__file__).parents[4] / "docs"
ECONOMY, ONE_STEP = "economy.md", "one-step-economy.md"
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def rows_under(page: str, heading: str) -> list[list[str]]:
    """Cells of the first table under a heading, before the next heading, without the table's own heading."""
    text = (DOCS / page).read_text(encoding="utf-8")
    starts = [found for found in HEADING.finditer(text) if found.group(1) == heading]
    assert len(starts) == 1, f"{page}: {len(starts)} headings {heading!r}"
    after = text[starts[0].end() :]
    following = HEADING.search(after)
    lines = after[: following.start() if following else None].splitlines()
    tables = [list(group) for is_row, group in itertools.groupby(lines, lambda line: line.startswith("|")) if is_row]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in tables[0][2:]]


def code_of(cell: str) -> str:
    """A cell that is one piece of code, without its marks."""
    assert cell.startswith("`"), cell
    assert cell.endswith("`"), cell
    return cell[1:-1]


def range_of(cell: str) -> tuple[int, int]:
    """First and last index."""
    first, _, last = cell.partition("…")
    return int(first), int(last or first)


USUAL, USUAL_ONE_STEP = EconomySettings(), OneStepSettings()


@pytest.mark.parametrize(
    ("page", "heading", "entries"),
    [
        (ECONOMY, "Original: `flat` of an agent", observation_entries.agent_entries(USUAL, 7)),
        (ECONOMY, "Original: `flat` of the planner", observation_entries.planner_entries(USUAL, 7)),
        (ECONOMY, "Original: what the planner sees of an agent", observation_entries.planner_entries_of_agent(USUAL)),
        (ECONOMY, "Compact: agents", compact.agent_entries(7)),
        (ECONOMY, "Compact: planner", compact.planner_entries(7)),
        (ONE_STEP, "Original: `flat` of an agent", observe.agent_entries(100, 7)),
        (ONE_STEP, "Original: `flat` of the planner", observe.planner_entries(100, 7)),
        (ONE_STEP, "Original: what the planner sees of an agent", observe.planner_entries_of_agent(7)),
        (ONE_STEP, "Compact: agents", observe.compact_agent_entries(7)),
        (ONE_STEP, "Compact: planner", observe.compact_planner_entries(7)),
    ],
)
def test_entries_of_observations(page: str, heading: str, entries: Sequence[tuple[str, int]]) -> None:
    written = [(code_of(row[0]), range_of(row[1])) for row in rows_under(page, heading)]
    assert written == [(name, (where.start, where.stop - 1)) for name, where in slices(entries).items()]


def test_keys_and_shapes_of_the_original_observations() -> None:
    seen: Any = economy_v0.batched_env(1).observation_spaces
    written = set()
    for who, key, shape, _ in rows_under(ECONOMY, "Original: keys of the Dict"):
        role = "planner" if who == "planner" else "agent_0"
        names = [f"p{index}" for index in range(4)] if "…" in key else [code_of(key)]
        for name in names:
            assert shape == f"{seen[role][name].shape} {seen[role][name].dtype}", (role, name)
            written.add((role, name))
    assert written == {(role, name) for role in ("agent_0", "planner") for name in seen[role]}


def defaults_of(kind: Any) -> dict[str, Any]:
    """Fields of a dataclass with their defaults."""
    return {
        field.name: field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[misc]
        for field in dataclasses.fields(kind)
    }


def arguments_of(function: Any) -> dict[str, Any]:
    """Arguments of a function that have defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}


@pytest.mark.parametrize(
    ("page", "heading", "defaults"),
    [
        (ECONOMY, "Arguments of the faces", arguments_of(economy_v0.batched_env)),
        (ECONOMY, "EconomySettings", defaults_of(EconomySettings)),
        *[
            (ECONOMY, kind.__name__, defaults_of(kind))
            for kind in settings.COMPONENTS.values()
            if dataclasses.fields(kind)
        ],
        (ECONOMY, "Resource", defaults_of(settings.Resource)),
        (ECONOMY, "Layouts", defaults_of(UniformLayoutSettings)),
        (ECONOMY, "Saez", arguments_of(tax_planners.Saez)),
        (ONE_STEP, "OneStepSettings", defaults_of(OneStepSettings)),
        (ONE_STEP, "SimpleLabor", defaults_of(SimpleLabor)),
    ],
)
def test_arguments_and_defaults(page: str, heading: str, defaults: Mapping[str, Any]) -> None:
    names = {**vars(settings), "SimpleLabor": SimpleLabor}
    written = {code_of(row[0]): eval(code_of(row[1]), names) for row in rows_under(page, heading)}
    assert written == dict(defaults)
    assert list(written) == list(defaults)
    for name, value in written.items():
        assert type(value) is type(defaults[name]), name


def test_both_faces_have_the_same_arguments() -> None:
    assert arguments_of(one_step_economy_v0.batched_env) == arguments_of(economy_v0.batched_env)


def test_paper_components_are_written_out() -> None:
    text = (DOCS / ECONOMY).read_text(encoding="utf-8").replace("\n", " ")
    sentence = text[text.index("`PAPER_COMPONENTS` are") : text.index("those of the original's second phase")]
    written = re.findall(r"`(\w+\(.*?\))`", sentence)
    assert tuple(eval(code, vars(settings)) for code in written) == settings.PAPER_COMPONENTS


def test_registered_planners() -> None:
    rows = rows_under(ECONOMY, "Planners")
    written = {code_of(row[1]): getattr(tax_planners, code_of(row[0]).partition("(")[0]) for row in rows}
    assert {"constant", *written} <= set(planner_registry.names())
    for name, kind in written.items():
        arguments = {"rates": [0.1] * 7} if name == "fixed_brackets" else {}
        assert isinstance(planner_registry.make(name, **arguments), kind)


def expanded(pattern: str) -> set[str]:
    """Metrics that a name such as `Trade/<agent>/<Sell, Buy>…` stands for, with 4 agents and 7 brackets."""
    choices = {"agent": [f"agent_{index}" for index in range(4)], "bracket": [str(index) for index in range(7)]}
    pieces = re.split(r"<([^>]*)>", pattern)
    parts = [choices.get(piece, piece.split(", ")) if odd % 2 else [piece] for odd, piece in enumerate(pieces)]
    return {"".join(chosen) for chosen in itertools.product(*parts)}


@pytest.mark.parametrize(("page", "module"), [(ECONOMY, economy_v0), (ONE_STEP, one_step_economy_v0)])
def test_names_of_metrics(page: str, module: Any) -> None:
    written = set().union(*(expanded(code_of(row[0])) for row in rows_under(page, "Metrics")))
    engine = module.batched_env(1, planner=tax_planners.Saez(), num_agents=4).engine
    assert written == set(engine.metrics())


def test_actions() -> None:
    sizes = action_table(USUAL).sizes.tolist()
    firsts = [1, *(1 + sum(sizes[: position + 1]) for position in range(len(sizes) - 1))]
    spans = [
        f"{first} … {first + size - 1}" if size > 1 else str(first) for first, size in zip(firsts, sizes, strict=True)
    ]
    moves = ", ".join(str(firsts[-1] + move) for move in range(sizes[-1]))
    assert [row[0] for row in rows_under(ECONOMY, "Actions")] == ["0", *spans[:-1], moves]


def test_action_spaces() -> None:
    usual = economy_v0.batched_env(1).action_spaces
    other: Any = economy_v0.batched_env(1, multi_action_mode_agents=True, multi_action_mode_planner=False).action_spaces
    text = (DOCS / ECONOMY).read_text(encoding="utf-8")
    assert f"Agents, `{usual['agent_0']}`" in text
    assert usual["planner"] == spaces.MultiDiscrete([22] * 7)
    assert "`MultiDiscrete([22] * 7)`" in text
    assert f"`MultiDiscrete({other['agent_0'].nvec.tolist()})`" in text
    assert f"`{other['planner']}`" in text


@pytest.mark.parametrize(("name", "most"), [("economy.png", 60e3), ("tax-schedules.png", 60e3), ("economy.gif", 1.5e6)])
def test_pictures_are_small(name: str, most: float) -> None:
    assert 0 < (DOCS / name).stat().st_size < most
