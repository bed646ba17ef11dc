"""`contract_v0`: a principal pays for outcomes, agents choose efforts that it does not see: hidden-action contracts.

The principal-agent problem (S. Grossman, O. Hart, Econometrica 1983; for approximate best responses F. Bacchiocchi
et al., "Contract Design Under Approximate Best Responses", ICML 2025). Every agent has a contract and an instance of
its own: probabilities F of O outcomes under n actions, rewards r, costs c. Its optimal and robust contracts are known
exactly (`ermas_envs.oracles.contracts`, docs/contracts.md).

### Agents
`agent_0` … `agent_{N−1}`, and `planner`, the principal.

### Actions
| id | space | meaning |
|---|---|---|
| agents | Discrete(n) | the action; before the contract is signed it has no effect (the mask leaves 0) |
| `planner` (`payments="continuous"`) | Box(−1, 1), (N · O,) | a; the payment is (1 + a)/2 of the largest |
| `planner` (`payments="grid"`) | MultiDiscrete | levels k; the payment is k / (levels − 1) of the largest |

### Observations
float32; all amounts in units of the largest payment, reward or cost.

| id | content |
|---|---|
| agents | time left, payments of its contract (O), expected utility F_a·p − c_a of every action (n), what the \
principal expects of every action, F_a·(r − p) (n) |
| planner | time left |

Before it is signed the contract pays nothing.

### Rewards
In the second step: agents payment − cost, plus the perturbation if there is one; planner the sum over agents of
reward − payment. The outcome is drawn, or with `outcomes="expected"` payoffs are their means. In the first step
nothing.

### Start and end
The first step signs the contracts, in the second agents work, and the episode terminates.

### Arguments
`ContractSettings` lists all; `planner`, `perturbation` and `behaviour` (hooks); `action_noise`, `autoreset`,
`agent_index` (`EngineBatch`); `render_mode`.

### Version history
v0: first release.
"""

from collections.abc import Mapping
from typing import Any

from pettingzoo import AECEnv
from pettingzoo.utils import parallel_to_aec

from ermas_envs.faces.engine_batch import EngineBatch
from ermas_envs.faces.parallel import EngineParallelEnv, parallel_face
from ermas_envs.game.behaviours import Behaviour
from ermas_envs.game.perturbations import RewardPerturbation
from ermas_envs.game.planners import Planner
from ermas_envs.games.contract.engine import ContractEngine
from ermas_envs.games.contract.instances import REFERENCE_SEED, Instances
from ermas_envs.games.contract.settings import ContractSettings

NAME = "contract_v0"


def batched_env(
    num_envs: int,
    *,
    instances: int | Mapping[str, Any] | Instances = REFERENCE_SEED,
    num_agents: int | None = None,
    first_instance: int = 0,
    num_actions: int = 5,
    num_outcomes: int = 4,
    payments: str = "continuous",
    payment_levels: int = 21,
    largest_payment: float | None = None,
    outcomes: str = "drawn",
    planner: Planner | str = "learned",
    perturbation: RewardPerturbation | None = None,
    behaviour: Behaviour | None = None,
    action_noise: float = 0.0,
    agent_index: bool = False,
    autoreset: bool = True,
) -> EngineBatch:
    """`num_envs` replicas of the game; arguments as in `ContractSettings` and `EngineBatch`."""
    settings = ContractSettings(
        instances,
        num_agents,
        first_instance,
        num_actions,
        num_outcomes,
        payments,
        payment_levels,
        largest_payment,
        outcomes,
    )
    engine = ContractEngine(NAME, num_envs, settings)
    return EngineBatch(
        engine, planner, perturbation, autoreset, action_noise, agent_index=agent_index, behaviour=behaviour
    )


def parallel_env(*, render_mode: str | None = None, **arguments: Any) -> EngineParallelEnv:
    """The game as a PettingZoo parallel environment; `arguments` as in `batched_env`."""
    return parallel_face(batched_env, render_mode, arguments)


def env(*, render_mode: str | None = None, **arguments: Any) -> AECEnv[str, Any, Any]:
    """The game as a PettingZoo AEC environment; `arguments` as in `batched_env`."""
    return parallel_to_aec(parallel_env(render_mode=render_mode, **arguments))
