"""A deferred mapping: made when it is read, once, and equal to what it stands for."""

import copy
import pickle

from ermas_envs.base.deferred import Deferred


class Counted:
    """Makes the same mapping at every call, and counts them."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, int]:
        self.calls += 1
        return {"a": 1, "b": 2}


def test_it_is_made_when_it_is_first_read_and_once() -> None:
    make = Counted()
    mapping = Deferred(make)
    assert make.calls == 0
    assert mapping == {"a": 1, "b": 2}
    assert (list(mapping), len(mapping), mapping["b"], mapping.get("c")) == (["a", "b"], 2, 2, None)
    assert make.calls == 1


def test_copies_are_the_same_mapping() -> None:
    for again in (copy.deepcopy, lambda mapping: pickle.loads(pickle.dumps(mapping))):
        assert dict(again(Deferred(Counted()))) == {"a": 1, "b": 2}
