"""What the documentation site makes from the code: environments, reference, help; and the commands on its pages."""

import importlib
import re
import shlex
from pathlib import Path

import api_reference
import command_help
import environment_text
import generated_parts
import pytest
import tyro

from ermas_algos.command_line import Command
from ermas_envs.make import environment_registry

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]
SECTIONS = ("Agents", "Actions", "Observations", "Rewards", "Start and end", "Arguments", "Version history")
OWN = re.compile(r"_v\d+$")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands_of(text: str) -> list[str]:
    """Every call of `ermas` in a block, without what follows a pipe or a comment."""
    joined = text.replace("\\\n", " ")
    found = re.findall(r"^ *(?:\.venv/bin/)?ermas ((?:\S+ *)+)$", joined, re.MULTILINE)
    return [
        call for call in found if re.match(r"(train|evaluate|certify|explain|reproduce|sweep|plot|info)(?!\S)", call)
    ]


def test_commands_are_found_with_their_continuations() -> None:
    assert commands_of("    ermas info\nthe ermas train\n.venv/bin/ermas plot \\\n    x  # why\n") == [
        "info",
        "plot      x  # why",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS.parent).as_posix())
def test_commands_of_the_pages_are_understood(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their options exist and have values of the right type; nothing is run."""
    monkeypatch.chdir(DOCS.parent)
    for call in commands_of(text_of(page)):
        arguments = [word for word in shlex.split(call, comments=True) if word != "…"]
        tyro.cli(Command, prog="ermas", args=arguments)


def test_the_front_pages_have_commands() -> None:
    assert len(commands_of(text_of(DOCS / "command-line.md"))) >= 10


@pytest.mark.parametrize("name", [name for name in environment_registry.names() if OWN.search(name)])
def test_every_environment_has_a_page_with_picture_and_all_sections(name: str) -> None:
    page = text_of(DOCS / f"environments/{name}.md")
    assert "![" in page
    assert f"environments/{name}\n" in text_of(DOCS / "index.md")
    source = [page]
    generated_parts.fill_in(None, name, source)
    assert re.findall(r"^## (.*)$", source[0], re.MULTILINE) == list(SECTIONS)
    assert "<!--" not in source[0]


def test_an_environment_begins_with_what_it_is() -> None:
    assert environment_text.of_environment("toll_v0").startswith("Drivers choose one of several parallel roads")


def test_the_reference_has_every_public_name_of_its_modules() -> None:
    pages = text_of(DOCS / "reference/api-envs.md") + text_of(DOCS / "reference/api-algos.md")
    modules = re.findall(r"<!-- api (\S+) -->", pages)
    assert {"ermas_envs", "ermas_algos"} <= set(modules)
    for module in modules:
        text = api_reference.of_module(module)
        for public in importlib.import_module(module).__all__:
            assert public.startswith("__") or re.search(rf"^:+{{py:\w+}} {public}\b", text, re.MULTILINE), public


def test_the_reference_has_signatures_sections_and_the_meaning_of_fields() -> None:
    text = api_reference.of_module("ermas_envs.testing")
    assert "{py:function} check_planner(planner" in text
    assert "**Raises**" in api_reference.of_module("ermas_envs.oracles")
    fields = api_reference.of_module("ermas_algos")
    assert "| `epsilon` | `0.05` | ε ≥ 0: regret that an agent may have, payoff per step. |" in fields
    assert "Replicas of the joint rollout" in fields  # of a base class


def test_help_is_what_the_command_prints() -> None:
    assert command_help.of_command("train").startswith("```text\nusage: ermas train")
