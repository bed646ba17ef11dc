"""`bimatrix_v0`: the constrained repeated bimatrix game with a passive planner (paper section 4.1).

Two agents walk on a grid of levels; everyone earns what stands at the cell they reach.

### Agents
`agent_0` (rows), `agent_1` (columns) and `planner`, which only watches.

### Actions
| id | space | meaning |
|---|---|---|
| `agent_0`, `agent_1` | Discrete(3) | 0, 1, 2: change the own level by −1, 0, +1, clamped (the mask tells) |
| `planner` | Discrete(1) | nothing to choose |

### Observations
float32 in [0, 1]; one-hot levels and the fraction of the episode that is left.

| id | setting | content |
|---|---|---|
| agents | `agents_observe="joint"` | own level, the other's level, time left |
| agents | `agents_observe="own"` | own level, time left |
| planner | `planner_observes=True` | agent_0's level, agent_1's level, time left |
| planner | `planner_observes=False` | time left |

### Rewards
Per step, at the new cell (i, j): agents r_1(i, j), r_2(i, j), plus the perturbation if there is one; planner r_p(i, j).

### Start and end
Uniform start cell. Truncation after `horizon` steps; nothing terminates.

### Arguments
`payoffs`, `horizon`, `agents_observe`, `planner_observes` (`BimatrixSettings`); `planner`, `perturbation` and
`behaviour` (hooks); `action_noise`, `agent_index` (`EngineBatch`); `render_mode`.

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
from ermas_envs.games.bimatrix.engine import BimatrixEngine, BimatrixSettings
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs
from ermas_envs.games.bimatrix.rules import passive

NAME = "bimatrix_v0"


def batched_env(
    num_envs: int,
    *,
    payoffs: str | BimatrixPayoffs = "tragedy_of_commons",
    horizon: int = 20,
    agents_observe: str = "joint",
    planner_observes: bool = True,
    planner: Planner | str = "learned",
    perturbation: RewardPerturbation | None = None,
    behaviour: Behaviour | None = None,
    action_noise: float = 0.0,
    agent_index: bool = False,
    autoreset: bool = True,
) -> EngineBatch:
    """`num_envs` replicas of the game; arguments as in `BimatrixSettings` and `EngineBatch`."""
    settings = BimatrixSettings(payoffs, horizon, agents_observe, planner_observes)
    engine = BimatrixEngine(NAME, num_envs, settings, passive())
    return EngineBatch(
        engine, planner, perturbation, autoreset, action_noise, agent_index=agent_index, behaviour=behaviour
    )


def parallel_env(*, render_mode: str | None = None, **arguments: Any) -> EngineParallelEnv:
    """The game as a PettingZoo parallel environment;
    `arguments` as in `batched_env`; `max_cycles` is another name of `horizon`."""
    return parallel_face(batched_env, render_mode, arguments)


def env(*, render_mode: str | None = None, **arguments: Any) -> AECEnv[str, Any, Any]:
    """The game as a PettingZoo AEC environment;
    `arguments` as in `batched_env`; `max_cycles` is another name of `horizon`."""
    return parallel_to_aec(parallel_env(render_mode=render_mode, **arguments))
