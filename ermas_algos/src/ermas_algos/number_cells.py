"""Several numbers as one cell of a table, such as the rates of a tax schedule."""

from collections.abc import Sequence

from ermas_envs.base.arrays import FloatArray


def numbers_text(numbers: Sequence[float] | FloatArray) -> str:
    """The numbers with six digits, between them a space."""
    return " ".join(f"{number:.6g}" for number in numbers)


def numbers_of(cell: object) -> list[float]:
    """What `numbers_text` wrote; a table gives a number alone back as a number."""
    return [float(number) for number in str(cell).split()]
