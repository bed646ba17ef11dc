"""The study of imperfect followers: equal environment steps, and what its jobs write."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from ermas_algos.experiments.jobs import Scale
from ermas_algos.studies import imperfect_followers as study
from ermas_algos.studies.figure_5_jobs import Method, training_run
from ermas_algos.studies.figure_5_one_step import ITERATIONS, blocks_played


@pytest.mark.parametrize("followers", study.FOLLOWERS)
def test_methods_take_equal_environment_steps(followers: str) -> None:
    steps = []
    for method in study.methods(study.FOLLOWERS[followers], quick=False):
        run = training_run(study.PEOPLE, method, 0, ITERATIONS)
        steps.append(run.config.num_envs * blocks_played(run, ITERATIONS))
    assert len(steps) == 1 + len(study.EPSILONS)
    assert steps == pytest.approx([steps[0]] * len(steps), rel=0.01)


def test_followers_differ_from_the_preset_where_they_say() -> None:
    runs = {
        name: training_run(study.PEOPLE, Method("MARL", None, settings), 0, 1).config
        for name, settings in study.FOLLOWERS.items()
    }
    assert runs["no practice"].practice_updates == 0
    assert runs["entropy .01"].agent_learner.ent_coef == 0.01
    assert runs["entropy .01"].agent_learner.n_epochs == runs["preset"].agent_learner.n_epochs == 4
    assert runs["network of 8"].agent_learner.hidden_layers == (8,)
    assert runs["network of 8"].planner_learner == runs["preset"].planner_learner


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_a_job_writes_exact_welfare_and_marks_the_end(tmp_path: Path) -> None:
    job = study.jobs(Scale(1, quick=True))[0]
    (rows,) = job.run().values()
    assert [row["last"] for row in rows] == [False] * (len(rows) - 1) + [True]
    assert all(60.0 < row["exact_welfare"] < 139.0 for row in rows)
    path = tmp_path / "figure.png"
    study.plot(path, {study.NAME: rows})
    assert path.read_bytes().startswith(b"\x89PNG")
