"""Plugins: what a third party registers has its name in every command, in workers too."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ermas_envs.base import plugins
from ermas_envs.base.arguments import check_choice
from ermas_envs.base.registry import Registry

EXAMPLES = Path(__file__).parents[2] / "examples"

COMMANDS = """
import sys
from ermas_algos.command_line import main

SWEEP = '''
seeds = [0]
gaps = [0.0]
iterations = 2
[tasks.stakes]
environment = "augmented_bimatrix_v0"
algorithm = "MARL"
[tasks.stakes.settings]
num_envs = 8
agent_learner = {kind = "my_reinforce"}
planner_learner = {kind = "my_reinforce"}
[methods.plain]
[methods.fast.settings.agent_learner]
learning_rate = 2.0
[fresh_agents]
agent_learner = {kind = "my_reinforce", gamma = 0.5}
num_envs = 8
window = 2
max_iterations = 4
measured_envs = 8
'''

def ermas(*arguments):
    try:
        main(arguments)
    except SystemExit as stopped:
        assert stopped.code in (0, None), (arguments, stopped.code)

if __name__ == "__main__":
    learners = ("agent_learner.kind", "my_reinforce", "planner_learner.kind", "my_reinforce", "num_envs", "8")
    ermas("train", "--environment", "augmented_bimatrix_v0", "--algorithm", "MARL", "--iterations", "3", "--out", "run",
          "--settings", *learners)
    ermas("evaluate", "run", "--gaps", "0", "--out", "rows.csv", "--fresh-agents", "agent_learner.kind", "my_reinforce",
          "num_envs", "8", "window", "2", "max_iterations", "4", "measured_envs", "8")
    with open("sweep.toml", "w") as file:
        file.write(SWEEP)
    ermas("sweep", "sweep.toml", "--out", "swept", "--workers", "1")
    ermas("train", "--file", "run/train.toml", "--out", "again")
    try:
        main(("train", "--environment", "one_step_economy_v0", "--algorithm", "MARL", "--out", "taxes", "--settings",
              *learners))
    except SystemExit as stopped:
        assert stopped.code == 2  # its planner's actions are MultiDiscrete
    main(("certify", "run", "--epsilon", "100"))
"""


def test_a_learner_of_ones_own_is_trained_evaluated_swept_and_certified_by_name(tmp_path: Path) -> None:
    script = tmp_path / "commands.py"
    script.write_text(COMMANDS)
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES), plugins.VARIABLE: "reinforce_plugin"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "my_reinforce needs Discrete actions and Box observations" in done.stderr
    resolved = (tmp_path / "run" / "train.toml").read_text()
    assert 'kind = "my_reinforce"' in resolved
    assert (tmp_path / "again" / "progress.csv").read_text().count("\n") == 4
    with open(tmp_path / "swept" / "sweep.csv", newline="") as file:
        assert [row["method_name"] for row in csv.DictReader(file)] == ["plain", "fast"]


FERRY = """
import sys
from ermas_algos.command_line import main

def ermas(*arguments):
    try:
        return main(arguments) or 0
    except SystemExit as stopped:
        return stopped.code or 0

if __name__ == "__main__":
    short = ("num_envs", "4", "rollout_steps", "2", "policy_sharing", "group")
    fresh = (*short, "window", "1", "max_iterations", "2", "measured_envs", "4")
    train = ("train", "--environment", "ferry", "--iterations", "2", "--out", "run", "--settings", *short)
    assert ermas(*train, "warmup_iterations", "1") == 0
    assert ermas(*train, "warmup_iterations", "1") == 0  # goes on
    assert ermas("evaluate", "run", "constant:8", "--gaps", "0", "0.2", "--out", "rows.csv", "--fresh-agents",
                 *fresh) == 0
    assert ermas("evaluate", "run", "--gaps", "0", "--fresh-agents", "window", "1", "max_iterations", "2") == 2
    assert ermas("certify", "run", "--epsilon", "100", "--exploiters", "exploiters", "1", "updates", "1", "num_envs",
                 "4", "episodes", "64") == 0
    assert ermas("explain", "run", "--episodes", "4", "--out", "tree.json", "--epsilon", "100", "--exploiters",
                 "exploiters", "1", "updates", "1", "num_envs", "4", "episodes", "64") == 0
    assert ermas("evaluate", "run", "tree.json", "--gaps", "0", "--fresh-agents", *fresh) == 0
    assert ermas("info", "run") == 0
    assert ermas("train", "--environment", "ferry", "--out", "none") == 2
"""


def test_a_pettingzoo_environment_of_ones_own_is_trained_evaluated_and_certified_by_name(tmp_path: Path) -> None:
    """The guide's file; the environment calls itself otherwise than it is registered."""
    page = (EXAMPLES.parent / "docs/guides/foreign-environments.md").read_text(encoding="utf-8")
    (tmp_path / "ferry.py").write_text(page.split("```python\n")[1].split("```")[0], encoding="utf-8")
    (tmp_path / "commands.py").write_text(FERRY)
    search = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": search, plugins.VARIABLE: "ferry"}
    done = subprocess.run(
        [sys.executable, "commands.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Next: ermas evaluate run, ermas certify run" in done.stdout
    assert done.stderr.count("rollout_steps must be given (>= 1)") == 2
    assert (tmp_path / "tree.json").exists()
    assert not (tmp_path / "none").exists()
    with open(tmp_path / "rows.csv", newline="") as file:
        assert [(row["planner"], row["gap"]) for row in csv.DictReader(file)] == [
            (planner, gap) for gap in ("0.0", "0.2") for planner in ("run", "constant:8")
        ]


def test_a_plugin_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.VARIABLE, "no_such_plugin_anywhere")
    registry: Registry[int] = Registry("thing")
    registry.register("one", lambda: 1)
    assert registry.make("one") == 1  # what is known needs no plugin
    with pytest.raises(ValueError, match=r"the plugin 'no_such_plugin_anywhere' .* cannot be imported: ModuleNotFound"):
        registry.make("two")
    with pytest.raises(ValueError, match="unknown name 'two'"):  # it is tried once
        registry.make("two")


def test_a_plugin_may_register_and_look_up_while_it_is_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "harvest_plugin.py").write_text(
        "from ermas_envs.planners import planner_registry\n"
        "assert 'harvest' not in planner_registry.names()\n"
        "planner_registry.register('harvest', lambda: 'planner')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(plugins.VARIABLE, " harvest_plugin ,")
    from ermas_envs.planners import planner_registry

    assert planner_registry.make("harvest") == "planner"
    assert "harvest" in planner_registry
    del planner_registry._factories["harvest"], sys.modules["harvest_plugin"]


IMPORTS = """
import importlib
import pkgutil

import ermas_algos
import ermas_envs

for package in (ermas_envs, ermas_algos):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
"""


def test_our_modules_are_imported_without_plugins(tmp_path: Path) -> None:
    """A plugin imports them: it must not be needed before they are whole."""
    (tmp_path / "early_plugin.py").write_text("raise RuntimeError('imported too early')\n")
    search = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": search, plugins.VARIABLE: "early_plugin"}
    command = [sys.executable, "-c", IMPORTS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_a_known_name_is_checked_without_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.VARIABLE, "another_plugin_that_is_nowhere")
    registry: Registry[int] = Registry("thing")
    registry.register("one", lambda: 1)
    assert check_choice("thing", "one", registry) == "one"
    with pytest.raises(ValueError, match="the plugin 'another_plugin_that_is_nowhere'"):
        check_choice("thing", "two", registry)
