"""What numba does not do by itself: move or compare many bytes of an array at once, ask for memory ahead.

Eight bytes are one unsigned number whose lowest byte comes first.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mixed_motive.kernels.jit import inner

__all__ = ["load_word", "mark_block", "prefetch", "reverse_bytes", "store_word", "transpose_block"]

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


def _transpose_block(
    typingctx: Any, array: Any, first: Any, step: Any, out: Any, out_first: Any, out_step: Any
) -> Any:
    """Copy a block of 8x8 bytes with rows and columns exchanged.

    Rows are words, `step` bytes apart from index `first` on; in `out` they are `out_step` apart. The caller
    sees to it that they exist.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at, step, out, out_at, out_step = arguments
        number = ir.IntType(32)
        rows = ir.Constant(ir.VectorType(ir.IntType(64), 8), ir.Undefined)
        for k in range(8):
            address = _address(context, builder, signature.args[0], array, at)
            rows = builder.insert_element(rows, builder.load(address, align=1), number(k))
            at = builder.add(at, step)
        # One instruction or a few, whatever the processor has.
        order = ir.Constant(ir.VectorType(number, 64), [8 * c + r for r in range(8) for c in range(8)])
        cells = builder.bitcast(rows, ir.VectorType(ir.IntType(8), 64))
        cells = builder.shuffle_vector(cells, ir.Constant(cells.type, ir.Undefined), order)
        turned = builder.bitcast(cells, rows.type)
        for k in range(8):
            address = _address(context, builder, signature.args[3], out, out_at)
            builder.store(builder.extract_element(turned, number(k)), address, align=1)
            out_at = builder.add(out_at, out_step)
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.uint64, out, types.uint64, types.uint64), code


def _mark_block(
    typingctx: Any, array: Any, index: Any, mask: Any, code: Any, out: Any, out_index: Any
) -> Any:
    """Set 32 bytes of `out` to 1 where the mask's bits of the array's bytes are the code, else to 0."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, index, mask, code, out, out_index = arguments
        block = ir.VectorType(ir.IntType(8), 32)
        undefined, first = ir.Constant(block, ir.Undefined), ir.IntType(32)(0)
        all_first = ir.Constant(ir.VectorType(ir.IntType(32), 32), [0] * 32)

        def spread(byte: Any) -> Any:
            return builder.shuffle_vector(
                builder.insert_element(undefined, byte, first), undefined, all_first
            )

        source = _address(context, builder, signature.args[0], array, index)
        target = _address(context, builder, signature.args[4], out, out_index)
        bits = builder.and_(builder.load(builder.bitcast(source, block.as_pointer()), align=1), spread(mask))
        marks = builder.zext(builder.icmp_unsigned("==", bits, spread(code)), block)
        builder.store(marks, builder.bitcast(target, block.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(array, types.uint64, types.uint8, types.uint8, out, types.uint64), emit


# The checker takes numba's type for the decorated functions as that of their own, with the typing context.
load_word: Any = intrinsic(_load_word)
store_word: Any = intrinsic(_store_word)
prefetch: Any = intrinsic(_prefetch)
transpose_block: Any = intrinsic(_transpose_block)
mark_block: Any = intrinsic(_mark_block)


@inner
def reverse_bytes(word: np.uint64) -> np.uint64:
    """The bytes in the opposite order."""
    word = ((word >> _8) & _EVEN_BYTES) | ((word & _EVEN_BYTES) << _8)
    word = ((word >> _16) & _EVEN_PAIRS) | ((word & _EVEN_PAIRS) << _16)
    return (word >> _32) | (word << _32)
