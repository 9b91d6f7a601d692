"""What numba does not do by itself: move eight bytes of an array at once, and ask for memory ahead.

Eight bytes are one unsigned number whose lowest byte comes first.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mixed_motive.kernels.jit import compiled

__all__ = ["load_word", "prefetch", "reverse_bytes", "store_word"]

_8, _16, _32 = np.uint64(8), np.uint64(16), np.uint64(32)
_EVEN_BYTES, _EVEN_PAIRS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.IntType(64).as_pointer())


def _load_word(typingctx: Any, array: Any, index: Any) -> Any:
    """The eight bytes of a uint8 array from an index on. The caller sees to it that they exist."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], arguments[0], arguments[1])
        return builder.load(address, align=1)

    return types.uint64(array, types.uint64), code


def _store_word(typingctx: Any, array: Any, index: Any, word: Any) -> Any:
    """Set the eight bytes of a uint8 array from an index on. The caller sees to it that they exist."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(arguments[2], address, align=1)
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.uint64), code


def _prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Ask for the memory of a uint8 array's element before it is needed."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.gep(data, [arguments[1]])
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        builder.call(function, [address, number(0), number(3), number(1)])  # for reading, keep, data
        return context.get_dummy_value()

    return types.void(array, types.uint64), code


# The checker takes numba's type for the decorated functions as that of their own, with the typing context.
load_word: Any = intrinsic(_load_word)
store_word: Any = intrinsic(_store_word)
prefetch: Any = intrinsic(_prefetch)


@compiled
def reverse_bytes(word: np.uint64) -> np.uint64:
    """The bytes in the opposite order."""
    word = ((word >> _8) & _EVEN_BYTES) | ((word & _EVEN_BYTES) << _8)
    word = ((word >> _16) & _EVEN_PAIRS) | ((word & _EVEN_PAIRS) << _16)
    return (word >> _32) | (word << _32)
