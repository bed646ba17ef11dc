"""Settings of all tests of ermas_algos."""

from collections.abc import Iterator

import pytest
import sklearn  # noqa: F401  # it sets environment variables when it is first imported, which no test may
import torch
import torch.distributed.nn  # torch 2.8 puts a folder on `sys.path` when it is first imported, which no test may

torch.set_num_threads(1)  # small networks: more threads are slower, and sums then depend on their number


@pytest.fixture(scope="session")
def ray_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A home that can be written. It is one for all tests: a process that has begun with Ray's token in one home, and
    starts Ray again in another, waits in vain."""
    return str(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def home_of_ray(ray_folder: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", ray_folder)
        yield
