"""Settings of all tests, and what none may leave behind for those after it."""

import os
import random
import signal
import sys
import sysconfig
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numba.core import event

settings.register_profile("suite", deadline=None)  # a busy machine is slow; pytest-timeout catches what hangs
settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; commands under test would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

LIBRARIES = tuple({str(Path(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
CHECKOUT = str(Path(__file__).parents[1])
NUMPY_GENERATOR = "NumPy's random generator"
VARIABLES_OF_LIBRARIES = (
    *("PYTEST_CURRENT_TEST", "TORCHINDUCTOR_CACHE_DIR"),
    *("TF_CPP_MIN_LOG_LEVEL", "TPU_SKIP_MDS_QUERY"),  # importing JAX sets them
)
LONG = 10.0  # seconds
REGISTRIES = {
    "ermas_algos.studies.reproduction": "experiment_registry",
    "ermas_envs.games.bimatrix.payoffs": "payoffs_registry",
    "ermas_envs.games.economy.layouts": "layout_registry",
    "ermas_envs.make": "environment_registry",
    "ermas_envs.behaviours": "behaviour_registry",
    "ermas_envs.perturbations": "perturbation_registry",
    "ermas_envs.planners": "planner_registry",
}


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test after which the process is not as before, so that tests pass in any order."""
    modules, variables, before = set(sys.modules), environment(), state_of_the_process()
    python_generator = random.getstate()
    yield
    random.setstate(python_generator)  # libraries draw from it: tyro does for every command line
    after = state_of_the_process()
    if request.config.pluginmanager.hasplugin("randomly"):  # it seeds this generator, within a test, too
        del after[NUMPY_GENERATOR]
    left = [name for name in before if name in after and before[name] != after[name]]
    left += [f"os.environ[{name!r}]" for name, _ in variables.items() ^ environment().items()]
    left += [f"sys.modules[{name!r}]" for name in set(sys.modules) - modules if is_of_a_test(sys.modules[name])]
    assert not left, f"the test has changed, and not put back: {', '.join(left)}"


@pytest.fixture
def global_generators() -> Iterator[None]:
    """For a test that draws from the global random generators, or seeds them: they are put back."""
    numpy_state = np.random.get_state()  # noqa: NPY002
    python_state, torch = random.getstate(), sys.modules.get("torch")
    torch_state = torch and torch.get_rng_state()
    yield
    random.setstate(python_state)
    np.random.set_state(numpy_state)  # noqa: NPY002
    if torch:
        torch.set_rng_state(torch_state)


def state_of_the_process() -> dict[str, Any]:
    numpy_state: Any = np.random.get_state()  # noqa: NPY002 - tests and libraries may use it
    state: dict[str, Any] = {
        "the current directory": os.getcwd(),
        "sys.path": list(sys.path),
        "sys.argv": list(sys.argv),
        NUMPY_GENERATOR: (numpy_state[1].tobytes(), *numpy_state[2:]),
        "NumPy's handling of errors": np.geterr(),
        "NumPy's way to print": str(np.get_printoptions()),
        "the handlers of signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
    }
    if torch := sys.modules.get("torch"):
        state["torch's random generator"] = torch.get_rng_state().numpy().tobytes()
        state["torch's threads"] = torch.get_num_threads()
        state["torch's type of numbers"] = torch.get_default_dtype()
    for module, name in REGISTRIES.items():
        if module in sys.modules:
            state[name] = getattr(sys.modules[module], name).names()
    return state


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in VARIABLES_OF_LIBRARIES}


def is_of_a_test(module: Any) -> bool:
    """Whether a module's file is neither a library's nor in the checkout."""
    file = getattr(module, "__file__", None)
    return file is not None and not file.startswith((CHECKOUT, *LIBRARIES))


class Compilations(event.Listener):
    """The kernels that were compiled lately, without those compiled for them, and the seconds that each took."""

    def __init__(self) -> None:
        self._began: list[float] = []
        self.done: list[tuple[str, float]] = []

    def on_start(self, event: event.Event) -> None:
        self._began.append(time.perf_counter())

    def on_end(self, event: event.Event) -> None:
        seconds = time.perf_counter() - self._began.pop()
        if not self._began:
            self.done.append((event.data["dispatcher"].py_func.__qualname__, seconds))


COMPILATIONS = Compilations()
event.register("numba:compile", COMPILATIONS)


@pytest.fixture(autouse=True)
def _nobody_waits_for_the_compiler() -> Iterator[None]:
    """Warns where a test has waited for long; `make kernels` compiles beforehand what `ermas_envs.warm_up` plays."""
    COMPILATIONS.done.clear()
    yield
    for kernel, seconds in COMPILATIONS.done:
        if seconds > LONG:
            warnings.warn(
                f"{kernel} was compiled for {seconds:.0f} s; make kernels, ermas_envs/warm_up.py.", stacklevel=1
            )
