"""A planner object that plays inside a batch: its actions in every replica, from random numbers of its own."""

from collections.abc import Mapping

from gymnasium import spaces

from ermas_envs.base.arrays import Array, BoolArray, Observation
from ermas_envs.base.spaces import check_action_batch
from ermas_envs.base.streams import Purpose, ReplicaStreams, Seed
from ermas_envs.game.planners import Planner


class PlannerInside:
    """Plays one role of a batch by an object, with random numbers of its own.

    Args:
        planner: the object; it is bound to the spaces.
        role: the planner's id.
        observation_space: what the planner sees.
        action_space: what it may do.
        num_envs: number of replicas.
    """

    def __init__(
        self,
        planner: Planner,
        role: str,
        observation_space: spaces.Space[object],
        action_space: spaces.Space[object],
        num_envs: int,
    ) -> None:
        planner.bind(observation_space, action_space)
        self.planner = planner
        self._role, self._action_space, self._num_envs = role, action_space, num_envs
        self._streams: ReplicaStreams | None = None

    def reseed(self, seed: Seed) -> None:
        """Begin the streams of a reset with a seed."""
        self._streams = ReplicaStreams(seed, self._num_envs, Purpose.PLANNER)

    def actions(self, observations: Mapping[str, Observation], masks: Mapping[str, BoolArray]) -> Array:
        """(num_envs, *action shape) for what all roles were last shown; ValueError for one outside the action space."""
        assert self._streams is not None  # a reset comes first
        noise = self._streams.noise(self.planner.noise_size)
        chosen = self.planner.act(observations[self._role], noise, masks.get(self._role))
        return check_action_batch(self._role, self._action_space, chosen, self._num_envs)
