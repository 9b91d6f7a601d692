"""Compiled side of `mixed_motive.threads`: how threads share one step of a batch without the GIL.

A batch is cut into chunks, and each thread takes the next one that nobody has: one that is late costs the
others nothing. Whoever finds no chunk spins for a while on words in memory, because waking a thread that
waits in the operating system takes about as long as stepping a small batch.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils
from numba.core import types as nb
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from mixed_motive.kernels.jit import compiled, inner

__all__ = ["LEADER", "end", "new_signals", "next_asleep", "note", "offer", "worker_of"]

# Words of the signals. Over the crew's whole life: chunks offered, or -1 once the crew has ended; chunks
# taken; chunks done. Then for each thread: 1 from before it sleeps until somebody has undertaken to wake it.
_OFFERED, _TAKEN, _DONE, _ASLEEP = range(4)
_ENDED = -1
# int64 from word to word: two cache lines, so that no two words share one, wherever the array begins.
_APART = 16
#: The thread that calls `step`; followers count from 1.
LEADER = 0
# Looks at memory before a thread gives up its core: about a millisecond for a follower without work, and a
# fifth of that for the leader, whose followers are at work, if there is a core for them.
_LOOKS_FOR_WORK, _LOOKS_FOR_OTHERS = 1_000_000, 200_000


# numba annotates only what a decorated function is before.
_intrinsic: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic


def new_signals(num_threads: int) -> npt.NDArray[np.int64]:
    """Words by which the threads of one game signal: nothing to do, nobody asleep."""
    return np.zeros((_ASLEEP + num_threads) * _APART, np.int64)


def _place(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [builder.mul(args[1], ir.Constant(ir.IntType(64), _APART))])


# Operations on a word of the signals that are indivisible, and in one order for all threads.


@_intrinsic
def _load(context: Any, signals: Any, word: Any) -> Any:
    """A word; with it, all that its writer wrote before."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_place(context, builder, signature, args), "seq_cst", 8)

    return nb.int64(signals, nb.int64), build


@_intrinsic
def _store(context: Any, signals: Any, word: Any, value: Any) -> Any:
    """Write a word."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[2], _place(context, builder, signature, args), "seq_cst", 8)
        return context.get_dummy_value()

    return nb.void(signals, nb.int64, nb.int64), build


@_intrinsic
def _add(context: Any, signals: Any, word: Any, value: Any) -> Any:
    """Add to a word; returns what it was."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _place(context, builder, signature, args), args[2], "seq_cst")

    return nb.int64(signals, nb.int64, nb.int64), build


@_intrinsic
def _replace(context: Any, signals: Any, word: Any, old: Any, new: Any) -> Any:
    """Write `new` where a word is `old`; returns whether it was."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature, args)
        return builder.extract_value(builder.cmpxchg(place, args[2], args[3], "seq_cst"), 1)

    return nb.boolean(signals, nb.int64, nb.int64, nb.int64), build


@_intrinsic
def _store_addresses(context: Any, addresses: Any, arrays: Any) -> Any:
    """Write where each array of a tuple begins."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = make_array(addresses)(context, builder, args[0]).data
        for k, kind in enumerate(arrays):
            array = make_array(kind)(context, builder, builder.extract_value(args[1], k))
            address = builder.ptrtoint(array.data, ir.IntType(64))
            builder.store(address, builder.gep(words, [ir.Constant(ir.IntType(64), k)]))
        return context.get_dummy_value()

    return nb.void(addresses, arrays), build


