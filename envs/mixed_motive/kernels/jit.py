"""How every kernel is compiled: without the GIL, cached on disk, one thread.

numba keeps the cache beside the source, or, where that is read-only, in the user's cache folder; the
environment variable NUMBA_CACHE_DIR names another place. It notices a changed file, but not a change in a
file from which functions are called: after an edit of `rng.py` or `shared.py` delete `kernels/__pycache__`.
"""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled"]

_F = TypeVar("_F", bound=Callable[..., Any])


def compiled(function: _F) -> _F:
    """Compile on the first call; from the cache where there is one."""
    try:
        return cast(_F, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError as error:
        warnings.warn(
            f"numba found no folder to keep compiled code in ({error}), so each process compiles the games "
            "again, for seconds. Set NUMBA_CACHE_DIR to a writeable folder.",
            RuntimeWarning,
            stacklevel=2,
        )
        return cast(_F, numba.njit(nogil=True)(function))
