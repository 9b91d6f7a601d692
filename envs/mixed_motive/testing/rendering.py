"""Rendering: pictures and texts that are of the right kind, follow the game and leave it alone."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from mixed_motive.testing.failure import CheckFailure, Finding
from mixed_motive.testing.player import EnvFn, Player
from mixed_motive.testing.values import difference, snapshot

__all__ = ["check_rendering"]

_HUMAN_STEPS = 1


def check_rendering(env_fn: EnvFn, *, seed: int = 0, max_steps: int = 2000, repeatable: bool = True) -> None:
    """Every mode in ``metadata["render_modes"]`` shows the game, and only when asked.

    "rgb_array" gives uint8 (H, W, 3) of one size, "ansi" a text; both change in the course of an episode,
    stay as they were once returned, and leave the game as it would be without them. No mode opens a pygame
    display at construction, and these two do not with `reset` either. `close` may be called twice. Windows
    that are open are closed first; "human" is shown on SDL's dummy screen, and left out without pygame.

    Args:
        env_fn: Makes the environment; must take `render_mode`.
        seed: Seed of the episode and of the actions.
        max_steps: Longer episodes are broken off.
        repeatable: Whether the same seed gives the same episode; if not, it is not compared with one without
            rendering.

    Raises:
        CheckFailure: At the first thing that is wrong.
    """
    plain = Player("rendering", env_fn, max_steps=max_steps)
    modes = getattr(plain.env, "metadata", {}).get("render_modes")
    plain.close()
    if not modes:
        raise CheckFailure(
            Finding(
                "rendering",
                f"metadata['render_modes'] is {modes!r}",
                "the modes that can be rendered",
                "set it on the class, for example to ['rgb_array']",
            )
        )
    with _dummy_screen():
        for mode in modes:
            if mode in ("rgb_array", "ansi"):
                _check_pictures(env_fn, mode, seed, max_steps, repeatable)
            elif mode == "human" and importlib.util.find_spec("pygame") is not None:
                _check_window(env_fn, seed)


def _check_pictures(env_fn: EnvFn, mode: str, seed: int, max_steps: int, repeatable: bool) -> None:
    player = _opened(env_fn, mode, seed, max_steps)
    frames: list[Any] = []
    copies: list[Any] = []
    results: list[Any] = []
    for outcome in player.episode(seed):
        if not frames:
            _check_no_window(player, f"reset() with render_mode={mode!r}")
        frame = player.env.render()
        _check_frame(player, mode, frame, frames)
        if frames and difference(copies[-1], frames[-1]) is not None:
            player.fail(
                "the frame that render() returned before has changed",
                "a frame that is the caller's once returned",
                "return a copy of the canvas",
            )
        frames.append(frame)
        copies.append(snapshot(frame))
        results.append(snapshot((outcome.obs, outcome.rewards)))
    if all(difference(copies[0], copy) is None for copy in copies):
        player.fail(
            f"render() gave the same {'picture' if mode == 'rgb_array' else 'text'} in all "
            f"{len(frames)} states of an episode",
            "something that changes as the game goes on",
            "draw the present state in render(), not one from reset()",
        )
    _close_twice(player)
    if repeatable:
        plain = Player("rendering", env_fn, max_steps=max_steps, action_seed=seed)
        for k, outcome in enumerate(plain.episode(seed)):
            found = snapshot((outcome.obs, outcome.rewards))
            changed = difference(results[k], found) if k < len(results) else ": it goes on"
            if changed is not None:
                plain.fail(
                    f"the same episode went another way with render_mode={mode!r} and a render() each step: "
                    f"(observations, rewards){changed}",
                    "a game that does not depend on who looks",
                    "draw no random numbers and change no state in render(), and observe alike in all modes",
                )
        plain.close()


def _check_frame(player: Player, mode: str, frame: Any, frames: list[Any]) -> None:
    if mode == "ansi":
        if not isinstance(frame, str):
            player.fail(f"render() gave a {type(frame).__name__}", "a str for 'ansi'", "return the text")
        return
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
        kind = f"{frame.dtype} array" if isinstance(frame, np.ndarray) else type(frame).__name__
        player.fail(
            f"render() gave a {kind}",
            "a uint8 array for 'rgb_array'",
            "return values 0 to 255 as np.uint8",
        )
    if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        player.fail(
            f"render() gave an array of shape {frame.shape}",
            "(height, width, 3)",
            "put the colours last, without alpha; pygame.surfarray needs a transpose(1, 0, 2)",
        )
    if frames and frame.shape != frames[0].shape:
        player.fail(
            f"the frame's shape changed from {frames[0].shape} to {frame.shape}",
            "one size, as a video needs",
            "choose the size at construction",
        )


def _check_window(env_fn: EnvFn, seed: int) -> None:
    player = _opened(env_fn, "human", seed, _HUMAN_STEPS)
    for _ in player.episode(seed):
        frame = player.env.render()
        if frame is not None:
            player.fail(
                f"render() gave a {type(frame).__name__} for 'human'", "None", "show the frame, return none"
            )
    _close_twice(player)


def _opened(env_fn: EnvFn, mode: str, seed: int, max_steps: int) -> Player:
    _close_windows()
    player = Player("rendering", lambda: env_fn(render_mode=mode), max_steps=max_steps, action_seed=seed)
    _check_no_window(player, f"construction with render_mode={mode!r}")
    found = getattr(player.env, "render_mode", None)
    if found != mode:
        player.fail(
            f"render_mode is {found!r} after construction with {mode!r}",
            f"render_mode={mode!r}",
            "self.render_mode = render_mode in __init__",
        )
    return player


def _close_twice(player: Player) -> None:
    player.close()
    try:
        player.env.close()
    except Exception as error:
        finding = player.finding(
            f"the second close() raised {type(error).__name__}: {error}",
            "nothing: wrappers, `with` blocks and exit handlers each close",
            "forget the window when it is closed, and do nothing without one",
        )
        raise CheckFailure(finding) from error


def _display() -> Any:
    """The display module of pygame, if anybody has imported it."""
    return getattr(sys.modules.get("pygame"), "display", None)


def _close_windows() -> None:
    display = _display()
    if display is not None:
        display.quit()


def _check_no_window(player: Player, when: str) -> None:
    display = _display()
    if display is not None and display.get_init():
        player.fail(
            f"a pygame display was opened by {when}",
            "no display before the first frame is shown: machines that train have none",
            "import pygame and call display.init() in render() only",
        )


@contextlib.contextmanager
def _dummy_screen() -> Iterator[None]:
    before = os.environ.get("SDL_VIDEODRIVER")
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    try:
        yield
    finally:
        _close_windows()
        if before is None:
            del os.environ["SDL_VIDEODRIVER"]
        else:
            os.environ["SDL_VIDEODRIVER"] = before
