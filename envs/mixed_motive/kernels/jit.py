"""How every kernel is compiled: without the GIL, cached on disk, one thread.

numba keeps compiled code beside the source or, where that is read-only, in the user's cache folder; the
environment variable NUMBA_CACHE_DIR names another place.
"""

import contextlib
import functools
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.extending import register_jitable

__all__ = ["compiled", "inner"]

_F = TypeVar("_F", bound=Callable[..., Any])

# Without the GIL, without checks for division by zero, without an entry from C.
_ENTRY: Mapping[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def compiled(function: _F) -> _F:
    """Compile on the first call; from the cache where there is one that is up to date."""
    try:
        dispatcher = numba.njit(cache=True, **_ENTRY)(function)
    except RuntimeError:
        warnings.warn(
            "numba found no folder to keep compiled code in, so every process compiles the games again, for "
            "seconds. Set NUMBA_CACHE_DIR to a writeable folder.",
            RuntimeWarning,
            stacklevel=1,
        )
        return cast(_F, numba.njit(**_ENTRY)(function))
    _drop_outdated(Path(str(dispatcher.stats.cache_path)), function)
    return cast(_F, dispatcher)


def inner(function: _F) -> _F:
    """Compile as part of compiled functions, which must allocate what it needs; from Python it is as written.

    An entry from Python, a cache and counted references for each would cost a game seconds on its first step.
    """
    return register_jitable(error_model="numpy", no_cfunc_wrapper=True, _nrt=False)(function)


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
    sources = [package / "counters.py", package / "encodings.py"]
    sources += [*package.glob("kernels/*.py"), *package.glob("games/*.py")]
    return max(path.stat().st_mtime for path in sources)
