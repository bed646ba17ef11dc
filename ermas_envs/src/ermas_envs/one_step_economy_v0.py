"""`one_step_economy_v0`: agents choose their hours of work once, under income taxes that a planner has set.

The one-step economy of the AI Economist (S. Zheng et al., "The AI Economist", Science Advances 2022), with that
simulator's rules. Agents differ in their wages; the planner trades equality against productivity.

### Agents
`agent_0` … `agent_{n−1}`, in ascending order of their wages, and `planner`.

### Actions
Agents `Discrete(101)`: hours of work in this step; an agent who works earns hours · wage. Planner: one number per tax
bracket, 0 keeps the bracket's rate, k sets the k-th admissible rate (`MultiDiscrete`), or with
`multi_action_mode_planner=False` one number in all (`Discrete`); it counts at the start of a tax period only. A planner
that sets taxes by a rule (`us_federal`, `saez`, …), or taxes that are disabled or absent, leave it one action.

### Observations
float32; B brackets, n agents. `observations="original"`: a Dict, for agents `flat` and `time`, for the planner also
`p0` … `p{n−1}`; with `flatten_observations=False` one entry per row of the table. `"compact"`: one vector.

| who | original, `flat` | compact |
|---|---|---|
| agents | rates (B), first day, tax day, last incomes in ascending order (n), marginal rate, tax phase, wage, time | \
time, rates (B), first day, tax day, tax phase, mean income, wage, coin, marginal rate, last income |
| planner | rates (B), first day, tax day, last incomes (n), tax phase, time, equality, coin per head / 1000 | time, \
rates (B), first day, tax day, tax phase, deciles of incomes (11), equality, coin per head |
| planner, of each agent | marginal rate now, last income, last marginal rate | |

Wages are divided by the largest possible one, original incomes by the steps of the period.

### Rewards
Changes of an objective. Agents: coin − labor_cost · hours^labor_exponent, or isoelastic utility of coin −
labor_cost · hours, with the hours last worked. Planner: the agents' utilities weighted by 1 / max(1, production before
taxes), or equality times mean coin.

### Start and end
No coin, no labor; wages are drawn once, by `skill_seed`, or given: `skills`, ascending. In the first step agents' masks
allow no work. Taxes are collected, and their sum is shared out equally, at the end of every period (2 steps).
Truncation after `horizon` steps; nothing terminates.

### Arguments
`OneStepSettings` lists all; `planner`, `perturbation` and `behaviour` (hooks); `action_noise`, `autoreset`,
`reuse_arrays`, `agent_index` (`EngineBatch`); `num_threads`; `render_mode`.

### Version history
v0: first release.
"""

from typing import Any

from pettingzoo import AECEnv
from pettingzoo.utils import parallel_to_aec

from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.faces.parallel import EngineParallelEnv, parallel_face
from ermas_envs.game.behaviours import Behaviour
from ermas_envs.game.perturbations import RewardPerturbation
from ermas_envs.game.planners import Planner
from ermas_envs.games.one_step.engine import OneStepEngine
from ermas_envs.games.one_step.settings import OneStepSettings
from ermas_envs.games.taxation.settings import from_options
from ermas_envs.games.taxation.tax_planners import tax_rule

NAME = "one_step_economy_v0"


def batched_env(
    num_envs: int,
    *,
    planner: Planner | str = "learned",
    perturbation: RewardPerturbation | None = None,
    behaviour: Behaviour | None = None,
    action_noise: float = 0.0,
    autoreset: bool = True,
    reuse_arrays: bool = False,
    agent_index: bool = False,
    num_threads: int | None = None,
    **settings: Any,
) -> EngineBatch:
    """`num_envs` replicas of the game.

    Args:
        num_envs: at least 1.
        planner: see `EngineBatch`, as `perturbation`, `behaviour`, `action_noise`, `autoreset`, `reuse_arrays` and
            `agent_index`.
        num_threads: see `OneStepEngine`.
        settings: fields of `OneStepSettings`; ValueError with the nearest match for an unknown one.
    """
    chosen = from_options(OneStepSettings, settings, NAME)
    engine = OneStepEngine(NAME, num_envs, chosen, tax_rule(planner, chosen.taxes), num_threads)
    return EngineBatch(engine, planner, perturbation, autoreset, action_noise, reuse_arrays, agent_index, behaviour)


def parallel_env(*, render_mode: str | None = None, **arguments: Any) -> EngineParallelEnv:
    """The game as a PettingZoo parallel environment;
    `arguments` as in `batched_env`; `max_cycles` is another name of `horizon`."""
    return parallel_face(batched_env, render_mode, arguments)


def env(*, render_mode: str | None = None, **arguments: Any) -> AECEnv[str, Any, Any]:
    """The game as a PettingZoo AEC environment;
    `arguments` as in `batched_env`; `max_cycles` is another name of `horizon`."""
    return parallel_to_aec(parallel_env(render_mode=render_mode, **arguments))
