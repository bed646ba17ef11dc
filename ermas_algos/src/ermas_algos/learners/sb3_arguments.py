"""Arguments of Stable-Baselines3's constructors, by name: kinds and ranges, checked before anything is trained."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from ermas_envs.base.arguments import (
    check_flag,
    check_integer,
    check_mapping,
    check_number,
    check_positive,
    unknown_name,
)

LARGEST_WEIGHT = 1e6
"""Largest weight of a term of the loss: the loss must stay finite in float32."""
MOST_REPETITIONS = 10**6
"""Of a loop within an update, such as epochs; more would not end."""

Check = Callable[[str, Any], Any]


def _optional(check: Check, name: str, given: object) -> Any:
    return None if given is None else check(name, given)


def _fraction(name: str, given: object) -> float:
    value = check_number(name, given, 0.0, 1.0)
    if value in (0.0, 1.0):
        raise ValueError(f"{name} must lie between 0 and 1, got {value!r}.")
    return value


_count: Check = partial(check_integer, minimum=1, maximum=MOST_REPETITIONS)
_weight: Check = partial(check_number, minimum=0.0, maximum=LARGEST_WEIGHT)
_CHECKS: Mapping[str, Check] = {
    "n_epochs": _count,
    "clip_range": check_positive,
    "clip_range_vf": partial(_optional, check_positive),
    "normalize_advantage": check_flag,
    "ent_coef": _weight,
    "vf_coef": _weight,
    "max_grad_norm": check_positive,
    "target_kl": partial(_optional, check_positive),
    "rms_prop_eps": check_positive,
    "use_rms_prop": check_flag,
    "cg_max_steps": _count,
    "cg_damping": partial(check_number, minimum=0.0),
    "line_search_shrinking_factor": _fraction,
    "line_search_max_iter": _count,
    "n_critic_updates": _count,
    "sub_sampling_factor": _count,
}
_TRPO: Mapping[str, Check] = {"target_kl": check_positive}
"""Where TRPO allows less: its trust region cannot be left out."""


def checked_arguments(algorithm: str, given: object, known: Iterable[str]) -> dict[str, Any]:
    """Arguments of an algorithm's constructor as plain Python numbers and flags.

    Args:
        algorithm: as in `SB3LearnerConfig.algorithm`.
        given: by name.
        known: names that the constructor takes.

    Raises:
        ValueError: an unknown name, or a value outside the range of its name.
    """
    names, own = tuple(known), _TRPO if algorithm == "TRPO" else {}
    checked = {}
    for name, value in check_mapping("algorithm_kwargs", given).items():
        if name not in names or name not in _CHECKS:
            raise unknown_name("algorithm_kwargs", name, set(names) & _CHECKS.keys())
        checked[name] = own.get(name, _CHECKS[name])(f"algorithm_kwargs: {name}", value)
    return checked
