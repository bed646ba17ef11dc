"""Tianshou: DQN with masks for every role of `augmented_bimatrix_v0`, each with a network of its own, by turns.

Level: the planner's reward per episode of 20 steps, mean of 20 greedy episodes after training, is at least LEVEL;
random play earns about START. Exit status 1 below. Tianshou's `PettingZooEnv` takes environments by turns whose roles
all have one shape, and masks beside what is seen: two wrappers. Rewards come when the last role has moved, so that a
return needs as many entries of the buffer as there are roles: `n_step_return_horizon=3`.
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
from pettingzoo.utils import parallel_to_aec
from tianshou.algorithm import DQN, MultiAgentOffPolicyAlgorithm
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, PettingZooEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net

from ermas_envs import augmented_bimatrix_v0
from ermas_envs.wrappers import ActionMasks, SameSpaces

LEVEL, START = 400.0, 100.0
ROLES, STEPS, EPOCHS = 3, 20, 10
FILE = Path(__file__).with_suffix(".pt")


def make_env():
    one_shape = SameSpaces(augmented_bimatrix_v0.parallel_env())
    return PettingZooEnv(parallel_to_aec(ActionMasks(one_shape, "observation")))


def network(env):
    return Net(
        state_shape=env.observation_space["observation"].shape, action_shape=env.action_space.n, hidden_sizes=[64]
    )


def learner(env):
    policy = DiscreteQLearningPolicy(
        model=network(env), action_space=env.action_space, eps_training=0.1, eps_inference=0.0
    )
    rate = AdamOptimizerFactory(lr=1e-3)
    return DQN(policy=policy, optim=rate, gamma=0.98, n_step_return_horizon=ROLES, target_update_freq=200)


def planner_return(collector):
    """Reward of the planner, the last role, per episode."""
    return float(collector.collect(n_episode=20, reset_before_collect=True).returns[:, -1].mean())


def main():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 Tianshou explores with it
    env = make_env()
    algorithm = MultiAgentOffPolicyAlgorithm(algorithms=[learner(env) for _ in range(ROLES)], env=env)
    training, test = (DummyVectorEnv([make_env for _ in range(4)]) for _ in range(2))
    training.seed(1)
    test.seed(1000)
    collector = Collector(algorithm, training, VectorReplayBuffer(20_000, 4), exploration_noise=True)
    judge = Collector(algorithm, test, exploration_noise=False)
    collector.reset()
    collector.collect(n_step=1200, random=False)
    print(f"before: planner {planner_return(judge):.2f} per episode", flush=True)
    algorithm.run_training(
        OffPolicyTrainerParams(
            training_collector=collector,
            test_collector=None,
            max_epochs=EPOCHS,
            epoch_num_steps=2400,
            collection_step_num_env_steps=120,
            update_step_num_gradient_steps_per_sample=0.1,
            batch_size=192,
            show_progress=False,
        )
    )
    after = planner_return(judge)
    torch.save(algorithm.get_algorithm("planner").policy.model.state_dict(), FILE)
    print(f"after: planner {after:.2f} per episode, level {LEVEL}")
    return 0 if after >= LEVEL else 1


@cache
def trained():
    env = make_env()
    net = network(env)
    net.load_state_dict(torch.load(FILE, weights_only=True))
    return (
        net,
        env.observation_space["observation"].shape[0],
        augmented_bimatrix_v0.parallel_env().action_space("planner").n,
    )


def planner(observation):
    """The trained planner's best action, for `ermas evaluate`."""
    net, length, actions = trained()
    seen = np.zeros((1, length), np.float32)
    seen[0, : len(observation)] = observation
    with torch.no_grad():
        return int(net(seen)[0][0, :actions].argmax())


if __name__ == "__main__":
    sys.exit(main())
