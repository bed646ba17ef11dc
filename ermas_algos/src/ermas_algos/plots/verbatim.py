"""Texts in plots as they are: matplotlib takes `$…$` for mathematics and leaves "_…" out of legends."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

_MARK = "\N{WORD JOINER}"
"""Before every name, so that none begins with what matplotlib looks for."""


def named(name: str) -> str:
    """The `label` of an artist that `draw_legend` shall call `name`, whatever characters that has."""
    return _MARK + name


def legend_entries(panels: Iterable[Axes]) -> dict[str, Artist]:
    """Artist of each label in these axes, in the order of their drawing; of equal labels the last one's."""
    return {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}


def draw_legend(where: Axes | Figure, entries: dict[str, Artist], **options: Any) -> None:
    """The legend of axes or of a figure.

    Args:
        where: axes or figure.
        entries: as from `legend_entries`; labels made by `named` are shown as their names.
        options: of matplotlib's `legend`.
    """
    legend = where.legend(list(entries.values()), list(entries), **options)
    for text, label in zip(legend.get_texts(), entries, strict=True):
        text.set_text(label.removeprefix(_MARK))


def write_figure(figure: Figure, path: Path | str) -> None:
    """Write a figure in the format of the path's suffix; every text in it, from titles to the labels of ticks, is drawn
    character by character. The same figure gives the same file on every day."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_usetex(False)
    dated = {".svg": "Date", ".pdf": "CreationDate"}.get(Path(path).suffix)
    with mpl.rc_context({"svg.hashsalt": "ermas"}):
        figure.savefig(path, metadata=None if dated is None else {dated: None})
