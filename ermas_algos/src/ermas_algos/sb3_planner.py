"""A planner that Stable-Baselines3 saved as a zip, as a planner object: frozen, it plays inside the environment."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3

from ermas_algos.learners import action_sampling
from ermas_envs.arguments import check_choice
from ermas_envs.arrays import Array, BoolArray, FloatArray
from ermas_envs.spaces import clip_to_box

SB3_ALGORITHMS: Mapping[str, Any] = {kind.__name__: kind for kind in (A2C, DDPG, DQN, MaskablePPO, PPO, SAC, TD3, TRPO)}
"""Algorithms whose zips can be read; RecurrentPPO is not among them, because its policy remembers the past."""


class SB3Planner:
    """Plays the policy of a Stable-Baselines3 model, which nothing trains any more.

    On-policy algorithms (PPO, A2C, TRPO, MaskablePPO) sample from their policy with the environment's own noise; the
    others play their deterministic policy.

    Args:
        model: a Stable-Baselines3 or sb3-contrib model.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._stochastic = hasattr(model.policy, "get_distribution")
        if hasattr(model.policy, "lstm_actor"):
            raise ValueError("a recurrent policy remembers the past; a planner is a function of its observation.")
        self.noise_size = action_sampling.noise_size(model.action_space) if self._stochastic else 0
        model.policy.set_training_mode(False)

    @classmethod
    def load(cls, path: Path | str, algorithm: str = "PPO") -> "SB3Planner":
        """Read a zip. Parts of it are pickled: load only files that you trust.

        Args:
            path: what `model.save` wrote.
            algorithm: which algorithm saved it; one of `SB3_ALGORITHMS`.

        Raises:
            ValueError: an unknown algorithm, or a file that is missing, damaged or another algorithm's.
        """
        kind = SB3_ALGORITHMS[check_choice("algorithm", algorithm, SB3_ALGORITHMS)]
        if not zipfile.is_zipfile(path):
            raise ValueError(f"{path}: {'not a zip file' if Path(path).exists() else 'there is no such file'}.")
        numpy_state = np.random.get_state()  # noqa: NPY002
        try:
            with torch.random.fork_rng(devices=[]):
                return cls(kind.load(path, device="cpu"))
        except Exception as error:  # what a foreign or damaged zip raises depends on where it breaks
            raise ValueError(f"{path}: cannot be read as a model of {algorithm} ({error}).") from error
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002

    def bind(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        """ValueError unless the model's spaces are those of the game."""
        for name, own, given in (
            ("observation", self._model.observation_space, observation_space),
            ("action", self._model.action_space, action_space),
        ):
            if own != given:
                raise ValueError(f"the planner was trained with {name} space {own}, the environment has {given}.")

    def act(self, observations: Array, noise: FloatArray, action_masks: BoolArray | None) -> Array:
        """Sample from the policy, or play it; Box actions are clipped to the box."""
        space = self._model.action_space
        if not self._stochastic:
            return np.asarray(self._model.predict(observations, deterministic=True)[0])
        with torch.no_grad():
            sampled = action_sampling.sample(self._distribution(observations, action_masks), space, noise)
        return clip_to_box(space, sampled)

    def tabular(self, observations: Array, action_masks: BoolArray | None) -> FloatArray | None:
        """The policy's probabilities; None where actions are not Discrete."""
        space = self._model.action_space
        if not isinstance(space, spaces.Discrete):
            return None
        if not self._stochastic:
            return np.eye(int(space.n))[self.act(observations, np.empty((len(observations), 0)), None)]
        with torch.no_grad():
            found = self._distribution(observations, action_masks).distribution.probs.numpy().astype(np.float64)
        probabilities: FloatArray = found / found.sum(axis=1, keepdims=True)
        return probabilities

    def _distribution(self, observations: Array, action_masks: BoolArray | None) -> Any:
        seen = torch.as_tensor(np.ascontiguousarray(observations))
        if isinstance(self._model, MaskablePPO):
            return self._model.policy.get_distribution(seen, action_masks=action_masks)
        return self._model.policy.get_distribution(seen)
