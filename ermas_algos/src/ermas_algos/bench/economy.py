"""The economy: MARL with the learner of kind jax against bare passes of its network, SB3 over SuperSuit, and ERMAS.

Every side trains with the same replicas, rollouts, networks, epochs and minibatches, but for the preset's; all run in
turn in one process with one thread, and what counts is processor time.
"""

import time
from typing import Any

from sb3_contrib import MaskablePPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecEnvWrapper

from ermas_algos.algorithms.run import Run
from ermas_algos.bench.bare_passes import bare_jax, bare_torch
from ermas_algos.bench.comparison import PAIRS, Advance, Comparison, alternate, imported_supersuit, ratio_of_medians
from ermas_algos.presets import default_preset, preset_registry
from ermas_envs import economy_v0
from ermas_envs.planners import planner_registry

REPLICAS, HORIZON = 64, 200
"""Copies of the economy, and steps of a rollout, which is an episode."""
EPOCHS, MINIBATCH = 4, 1600
"""Passes over a rollout, and samples of a gradient step."""
ROUNDS = PAIRS
"""Measurements of each side."""
PPO: dict[str, Any] = {"learning_rate": 1e-3, "gamma": 0.99, "gae_lambda": 0.95}
FURTHER: dict[str, Any] = {"ent_coef": 0.01, "clip_range": 0.2}
"""Settings that all sides but the preset's share."""
HIDDEN = (64, 64)
"""Layers of actor and critic."""
REQUIRED = {"passes": 0.6, "SuperSuit": 10.0, "preset": 5.0, "ERMAS": 3.0}
"""Least ratios of samples per second, and the largest of an iteration of ERMAS to one of MARL."""

_CHANGED = {"num_threads": 1}
"""Arguments of the preset's that are others here."""
_MARL, _BARE = "MARL, kind jax", "bare passes in JAX"
_SB3, _BARE_TORCH = "MARL, kind sb3", "bare passes in torch"
_SUPERSUIT, _PRESET = "MaskablePPO via SuperSuit", "MARL by its preset"
_ONE, _TWO, _ALL = "ERMAS, an agent deviates", "ERMAS, two deviate", "ERMAS, all deviate"
_ALL_ONCE = "ERMAS, all, one update"


def comparisons(seconds: float) -> list[Comparison]:
    """All of them, each measurement of at least so many processor seconds."""
    sides = {
        _MARL: _trainer("MARL", "jax"),
        _BARE: bare_jax(*_observes_and_acts(), HIDDEN, _sizes()),
        _SB3: _trainer("MARL", "sb3"),
        _BARE_TORCH: bare_torch(*_observes_and_acts(), HIDDEN, _sizes()),
        _SUPERSUIT: _via_supersuit(),
        _PRESET: _advance("MARL", {}),
        _ONE: _trainer("ERMAS", "jax", deviating_agents=1),
        _TWO: _trainer("ERMAS", "jax", deviating_agents=2),
        _ALL: _trainer("ERMAS", "jax"),
        _ALL_ONCE: _trainer("ERMAS", "jax", deviation_updates=1),
    }
    measured = alternate(sides, seconds, ROUNDS, time.process_time)
    rates = {side: [run["samples"] / run["seconds"] for run in runs] for side, runs in measured.items()}
    costs = {side: [run["seconds"] / run["iterations"] for run in runs] for side, runs in measured.items()}

    def rate(name: str, first: str, second: str, least: float | None) -> Comparison:
        chosen = {side: rates[side] for side in (first, second)}
        met = None if least is None else ratio_of_medians(chosen) >= least
        return Comparison(name, "agent samples/s", chosen, None if least is None else f">= {least:g}", met)

    def cost(side: str, most: float | None) -> Comparison:
        chosen = {each: costs[each] for each in (side, _MARL)}
        met = None if most is None else ratio_of_medians(chosen) <= most
        return Comparison("an iteration", "s", chosen, None if most is None else f"<= {most:g}", met)

    return [
        rate("share of the arithmetic", _MARL, _BARE, REQUIRED["passes"]),
        rate("share of the arithmetic", _SB3, _BARE_TORCH, None),
        rate("end-to-end training", _MARL, _SUPERSUIT, REQUIRED["SuperSuit"]),
        rate("end-to-end training", _MARL, _SB3, None),
        rate("end-to-end training", _MARL, _PRESET, REQUIRED["preset"]),
        cost(_ONE, REQUIRED["ERMAS"]),
        cost(_TWO, REQUIRED["ERMAS"]),
        cost(_ALL, None),
        cost(_ALL_ONCE, REQUIRED["ERMAS"]),
    ]


