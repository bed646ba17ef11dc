"""Sorting of a few hundred numbers inside kernels, which allocate nothing: by counting, in a known order, by a heap."""

import math

from ermas_envs.base.arrays import Array, FloatArray
from ermas_envs.kernels.compiled import compiled

# Up to so many values are sorted by counting.
RANKED = 512


@compiled
def sorted_into(values: FloatArray, out: FloatArray) -> None:
    """Write values (n,), none of them NaN, in ascending order into out (n,), which is another array.

    Up to RANKED values each one's place is found by counting smaller ones: n² comparisons that do not depend on one
    another and that the processor does several at a time, faster than a sort, whose branches it guesses wrongly.
    """
    count = len(values)
    for index in range(count):
        out[index] = values[index]
    if is_ascending(values):
        return
    if count > RANKED:
        heap_sort(out, count)
        return
    out[:] = math.nan
    for index in range(count):
        value, smaller = values[index], 0
        for other in range(count):
            smaller += values[other] < value
        out[smaller] = value
    for index in range(1, count):
        if math.isnan(out[index]):  # equal values have the same place
            out[index] = out[index - 1]


@compiled
def sort_in_order(values: FloatArray, order: Array, out: FloatArray) -> None:
    """`sorted_into`, beginning with the order in which values were sorted before.

    Where few have changed places since, as taxes leave nearly everybody's rank, that takes n steps.

    Args:
        values: (n,) none of them NaN.
        order: (n,) any permutation of 0 … n − 1; up to RANKED values it becomes that of the sorted ones.
        out: (n,) another array.
    """
    count, falls = len(values), 0
    for place in range(count):
        out[place] = values[order[place]]
    for place in range(1, count):
        falls += out[place] < out[place - 1]
    if 8 * falls > count or (falls > 0 and not _inserted(out, order)):
        if count > RANKED:
            sorted_into(values, out)
        else:
            _rank(values, order, out)


@compiled
def _inserted(values: FloatArray, order: Array) -> bool:
    """Sort values, and their order, in place by insertion; False if that takes too long, and some are not sorted."""
    left = 4 * len(values)
    for end in range(1, len(values)):
        value, which, place = values[end], order[end], end
        while place > 0 and values[place - 1] > value:
            values[place], order[place] = values[place - 1], order[place - 1]
            place -= 1
        values[place], order[place] = value, which
        left -= end - place
        if left < 0:
            return False
    return True


@compiled
def _rank(values: FloatArray, order: Array, out: FloatArray) -> None:
    """Write values in ascending order into out, and the order itself; see `sorted_into`."""
    count = len(values)
    for place in range(count):
        order[place] = -1
    for index in range(count):
        value, place = values[index], 0
        for other in range(count):
            place += values[other] < value
        while order[place] >= 0:  # equal values stand side by side
            place += 1
        order[place] = index
        out[place] = value


@compiled
def is_ascending(values: FloatArray) -> bool:
    """Whether values are sorted, as they are where nobody has anything yet."""
    for index in range(1, len(values)):
        if values[index] < values[index - 1]:
            return False
    return True


@compiled
def heap_sort(values: FloatArray, count: int) -> None:
    """Sort values[:count] ascending in place, O(n log n) whatever their order (Williams 1964).

    Numba's own sort allocates its stack at every call.
    """
    for root in range(count // 2 - 1, -1, -1):
        _sift_down(values, root, count)
    for end in range(count - 1, 0, -1):
        values[0], values[end] = values[end], values[0]
        _sift_down(values, 0, end)


@compiled
def _sift_down(values: FloatArray, root: int, end: int) -> None:
    """Restore the heap order of values[root:end] whose only offender may be the root."""
    moved = values[root]
    child = 2 * root + 1
    while child < end:
        if child + 1 < end and values[child + 1] > values[child]:
            child += 1
        if values[child] <= moved:
            break
        values[root] = values[child]
        root, child = child, 2 * child + 1
    values[root] = moved
