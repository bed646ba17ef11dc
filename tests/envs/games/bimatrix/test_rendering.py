"""Pictures and text of the bimatrix games' payoff landscapes."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ermas_envs.base.arrays import Array
from ermas_envs.games.bimatrix import rendering
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs, as_payoffs
from ermas_envs.games.bimatrix.rules import BimatrixRules, passive


def view_of(payoffs: BimatrixPayoffs, cell: int = 6) -> rendering.View:
    return rendering.View(BimatrixRules.of(payoffs, passive()), cell, 3, 20, "bimatrix_v0")


def random_payoffs(levels: int, scale: float = 12.0) -> BimatrixPayoffs:
    generator = np.random.default_rng(levels)
    return BimatrixPayoffs(*(scale * generator.normal(size=(3, levels, levels))))


def has_colour(picture: Array, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray((picture == np.array(colour)).all(axis=-1))


def frame_centres(view: rendering.View) -> list[tuple[int, int]]:
    """Middle (x, y) of the frame in each third of the picture, below the legend."""
    picture = rendering.picture(view)
    legend_bottom = rendering.MARGIN + rendering.HEADER_SIZE + rendering.LABEL_SIZE + 2 * rendering.LINE_GAP
    framed = has_colour(picture, rendering.FRAME_COLOUR)[legend_bottom:]
    centres = []
    for third in np.array_split(np.arange(framed.shape[1]), 3):
        y, x = np.nonzero(framed[:, third])
        assert x.size, "a map without a frame"
        centres.append((int(x.min() + x.max()) // 2, int(y.min() + y.max()) // 2))
    return centres


@pytest.fixture
def commons() -> rendering.View:
    return view_of(as_payoffs("tragedy_of_commons"))


@pytest.mark.parametrize("levels", [2, 3, 8])
def test_shape_and_dtype(levels: int) -> None:
    picture = rendering.picture(view_of(random_payoffs(levels), cell=levels))
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 3 * levels * rendering.SMALLEST_SQUARE
    assert picture.shape[0] > levels * rendering.SMALLEST_SQUARE


def test_all_cells_give_pictures_of_one_size_that_differ(commons: rendering.View) -> None:
    pictures = [rendering.picture(replace(commons, cell=cell)) for cell in range(16)]
    assert len({picture.shape for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == 16


def test_mark_is_at_row_of_agent_0_and_column_of_agent_1(commons: rendering.View) -> None:
    start = frame_centres(replace(commons, cell=0))
    right = frame_centres(replace(commons, cell=1))
    below = frame_centres(replace(commons, cell=4))
    for (x, y), (x_right, y_right), (x_below, y_below) in zip(start, right, below, strict=True):
        assert x_right - x >= rendering.SMALLEST_SQUARE
        assert y_right == y
        assert y_below - y >= rendering.SMALLEST_SQUARE
        assert x_below == x


@pytest.mark.parametrize("colour", rendering.DISK_COLOURS)
def test_disks_in_legend_and_maps(commons: rendering.View, colour: tuple[int, int, int]) -> None:
    disks = int(has_colour(rendering.picture(commons), colour).sum())
    least_disk_area = 3 * (rendering.DISK_RADIUS - 1) ** 2
    assert disks >= (1 + len(rendering.TITLES)) * least_disk_area


def test_brighter_square_has_higher_payoff() -> None:
    payoffs = BimatrixPayoffs([[0.0, 1.0], [2.0, 3.0]], np.ones((2, 2)), [[-12.34, 0.0], [1.0, 2.0]])
    picture = rendering.picture(view_of(payoffs, cell=1))
    darkest, brightest = (has_colour(picture, c) for c in (rendering.DARKEST, rendering.BRIGHTEST))
    y_dark, y_bright = np.nonzero(darkest)[0], np.nonzero(brightest)[0]
    assert y_dark.min() < y_bright.min()
    assert min(darkest.sum(), brightest.sum()) > rendering.SMALLEST_SQUARE**2


def test_deterministic_and_writable(commons: rendering.View) -> None:
    first, second = rendering.picture(commons), rendering.picture(commons)
    np.testing.assert_array_equal(first, second)
    first[:] = 0
    np.testing.assert_array_equal(rendering.picture(commons), second)
    assert rendering.text(commons) == rendering.text(commons)


def test_step_and_name_are_shown(commons: rendering.View) -> None:
    assert rendering.text(commons).startswith("bimatrix_v0   step 3 of 20\n")
    later = replace(commons, step=4)
    assert (rendering.picture(later) != rendering.picture(commons)).any()


def test_text_brackets_the_current_cell_in_each_matrix() -> None:
    payoffs = random_payoffs(3)
    written = rendering.text(view_of(payoffs, cell=5))
    for matrix in (payoffs.agent_0, payoffs.agent_1, payoffs.planner):
        assert f"[{matrix[1, 2]:.2f}]" in written
    assert written.count("[") == written.count("]") == 3
    assert all(title in written for title in rendering.TITLES)


def test_text_columns_are_aligned() -> None:
    payoffs = BimatrixPayoffs([[-12.34, 5.0], [0.1, 100.0]], np.ones((2, 2)), np.eye(2))
    for cell in range(4):
        block = rendering.text(view_of(payoffs, cell)).split("\n\n")[1].splitlines()[2:]
        dots = [[k for k, letter in enumerate(line) if letter == "."] for line in block]
        assert dots[0] == dots[1]
        assert len(dots[0]) == 2


def test_flat_and_huge_payoffs_can_be_drawn() -> None:
    payoffs = BimatrixPayoffs(np.zeros((2, 2)), [[1e12, -1e12], [-0.001, 0.0]], np.full((2, 2), -12.34))
    view = view_of(payoffs, cell=0)
    assert rendering.picture(view).dtype == np.uint8
    assert "[1.00e+12]" in rendering.text(view)
    assert "-0.00" not in rendering.text(view)


def test_long_name_widens_the_picture(commons: rendering.View) -> None:
    long = replace(commons, name="n" * 200)
    assert rendering.picture(long).shape[1] > rendering.picture(commons).shape[1]
