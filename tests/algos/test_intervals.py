"""Lines with the spread of seeds: a band of the 95 % t-interval, or both values where there are two."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from ermas_algos.plots.intervals import draw_line, mean_and_bar, mean_and_half_width


def test_the_interval_of_three_seeds_is_students() -> None:
    mean, half = mean_and_half_width([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(4.302653 / np.sqrt(3.0), rel=1e-6)


def test_bars_of_few_seeds_stay_within_what_was_seen() -> None:
    """Three regrets above 0 must not be drawn with a bar below 0."""
    assert mean_and_bar([0.1, 0.2, 0.9]) == pytest.approx((0.4, 0.3, 0.5))
    assert mean_and_bar([0.1, 0.1, 0.1])[1:] == (pytest.approx(0.0, abs=1e-15), 0.0), "their mean is above .1"
    mean, half = mean_and_half_width([0.0, 0.0, 0.0, 0.0, 1.0])
    assert mean_and_bar([0.0, 0.0, 0.0, 0.0, 1.0]) == (mean, half, half)


def test_two_seeds_are_drawn_themselves() -> None:
    """Their t-interval is 12.7 standard errors wide, and would hide every line."""
    axes = Figure().subplots()
    draw_line(axes, {0.0: [1.0, 3.0], 1.0: [2.0, 2.5]}, "red", "o", "two")
    (bars,) = axes.collections
    assert [path.vertices[:, 1].tolist() for path in bars.get_paths()] == [[1.0, 3.0], [2.0, 2.5]]
    draw_line(axes, {0.0: [1.0, 2.0, 3.0]}, "red", "o", "three")
    low, high = axes.collections[1].get_paths()[0].get_extents().intervaly
    assert (low, high) == pytest.approx((2.0 - 4.302653 / np.sqrt(3.0), 2.0 + 4.302653 / np.sqrt(3.0)))


def test_ends_of_more_seeds_are_drawn_where_asked_for() -> None:
    axes = Figure().subplots()
    draw_line(axes, {0.0: [1.0, 3.0, 2.5], 1.0: [2.0, 2.5, 0.5]}, "red", "o", "three", ends=True)
    (bars,) = axes.collections
    assert [path.vertices[:, 1].tolist() for path in bars.get_paths()] == [[1.0, 3.0], [0.5, 2.5]]
