"""Tables on the console, and the one of `ermas evaluate` with many gaps."""

import io

import pytest
from rich.console import Console

from ermas_algos.commands.console import print_table
from ermas_algos.commands.evaluate import _table
from ermas_algos.evaluation import TransferRow

GAPS = tuple(gap / 10 for gap in range(7))


@pytest.mark.parametrize("columns", [1, 20, 80, 200])
def test_no_number_is_cut(columns: int) -> None:
    rows = [TransferRow("constant:4", gap, 0, -123.4567 - gap, None, None, False, 9, 90, True) for gap in GAPS]
    file = io.StringIO()
    print_table(Console(file=file, width=columns), _table(rows, ["constant:4"], GAPS, "q"))
    printed = file.getvalue()
    for text in ["constant:4", "q = 0.3*", "worst", *(f"{-123.4567 - gap:.3f}" for gap in GAPS)]:
        assert text in printed
    assert "…" not in printed
