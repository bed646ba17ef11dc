"""A batch whose results are changed, so that checks have something to find."""

from typing import Any

from ermas_envs.game.batch import BatchObservation, BatchStep


class AlteredBatch:
    """The batch of `make`, seen through `change`; sound as it stands."""

    def __init__(self, num_envs: int, autoreset: bool = True) -> None:
        self.inner = self.make(num_envs, autoreset)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def make(self, num_envs: int, autoreset: bool) -> Any:
        raise NotImplementedError

    def reset(self, seed: Any = None, first_episode: int = 0) -> BatchObservation:
        return self.change(self.inner.reset(seed, first_episode))

    def step(self, actions: Any) -> BatchStep:
        return self.change(self.inner.step(actions))

    def change(self, seen: Any) -> Any:
        return seen
