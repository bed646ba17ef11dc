"""The plot of tax schedules: a picture for any number of them, direct labels that do not collide, bad input."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from ermas_algos.plots.tax_schedule import plot_tax_schedule

CUTOFFS = [0.0, 9.7, 39.475, 84.2, 160.725, 204.1, 510.3]
US_FEDERAL = [0.10, 0.12, 0.22, 0.24, 0.32, 0.35, 0.37]


def saved(path: Path, monkeypatch: pytest.MonkeyPatch, schedules: dict[str, Any]) -> Figure:
    """The figure that is written."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k))[1])
    plot_tax_schedule(path, schedules, CUTOFFS)
    return figures[0]


def test_a_line_per_schedule_with_its_rates_and_a_band_where_there_are_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned = np.clip(np.random.default_rng(0).normal(0.5, 0.2, (20, 7)), 0.0, 1.0)
    figure = saved(tmp_path / "a.png", monkeypatch, {"US federal": US_FEDERAL, "learned": learned})
    axes = figure.axes[0]
    federal, median = (np.asarray(line.get_ydata()) for line in axes.lines)
    np.testing.assert_allclose(federal, [*US_FEDERAL, US_FEDERAL[-1]])
    np.testing.assert_allclose(median[:-1], np.median(learned, axis=0))
    assert len(axes.collections) == 1
    assert "coin" in axes.get_xlabel()
    assert [label.get_text() for label in axes.get_xticklabels()][:3] == ["0", "9.7", "39.48"]
    picture = imread(tmp_path / "a.png")
    assert picture.shape[0] > 300
    assert picture.std() > 0.01


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_labels_do_not_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float) -> None:
    figure = saved(tmp_path / "a.png", monkeypatch, {f"schedule {k}": [rate] * 7 for k in range(6)})
    boxes = sorted((text.get_window_extent() for text in figure.axes[0].texts), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 and box.y1 <= figure.bbox.y1 for box in boxes)


@pytest.mark.parametrize(
    ("schedules", "message"),
    [
        ({}, "at least one"),
        ({"short": [0.1, 0.2]}, "'short'.*7 rates"),
        ({"none": np.zeros((0, 7))}, "'none'.*7 rates"),
        ({"percent": [10.0] * 7}, r"'percent'.*\[0, 1\]"),
        ({"nan": [np.nan] * 7}, r"'nan'.*\[0, 1\]"),
    ],
)
def test_bad_input(tmp_path: Path, schedules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plot_tax_schedule(tmp_path / "a.png", schedules, CUTOFFS)
    assert not list(tmp_path.iterdir())
