"""The ids of the roles, the same in every environment: one planner and N agents (design: vocabulary)."""

PLANNER = "planner"


def agent_id(index: int) -> str:
    """Id of agent number `index` (0-based): `"agent_0"`, `"agent_1"`, …"""
    return f"agent_{index}"
