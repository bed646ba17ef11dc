"""BenchMARL: IPPO with masks, one network for the group of agents and one for the planner of `augmented_bimatrix_v0`.

Level: the planner's payoff per episode of 20 steps, mean of 30 episodes after training, is at least LEVEL; random play
earns about START. Exit status 1 below. BenchMARL knows PettingZoo's own environments only, so that a game of another
package is a task class: `Bimatrix`, the glue. Rewards are brought to scale by TorchRL's transform, because BenchMARL's
IPPO does not normalise advantages.
"""

import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from benchmarl.algorithms import IppoConfig
from benchmarl.environments.pettingzoo.common import PettingZooClass
from benchmarl.experiment import Callback, Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from torchrl.envs import PettingZooWrapper, RewardScaling
from torchrl.envs.utils import ExplorationType, set_exploration_type
from torchrl.modules import MultiAgentMLP

from ermas_envs import augmented_bimatrix_v0

LEVEL, START = 600.0, 100.0
SCALES = {"agent": 1.0, "planner": 36.0}  # payoffs of one step, as `batched_env` says them
STEPS, CELLS = 20, [64]
FILE = Path(__file__).with_suffix(".pt")


class Bimatrix(PettingZooClass):
    """The game as a task; all else is found as for PettingZoo's own environments."""

    def get_env_fun(self, num_envs, continuous_actions, seed, device):
        return lambda: PettingZooWrapper(augmented_bimatrix_v0.parallel_env(), seed=seed, device=device)

    def supports_discrete_actions(self):
        return True

    def max_steps(self, env):
        return STEPS

    def get_env_transforms(self, env):
        return [RewardScaling(0.0, 1 / SCALES[group], in_keys=[(group, "reward")]) for group in env.group_map]

    @staticmethod
    def env_name():
        return "ermas"


class Progress(Callback):
    def on_batch_collected(self, batch):
        if self.experiment.n_iters_performed % 5 == 0:
            print(f"batch {self.experiment.n_iters_performed}: planner {earned(batch):.2f} per episode", flush=True)


def experiment(folder):
    config = ExperimentConfig.get_from_yaml()
    config.gamma, config.lr = 0.99, 2e-3
    config.max_n_frames, config.on_policy_collected_frames_per_batch = 60_000, 2000
    config.on_policy_n_minibatch_iters, config.on_policy_minibatch_size = 5, 500
    config.evaluation, config.loggers, config.create_json = False, [], False
    config.save_folder = folder
    algorithm = IppoConfig.get_from_yaml()
    algorithm.entropy_coef, algorithm.lmbda = 0.01, 0.95
    model = MlpConfig(num_cells=CELLS, layer_class=torch.nn.Linear, activation_class=torch.nn.Tanh)
    return Experiment(Bimatrix("bimatrix", {}), algorithm, model, seed=0, config=config, callbacks=[Progress()])


def earned(batch):
    """The planner's payoff per episode; infos are not scaled."""
    return float(batch["next", "planner", "info", "payoff"].sum()) * STEPS / batch.numel()


def judge(trained):
    """The same in 30 episodes that nothing is learned from; actions are drawn."""
    trained.test_env.set_seed(1000)
    with torch.no_grad(), set_exploration_type(ExplorationType.RANDOM):
        return earned(trained.test_env.rollout(30 * STEPS, trained.policy, break_when_any_done=False))


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:  # BenchMARL writes its settings somewhere
        trained = experiment(folder)
        print(f"before: planner {judge(trained):.2f} per episode", flush=True)
        trained.run()
    torch.save(trained.group_policies["planner"].module[0].mlp.state_dict(), FILE)
    print(f"after: planner {(final := judge(trained)):.2f} per episode, level {LEVEL}")
    return 0 if final >= LEVEL else 1


@cache
def network():
    env = augmented_bimatrix_v0.parallel_env()
    sizes = env.observation_space("planner").shape[0], int(env.action_space("planner").n)
    net = MultiAgentMLP(*sizes, n_agents=1, centralised=False, share_params=True, num_cells=CELLS)
    net.load_state_dict(torch.load(FILE, weights_only=True))
    return net


def planner(observation):
    """The trained planner's likeliest action, for `ermas evaluate`; all its actions are allowed at all times."""
    with torch.no_grad():
        return int(network()(torch.as_tensor(np.array(observation))[None])[0].argmax())


if __name__ == "__main__":
    sys.exit(main())
