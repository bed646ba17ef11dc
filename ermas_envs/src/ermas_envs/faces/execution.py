"""From what agents of a batch choose to what they do: behaviours one after another, by random numbers of their own."""

from collections.abc import Mapping, Sequence

from ermas_envs.base.arrays import Array, BoolArray, IntArray
from ermas_envs.base.groups import ByRole, Roles
from ermas_envs.base.spaces import check_group_actions
from ermas_envs.base.streams import Purpose, ReplicaStreams, Seed
from ermas_envs.game.behaviours import Behaviour, Intentions
from ermas_envs.game.transitions import GameInfo


class Execution:
    """Behaviours of all agents of a batch; each sees what the one before it made of the actions.

    Args:
        behaviours: they are bound to the game.
        game: the agents, without whom nothing is changed.
        roles: everybody in the game.
        num_envs: number of replicas.
    """

    def __init__(self, behaviours: Sequence[Behaviour], game: GameInfo, roles: Roles, num_envs: int) -> None:
        for behaviour in behaviours:
            behaviour.bind(game, num_envs)
        self.behaviours = tuple(behaviours)
        self._game, self._num_envs = game, num_envs
        self._groups = {group: agents for group, agents in roles.groups.items() if agents != (game.planner,)}
        self._streams: ReplicaStreams | None = None

    def reseed(self, seed: Seed) -> None:
        """Begin the streams of a reset with a seed."""
        self._streams = ReplicaStreams(seed, self._num_envs, Purpose.ACTION_NOISE)

    def actions(
        self, chosen: Mapping[str, Array], masks: ByRole[BoolArray], steps: IntArray, episodes: IntArray
    ) -> Mapping[str, Array]:
        """Executed actions by group, (num_envs, n, *action shape); those of the planner are the chosen ones.

        Raises:
            ValueError: a behaviour returned something else than actions inside the action space.
        """
        assert self._streams is not None  # a reset comes first
        agents, done = self._game.agents, dict(chosen)
        for behaviour in self.behaviours:
            size = behaviour.noise_size
            noise = self._streams.noise(size * len(agents)).reshape(self._num_envs, len(agents), size)
            for group, members in self._groups.items():
                own = noise[:, [agents.index(agent) for agent in members]]
                given = Intentions(members, done[group], masks.by_group.get(group), steps, episodes, own)
                space = self._game.action_spaces[members[0]]
                returned = behaviour(given)
                try:
                    done[group] = check_group_actions(group, members, space, returned, self._num_envs)
                except ValueError as error:
                    raise ValueError(f"what the behaviour {type(behaviour).__name__} returned: {error}") from None
        return done
