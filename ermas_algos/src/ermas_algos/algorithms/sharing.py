"""Policy sharing: which roles act by the same learner, by the learner's label."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from ermas_envs import BatchedEnv
from ermas_envs.base.arguments import shown, unknown_name

PolicySharing: TypeAlias = str | Mapping[str, str]
"""`none`, `group`, or the label of each agent's learner."""
_WAYS = ("none", "group")


def check_policy_sharing(given: object) -> Any:
    """`given` as it is to be kept; ValueError unless it is a way of sharing, or a table of agents and labels."""
    if isinstance(given, Mapping):
        pairs = dict(given)
        if all(isinstance(part, str) and part for pair in pairs.items() for part in pair):
            for label in pairs.values():
                if "/" in label:
                    raise ValueError(f"policy_sharing: a label must not hold '/', got {label!r}.")
            return pairs
    if isinstance(given, str) and given in _WAYS:
        return given
    ways = " or ".join(map(repr, _WAYS))
    raise ValueError(f"policy_sharing must be {ways}, or a table of agents and labels, got {shown(given)}.")


def sharers(policy_sharing: PolicySharing, env: BatchedEnv) -> dict[str, tuple[str, ...]]:
    """Per label the acting roles of one learner, in the order of acting.

    A role that shares with nobody is its own label, and so is always the planner. A table may leave agents out.

    Raises:
        ValueError: a table names no agent of the environment, or gives roles of different spaces one label.
    """
    label_of = {role: role for role in env.possible_agents}
    if isinstance(policy_sharing, Mapping):
        for agent, label in policy_sharing.items():
            if agent not in env.agents:
                raise unknown_name("policy_sharing: agent", agent, env.agents)
            if label == env.planner:
                raise ValueError(f"policy_sharing: {agent!r} cannot share the policy of the planner {label!r}.")
            label_of[agent] = label
    elif policy_sharing == "group":
        of_group = {role: group for group, roles in env.groups.items() for role in roles if len(roles) > 1}
        label_of |= {agent: of_group.get(agent, agent) for agent in env.agents}
    shared: dict[str, list[str]] = {}
    for role, label in label_of.items():
        shared.setdefault(label, []).append(role)
    for label, roles in shared.items():
        _check_alike(label, roles, env)
    return {label: tuple(roles) for label, roles in shared.items()}


def _check_alike(label: str, roles: list[str], env: BatchedEnv) -> None:
    for name, by_role in (("observation", env.observation_spaces), ("action", env.action_spaces)):
        first = by_role[roles[0]]
        for role in roles[1:]:
            if by_role[role] is not first and by_role[role] != first:
                raise ValueError(
                    f"policy_sharing: roles with the label {label!r} must have equal {name} spaces; {roles[0]!r} has "
                    f"{shown(first)}, {role!r} has {shown(by_role[role])}."
                )
