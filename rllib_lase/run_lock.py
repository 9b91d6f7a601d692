"""Who writes the folder of a run or a search: one process, by a lock that ends with it.

It is `flock` (Linux, macOS) on a file in the folder: nothing outlives a process that was killed. Between
hosts it holds where the shared file system passes such locks on. NFS does unless mounted with `nolock` or
`local_lock`, Lustre does if mounted with `flock`; with other options hosts do not see each other's locks,
and nobody can tell. An NFS server that believes a host to be dead gives its locks away, though the process
may live. File systems that know no locks get a warning and no guard. A child that the process has forked
keeps the lock, too, as long as it lives.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import time
import warnings
import weakref
from pathlib import Path

from rllib_lase.run_schema import RunError

LOCK_FILE = ".writer"
#: Whoever asks whether a folder is free holds its lock for a moment.
_TRIES, _PAUSE_SECONDS = 5, 0.01
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


class WriterLock:
    """Held from its making until `release`, or until its process ends.

    Args:
        folder: What is written.
        take: Take the folder from a writer that will not go on, though its process may live.

    Raises:
        RunError: another process writes the folder, or this one does already.
    """

    def __init__(self, folder: Path, *, take: bool = False) -> None:
        self._path = folder / LOCK_FILE
        if take:
            self._path.unlink(missing_ok=True)
        self._file = _locked_file(self._path)
        since = time.strftime("%Y-%m-%d %H:%M:%S %Z")
        owner = {"pid": os.getpid(), "host": platform.node(), "since": since}
        os.ftruncate(self._file, 0)
        os.write(self._file, json.dumps(owner).encode())
        self._release = weakref.finalize(self, _let_go, self._path, self._file, os.getpid())

    @property
    def is_lost(self) -> bool:
        """Whether somebody else took the folder."""
        return not _is_at(self._path, self._file)

    def release(self) -> None:
        """Lets the folder go; harmless if repeated."""
        self._release()


def writer_problem(folder: Path) -> str | None:
    """Who writes a folder now, with the cure; None if nobody does. Changes nothing."""
    try:
        file = os.open(folder / LOCK_FILE, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _description(folder, file) if _try_lock(file, fcntl.LOCK_SH) is False else None
    finally:
        os.close(file)


def _locked_file(path: Path) -> int:
    tries = _TRIES
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        locked = _try_lock(file, fcntl.LOCK_EX)
        if locked is None:
            warnings.warn(
                f"{path.parent}: this file system knows no locks. Nothing keeps a second process from "
                "writing here; see to it yourself.",
                stacklevel=2,
            )
            return file
        if locked and _is_at(path, file):  # else whoever held it has removed it meanwhile
            return file
        problem = _description(path.parent, file)
        os.close(file)
        tries -= not locked
        if tries == 0:
            raise RunError(problem)
        time.sleep(_PAUSE_SECONDS)


def _try_lock(file: int, kind: int) -> bool | None:
    """Locks a file: False if another holds it, None if the file system knows no locks."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # which of them is up to the file system
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _let_go(path: Path, file: int, maker: int) -> None:
    if os.getpid() != maker:  # a forked child ends; the lock is its parent's
        return
    if _is_at(path, file):
        path.unlink(missing_ok=True)
    os.close(file)


def _description(folder: Path, file: int) -> str:
    who, end = "another process is writing this folder", "end it"
    with contextlib.suppress(ValueError, KeyError):  # it has not said who it is yet
        owner = json.loads(os.read(file, 1_000))
        who = f"process {owner['pid']} on {owner['host']} has been writing this folder since {owner['since']}"
        end = f"end it (kill {owner['pid']} on {owner['host']})"
    return f"{folder}: {who}. Wait for it, {end}, or choose another folder (--out)."
