"""RLlib, new API stack: PPO, with masks, one policy for agents and one for the planner of `augmented_bimatrix_v0`.

Level: the planner's reward per episode of 20 steps, as RLlib's own evaluation counts it, is at least LEVEL; random play
earns about START. Exit status 1 below. RLlib's masking module wants masks inside observations: one line of glue.
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module import RLModule
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule
from ray.tune.registry import register_env

from ermas_envs import augmented_bimatrix_v0
from ermas_envs.wrappers import ActionMasks

LEVEL, START, ITERATIONS = 600.0, 100.0, 22
FOLDER = Path(__file__).resolve().with_suffix("")


def make_env(_=None):
    return ParallelPettingZooEnv(ActionMasks(augmented_bimatrix_v0.parallel_env(), "observations"))


def algorithm():
    module = RLModuleSpec(
        module_class=ActionMaskingTorchRLModule, model_config=DefaultModelConfig(fcnet_hiddens=[64, 64])
    )
    config = (
        PPOConfig()
        .environment("bimatrix")
        .multi_agent(
            policies={"agent", "planner"},
            policy_mapping_fn=lambda agent, *_, **__: "planner" if agent == "planner" else "agent",
        )
        .rl_module(rl_module_spec=MultiRLModuleSpec(rl_module_specs={"agent": module, "planner": module}))
        .env_runners(num_env_runners=0, num_envs_per_env_runner=20)
        .training(train_batch_size_per_learner=2000, minibatch_size=500, num_epochs=6, lr=3e-3, gamma=0.99)
        .evaluation(evaluation_duration=20, evaluation_config={"explore": True})
        .debugging(seed=0)
    )
    return config.build_algo()


def main():
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    register_env("bimatrix", make_env)
    trained = algorithm()
    for iteration in range(ITERATIONS):
        found = trained.train()
        if iteration % 2 == 0:
            earned = found["env_runners"]["agent_episode_returns_mean"]["planner"]
            print(f"iteration {iteration}: planner {earned:.2f} per episode", flush=True)
    after = trained.evaluate()["env_runners"]["agent_episode_returns_mean"]["planner"]
    trained.get_module("planner").save_to_path(FOLDER)
    print(f"after: planner {after:.2f} per episode, level {LEVEL}")
    trained.stop()
    return 0 if after >= LEVEL else 1


@cache
def module():
    return RLModule.from_checkpoint(FOLDER)


def planner(observation):
    """The trained planner's likeliest action, for `ermas evaluate`; it has learned where its masks are."""
    space = augmented_bimatrix_v0.parallel_env().action_space("planner")
    seen = {"observations": np.array(observation)[None], "action_mask": np.ones((1, space.n), np.float32)}
    batch = {"obs": {key: torch.as_tensor(array) for key, array in seen.items()}}
    return int(module().forward_inference(batch)["action_dist_inputs"][0].argmax())


if __name__ == "__main__":
    sys.exit(main())
