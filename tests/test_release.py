"""What must agree before a release: versions, lowest versions, pinned actions; and links that are judged gone."""

import re
import tomllib
from pathlib import Path

import external_links
import pytest

import ermas_algos
import ermas_envs

ROOT = Path(__file__).parents[1]
PROJECTS = {
    name: tomllib.loads((ROOT / name / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in ("ermas_envs", "ermas_algos")
}


def test_a_version_stands_in_five_places() -> None:
    (cited,) = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    stated = {project["version"] for project in PROJECTS.values()}
    assert {*stated, ermas_envs.__version__, ermas_algos.__version__, cited} == {cited}


@pytest.mark.parametrize("name", PROJECTS)
def test_every_dependency_has_a_lowest_version_that_is_tried(name: str) -> None:
    lines = (ROOT / ".ci/lowest.txt").read_text(encoding="utf-8").splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    for needed in PROJECTS[name]["dependencies"]:
        package, lowest = re.match(r"([\w-]+)(?:>=([\d.]+))?", needed).groups()
        if package != "ermas-envs":
            assert lowest, f"{needed} has no lowest version"
            assert re.fullmatch(rf"{re.escape(lowest)}(\.0)*", tried[package]), (
                f"{needed}, but {tried[package]} is tried"
            )


def test_nothing_published_asks_for_a_pre_release() -> None:
    for project in PROJECTS.values():
        extras = project["optional-dependencies"]
        assert "test" not in extras
        assert not re.search(r"\d(a|b|rc)\d", str((project["dependencies"], extras)))


def test_actions_are_pinned_by_commit_and_have_little_permission() -> None:
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        used = re.findall(r"uses: \S+@(\S+)(.*)", text)
        assert used
        for commit, comment in used:
            assert re.fullmatch("[0-9a-f]{40}", commit), path
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), path
        assert "\npermissions:\n  contents: read\n" in text


def test_only_what_a_server_says_is_gone_is_gone() -> None:
    silent = {"status": "broken", "code": 0, "info": "Max retries exceeded"}
    gone = {"status": "broken", "code": 404, "info": "404 Client Error"}
    moved = {"status": "redirected", "code": 301, "info": ""}
    assert external_links.judged([silent, gone, moved]) == ([gone], [silent])
