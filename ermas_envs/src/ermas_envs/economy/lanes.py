"""Copies of map rows in vector registers: what most of an observation is made of.

A compiler does not do this by itself, because it cannot know that source and target are different memory. Sixteen tiles
are read and written at once; what a short row writes past its end is overwritten by the next row, so that only the last
rows of a rectangle are copied tile by tile.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ermas_envs.arrays import Array
from ermas_envs.economy.compiled import compiled

LANES = 16
"""Tiles that are copied at once; sources must have so many elements more behind their end."""


_DATA = 4
"""Position of the data pointer in Numba's struct of an array: meminfo, parent, nitems, itemsize, data, …"""


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


_copy_lanes: Any = intrinsic(_copy_lanes_codegen)


@compiled
def copy_rectangle(
    source: Array, top: int, left: int, rows: int, columns: int, target: Array, first: int, me: int
) -> None:
    """Copy a rectangle of a map.

    Args:
        source: (height, width) C-contiguous, of integers ≥ 0, with `LANES` elements more behind its end.
        top: first row.
        left: first column.
        rows: number of rows.
        columns: number of columns.
        target: 1-D, float32 or integers; rows · columns elements from `first` on are written.
        first: index of the first one.
        me: value that is written as 1; −1 for none, where the source's largest value must not occur.
    """
    end = first + rows * columns
    start = top * source.shape[1] + left
    row, to = 0, first
    while row < rows:  # `while`: with `for` the compiler unrolls the short tail into something four times as slow
        column = 0
        while column < columns and to + column + LANES <= end:
            _copy_lanes(target, to + column, source, start + column, me)
            column += LANES
        while column < columns:
            value = source[top + row, left + column]
            target[to + column] = 1 if value == me else value
            column += 1
        row += 1
        start += source.shape[1]
        to += columns
