"""Text in and out: byte order marks, pipes, sizes; streams that cannot show every character."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ermas_envs import bimatrix_v0
from ermas_envs.base.text import LARGEST_TEXT, read_text
from ermas_envs.games.economy.layouts import Layout
from ermas_envs.replay import replay_file

MARK = b"\xef\xbb\xbf"


def test_byte_order_marks_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(MARK + b"W.\r\n.@\r\n")
    assert read_text(path) == "W.\n.@\n"
    assert Layout.of_file(path) == Layout.of_text("W.;.@")


def test_a_recording_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "recording.json"
    path.write_bytes(MARK + json.dumps({"schema": 1, "episodes": []}).encode())
    with pytest.raises(ValueError, match="has no episodes"):
        replay_file(path)


def test_a_recording_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recording.json"
    path.write_text("[" * 100000)
    with pytest.raises(ValueError, match=r"recording\.json: cannot be read as .*nested too deeply"):
        replay_file(path)


@pytest.mark.parametrize("content", [b"#" * (LARGEST_TEXT + 1), "W.".encode("utf-16")], ids=["large", "UTF-16"])
def test_files_that_are_no_text_of_this_kind_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "layout.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"layout\.txt': is [a-z]"):
        Layout.of_file(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.timeout(60)
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "layout.txt"
    os.mkfifo(path)
    with pytest.raises(ValueError, match="no ordinary file"):
        Layout.of_file(path)
    with pytest.raises(ValueError, match="no ordinary file"):
        replay_file(path)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_characters_that_cannot_be_shown_are_replaced(encoding: str) -> None:
    program = (
        "from ermas_envs.base.text import replace_what_cannot_be_shown as replace; import sys; replace();"
        "print('bound \u03b5 \u2265 0'); print('\u03bb', file=sys.stderr); sys.exit(1)"
    )
    surroundings = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", program], env=surroundings, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout.split() == [b"bound", b"?", b"?", b"0"]
    assert done.stderr.split() == [b"?"]


@pytest.mark.parametrize("flag", [0, 3, [], "yes"])
def test_flags_of_a_batch_are_flags(flag: object) -> None:
    with pytest.raises(ValueError, match="autoreset must be True or False"):
        bimatrix_v0.batched_env(2, autoreset=flag)
