"""How every kernel is compiled: without the GIL, cached on disk, one thread.

numba keeps compiled code beside the source or, where that is read-only, in the user's cache folder; the
environment variable NUMBA_CACHE_DIR names another place.
"""

import contextlib
import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled"]

_F = TypeVar("_F", bound=Callable[..., Any])


def compiled(function: _F) -> _F:
    """Compile on the first call; from the cache where there is one that is up to date."""
    try:
        dispatcher = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        warnings.warn(
            "numba found no folder to keep compiled code in, so every process compiles the games again, for "
            "seconds. Set NUMBA_CACHE_DIR to a writeable folder.",
            RuntimeWarning,
            stacklevel=1,
        )
        return cast(_F, numba.njit(nogil=True)(function))
    _drop_outdated(Path(str(dispatcher.stats.cache_path)), function)
    return cast(_F, dispatcher)


def _drop_outdated(folder: Path, function: Callable[..., Any]) -> None:
    """Drop a function's cache if it is older than any file that its code may come from.

    numba itself compares with the function's own file only, not with those of functions and constants in it.
    """
    stem = Path(function.__code__.co_filename).stem
    for index in folder.glob(f"{stem}.{function.__qualname__}-*.nbi"):
        with contextlib.suppress(FileNotFoundError):  # another process was first
            if index.stat().st_mtime < _newest_source():
                index.unlink()


@functools.cache
def _newest_source() -> float:
    package = Path(__file__).parents[1]
    sources = [package / "encodings.py", *package.glob("kernels/*.py"), *package.glob("games/*.py")]
    return max(path.stat().st_mtime for path in sources)
