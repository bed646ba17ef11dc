"""`EnvironmentSpec`: what JSON cannot hold is refused at once, NumPy's numbers become Python's; objects at the call."""

import json
from typing import Any

import numpy as np
import pytest

from ermas_envs import EnvironmentSpec
from ermas_envs.base.arguments import check_json
from ermas_envs.planners import ConstantPlanner


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.int8(3), 3),
        (np.uint64(2**63), 2**63),
        (10**30, 10**30),
        (np.float32(0.5), 0.5),
        (np.float16(-2.0), -2.0),
        (np.bool_(True), True),
        (True, True),
        (np.str_("own"), "own"),
        (None, None),
        (np.array(4), 4),
        (np.array([[1, 2], [3, 4]], np.uint8), [[1, 2], [3, 4]]),
        (np.array(["W.", ".S"]), ["W.", ".S"]),
        ((1, (2.0, "x")), [1, [2.0, "x"]]),
        ({"name": "sum", "parts": ({"q": np.float64(1.0)},)}, {"name": "sum", "parts": [{"q": 1.0}]}),
    ],
)  # fmt: skip
def test_arguments_become_json_types(given: Any, kept: Any) -> None:
    found = EnvironmentSpec("economy_v0", {"x": given}).arguments["x"]
    assert json.dumps(found) == json.dumps(kept)
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.nan, r"^arguments\.x must be a finite number, got nan\.$"),
        ([1.0, (np.float32(np.inf),)], r"^arguments\.x\[1\]\[0\] must be a finite number, got inf\.$"),
        ({"a": {2: 1}}, r"^arguments\.x\.a: names must be text, got 2\.$"),
        (ConstantPlanner(0), r"^arguments\.x must be what JSON can hold, got <ermas_envs"),
        ({1, 2}, r"^arguments\.x must be what JSON can hold, got \{1, 2\}\.$"),
        (1j, r"^arguments\.x must be what JSON can hold, got 1j\.$"),
        (b"own", r"^arguments\.x must be what JSON can hold, got b'own'\.$"),
        (np.array([object()]), r"^arguments\.x\[0\] must be what JSON can hold"),
    ],
)
def test_what_json_cannot_hold_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnvironmentSpec("economy_v0", {"x": given})


def test_names_and_arguments_must_be_such() -> None:
    with pytest.raises(ValueError, match="name must be a registered environment's, got 3"):
        EnvironmentSpec(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="arguments must be a mapping"):
        EnvironmentSpec("economy_v0", [1])  # type: ignore[arg-type]


def test_arguments_are_a_copy() -> None:
    given = {"horizon": 4, "perturbation": {"name": "planner_adversity", "q": 1.0}}
    spec = EnvironmentSpec("augmented_bimatrix_v0", given)
    given["perturbation"]["q"] = 7.0  # type: ignore[index]
    assert spec.arguments["perturbation"]["q"] == 1.0


def test_objects_are_given_at_the_call_and_go_before_data() -> None:
    spec = EnvironmentSpec("augmented_bimatrix_v0", {"horizon": 4, "planner": {"name": "nobody"}})
    env = spec(2, planner=ConstantPlanner(3), horizon=5)
    assert env.possible_agents == env.agents
    assert env.horizon == 5


def test_json_is_a_copy_of_json() -> None:
    given = {"a": [1, 2.5, None, True, "x", {"b": []}]}
    found = check_json("given", given)
    assert found == given
    assert found["a"] is not given["a"]
