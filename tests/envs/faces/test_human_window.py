"""The window of render_mode="human", on SDL's dummy screen."""

import copy
import pickle
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ermas_envs import bimatrix_v0
from ermas_envs.faces.human_window import HumanWindow

pygame = pytest.importorskip("pygame")


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def shown() -> Any:
    """(height, width, 3) uint8 in the window."""
    return pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)


def step(env: Any) -> None:
    env.step({agent: 0 for agent in env.agents})


def test_the_window_shows_the_picture_after_reset_and_step() -> None:
    env = bimatrix_v0.parallel_env(render_mode="human", horizon=2)
    env.reset(seed=0)
    np.testing.assert_array_equal(shown(), env.batch.render(0, "rgb_array"))
    before = shown()
    step(env)
    np.testing.assert_array_equal(shown(), env.batch.render(0, "rgb_array"))
    assert (shown() != before).any()
    assert env.render() is None
    step(env)
    assert not env.agents
    env.close()
    assert not pygame.display.get_init()


def test_metadata_and_closing_without_a_window() -> None:
    for mode in (None, "ansi", "human"):
        env = bimatrix_v0.parallel_env(render_mode=mode)
        assert env.metadata["render_fps"] > 0
        assert "human" in env.metadata["render_modes"]
        env.close()
        env.close()


def test_the_aec_face_shows_a_window_too() -> None:
    env = bimatrix_v0.env(render_mode="human", horizon=2)
    env.reset(seed=0)
    assert shown().std() > 0
    for _ in env.agent_iter():
        _, _, terminated, truncated, _ = env.last()
        env.step(None if terminated or truncated else 0)
    env.close()


def test_a_window_that_the_user_closes_stays_closed() -> None:
    env = bimatrix_v0.parallel_env(render_mode="human")
    env.reset(seed=0)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    step(env)
    assert not pygame.display.get_init()
    step(env)
    assert env.render() is None
    env.close()


def test_the_window_follows_the_size_of_the_picture_and_the_frame_rate() -> None:
    window = HumanWindow("a", fps=50)
    start = pygame.time.get_ticks()
    for height in (40, 40, 60, 60):
        window.show(np.full((height, 30, 3), height, np.uint8))
        assert shown().shape == (height, 30, 3)
        assert (shown() == height).all()
    assert pygame.time.get_ticks() - start >= 3 * 15
    window.close()


def test_without_pygame_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ModuleNotFoundError, match=r"pygame-ce.*ermas-envs\[human\]"):
        bimatrix_v0.parallel_env(render_mode="human")
    assert bimatrix_v0.parallel_env(render_mode="rgb_array") is not None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
def test_a_copy_opens_its_own_window(copied: Any) -> None:
    env = bimatrix_v0.parallel_env(render_mode="human", horizon=2)
    copied(env).reset(seed=0)  # before there is a window
    env.reset(seed=0)
    step(env)
    other = copied(env)
    step(other)
    np.testing.assert_array_equal(shown(), other.batch.render(0, "rgb_array"))
    env.close()
    assert copied(env).render() is None
