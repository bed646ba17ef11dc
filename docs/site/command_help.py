"""What `ermas COMMAND --help` prints, for the page that has every option."""

import contextlib
import io
import os
import textwrap
from unittest import mock

from ermas_algos.command_line import main

WIDTH = 100


def of_command(command: str) -> str:
    """The help of one command, or of `ermas` itself, as a block of text."""
    printed = io.StringIO()
    with (
        mock.patch.dict(os.environ, COLUMNS=str(WIDTH)),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        main(["--help"] if command == "ermas" else [command, "--help"])
    lines = (
        line if len(line) <= WIDTH else textwrap.fill(line, WIDTH) for line in printed.getvalue().strip().splitlines()
    )
    return "\n".join(["```text", *lines, "```"])