def hyper_parameters() -> dict[str, Any]:
    """What all sides share, and the preset that one has in its place."""
    return {
        "environment": {"name": "economy_v0", **_arguments()},
        "learner": {**PPO, **FURTHER, "hidden_layers": HIDDEN, "n_epochs": EPOCHS, "minibatch_size": MINIBATCH},
        "replicas": REPLICAS,
        "policies": "one of all agents, one of the planner; via SuperSuit one of all agents, and a free market",
        "bare passes": "the actor step by step, one evaluation of the rollout, all gradient steps; no environment",
        "preset": default_preset("economy_v0"),
        "clock": "processor time of one process with one thread",
    }


def _arguments() -> dict[str, Any]:
    return {**preset_registry.make(default_preset("economy_v0")).arguments, **_CHANGED, "horizon": HORIZON}


def _sizes() -> tuple[int, int, int, int]:
    return HORIZON, REPLICAS * len(economy_v0.parallel_env().possible_agents[:-1]), EPOCHS, MINIBATCH


def _observes_and_acts() -> tuple[Any, Any]:
    env = economy_v0.batched_env(1, **_arguments())
    return env.observation_spaces["agent_0"], env.action_spaces["agent_0"]


def _learner(kind: str) -> dict[str, Any]:
    layers = {"kind": kind, **PPO, "hidden_layers": list(HIDDEN), "minibatch_size": MINIBATCH}
    if kind == "jax":
        return {**layers, **FURTHER, "n_epochs": EPOCHS}
    return {**layers, "algorithm": "MaskablePPO", "algorithm_kwargs": {**FURTHER, "n_epochs": EPOCHS}}


def _trainer(algorithm: str, kind: str, **further: Any) -> Advance:
    """A training in which all agents share a policy."""
    learner = _learner(kind)
    settings = {"num_envs": REPLICAS, "policy_sharing": "group", "agent_learner": learner, "planner_learner": learner}
    settings |= {"practice_updates": 0, "planner_warmup": 0}  # what is measured does not follow the preset
    if algorithm == "ERMAS":
        settings |= {"warmup_iterations": 0, "deviation_learner": learner}
        settings |= {"deviating_agents": None, "deviation_updates": 2}
    return _advance(algorithm, {**settings, **further})


def _advance(algorithm: str, settings: dict[str, Any]) -> Advance:
    options = {"environment": "economy_v0", "arguments": {**_CHANGED, "horizon": HORIZON}, "algorithm": algorithm}
    trainer = Run.from_options({**options, "settings": settings, "iterations": 1}).trainer()
    samples = trainer.config.num_envs * trainer.steps * len(trainer.env.agents)

    def advance() -> dict[str, float]:
        trainer.learn(trainer.iteration + 1)
        return {"samples": samples, "iterations": 1}

    return advance


class _WithMasks(VecEnvWrapper):
    """Gives MaskablePPO the masks that SuperSuit leaves in the infos."""

    _masks: list[Any]

    def reset(self) -> Any:
        seen = self.venv.reset()
        self._masks = [info["action_mask"] for info in self.venv.reset_infos]
        return seen

    def step_wait(self) -> Any:
        seen, rewards, dones, infos = self.venv.step_wait()
        self._masks = [info["action_mask"] for info in infos]
        return seen, rewards, dones, infos

    def has_attr(self, attr_name: str) -> bool:
        return attr_name == "action_masks"

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """`action_masks` is the only one."""
        return self._masks


def _via_supersuit() -> Advance:
    supersuit = imported_supersuit()
    game = economy_v0.parallel_env(**{**_arguments(), "planner": planner_registry.make("free_market")})
    rows = supersuit.pettingzoo_env_to_vec_env_v1(game)
    env = _WithMasks(supersuit.concat_vec_envs_v1(rows, REPLICAS, base_class="stable_baselines3"))
    settings = {**PPO, **FURTHER, "n_steps": HORIZON, "batch_size": MINIBATCH, "n_epochs": EPOCHS}
    model = MaskablePPO("MlpPolicy", env, policy_kwargs={"net_arch": list(HIDDEN)}, device="cpu", **settings)
    model.set_logger(Logger(None, []))  # writes no files

    def advance() -> dict[str, float]:
        before = model.num_timesteps  # counts every agent
        model.learn(env.num_envs * HORIZON, reset_num_timesteps=False)
        return {"samples": model.num_timesteps - before, "iterations": 1}

    return advance
