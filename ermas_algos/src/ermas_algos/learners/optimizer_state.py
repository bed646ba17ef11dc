"""A torch optimiser's state as named tensors and JSON facts, and back, without pickle and without aliasing."""

from collections.abc import Mapping
from typing import Any

import torch


def export(optimizer: torch.optim.Optimizer) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Copied moments by "index/name", and the settings of every parameter group."""
    state = optimizer.state_dict()
    moments: dict[str, torch.Tensor] = {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            moments[f"{index}/{name}"] = torch.as_tensor(value).detach().clone()
    groups = [
        {name: list(value) if isinstance(value, tuple) else value for name, value in group.items()}
        for group in state["param_groups"]
    ]
    return moments, {"param_groups": groups}


def restore(optimizer: torch.optim.Optimizer, moments: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Put exported state back; the optimiser gets copies."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in moments.items():
        index, _, name = key.partition("/")
        state.setdefault(int(index), {})[name] = tensor.detach().clone()
    # JSON has no tuples: Adam's betas are a list there.
    groups = [
        {name: tuple(value) if name == "betas" else value for name, value in group.items()}
        for group in facts["param_groups"]
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
