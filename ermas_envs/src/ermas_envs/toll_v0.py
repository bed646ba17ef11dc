"""`toll_v0`: drivers choose one of several parallel roads, under tolls that a planner has set.

A congestion game (A. C. Pigou 1920; R. W. Rosenthal 1973) with a planner who wants short travel times. The best toll
for perfect drivers fails for imperfect ones, and the best robust toll is known: `ermas_envs.oracles.tolls`.

### Agents
`agent_0` … `agent_{n−1}`, the drivers, and `planner`.

### Actions
Drivers `Discrete(L)`: the road that is taken. Planner: a toll for each road that can have one, in [0, max_toll]: a Box,
or with `toll_levels=k` `MultiDiscrete`, where j is j/(k − 1) of the largest toll. It counts in the first step of a
period, in which nobody drives: there the drivers' masks allow road 0 alone, which means nothing.

### Observations
float32 in [0, 1], each entry a share of its largest value.

| who | content |
|---|---|
| drivers | time, tolls (L), with `drivers_see_loads=True` the loads of the last drive (L), own value of time |
| planner | time, tolls in force (L), loads of the last drive (L), mean latency of the last drive |

### Rewards
Of a drive: drivers −(v · latency + toll) of their road, plus the perturbation if there is one; the planner minus the
mean latency of all drivers (tolls are no loss: they can be paid back). In the first step of a period everybody has 0.

### Start and end
No tolls, empty roads. Truncation after `periods` · (1 + `drives`) steps; nothing terminates.

### Arguments
`roads`, `num_drivers`, `drives`, `periods`, `tolled`, `max_toll`, `toll_levels`, `value_of_time`, `drivers_see_loads`
(`TollSettings`), `planner`, `perturbation` and `behaviour` (hooks; `ValueOfTime` is made for this game),
`action_noise`, `agent_index` (`EngineBatch`), `render_mode`.

### Version history
v0: first release.
"""

from collections.abc import Sequence
from typing import Any

from pettingzoo import AECEnv
from pettingzoo.utils import parallel_to_aec

from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.faces.parallel import EngineParallelEnv, parallel_face
from ermas_envs.game.behaviours import Behaviour
from ermas_envs.game.perturbations import RewardPerturbation
from ermas_envs.game.planners import Planner
from ermas_envs.games.toll.engine import TollEngine
from ermas_envs.games.toll.latency import Roads
from ermas_envs.games.toll.settings import TollSettings

NAME = "toll_v0"


def batched_env(
    num_envs: int,
    *,
    roads: Roads = "pigou",
    num_drivers: int = 20,
    drives: int = 8,
    periods: int = 1,
    tolled: Sequence[int] | None = None,
    max_toll: float = 1.0,
    toll_levels: int | None = None,
    value_of_time: float | Sequence[float] = 1.0,
    drivers_see_loads: bool = False,
    planner: Planner | str = "learned",
    perturbation: RewardPerturbation | None = None,
    behaviour: Behaviour | None = None,
    action_noise: float = 0.0,
    agent_index: bool = False,
    autoreset: bool = True,
) -> EngineBatch:
    """`num_envs` replicas of the game; arguments as in `TollSettings` and `EngineBatch`."""
    settings = TollSettings(
        roads, num_drivers, drives, periods, tolled, max_toll, toll_levels, value_of_time, drivers_see_loads
    )
    engine = TollEngine(NAME, num_envs, settings)
    return EngineBatch(
        engine, planner, perturbation, autoreset, action_noise, agent_index=agent_index, behaviour=behaviour
    )


def parallel_env(*, render_mode: str | None = None, **arguments: Any) -> EngineParallelEnv:
    """The game as a PettingZoo parallel environment; `arguments` as in `batched_env`."""
    return parallel_face(batched_env, render_mode, arguments)


def env(*, render_mode: str | None = None, **arguments: Any) -> AECEnv[str, Any, Any]:
    """The game as a PettingZoo AEC environment; `arguments` as in `batched_env`."""
    return parallel_to_aec(parallel_env(render_mode=render_mode, **arguments))
