"""A batched environment as a Stable-Baselines3 `VecEnv`: SB3's own `learn()` trains roles that share one policy.

It keeps what SuperSuit's path to Stable-Baselines3 loses: seeds, time limits, attributes and methods, action masks.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from ermas_algos.learners.protocol import arrays, check_array_observations, float32_rewards
from ermas_envs import BatchedEnv, BatchStep
from ermas_envs.base.arguments import check_choice, check_integer
from ermas_envs.base.arrays import Array, BoolArray, FloatArray
from ermas_envs.base.groups import ByRole
from ermas_envs.base.spaces import clip_to_box, mask_size
from ermas_envs.base.streams import Purpose, ReplicaStreams, fresh_seed
from ermas_envs.game.batch import BatchObservation


class Partner(Protocol):
    """Plays a role that is not trained; `Learner` and `ermas_envs.planners.Planner` do. Nothing updates it."""

    @property
    def noise_size(self) -> int:
        """Uniform random numbers that one action needs."""

    def act(self, observations: Any, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        """Actions (R, *action shape) at observations (R, …), noise (R, noise_size), masks (R, mask size)."""


class BatchedVecEnv(VecEnv):
    """The `roles` of a `BatchedEnv`, in all its replicas, as the rows of one SB3 `VecEnv`.

    * Rows are replica-major, as SuperSuit's: row k·len(roles) + j is role `roles[j]` in replica k.
    * `seed(s)`, and with it `PPO(seed=s)`, takes effect at the next `reset`, as in SB3; replica k then has the streams
      (s, k), whatever the number of replicas. Without a seed the first reset draws one and later ones go on.
    * At an episode's end `infos[row]` holds `terminal_observation`, `TimeLimit.truncated` (False where the game
      itself ended) and, as SB3's `Monitor` writes it, `episode`: `r` sum of rewards, `l` steps, `t` seconds since
      construction.
    * `env_method("action_masks")` gives each row's mask, bool (mask size,), where actions are Discrete or
      MultiDiscrete, all True where the environment gives none: MaskablePPO works. Any other attribute or method is the
      batched environment's, which all rows share; a method is called once and every row gets its result.
    * `set_options({"first_episode": n})` is passed to the next `reset`; the options must be equal for all rows.

    Args:
        env: any batched environment.
        roles: acting roles that share the policy, with equal observation and action spaces; None takes the agents.
        partners: who plays every other acting role, by role: a learner or a planner object.

    Raises:
        ValueError: roles are unknown, repeated, none, of different spaces, or observe a Dict; partners are not exactly
            the other acting roles, or one does not fit its role.
    """

    def __init__(
        self, env: BatchedEnv, roles: Sequence[str] | None = None, partners: Mapping[str, Partner] | None = None
    ) -> None:
        self.env = env
        self.roles = _checked_roles(env, roles)
        self.partners = _checked_partners(env, self.roles, partners or {})
        self._partner_streams: dict[str, ReplicaStreams] = {}
        self._seen: BatchObservation | None = None
        self._actions: Array | None = None
        self._started = time.time()
        first = self.roles[0]
        super().__init__(
            env.num_envs * len(self.roles), env.observation_spaces[first], env.action_spaces[first]
        )  # calls get_attr: our own attributes come first
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next `reset`; None draws a seed. Returns it once per row; ValueError unless it is >= 0."""
        chosen = fresh_seed() if seed is None else check_integer("seed", seed, 0)
        self._seeds = [chosen] * self.num_envs
        return self._seeds

    def reset(self) -> Array:
        """Start a new episode in every replica; observations (num_envs, *observation shape)."""
        seed, options = self._seeds[0], self._options[0]
        if any(others != options for others in self._options):
            raise ValueError("options must be equal for all rows: they share one batched environment.")
        if seed is None and self._seen is None:
            seed = fresh_seed()
        if seed is not None:
            self._partner_streams = {
                role: ReplicaStreams(seed, self.env.num_envs, Purpose.PARTNERS + self.env.possible_agents.index(role))
                for role in self.partners
            }
        self._seen = self.env.reset(seed, **options)
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._lengths[:] = 0.0, 0
        return self._rows(arrays(self._seen.observations))

    def step_async(self, actions: Array) -> None:
        """Take actions (num_envs, *action shape) for `step_wait`; RuntimeError before the first reset."""
        if self._seen is None:
            raise RuntimeError("call reset() before step().")
        self._actions = np.asarray(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Advance every replica by the actions of `step_async`.

        Returns:
            observations (num_envs, *observation shape), those of the new episode where one ended; rewards (num_envs,)
            float32, payoff + perturbation; dones (num_envs,) bool; one dict per row.

        Raises:
            ValueError: a reward is not finite in float32.
        """
        assert self._actions is not None
        assert self._seen is not None
        by_role = self._actions.reshape(self.env.num_envs, len(self.roles), *self._actions.shape[1:])
        if isinstance(self.action_space, spaces.MultiBinary):  # SB3 samples these as floats
            by_role = by_role.astype(np.int8)
        actions = {role: by_role[:, column] for column, role in enumerate(self.roles)}
        actions |= {role: self._partner_actions(role, partner) for role, partner in self.partners.items()}
        result = self.env.step(actions)
        self._seen = result
        rewards = self._rows(result.rewards)
        self._returns += rewards
        self._lengths += 1
        dones = np.repeat(result.terminated | result.truncated, len(self.roles))
        shown = float32_rewards(rewards, ["row"])
        return self._rows(arrays(result.observations)), shown, dones, self._infos(result, dones)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The batched environment's attribute once per row of `indices`, or each row's method `action_masks`."""
        rows = self._get_indices(indices)
        if attr_name == "action_masks":
            self._check_masks_exist()
            return [partial(self._action_mask, row) for row in rows]
        value = getattr(self.env, attr_name, None) if attr_name == "render_mode" else getattr(self.env, attr_name)
        return [value for _ in rows]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set the batched environment's attribute; ValueError unless `indices` are all rows, which share it."""
        if len(set(self._get_indices(indices))) < self.num_envs:
            raise ValueError(f"indices must be None (all rows): the rows share one environment, got {indices!r}.")
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Each row's `action_masks`, or the result of the batched environment's method, called once, per row."""
        rows = self._get_indices(indices)
        if method_name == "action_masks":
            self._check_masks_exist()
            masks = self._action_masks()
            return [masks[row] for row in rows]
        result = getattr(self.env, method_name)(*method_args, **method_kwargs)
        return [result for _ in rows]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:
        """Whether the batched environment is a `wrapper_class`, once per row of `indices`."""
        return [isinstance(self.env, wrapper_class) for _ in self._get_indices(indices)]

    def close(self) -> None:
        """Close the batched environment."""
        self.env.close()

    def _rows(self, by_role: Mapping[str, Array]) -> Array:
        """Per role (replicas, …) → (rows, …), a copy."""
        if isinstance(by_role, ByRole):
            group, _ = by_role.roles.seats[self.roles[0]]
            if by_role.roles.groups[group] == self.roles:
                whole: Array = by_role.by_group[group]
                return whole.reshape(self.num_envs, *whole.shape[2:]).copy()
        stacked = np.stack([by_role[role] for role in self.roles], axis=1)
        return stacked.reshape(self.num_envs, *stacked.shape[2:])

    def _partner_actions(self, role: str, partner: Partner) -> Array:
        assert self._seen is not None
        noise = self._partner_streams[role].noise(partner.noise_size)
        chosen = partner.act(self._seen.observations[role], noise, self._seen.action_masks.get(role))
        return clip_to_box(self.env.action_spaces[role], chosen)

    def _infos(self, result: BatchStep, dones: BoolArray) -> list[dict[str, Any]]:
        infos: list[dict[str, Any]] = [{} for _ in dones]
        if result.final_observations is None:
            return infos
        final, seconds = self._rows(arrays(result.final_observations)), round(time.time() - self._started, 6)
        cut = np.repeat(result.truncated & ~result.terminated, len(self.roles))
        for row in np.flatnonzero(dones):
            infos[row]["terminal_observation"] = final[row]
            infos[row]["TimeLimit.truncated"] = bool(cut[row])
            episode = {"r": round(float(self._returns[row]), 6), "l": int(self._lengths[row]), "t": seconds}
            infos[row]["episode"] = episode
        self._returns[dones], self._lengths[dones] = 0.0, 0
        return infos

    def _check_masks_exist(self) -> None:
        if mask_size(self.action_space) is None:
            raise AttributeError(
                f"action_masks exist for Discrete and MultiDiscrete actions only, not for {self.action_space}."
            )

    def _action_masks(self) -> BoolArray:
        """(rows, mask size), of the next action."""
        if self._seen is None:
            raise RuntimeError("call reset() before action_masks().")
        size = mask_size(self.action_space)
        assert size is not None  # see _check_masks_exist
        all_true = np.ones((self.env.num_envs, size), dtype=np.bool_)
        return self._rows({role: self._seen.action_masks.get(role, all_true) for role in self.roles})

    def _action_mask(self, row: int) -> BoolArray:
        mask: BoolArray = self._action_masks()[row]
        return mask


def _checked_roles(env: BatchedEnv, roles: Sequence[str] | None) -> tuple[str, ...]:
    """`roles` or the agents; ValueError unless they act, are distinct and have equal spaces."""
    chosen = env.agents if roles is None else tuple(check_choice("roles", role, env.possible_agents) for role in roles)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"roles must be one or more distinct acting roles, got {list(chosen)}.")
    for name, by_role in (("observation", env.observation_spaces), ("action", env.action_spaces)):
        if any(by_role[role] != by_role[chosen[0]] for role in chosen):
            given = ", ".join(f"{role}: {by_role[role]}" for role in chosen)
            raise ValueError(f"roles must have equal {name} spaces to share a policy, got {given}.")
    check_array_observations(env, chosen)
    return chosen


def _checked_partners(env: BatchedEnv, roles: Sequence[str], partners: Mapping[str, Partner]) -> dict[str, Partner]:
    """`partners` in the order of acting; ValueError unless they are exactly the acting roles that are not trained."""
    needed = [role for role in env.possible_agents if role not in roles]
    if set(partners) != set(needed):
        raise ValueError(
            f"partners must name exactly the acting roles that are not trained, {needed}, got {list(partners)}; "
            "a planner object can also be given to the environment itself."
        )
    for role, partner in partners.items():
        if bind := getattr(partner, "bind", None):
            bind(env.observation_spaces[role], env.action_spaces[role])
    return {role: partners[role] for role in needed}
