"""A window that shows frames, for `render_mode="human"`. Importing this imports pygame."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame

__all__ = ["Window"]

ZOOM = 2


class Window:
    """A window, opened with the first frame, that its user may close: nothing is shown or waited for then.

    Args:
        title: Its title.
        frames_per_second: `show` waits so that frames follow each other at this rate.

    Attributes:
        was_closed: Whether its user has closed it.
    """

    def __init__(self, title: str, frames_per_second: int) -> None:
        self._title = title
        self._frames_per_second = frames_per_second
        self._screen: pygame.Surface | None = None
        self._clock = pygame.time.Clock()
        self.was_closed = False

    def show(self, frame: npt.NDArray[np.uint8]) -> None:
        """Show (H, W, 3) uint8, twice enlarged; nothing happens once the user has closed the window.

        Raises:
            RuntimeError: If there is no display.
        """
        self.read_events()
        if self.was_closed:
            return
        size = (frame.shape[1] * ZOOM, frame.shape[0] * ZOOM)
        screen = self._open(size) if self._screen is None else self._screen
        surface = pygame.surfarray.make_surface(frame.swapaxes(0, 1))
        screen.blit(pygame.transform.scale(surface, size), (0, 0))
        pygame.display.flip()
        self._clock.tick(self._frames_per_second)

    def read_events(self) -> None:
        """Close the window if its user asked for that; the system takes one that does not read for hung."""
        if self._screen is not None and pygame.event.get(pygame.QUIT, pump=True):
            self.was_closed = True
            self.close()

    def close(self) -> None:
        """Close the window; nothing happens if it is closed."""
        if self._screen is not None:
            pygame.display.quit()
            self._screen = None

    def _open(self, size: tuple[int, int]) -> pygame.Surface:
        try:
            pygame.display.init()
            screen = pygame.display.set_mode(size)
        except pygame.error as error:
            raise RuntimeError(
                f"cannot open a window ({error}). Use render_mode='rgb_array' on a machine "
                "without a display, or set SDL_VIDEODRIVER=dummy to draw into nothing."
            ) from error
        pygame.display.set_caption(self._title)
        self._screen = screen
        return screen
