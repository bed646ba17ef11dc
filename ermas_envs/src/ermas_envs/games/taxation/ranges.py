"""How large the settings of the economies may be, so that what follows from them fits the numbers that hold it.

Utilities, coin and labor are float64, observations float32, counts in kernels int32 or int64: within these ranges none
of them overflows in an episode, whatever the agents do. A range that one setting alone has stands with that setting.
"""

from ermas_envs.base.arguments import check_number

LARGEST_AMOUNT = 1e9
"""Coin, labor, utility of a unit of labor, and factors of them."""
LARGEST_STEPS = 10**9
"""Steps and episodes."""
LARGEST_ETA = 30.0
"""Relative risk aversion: utilities of no coin overflow from about 31 on."""
LARGEST_MULTIPLIER = 1000.0
"""What the best skill earns, in multiples of the least."""
LARGEST_SIDE = 1000
"""Tiles along a side of a drawn map, and half widths on it."""
LARGEST_BOOK = 10_000
"""Prices of a market, orders of an agent in it, and steps that they stay there."""
LARGEST_BRACKETS = 100
"""Tax brackets."""
SMALLEST_CUTOFF, LARGEST_CUTOFF = 1e-9, 1e15
"""Coin at which a bracket other than the first may begin."""
LARGEST_INCOME = 1e30
"""Coin of an income that Saez's formula is given; more than an episode can bring."""


def check_amount(argument: str, given: object, maximum: float = LARGEST_AMOUNT, minimum: float = 0.0) -> float:
    """Return `given` as a float; ValueError unless it is a finite number within [minimum, maximum]."""
    value = check_number(argument, given, minimum)
    if value > maximum:
        raise ValueError(f"{argument} must be at most {maximum:g}, got {value!r}.")
    return value
