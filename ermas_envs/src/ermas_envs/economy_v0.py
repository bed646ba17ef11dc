"""`economy_v0`: agents gather, trade and build under income taxes that a planner sets: the AI Economist's economy.

The gather-trade-build economy of S. Zheng et al., "The AI Economist: Taxation policy design via two-level deep
multiagent reinforcement learning" (Science Advances 2022), with the rules of their simulator (ai-economist 1.7.1). It
replays recordings of that one (`python -m ermas_envs.replay`). Agents collect stone and wood on a map, trade
them for coin, and build houses from one of each, which earns coin; skills differ. The planner trades equality against
productivity.

### Agents
`agent_0` … `agent_{n−1}` and `planner`.

### Actions
Agents, `Discrete(50)` with the default components, in this order:

| action | meaning |
|---|---|
| 0 | nothing |
| 1 | build a house on the own tile |
| 2 … 12 | bid 0 … 10 coin for a stone |
| 13 … 23 | ask 0 … 10 coin for a stone |
| 24 … 34 | bid for a wood |
| 35 … 45 | ask for a wood |
| 46, 47, 48, 49 | move left, right, up, down |

`multi_action_mode_agents=True`: `MultiDiscrete`, one entry for each of the six kinds, 0 for nothing. Planner,
`MultiDiscrete([22] * 7)`: for each tax bracket 0 keeps the rate, k sets the k-th of 0, 0.05, …, 1
(`multi_action_mode_planner=False`: `Discrete`, one bracket in all). It counts in the first step of a tax period only:
`planner_acts` (batched) and `infos["planner"]["acts"]` tell. A planner that sets taxes by a rule (`free_market`,
`us_federal`, `fixed_brackets`, `saez`), or taxes that are disabled or absent, leave it one action. Masks tell which
actions have their effect; what has none is ignored.

### Observations
`observations="original"`: a Dict, as the original defines it.

| who | key | shape, dtype | content |
|---|---|---|---|
| agents | `flat` | (136,) float32 | skills, order books (others' and own), market rates, price history, taxes, time, \
inventory, place |
| agents | `world-map` | (7, 11, 11) float32 | stone, wood, houses, water, sources of stone and wood, inside |
| agents | `world-idx_map` | (2, 11, 11) int16 | owners of houses, who stands there: 0 none, 1 self, i + 2 agent i |
| planner | `flat` | (86,) float32 | order books, market rates, price history, taxes, time |
| planner | `p0` … | (6,) float32 each | of each agent: marginal rate now, last income, last marginal rate, inventory |
| both | `time` | (1,) float32 | share of the episode that is over |

`flatten_observations=False` names every quantity by a key of its own; `full_observability` and
`planner_gets_spatial_info` give whole maps; `map_dtype="uint8"` gives maps of small integers.
`ermas_envs.games.economy.observation_entries` lists the order within `flat`. `observations="compact"`: one float32
vector, 63 numbers for agents and 30 for the planner, without images (`ermas_envs.games.economy.compact`).

### Rewards
Changes of an objective. Agents: isoelastic utility of their coin, (C^(1−η) − 1)/(1−η) (ln C at η = 1), minus
energy_cost · labor. Planner: equality times mean coin, or coin or utilities weighted by inverse income.

### Start and end
Fixed skills in the four corners of the map, in a random order of the agents (`fixed_four_skill_and_loc`), or skills and
places at random. Taxes are collected, and their sum is shared out equally, at the end of every period (100 steps).
Truncation after `horizon` steps; nothing terminates.

### Arguments
`EconomySettings` lists all; `planner`, `perturbation` and `behaviour` (hooks); `action_noise`, `autoreset`,
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
from ermas_envs.games.economy.engine import EconomyEngine
from ermas_envs.games.economy.settings import EconomySettings
from ermas_envs.games.taxation.settings import from_options
from ermas_envs.games.taxation.tax_planners import tax_rule

NAME = "economy_v0"


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
        num_threads: see `EconomyEngine`.
        settings: fields of `EconomySettings`; ValueError with the nearest match for an unknown one.
    """
    chosen = from_options(EconomySettings, settings, NAME)
    engine = EconomyEngine(NAME, num_envs, chosen, tax_rule(planner, chosen.taxes), num_threads)
    return EngineBatch(engine, planner, perturbation, autoreset, action_noise, reuse_arrays, agent_index, behaviour)


def parallel_env(*, render_mode: str | None = None, **arguments: Any) -> EngineParallelEnv:
    """The game as a PettingZoo parallel environment;
    `arguments` as in `batched_env`; `max_cycles` is another name of `horizon`."""
    return parallel_face(batched_env, render_mode, arguments)


def env(*, render_mode: str | None = None, **arguments: Any) -> AECEnv[str, Any, Any]:
    """The game as a PettingZoo AEC environment;
    `arguments` as in `batched_env`; `max_cycles` is another name of `horizon`."""
    return parallel_to_aec(parallel_env(render_mode=render_mode, **arguments))
