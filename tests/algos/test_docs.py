"""Every Python block in the documentation runs as it stands: each alone, in an empty directory."""

import re
import signal
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.processes import is_running, wait_until
from helpers.script_runner import ScriptRunner

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in (
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "ermas_envs/README.md",
        ROOT / "ermas_algos/README.md",
    )
    if page.exists()
]
SECONDS = 280
"""A block takes less than 15 s on an idle machine; a busy one gets more, and the economy is compiled first."""

FENCED = re.compile(r"^([ \t]*)```(?:python|py)\b[^\n]*\n(.*?)^\1```[ \t]*$", re.MULTILINE | re.DOTALL | re.IGNORECASE)
"""Indentation and code of a block, also of one inside a list, and whatever follows the word `python`."""


@pytest.fixture(scope="module")
def runner() -> Iterator[ScriptRunner]:
    started = ScriptRunner()
    yield started
    started.close()


@dataclass(frozen=True)
class Block:
    """One Python block of a page."""

    line: int
    """Line of the page on which the code starts, from 1."""
    code: str
    """The code, without the indentation that the whole block has."""


def blocks_of(page: str) -> list[Block]:
    return [
        Block(page.count("\n", 0, found.start(2)) + 1, textwrap.dedent(found.group(2)))
        for found in FENCED.finditer(page)
    ]


def test_blocks_are_found_wherever_they_stand() -> None:
    page = "text\n```python\na = 1\n\nb = 2\n```\n```sh\nls\n```\n- item\n\n  ```Python x\n  if a:\n      c()\n  ```\n"
    assert blocks_of(page) == [Block(3, "a = 1\n\nb = 2\n"), Block(13, "if a:\n    c()\n")]


def test_no_page_has_a_python_block_that_is_not_found() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        openings = re.findall(r"^[ \t]*(?:```+|~~~+)[ \t]*(?:python|py)\b", text, re.MULTILINE | re.IGNORECASE)
        assert len(blocks_of(text)) == len(openings), page


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize(
    ("page", "block"),
    [
        pytest.param(page, block, id=f"{page.relative_to(ROOT).as_posix()}:{block.line}")
        for page in PAGES
        for block in blocks_of(page.read_text(encoding="utf-8"))
    ],
)
def test_block_runs(page: Path, block: Block, runner: ScriptRunner, tmp_path: Path) -> None:
    script = tmp_path / f"{page.stem}.py"
    script.write_text("\n" * (block.line - 1) + block.code, encoding="utf-8")  # tracebacks name the page's lines
    status, output = runner.run(script)
    assert status == 0, f"{page}: the block at line {block.line} fails:\n{output}"


def test_a_block_that_fails_fails(runner: ScriptRunner, tmp_path: Path) -> None:
    for name, code, status, output in (
        ("wrong", "import os\nprint(__name__, os.getcwd())\n1 / 0\n", 1, "ZeroDivisionError: division by zero"),
        ("missing", "ermas_envs.make('bimatrix_v0')", 1, "NameError: name 'ermas_envs' is not defined"),
        ("left", "import sys; sys.exit(3)", 3, ""),
        ("killed", "import os; os.kill(os.getpid(), 9)", -9, ""),
    ):
        script = tmp_path / f"{name}.py"
        script.write_text(code)
        found = runner.run(script)
        assert found[0] == status
        assert output in found[1]
    assert f"__main__ {tmp_path}" in (tmp_path / "wrong.output").read_text()


def test_a_script_that_is_given_up_ends_and_leaves_its_answer_to_nobody(runner: ScriptRunner, tmp_path: Path) -> None:
    sleeper, following = tmp_path / "sleeper.py", tmp_path / "following.py"
    sleeper.write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n")
    following.write_text("1 / 0\n")

    def give_up(number: int, frame: object) -> None:
        raise TimeoutError

    def interrupt() -> None:
        wait_until(lambda: sleeper.with_suffix(".output").exists() and sleeper.with_suffix(".output").read_text() != "")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, give_up)
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(TimeoutError):
            runner.run(sleeper)
    finally:
        signal.signal(signal.SIGUSR1, before)
    wait_until(lambda: not is_running(int(sleeper.with_suffix(".output").read_text())), 10)
    assert runner.run(following)[0] == 1
