"""`augmented_bimatrix_v0`: the bimatrix game with an acting planner and adverse agents (paper section 4.3).

Like `bimatrix_v0`, but the planner scales its own stake, and agents may dislike what the planner wants.

### Agents
`agent_0` (rows), `agent_1` (columns), `planner`.

### Actions
| id | space | meaning |
|---|---|---|
| `agent_0`, `agent_1` | Discrete(3) | 0, 1, 2: change the own level by −1, 0, +1, clamped (the mask tells) |
| `planner` (rule `amplify`) | Discrete(max_action + 1) | the integer a of the paper |
| `planner` (rule `shift_level`) | Discrete(5) | change its level o ∈ 0…12 by −2…+2, clamped (the mask tells) |

The rule belongs to the payoffs: `tragedy_of_commons` has `amplify`, `strategically_robust_2022` has `shift_level`.
With the paper's κ = 1 and r_p ∈ [0, 1], a = 0 would always be best; hence κ = 12 and a ≤ 6.

### Observations
float32 in [0, 1]; one-hot levels and the fraction of the episode that is left.

| id | setting | content |
|---|---|---|
| agents | `agents_observe="joint"` | own level, the other's level, time left |
| agents | `agents_observe="own"` | own level, time left |
| planner | `planner_observes=True` | agent_0's level, agent_1's level, its own level (`shift_level` only), time left |
| planner | `planner_observes=False` | time left |

### Rewards
Per step, at the new cell: agents r_i − q·r_p (q is the adversity Q), plus the perturbation if there is one; planner
a·κ·r_p − a² (`amplify`) or r_p·(3·o/12 + 1) − (o/12)² at its new level (`shift_level`).

### Start and end
Uniform start cell, planner level 0. Truncation after `horizon` steps; nothing terminates.

### Arguments
`q`, `planner_gain` (κ), `max_action`; `payoffs`, `horizon`, `agents_observe`, `planner_observes` (`BimatrixSettings`);
`planner`, `perturbation` and `behaviour` (hooks); `action_noise`, `agent_index` (`EngineBatch`); `render_mode`.

### Version history
v0: first release.
"""

from typing import Any

from pettingzoo import AECEnv
from pettingzoo.utils import parallel_to_aec

from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.faces.parallel import EngineParallelEnv, parallel_face
from ermas_envs.game.behaviours import Behaviour
from ermas_envs.game.perturbations import PlannerAdversity, RewardPerturbation, SumOf
from ermas_envs.game.planners import Planner
from ermas_envs.games.bimatrix.engine import BimatrixEngine, BimatrixSettings
from ermas_envs.games.bimatrix.payoffs import BimatrixPayoffs, as_payoffs
from ermas_envs.games.bimatrix.rules import planner_rule

NAME = "augmented_bimatrix_v0"


def batched_env(
    num_envs: int,
    *,
    q: float = 0.0,
    planner_gain: float = 12.0,
    max_action: int = 6,
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
    """`num_envs` replicas of the game; arguments as in the module's docstring and `EngineBatch`."""
    chosen = as_payoffs(payoffs)
    settings = BimatrixSettings(chosen, horizon, agents_observe, planner_observes)
    engine = BimatrixEngine(NAME, num_envs, settings, planner_rule(chosen, planner_gain, max_action))
    adversity = PlannerAdversity(q)
    total = adversity if perturbation is None else SumOf([adversity, perturbation])
    return EngineBatch(engine, planner, total, autoreset, action_noise, agent_index=agent_index, behaviour=behaviour)


def parallel_env(*, render_mode: str | None = None, **arguments: Any) -> EngineParallelEnv:
    """The game as a PettingZoo parallel environment;
    `arguments` as in `batched_env`; `max_cycles` is another name of `horizon`."""
    return parallel_face(batched_env, render_mode, arguments)


def env(*, render_mode: str | None = None, **arguments: Any) -> AECEnv[str, Any, Any]:
    """The game as a PettingZoo AEC environment;
    `arguments` as in `batched_env`; `max_cycles` is another name of `horizon`."""
    return parallel_to_aec(parallel_env(render_mode=render_mode, **arguments))
