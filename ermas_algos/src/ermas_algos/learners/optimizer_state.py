"""A torch optimiser's state as named tensors and JSON facts, and back, without pickle and without aliasing."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch

from ermas_algos.saved_state import check_tensors, saved_table
from ermas_envs.base.arguments import check_number

_NOT_NEGATIVE = ("step", "exp_avg_sq", "max_exp_avg_sq", "square_avg")
"""Moments that count or are means of squares: below zero the next step divides by zero or takes a root of it."""


def export(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Copied moments on the CPU by "index/name", and the settings of every parameter group."""
    state = optimizer.state_dict()
    moments: dict[str, torch.Tensor] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            moments[f"{index}/{name}"] = torch.as_tensor(value).detach().clone().cpu()
    groups = [{name: _plain(value) for name, value in group.items()} for group in state["param_groups"]]
    return moments, {"param_groups": groups}


def restore(optimizer: torch.optim.Optimizer, moments: Mapping[str, torch.Tensor], facts: object) -> None:
    """Put exported state back; the optimiser gets copies. ValueError where it is not this optimiser's."""
    groups = _checked_groups(optimizer, saved_table("optimizer", facts, ("param_groups",))["param_groups"])
    _check_moments(optimizer, moments)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in moments.items():
        index, _, name = key.partition("/")
        state.setdefault(int(index), {})[name] = tensor.detach().clone()
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _checked_groups(optimizer: torch.optim.Optimizer, found: object) -> list[dict[str, Any]]:
    """The optimiser's own settings with the saved learning rates.

    Training changes nothing else of them; a setting that only one version of torch knows is the installed one's.
    """
    own = optimizer.state_dict()["param_groups"]
    if not isinstance(found, list) or len(found) != len(own):
        raise ValueError(f"optimizer: param_groups must be a list of {len(own)} tables, got {found!r}.")
    groups = []
    for group, saved in zip(own, found, strict=True):
        if not isinstance(saved, dict) or not saved.keys() >= {"lr", "params"}:
            raise ValueError(f"optimizer: a parameter group must be a table with lr and params, got {saved!r}.")
        rate = check_number("optimizer: lr", saved["lr"], minimum=0.0)
        for name in group.keys() & saved.keys() - {"lr"}:
            wanted = _plain(group[name])
            if saved[name] != wanted or isinstance(saved[name], bool) != isinstance(wanted, bool):
                raise ValueError(f"optimizer: {name} must be {wanted!r}, as the settings say, got {saved[name]!r}.")
        groups.append({**group, "lr": rate})
    return groups


def _check_moments(optimizer: torch.optim.Optimizer, moments: Mapping[str, torch.Tensor]) -> None:
    """ValueError unless each parameter has all of its moments or none, in its shape, finite and of possible sign."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kind: Any = type(optimizer)
    kinds = _moments_of(kind, tuple(optimizer.defaults.items()))
    have = {key.partition("/")[0] for key in moments}
    expected = {
        f"{index}/{name}": parameter if shaped else torch.empty((), dtype=dtype)
        for index, parameter in enumerate(parameters)
        if str(index) in have
        for name, (dtype, shaped) in kinds.items()
    }
    check_tensors(moments, expected)
    for key, tensor in moments.items():
        if key.partition("/")[2] in _NOT_NEGATIVE and bool((tensor < 0).any()):
            raise ValueError(f"{key} must not be negative.")


@lru_cache(maxsize=16)
def _moments_of(kind: Any, settings: tuple[tuple[str, Any], ...]) -> Mapping[str, tuple[torch.dtype, bool]]:
    """Per moment that one step of such an optimiser leaves: its dtype, and whether it has the parameter's shape."""
    parameter = torch.zeros(2, requires_grad=True)
    parameter.grad = torch.zeros(2)
    optimizer = kind([parameter], **dict(settings))
    optimizer.step()
    moments, _ = export(optimizer)
    return {key.partition("/")[2]: (tensor.dtype, tensor.shape == parameter.shape) for key, tensor in moments.items()}


def _plain(value: Any) -> Any:
    """As JSON has it: tuples, such as Adam's betas, are lists there."""
    return list(value) if isinstance(value, tuple) else value
