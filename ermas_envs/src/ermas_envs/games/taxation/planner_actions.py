"""The planner's actions: one rate per bracket, their spaces, masks and decoding (SPEC sections 5, 11 and 14)."""

import numpy as np
from gymnasium import spaces

from ermas_envs.base.arrays import BoolArray, IntArray
from ermas_envs.games.taxation.state import Taxes
from ermas_envs.games.taxation.taxes import TaxParameters
from ermas_envs.kernels.compiled import internal
from ermas_envs.kernels.lanes import write_below


def planner_space(multi: bool, brackets: int, rates: int) -> spaces.Space[object]:
    """One entry per bracket (0 keeps its rate), or one number in all; a single action where there is no choice."""
    if multi:
        return spaces.MultiDiscrete(np.full(max(brackets, 1), rates + 1))
    return spaces.Discrete(1 + brackets * rates)


@internal
def decode_planner(multi: bool, rates: int, given: IntArray, replica: int, out: IntArray) -> None:
    """Write one entry per bracket, 0 … rates, into `out` (B,) from actions `given` (R, entries)."""
    for bracket in range(out.shape[0]):
        out[bracket] = given[replica, bracket] if multi and rates > 0 else 0
    if not multi and rates > 0 and given[replica, 0] > 0:
        chosen = given[replica, 0] - 1
        out[chosen // rates] = chosen % rates + 1


def planner_mask_size(multi: bool, brackets: int, rates: int) -> int:
    """Entries of the planner's mask; arguments as of `actions.planner_space`."""
    return brackets * rates + (brackets if multi else 1)


@internal
def planner_mask(
    parameters: TaxParameters,
    taxes: Taxes,
    multi: bool,
    brackets: int,
    rates: int,
    replica: int,
    out: BoolArray,
) -> None:
    """Write the planner's mask: rates up to the annealed maximum, at the start of a period; else keeping rates only.

    Args:
        multi: whether the mask has an entry for keeping the rate before each bracket, or one in all.
        brackets: 1 where the planner has no choice, with 0 `rates`.
        rates: number of rates that it can choose from.
        out: (mask size,) bool.
    """
    allowed = 0  # how many rates, which ascend
    if taxes.position[replica] == 1:
        while allowed < rates and parameters.choices[allowed] <= taxes.choice_limit[replica]:
            allowed += 1
    out[0] = True
    cursor = 0 if multi else 1
    for _ in range(brackets):
        if multi:
            out[cursor] = True
            cursor += 1
        write_below(out, cursor, rates, allowed)
        cursor += rates
