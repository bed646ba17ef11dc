"""A planner that Stable-Baselines3 saved as a zip, as a planner object: frozen, it plays inside the environment."""

import random
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3

from ermas_algos.learned_planner import check_planner_spaces
from ermas_algos.learners import action_sampling
from ermas_envs.base.arguments import check_choice
from ermas_envs.base.arrays import Array, BoolArray, FloatArray, Observation, num_rows
from ermas_envs.base.spaces import clip_to_box

SB3_ALGORITHMS: Mapping[str, Any] = {kind.__name__: kind for kind in (A2C, DDPG, DQN, MaskablePPO, PPO, SAC, TD3, TRPO)}
"""Algorithms whose zips can be read; RecurrentPPO is not among them, because its policy remembers the past."""

_RECURRENT = "RecurrentPPO has a policy that remembers the past; a planner decides by its present observation alone"


class SB3Planner:
    """Plays the policy of a Stable-Baselines3 model, which nothing trains any more.

    On-policy algorithms (PPO, A2C, TRPO, MaskablePPO) sample from their policy with the environment's own noise; the
    others play their deterministic policy. Only MaskablePPO looks at action masks. The policy sees the environment's
    observations as they are: statistics of `VecNormalize` are no part of a model.

    Args:
        model: a Stable-Baselines3 or sb3-contrib model on the CPU.

    Raises:
        ValueError: a recurrent policy, a model on another device, or actions that SB3 cannot play as they are
            (a Discrete space that does not start at 0, for instance).
    """

    def __init__(self, model: Any) -> None:
        policy = model.policy
        if hasattr(policy, "lstm_actor"):
            raise ValueError(f"{_RECURRENT}.")
        if policy.device.type != "cpu":
            raise ValueError(f"the planner's model must be on the CPU, got one on {policy.device}.")
        self._model = model
        self._stochastic = hasattr(policy, "get_distribution")
        size = action_sampling.noise_size(model.action_space)
        self.noise_size = size if self._stochastic else 0
        policy.set_training_mode(False)

    @classmethod
    def load(cls, path: Path | str, algorithm: str = "PPO") -> "SB3Planner":
        """Read a zip. Parts of it are pickled, and unpickling can run any code: load only files that you trust.

        Args:
            path: what `model.save` was given; as there, a name without a suffix means the .zip.
            algorithm: which algorithm saved it; one of `SB3_ALGORITHMS`.

        Raises:
            ValueError: an unknown algorithm, or a file that is missing, damaged or another algorithm's.
        """
        if algorithm == "RecurrentPPO":
            raise ValueError(f"algorithm: {_RECURRENT}.")
        kind = SB3_ALGORITHMS[check_choice("algorithm", algorithm, SB3_ALGORITHMS)]
        file = Path(path)
        if not file.suffix and not file.exists():
            file = file.with_suffix(".zip")
        if not file.exists():
            raise ValueError(f"{file}: there is no such file.")
        if not file.is_file() or not zipfile.is_zipfile(file):  # a pipe, whose end may never come, is not read
            raise ValueError(f"{file}: not a zip file.")
        try:
            with _untouched_generators():
                # An off-policy model would set up the whole replay buffer that it was trained with.
                return cls(kind.load(file, device="cpu", custom_objects={"buffer_size": 1}))
        except Exception as error:  # what a foreign or damaged zip raises depends on where it breaks
            raise ValueError(f"{file}: cannot be read as a model of {algorithm} ({error}).") from error

    def bind(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        """ValueError unless the model's spaces are those of the game."""
        check_planner_spaces(self._model, observation_space, action_space)

    def act(self, observations: Observation, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        """Sample from the policy, or play it; Box actions are clipped to the box."""
        if self._stochastic:
            chosen = self._sampled(observations, noise, action_masks)
        else:
            chosen = np.asarray(self._model.predict(observations, deterministic=True)[0])
        return clip_to_box(self._model.action_space, chosen)

    def tabular(self, observations: Observation, action_masks: BoolArray | None) -> FloatArray | None:
        """The policy's probabilities; None where actions are not Discrete."""
        space = self._model.action_space
        if not isinstance(space, spaces.Discrete):
            return None
        if not self._stochastic:
            return np.asarray(np.eye(int(space.n))[self.act(observations, np.empty((num_rows(observations), 0)), None)])
        with torch.no_grad():
            return action_sampling.probabilities(self._distribution(observations, action_masks))

    def _sampled(self, observations: Observation, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        policy, space = self._model.policy, self._model.action_space
        with torch.no_grad():
            sampled = action_sampling.sample(self._distribution(observations, action_masks), space, noise)
        if policy.squash_output:  # the sampled normal is then what tanh squashes to [−1, 1]
            sampled = policy.unscale_action(np.tanh(sampled))
        return sampled

    def _distribution(self, observations: Observation, action_masks: BoolArray | None) -> Any:
        masked = isinstance(self._model, MaskablePPO)
        return action_sampling.distribution(self._model.policy, observations, action_masks, masked)


@contextmanager
def _untouched_generators() -> Iterator[None]:
    """Put the global generators back after the block: SB3 reseeds them when it loads a model that had a seed."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
