"""What all wrappers are: each agent's observation, infos and action are converted, one agent at a time."""

from collections.abc import Mapping
from typing import Any

from gymnasium import spaces
from pettingzoo.utils.wrappers import BaseParallelWrapper

from ermas_envs.faces.parallel_checks import AnyParallelEnv, check_parallel_env


class Conversion(BaseParallelWrapper):  # type: ignore[misc]  # PettingZoo ships no types
    """A parallel environment whose agents see, are told and do the same in another form; as it stands, in the same one.

    Rewards, ends, `state()` and all other attributes are the wrapped environment's.

    Args:
        env: the environment; agents may come and go.
    """

    def __init__(self, env: AnyParallelEnv) -> None:
        super().__init__(check_parallel_env("env", env))
        self.observation_spaces = {agent: self._shown_space(agent) for agent in env.possible_agents}
        self.action_spaces = {agent: self._taken_space(agent) for agent in env.possible_agents}

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """What `agent` sees."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """What `agent` may do."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Start an episode of the wrapped environment."""
        return self._shown(*self.env.reset(seed=seed, options=options))

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """One step of the wrapped environment; ValueError for an action that cannot be converted."""
        taken = {agent: self._taken(agent, action) for agent, action in actions.items()}
        observations, rewards, terminations, truncations, infos = self.env.step(taken)
        observations, infos = self._shown(observations, infos)
        return observations, rewards, terminations, truncations, infos

    def _shown(
        self, observations: Mapping[str, Any], infos: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        pairs = {agent: self._convert(agent, seen, dict(infos.get(agent, {}))) for agent, seen in observations.items()}
        told = {agent: dict(info) for agent, info in infos.items()}  # of those who see nothing, too
        told.update({agent: info for agent, (_, info) in pairs.items()})
        return {agent: seen for agent, (seen, _) in pairs.items()}, told

    def _shown_space(self, agent: str) -> spaces.Space[Any]:
        """What `agent` sees, from the wrapped environment's spaces."""
        space: spaces.Space[Any] = self.env.observation_space(agent)
        return space

    def _taken_space(self, agent: str) -> spaces.Space[Any]:
        """What `agent` may do, from the wrapped environment's spaces."""
        space: spaces.Space[Any] = self.env.action_space(agent)
        return space

    def _convert(self, agent: str, seen: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Observation and infos of one agent; `info` is a copy of the first level."""
        return seen, info

    def _taken(self, agent: str, action: Any) -> Any:
        """The wrapped environment's action."""
        return action
