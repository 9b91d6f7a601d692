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
    """A window, opened with the first frame.

    Args:
        title: Its title.
        frames_per_second: `show` waits so that frames follow each other at this rate.
    """

    def __init__(self, title: str, frames_per_second: int) -> None:
        self._title = title
        self._frames_per_second = frames_per_second
        self._screen: pygame.Surface | None = None
        self._clock = pygame.time.Clock()

    def show(self, frame: npt.NDArray[np.uint8]) -> None:
        """Show (H, W, 3) uint8, twice enlarged.

        Raises:
            RuntimeError: If there is no display.
        """
        size = (frame.shape[1] * ZOOM, frame.shape[0] * ZOOM)
        if self._screen is None:
            try:
                pygame.display.init()
                self._screen = pygame.display.set_mode(size)
            except pygame.error as error:
                raise RuntimeError(
                    f"cannot open a window ({error}). Use render_mode='rgb_array' on a machine "
                    "without a display, or set SDL_VIDEODRIVER=dummy to draw into nothing."
                ) from error
            pygame.display.set_caption(self._title)
        pygame.event.pump()
        surface = pygame.surfarray.make_surface(frame.swapaxes(0, 1))
        self._screen.blit(pygame.transform.scale(surface, size), (0, 0))
        pygame.display.flip()
        self._clock.tick(self._frames_per_second)

    def close(self) -> None:
        """Close the window; nothing happens if it is closed."""
        if self._screen is not None:
            pygame.display.quit()
            self._screen = None
