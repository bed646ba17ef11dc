"""What `ermas COMMAND --help` prints, for the page that has every option."""

import contextlib
import io
import os
from unittest import mock

from ermas_algos.command_line import main

WIDTH = {"COLUMNS": "100"}


def of_command(command: str) -> str:
    """The help of one command, or of `ermas` itself, as a block of text."""
    printed = io.StringIO()
    with mock.patch.dict(os.environ, WIDTH), contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main(["--help"] if command == "ermas" else [command, "--help"])
    return f"```text\n{printed.getvalue().strip()}\n```"
