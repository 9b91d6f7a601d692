"""Threads that step one batch together: the caller's own, which leads, and followers.

Knows a game's kernel and its arrays, not the game. Imported only by games with more than one thread.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mixed_motive.kernels import crew

__all__ = ["Crew"]

_Arrays = tuple[npt.NDArray[Any], ...]
# Chunks for each thread, at most: many even out threads that are late, but each costs about a microsecond.
_CHUNKS_EACH = 8
# Seconds that the leader leaves its core to others once it has spun for them in vain.
_NAP = 5e-5


class Crew:
    """Steps batches of one game by several threads.

    The followers start with the first step and end with this object. After about a millisecond without a step
    they sleep; the next step then begins without them and has them woken.

    Args:
        kernel: Module with the compiled `step`.
        num_threads: Threads, at least 2 and at most the copies of the game.
        state: (B, ...) each, C-contiguous: what `step` takes first. The same arrays in every step.
        constants: What `step` takes last.
    """

    def __init__(
        self, kernel: ModuleType, num_threads: int, state: _Arrays, constants: tuple[Any, ...]
    ) -> None:
        self._work, self._num_threads = crew.worker_of(kernel), num_threads
        self._num_chunks = min(len(state[0]), num_threads * _CHUNKS_EACH)
        self._state, self._constants = state, constants
        self._out: _Arrays = ()
        self._process: int | None = None  # where the followers run: a fork has none

    def step(self, out: _Arrays) -> None:
        """Step the whole batch, whose actions must be valid.

        Args:
            out: (B, ...) each, C-contiguous: what `step` takes between state and constants.

        Raises:
            Exception: What stepping raised in one of the threads, e.g. for lack of memory. The state is
                undefined then.
        """
        if self._process != os.getpid():
            self._start(out)
        if out is not self._out:
            self._arrays = (*self._state, *out)
            crew.note(self._addresses, *self._arrays)
            self._out = out
        try:
            _wake(self._locks, self._signals, crew.offer(self._signals, self._num_chunks))
            while not self._work(crew.LEADER, *self._shared, self._arrays, self._constants):
                if self._failures:
                    raise self._failures[0]
                time.sleep(_NAP)
        except BaseException:  # of an interruption, too: nobody works on after a step
            self._end()
            self._process = None
            raise

    def _start(self, out: _Arrays) -> None:
        self._signals = crew.new_signals(self._num_threads)
        self._addresses = np.zeros(len(self._state) + len(out), np.int64)
        self._shared = (self._signals, self._addresses, self._num_chunks)
        arrays = (*self._state, *out)
        self._work(crew.LEADER, *self._shared, arrays, self._constants)  # compiles; there is nothing to do
        self._locks = [threading.Lock() for _ in range(self._num_threads)]
        self._failures: list[BaseException] = []
        threads: list[threading.Thread] = []
        self._end = weakref.finalize(self, _end, self._signals, self._locks, threads)
        try:
            for k, lock in enumerate(self._locks[1:], start=1):
                lock.acquire()
                follower = (self._work, (k, *self._shared, arrays, self._constants), lock, self._failures)
                thread = threading.Thread(target=_follow, args=follower, daemon=True)
                thread.start()
                threads.append(thread)
        except BaseException:
            self._end()
            raise
        self._out, self._process = (), os.getpid()


def _follow(
    work: Callable[..., bool],
    arguments: tuple[Any, ...],
    lock: threading.Lock,
    failures: list[BaseException],
) -> None:
    """A follower's life. It must hold nothing that leads to its `Crew`, which would never be dropped then."""
    try:
        while work(*arguments):
            lock.acquire()
    except BaseException as error:
        failures.append(error)


def _wake(locks: Sequence[threading.Lock], signals: npt.NDArray[np.int64], k: int) -> None:
    while k != crew.LEADER:
        locks[k].release()
        k = crew.next_asleep(signals)


def _end(
    signals: npt.NDArray[np.int64], locks: Sequence[threading.Lock], threads: Sequence[threading.Thread]
) -> None:
    """End the followers: when the crew is dropped, or before the interpreter ends."""
    _wake(locks, signals, crew.end(signals))
    for thread in threads:
        if thread is not threading.current_thread():  # a follower's own allocation may collect the crew
            thread.join()
