"""Groups of like roles: who belongs together, arrays by group, and views by role."""

import copy
import pickle

import numpy as np
import pytest
from gymnasium import spaces

from ermas_envs.base.groups import ByRole, Roles, same_for_all

BOX, OTHER, DISCRETE = spaces.Box(0.0, 1.0, (2,)), spaces.Box(0.0, 1.0, (3,)), spaces.Discrete(2)


def alike(names: list[str], planner: str = "planner", different: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    seen = {name: OTHER if name in different else BOX for name in names}
    return Roles.alike(names, planner, seen, dict.fromkeys(names, DISCRETE)).groups


def test_agents_with_equal_spaces_whose_ids_differ_in_a_number_are_a_group() -> None:
    assert alike(["agent_0", "agent_1", "planner"]) == {"agent": ("agent_0", "agent_1"), "planner": ("planner",)}
    assert alike(["a1", "b1", "a2", "planner"]) == {"a": ("a1", "a2"), "b": ("b1",), "planner": ("planner",)}
    assert alike(["north", "south", "planner"]) == {
        "north": ("north",),
        "south": ("south",),
        "planner": ("planner",),
    }
    assert alike(["0", "1", "planner"])["0"] == ("0",)  # a number alone is a name


def test_agents_of_other_spaces_are_another_group() -> None:
    groups = alike(["agent_0", "agent_1", "agent_2", "planner"], different=("agent_1",))
    assert groups == {"agent": ("agent_0", "agent_2"), "agent_1": ("agent_1",), "planner": ("planner",)}


def test_the_planner_is_alone_whatever_it_is_called() -> None:
    assert alike(["agent_0", "agent_1", "agent_2"], "agent_1") == {
        "agent": ("agent_0", "agent_2"),
        "agent_1": ("agent_1",),
    }
    assert alike(["planner_1", "planner_2", "planner"]) == {
        "planner_1": ("planner_1", "planner_2"),
        "planner": ("planner",),
    }
    assert alike(["agent_0", "agent"], "agent")["agent"] == ("agent",)


ROLES = Roles({"agent": ["agent_0", "agent_1"], "planner": ["planner"]}, ["planner", "agent_0", "agent_1"])


def test_arrays_by_role_are_views_in_the_order_of_acting() -> None:
    by_group = {"agent": np.arange(12).reshape(3, 2, 2), "planner": np.arange(3).reshape(3, 1)}
    by_role: ByRole[np.ndarray] = ByRole(ROLES, by_group)
    assert list(by_role) == ["planner", "agent_0", "agent_1"]
    assert len(by_role) == 3
    np.testing.assert_array_equal(by_role["agent_1"], [[2, 3], [6, 7], [10, 11]])
    by_role["agent_1"][0] = 99
    assert by_group["agent"][0, 1].tolist() == [99, 99]
    with pytest.raises(KeyError):
        by_role["agent_2"]
    assert "agent_2" not in by_role
    assert by_role.get("agent_2") is None


def test_groups_may_be_left_out_and_observations_may_be_mappings() -> None:
    seen: ByRole[dict[str, np.ndarray]] = ByRole(ROLES, {"agent": {"x": np.zeros((3, 2, 4)), "y": np.ones((3, 2))}})
    assert list(seen) == ["agent_0", "agent_1"]
    assert "planner" not in seen
    assert seen["agent_0"]["x"].shape == (3, 4)
    assert seen["agent_0"]["y"].tolist() == [1, 1, 1]


def test_stacking_undoes_the_views_and_the_axis_is_free() -> None:
    generator = np.random.default_rng(0)
    by_role = {role: generator.random((5, 3, 2)) for role in ROLES.names}
    stacked = ROLES.stacked(by_role, axis=2)
    assert stacked.by_group["agent"].shape == (5, 3, 2, 2)
    for role, array in by_role.items():
        np.testing.assert_array_equal(stacked[role], array)
    assert ROLES.stacked(stacked) is stacked
    agents = ROLES.without("planner").stacked(stacked, axis=2)
    assert list(agents) == ["agent_0", "agent_1"]
    assert set(agents.by_group) == {"agent"}
    np.testing.assert_array_equal(agents["agent_1"], by_role["agent_1"])


def test_copies_are_copies() -> None:
    by_role: ByRole[np.ndarray] = ByRole(ROLES, {"agent": np.zeros((2, 2))})
    for copied in (copy.deepcopy(by_role), pickle.loads(pickle.dumps(by_role))):
        copied["agent_0"][:] = 1
        assert by_role.by_group["agent"].sum() == 0


def test_one_array_for_all_is_no_copy() -> None:
    mask = np.array([[True, False], [True, True]])
    for_all = same_for_all(mask, 3)
    assert for_all.shape == (2, 3, 2)
    mask[0, 1] = True
    assert for_all.all()