@_intrinsic
def _rows(context: Any, arrays: Any, addresses: Any, first: Any, count: Any) -> Any:
    """Some rows of C-contiguous arrays like those of a tuple, which begin at the addresses."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        words = make_array(addresses)(context, builder, args[1]).data
        views = []
        for k, kind in enumerate(arrays):
            like = make_array(kind)(context, builder, builder.extract_value(args[0], k))
            begin = builder.load(builder.gep(words, [ir.Constant(ir.IntType(64), k)]))
            strides = cgutils.unpack_tuple(builder, like.strides, kind.ndim)
            shape = [args[3], *cgutils.unpack_tuple(builder, like.shape, kind.ndim)[1:]]
            address = builder.add(begin, builder.mul(args[2], strides[0]))
            view = make_array(kind)(context, builder)
            populate_array(
                view,
                data=builder.inttoptr(address, like.data.type),
                shape=shape,
                strides=strides,
                itemsize=like.itemsize,
                meminfo=None,
            )
            views.append(view._getvalue())
        return context.make_tuple(builder, signature.return_type, views)

    return nb.Tuple(tuple(arrays))(arrays, addresses, nb.int64, nb.int64), build


@compiled
def note(addresses: npt.NDArray[np.int64], *arrays: npt.NDArray[Any]) -> None:
    """Write down where arrays begin: the crew works on them from now on."""
    _store_addresses(addresses, arrays)


@compiled
def offer(signals: npt.NDArray[np.int64], num_chunks: int) -> int:
    """Offer chunks to all threads; returns a follower to wake, see `next_asleep`."""
    _add(signals, _OFFERED, num_chunks)
    return next_asleep(signals)


@compiled
def end(signals: npt.NDArray[np.int64]) -> int:
    """Let the followers end; returns one to wake, see `next_asleep`."""
    _store(signals, _OFFERED, _ENDED)
    return next_asleep(signals)


@compiled
def next_asleep(signals: npt.NDArray[np.int64]) -> int:
    """A follower that sleeps and that the caller must wake, as nobody else will; `LEADER` if none does."""
    for k in range(1, signals.shape[0] // _APART - _ASLEEP):
        if _replace(signals, _ASLEEP + k, 1, 0):
            return k
    return LEADER


@inner
def _take(signals: npt.NDArray[np.int64]) -> int:
    """Number of a chunk that nobody else has; -1 if there is none."""
    while True:
        taken: int = _load(signals, _TAKEN)
        if taken >= _load(signals, _OFFERED):
            return -1
        if _replace(signals, _TAKEN, taken, taken + 1):
            return taken


@inner
def _leaves(k: int, signals: npt.NDArray[np.int64], looks: int) -> bool:
    """Whether thread k, which has looked so often and found no chunk, must leave."""
    if k == LEADER:
        return bool(looks == _LOOKS_FOR_OTHERS or _load(signals, _DONE) == _load(signals, _OFFERED))
    if looks < _LOOKS_FOR_WORK:
        return bool(_load(signals, _OFFERED) == _ENDED)
    _store(signals, _ASLEEP + k, 1)
    # The leader offers first and then looks who sleeps; so one of the two sees the other.
    offered = _load(signals, _OFFERED)
    nothing = offered == _load(signals, _TAKEN) or offered == _ENDED
    return bool(nothing or not _replace(signals, _ASLEEP + k, 1, 0))


#: The step of a game's kernel, for each `_work` its own: see `worker_of`.
step: Callable[..., int]


def _work(
    k: int,
    signals: npt.NDArray[np.int64],
    addresses: npt.NDArray[np.int64],
    num_chunks: int,
    arrays: Any,
    constants: Any,
) -> bool:
    """Step chunks of a batch for as long as there are any.

    Args:
        k: This thread: `LEADER` or a follower.
        signals: From `new_signals`.
        addresses: Where the arrays begin whose rows are stepped.
        num_chunks: Into how many the batch is cut.
        arrays: (B, ...) each: arrays as those; what `step` takes first.
        constants: What `step` takes last.

    Returns:
        For the leader, whether all chunks are done: if not, call again, after a while. For a follower,
        whether it must sleep until it is woken: if not, the crew has ended.
    """
    num_envs, looks = arrays[0].shape[0], 0
    while True:
        taken = _take(signals)
        if taken >= 0:
            first = num_envs * (taken % num_chunks) // num_chunks
            last = num_envs * (taken % num_chunks + 1) // num_chunks
            step(*(_rows(arrays, addresses, first, last - first) + constants))  # noqa: F821
            _add(signals, _DONE, 1)
            looks = 0
        elif _leaves(k, signals, looks):
            break
        else:
            looks += 1
    if k == LEADER:
        return bool(_load(signals, _DONE) == _load(signals, _OFFERED))
    return bool(_load(signals, _OFFERED) != _ENDED)


@functools.cache
def worker_of(kernel: ModuleType) -> Callable[..., bool]:
    """`_work` with the step of a game's kernel.

    It has a name of its own for each kernel, because numba keeps compiled code by name, and the step as a
    global, because numba does not keep code that takes a function as an argument.
    """
    name = f"work_{kernel.__name__.rpartition('.')[2]}"
    worker = types.FunctionType(_work.__code__, {**globals(), "step": kernel.step}, name)
    worker.__qualname__ = name
    return compiled(worker)
