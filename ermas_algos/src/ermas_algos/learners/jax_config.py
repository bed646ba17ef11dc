"""Settings of the learner whose update JAX compiles; JAX itself is imported when such a learner is made."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ermas_algos.learners.placement import CPU, FLOAT32
from ermas_algos.learners.protocol import InGame, Spaces, learner_registry
from ermas_algos.learners.sb3 import SB3LearnerConfig
from ermas_algos.learners.sb3_arguments import checked_arguments
from ermas_envs.base.arguments import check_choice, keep

if TYPE_CHECKING:
    from ermas_algos.learners.jax_ppo import JaxLearner


@dataclass(frozen=True)
class JaxLearnerConfig:
    """Hyper-parameters of PPO, whose update JAX compiles; masks are obeyed wherever the environment has them."""

    kind: ClassVar[str] = "jax"
    """See `LearnerConfig.kind`."""
    needs: ClassVar[str] = "samples"
    """See `LearnerConfig.needs`."""

    learning_rate: float = 3e-3
    """As in `SB3LearnerConfig`."""
    gamma: float = 0.9
    """As in `SB3LearnerConfig`."""
    gae_lambda: float = 0.9
    """As in `SB3LearnerConfig`."""
    hidden_layers: tuple[int, ...] = ()
    """As in `SB3LearnerConfig`."""
    minibatch_size: int | None = None
    """Samples per gradient step; None takes the whole rollout."""
    anneal_epochs: int | None = None
    """As in `SB3LearnerConfig`."""
    annealed_share: float = 0.05
    """As in `SB3LearnerConfig`."""
    device: str = CPU
    """Where updates are calculated, `cpu` or `cuda` (JAX with CUDA); as in `SB3LearnerConfig`. Play is NumPy's."""
    precision: str = FLOAT32
    """As in `SB3LearnerConfig`."""
    n_epochs: int = 10
    """Passes over a rollout in an update."""
    ent_coef: float = 0.0
    """Weight of the entropy in the loss."""
    clip_range: float = 0.2
    """Largest change of a probability, as a share of it, that an update is rewarded for."""
    vf_coef: float = 0.5
    """Weight of the critic's squared error in the loss."""
    max_grad_norm: float = 0.5
    """Norm that gradients are clipped to."""
    normalize_advantage: bool = True
    """Whether advantages are standardised within each minibatch."""

    def __post_init__(self) -> None:
        """ValueError naming the field and the allowed range."""
        alike = self._as_sb3()
        keep(self, **{name: getattr(alike, name) for name in _SHARED})
        given = {name: getattr(self, name) for name in _ARGUMENTS}
        keep(self, **checked_arguments("PPO", given, _ARGUMENTS))

    @classmethod
    def like(cls, config: SB3LearnerConfig) -> "JaxLearnerConfig":
        """The same PPO in JAX; ValueError for another algorithm, or an argument that this learner does not have."""
        if config.algorithm not in ("PPO", "MaskablePPO"):
            raise ValueError(f"a learner of kind jax is PPO, with masks or without; got {config.algorithm}.")
        for name in config.algorithm_kwargs:
            check_choice("algorithm_kwargs of a learner of kind jax", name, _ARGUMENTS)
        shared: dict[str, Any] = {name: getattr(config, name) for name in _SHARED}
        return cls(**shared, **dict[str, Any](config.algorithm_kwargs))

    def annealed_over(self, updates: int) -> "JaxLearnerConfig":
        """See `LearnerConfig`."""
        return dataclasses.replace(self, anneal_epochs=updates * self.n_epochs)

    def on_this_machine(self) -> "JaxLearnerConfig":
        """See `LearnerConfig`."""
        if self.device == CPU:
            return self
        with _imported_jax():
            from ermas_algos.learners import jax_update
        return self if jax_update.has(self.device) else dataclasses.replace(self, device=CPU)

    def _as_sb3(self) -> SB3LearnerConfig:
        """What both kinds share, checked."""
        return SB3LearnerConfig(**{name: getattr(self, name) for name in _SHARED})

    def make(self, spaces: Spaces, seed: int, game: InGame | None = None) -> "JaxLearner":
        """See `LearnerConfig.make`; ValueError where JAX is not installed, or does not find the device."""
        with _imported_jax():
            from ermas_algos.learners.jax_ppo import JaxLearner
        return JaxLearner(self, spaces.observation, spaces.action, seed)

    def least_numbers(self, spaces: Spaces) -> int:
        return self._as_sb3().least_numbers(spaces)

    def check_deviation(self, other: "JaxLearnerConfig") -> None:
        """ValueError unless a deviation learner with other settings can take over the state of one with these."""
        if self.hidden_layers != other.hidden_layers:
            raise ValueError(
                f"deviation_learner must have agent_learner's hidden_layers {self.hidden_layers}, "
                f"got {other.hidden_layers}."
            )


@contextmanager
def _imported_jax() -> Iterator[None]:
    """For a block that imports JAX: ValueError where it is not installed."""
    generator = np.random.get_state()  # noqa: NPY002 - importing JAX draws from it
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("jax", "jaxlib"):
            raise
        raise ValueError(
            'a learner of kind jax needs JAX: pip install "ermas-algos[jax]", or "./ermas_algos[jax]" in a checkout.'
        ) from None
    finally:
        np.random.set_state(generator)  # noqa: NPY002


_SHARED = (
    "learning_rate",
    "gamma",
    "gae_lambda",
    "hidden_layers",
    "minibatch_size",
    "anneal_epochs",
    "annealed_share",
    "device",
    "precision",
)
"""Fields that `SB3LearnerConfig` has, too."""
_ARGUMENTS = ("n_epochs", "ent_coef", "clip_range", "vf_coef", "max_grad_norm", "normalize_advantage")
"""Fields that are arguments of SB3's PPO."""

learner_registry.register(JaxLearnerConfig.kind, JaxLearnerConfig)
