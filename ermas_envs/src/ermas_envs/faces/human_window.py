"""A window that shows pictures on the screen, for `render_mode="human"`; it needs pygame."""

from typing import Any

import numpy as np

from ermas_envs.base.arrays import Array


class HumanWindow:
    """A window of its own, as large as the picture; it opens with the first one.

    A window that the user closes stays closed. pygame has one window per process: a second `HumanWindow` draws into
    the same one.

    Args:
        title: of the window.
        fps: pictures per second at most; `show` waits for that long.

    Raises:
        ModuleNotFoundError: pygame is not installed.
    """

    def __init__(self, title: str, fps: int) -> None:
        _pygame()  # an environment without it fails when it is made, not at its first picture
        self._title, self._fps = title, fps
        self._clock: Any = None
        self.closed = False

    def show(self, picture: Array) -> None:
        """Show (height, width, 3) uint8 RGB; nothing happens once the window is closed."""
        if self.closed:
            return
        pygame = _pygame()
        if self._clock is None:
            pygame.display.init()
            pygame.display.set_caption(self._title)
            self._clock = pygame.time.Clock()
        size = (picture.shape[1], picture.shape[0])
        window = pygame.display.get_surface()
        if window is None or window.get_size() != size:
            window = pygame.display.set_mode(size)
        window.blit(pygame.image.frombuffer(np.ascontiguousarray(picture).tobytes(), size, "RGB"), (0, 0))
        pygame.display.flip()
        self._clock.tick(self._fps)
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            self.close()

    def close(self) -> None:
        """Close the window for good; a second call does nothing."""
        if not self.closed and self._clock is not None:
            _pygame().display.quit()
        self.closed = True

    def __getstate__(self) -> dict[str, Any]:
        """A copy begins without a window, and opens it with its first picture."""
        return {**self.__dict__, "_clock": None}


def _pygame() -> Any:
    """The module; ModuleNotFoundError, with what to do, where it is not installed."""
    try:
        import pygame  # optional: only windows need it
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'render_mode="human" needs the package pygame-ce: pip install "ermas-envs[human]".', name="pygame"
        ) from error
    return pygame
