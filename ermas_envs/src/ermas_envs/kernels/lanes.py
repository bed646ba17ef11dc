"""Copies in vector registers, of map rows and rows of prices: what most of an observation is made of.

A compiler does not do this by itself, because it cannot know that source and target are different memory. Sixteen tiles
are read and written at once; what a short row writes past its end is overwritten by the next row, or rectangle, so that
only the last rows of the last rectangle are copied tile by tile.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ermas_envs.base.arrays import Array, BoolArray
from ermas_envs.kernels.compiled import internal

LANES = 16
"""Tiles that are copied at once; sources must have so many elements more behind their end."""


_DATA = 4
"""Position of the data pointer in Numba's struct of an array: meminfo, parent, nitems, itemsize, data, …"""


def _lanes(codegen: Any, plain: Any) -> Any:
    """The instructions of `codegen`; `plain`, which does the same, where kernels are played in Python.

    `plain` does not see what lies behind the end of its arrays, and leaves out what a later call would overwrite.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return plain
    found = intrinsic(codegen)
    base = type(found)  # of Numba's, which says at a call from Python that there is no such thing
    found.__class__ = type(base.__name__, (base,), {"__call__": lambda _, *arguments: plain(*arguments)})
    return found


def _copy_lanes_codegen(typing_context: Any, target: Any, to: Any, source: Any, start: Any, me: Any) -> Any:
    """target.flat[to : to + LANES] = source.flat[start : start + LANES], with 1 where the source is `me`.

    C-contiguous arrays; the source of unsigned or small signed integers without negative values, the target of float32
    or integers.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target_type, _, source_type, _, _ = signature.args
        into, out_of = (builder.extract_value(arguments[position], _DATA) for position in (0, 2))
        element = context.get_data_type(source_type.dtype)
        vector = ir.VectorType(element, LANES)
        pointer = builder.bitcast(builder.gep(out_of, [arguments[3]]), vector.as_pointer())
        values = builder.load(pointer)
        values.align = element.width // 8
        mine = builder.trunc(arguments[4], element)
        undefined = ir.Constant(vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        filled = builder.shuffle_vector(
            builder.insert_element(undefined, mine, ir.Constant(ir.IntType(32), 0)), undefined, zeros
        )
        ones = ir.Constant(vector, [1] * LANES)
        values = builder.select(builder.icmp_unsigned("==", values, filled), ones, values)
        result = context.get_data_type(target_type.dtype)
        wide = ir.VectorType(result, LANES)
        if isinstance(result, ir.FloatType):
            values = builder.uitofp(values, wide)
        elif result.width < element.width:
            values = builder.trunc(values, wide)
        elif result.width > element.width:
            values = builder.zext(values, wide)
        place = builder.bitcast(builder.gep(into, [arguments[1]]), wide.as_pointer())
        stored = builder.store(values, place)
        stored.align = 4 if isinstance(result, ir.FloatType) else result.width // 8
        return context.get_dummy_value()

    return types.void(target, types.int64, source, types.int64, types.int64), codegen


def _copy_lanes_plain(target: Array, to: int, source: Array, start: int, me: int) -> None:
    values = source.reshape(-1)[start : start + LANES]
    target.reshape(-1)[to : to + len(values)] = np.where(values == me, 1, values)


_copy_lanes = _lanes(_copy_lanes_codegen, _copy_lanes_plain)


def _difference_lanes_codegen(
    typing_context: Any, target: Any, to: Any, minuend: Any, subtrahend: Any, start: Any
) -> Any:
    """target.flat[to : to + LANES] = (minuend − subtrahend).flat[start : start + LANES]; integers into float32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, first, second = (builder.extract_value(arguments[position], _DATA) for position in (0, 2, 3))
        element = context.get_data_type(signature.args[2].dtype)
        parts = []
        for out_of in (first, second):
            pointer = builder.gep(out_of, [arguments[4]])
            values = builder.load(builder.bitcast(pointer, ir.VectorType(element, LANES).as_pointer()))
            values.align = element.width // 8
            parts.append(values)
        wide = ir.VectorType(ir.FloatType(), LANES)
        place = builder.bitcast(builder.gep(into, [arguments[1]]), wide.as_pointer())
        stored = builder.store(builder.sitofp(builder.sub(*parts), wide), place)
        stored.align = 4
        return context.get_dummy_value()

    return types.void(target, types.int64, minuend, subtrahend, types.int64), codegen


def _difference_lanes_plain(target: Array, to: int, minuend: Array, subtrahend: Array, start: int) -> None:
    values = minuend[start : start + LANES] - subtrahend[start : start + LANES]
    target[to : to + len(values)] = values


_difference_lanes = _lanes(_difference_lanes_codegen, _difference_lanes_plain)


def _below_lanes_codegen(typing_context: Any, target: Any, to: Any, limit: Any) -> Any:
    """target.flat[to : to + LANES] = (0, …, LANES − 1) < limit; limit in 0 … LANES, target of bool."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8)
        vector = ir.VectorType(byte, LANES)
        into = builder.extract_value(arguments[0], _DATA)
        limit = builder.insert_element(
            ir.Constant(vector, ir.Undefined), builder.trunc(arguments[2], byte), ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        limits = builder.shuffle_vector(limit, ir.Constant(vector, ir.Undefined), zeros)
        numbers = ir.Constant(vector, list(range(LANES)))
        values = builder.zext(builder.icmp_unsigned("<", numbers, limits), vector)
        pointer = builder.gep(builder.bitcast(into, byte.as_pointer()), [arguments[1]])
        stored = builder.store(values, builder.bitcast(pointer, vector.as_pointer()))
        stored.align = 1
        return context.get_dummy_value()

    return types.void(target, types.int64, types.int64), codegen


def _below_lanes_plain(target: Array, to: int, limit: int) -> None:
    target[to : to + LANES] = np.arange(LANES) < limit


_below_lanes = _lanes(_below_lanes_codegen, _below_lanes_plain)


@internal
def write_difference(target: Array, first: int, minuend: Array, subtrahend: Array) -> None:
    """Write minuend − subtrahend into target, from element `first` on.

    Args:
        target: 1-D float32; as in `copy_rectangle`, up to `LANES` elements more are written, as far as it reaches.
        first: index of the first element.
        minuend: 1-D C-contiguous integers, with `LANES` elements more behind its end, like the subtrahend.
        subtrahend: as many integers.
    """
    index = 0
    while index < len(minuend) and first + index + LANES <= len(target):
        _difference_lanes(target, first + index, minuend, subtrahend, index)
        index += LANES
    while index < len(minuend):
        target[first + index] = minuend[index] - subtrahend[index]
        index += 1


@internal
def write_below(target: BoolArray, first: int, size: int, limit: int) -> None:
    """Write 0 < limit, …, size − 1 < limit into target, from element `first` on, and more as `write_difference`."""
    index = 0
    while index < size and first + index + LANES <= len(target):
        _below_lanes(target, first + index, min(max(limit - index, 0), LANES))
        index += LANES
    while index < size:
        target[first + index] = index < limit
        index += 1


@internal
def copy_rectangle(
    source: Array, start: int, stride: int, rows: int, columns: int, target: Array, first: int, me: int
) -> None:
    """Copy a rectangle of a map; both arrays are C-contiguous, of any shape, and their elements are counted in order.

    Args:
        source: integers ≥ 0, with `LANES` elements more behind its end.
        start: the rectangle's first element in the source.
        stride: from one of its rows to the next.
        rows: number of rows.
        columns: number of columns.
        target: float32 or integers; rows · columns elements from `first` on are written, and up to `LANES` more as far
            as it reaches, which a later call must write: rectangles are copied in the order in which they stand.
        first: where its first element goes.
        me: value that is written as 1; −1 for none, where the source's largest value must not occur.
    """
    last = target.size - LANES
    row, to = 0, first
    if columns <= LANES:  # nearly every rectangle: without a loop over the columns, rows take half as long
        while row < rows and to <= last:
            _copy_lanes(target, to, source, start, me)
            row += 1
            start += stride
            to += columns
    while row < rows:  # `while`: with `for` the compiler unrolls the short tail into something four times as slow
        column = 0
        while column < columns and to + column <= last:
            _copy_lanes(target, to + column, source, start + column, me)
            column += LANES
        while column < columns:
            value = source.flat[start + column]
            target.flat[to + column] = 1 if value == me else value
            column += 1
        row += 1
        start += stride
        to += columns
