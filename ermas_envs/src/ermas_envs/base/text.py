"""Text in and out: files that users give, and standard streams that cannot show every character."""

import io
import json
import stat
import sys
from pathlib import Path
from typing import Any

LARGEST_TEXT = 2**20
"""Bytes of the largest text file that is read as a configuration or a layout: 1 MiB."""


def read_text(path: Path) -> str:
    """An ordinary file of UTF-8 text, with or without the byte order mark that some editors write.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is a pipe or a device, larger than `LARGEST_TEXT`, or no UTF-8 text; the caller names the file.
    """
    refuse_special_file(path)
    with path.open("rb") as file:
        raw = file.read(LARGEST_TEXT + 1)
    if len(raw) > LARGEST_TEXT:
        raise ValueError(f"is larger than {LARGEST_TEXT} bytes.")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"is no UTF-8 text; save it as UTF-8 ({error}).") from None


def refuse_special_file(path: Path) -> None:
    """ValueError for a pipe, a device or a socket, whose end may never come; OSError if there is no such file.

    The caller names the file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a directory has an error of its own
        raise ValueError("is no ordinary file.")


def replace_what_cannot_be_shown() -> None:
    """Let standard output and standard error replace characters that their encoding lacks, such as ε in code page 1252.

    To be called where a command begins: what was computed must not be lost, nor the exit status change, because of
    what a terminal, a pipe or a file can hold.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not what a program or a test has put in its place
            stream.reconfigure(errors="replace")


def parsed_json(text: str | bytes) -> Any:
    """`json.loads`; ValueError for what it would leave with RecursionError, too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("lists and tables are nested too deeply.") from None
