"""The planner alone out of a checkpoint: what transfer evaluation needs, without agents."""

from pathlib import Path
from typing import Any

from ermas_algos.algorithms import config as configuration
from ermas_algos.algorithms.collection import MakeEnv
from ermas_algos.algorithms.config import rollout_length
from ermas_algos.algorithms.exact import tables_of
from ermas_algos.algorithms.saved_training import SavedTraining
from ermas_algos.algorithms.trainer import Trainer
from ermas_algos.checkpoint import content_of
from ermas_algos.learned_planner import LearnedPlanner
from ermas_algos.learners.protocol import Spaces, num_seeds
from ermas_algos.saved_state import check_finite


def saved_planner(
    trainer: type[Trainer[Any]], path: Path | str, saved: SavedTraining, make_env: MakeEnv
) -> LearnedPlanner:
    """The frozen planner of a training by `trainer`, from what `read_training` found in `path`.

    Raises:
        CheckpointError: as those of `Trainer.load`.
        ValueError: no learner plays the planner, or a batch of seeds does.
    """
    with content_of(path):
        config, env = saved.checked_config(trainer.config_type), make_env(1)
        saved.check_environment(env, rollout_length(config.rollout_steps, env.horizon, config.num_envs))
        places = trainer.places(configuration.on_this_machine(config), env)
        saved.check_learners(env, places, sized=True)
        if env.planner not in places:
            raise ValueError(f"the planner {env.planner!r} was not learned; it played inside the environment.")
        seeds = num_seeds(config.planner_learner)
        if seeds > 1:
            raise ValueError(f"holds a batch of {seeds} seeds, not one planner; train with one seed.")
        spaces = Spaces(env.observation_spaces[env.planner], env.action_spaces[env.planner])
        learner = places[env.planner].learner(spaces, 0, lambda: tables_of(env))
        for label, state in saved.learners.items():
            with content_of(f"{path}: learner {label!r}"):  # of agents, too: such a file is damaged
                check_finite(state.tensors)
        with content_of(f"{path}: learner {env.planner!r}"):
            learner.load_state(saved.learners[env.planner])
    return LearnedPlanner(learner)
