"""A finite-horizon game as tables: deterministic transitions, rewards, start distribution, what each role sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from ermas_envs.base.arrays import Array, BoolArray, FloatArray, IntArray

Policies: TypeAlias = Mapping[str, FloatArray]
"""Per role (…, horizon, num_states, number of actions) float64: probability of each action at each step and state; "…"
is nothing, or an axis for a batch of joint policies."""


def payoff_scale(payoffs: FloatArray) -> float:
    """Unit of a table of payoffs, in payoff units, > 0: the smaller of its range and its largest size.

    It is the largest size where all are equal, and 1 where all are 0. A table that is multiplied by c > 0 has c times
    the scale; a constant that is added, which changes no incentive, cannot raise it above the range.
    """
    size, reach = float(np.abs(payoffs).max()), float(payoffs.max() - payoffs.min())
    if reach > 1e-12 * size:
        return min(reach, size)
    return size or 1.0


@dataclass(frozen=True)
class TabularGame:
    """A game of `horizon` steps over S states; "A…" stands for one axis per role, in the order of `roles`."""

    roles: tuple[str, ...]
    """Ids of the players: the agents, then the planner."""
    horizon: int
    """Steps in an episode, H."""
    start: FloatArray
    """(S,) probability of each first state."""
    next_states: IntArray
    """(S, A…) state that follows a state and a joint action."""
    rewards: Mapping[str, FloatArray]
    """Per role (S, A…) reward of one step (payoff, plus perturbation where there is one)."""
    planner_outcome: FloatArray
    """(S, A…) `Transition.planner_outcome` of the step."""
    observations: Mapping[str, Array]
    """Per role (H, S, *observation shape): what it sees at each step in each state."""
    action_masks: Mapping[str, BoolArray]
    """Per role (S, number of actions)."""
    fixed_policies: Policies = field(default_factory=dict)
    """Policies of roles that the environment itself plays (a planner object), as in `Policies`."""
    unperturbed: Mapping[str, FloatArray] = field(default_factory=dict)
    """Per role with a perturbation (S, A…) payoff of one step."""

    @property
    def payoffs(self) -> Mapping[str, FloatArray]:
        """Per role (S, A…) payoff of one step: the rewards without the perturbation."""
        return {**self.rewards, **self.unperturbed}

    def axis(self, role: str) -> int:
        """Axis of `role`'s actions in the (S, A…) tables; ValueError if the role is unknown."""
        if role not in self.roles:
            raise ValueError(f"role must be one of {self.roles}, got {role!r}.")
        return 1 + self.roles.index(role)

    def complete(self, policies: Policies) -> Policies:
        """`policies` of the acting roles together with `fixed_policies`; ValueError if they do not fit the game."""
        everyone = {**policies, **self.fixed_policies}
        for role in self.roles:
            if role not in everyone:
                raise ValueError(f"policies: no policy for role {role!r}.")
            shape = (self.horizon, self.start.size, self.next_states.shape[self.axis(role)])
            table = everyone[role]
            if table.shape[-3:] != shape:
                raise ValueError(
                    f"policies[{role!r}] must have shape {shape} (steps, states, actions), got {table.shape}."
                )
            if not (np.all(table >= 0) and np.allclose(table.sum(axis=-1), 1.0, atol=1e-5)):
                raise ValueError(f"policies[{role!r}] must hold probabilities that sum to 1 over actions.")
        return everyone

    def decision_points(self, role: str) -> tuple[Array, BoolArray]:
        """What `role` sees at every step in every state, (H·S, *observation shape), and its masks, (H·S, actions)."""
        seen = self.observations[role]
        return seen.reshape(-1, *seen.shape[2:]), np.tile(self.action_masks[role], (self.horizon, 1))

    def as_policy(self, probabilities: FloatArray) -> FloatArray:
        """Probabilities at the `decision_points`, (…, H·S, actions), as a table (…, H, S, actions)."""
        return probabilities.reshape(*probabilities.shape[:-2], self.horizon, self.start.size, probabilities.shape[-1])

    def with_added_rewards(self, added: Mapping[str, FloatArray]) -> "TabularGame":
        """The same game with `added` tables, (S, A…) each, added to the rewards of the roles named.

        Raises:
            ValueError: an added number that is not finite.
        """
        for role, table in added.items():
            if not np.isfinite(table).all():
                raise ValueError(f"the perturbation's table for {role!r} must hold finite numbers.")
        rewards = {role: table + added[role] if role in added else table for role, table in self.rewards.items()}
        unperturbed = {role: table for role, table in self.payoffs.items() if role in added}
        return replace(self, rewards=rewards, unperturbed=unperturbed)
