"""Steps the original, ai-economist 1.7.1, in an environment of its own; run as a file by `original`.

Imports only numpy and ai_economist. Reads lines from standard input: a number of seconds; for each it steps that long
and writes a line of JSON, the steps and the seconds that they took, resets of episodes that ended included. Actions are
drawn before, uniformly among all; what the environment returns contains flat observations and masks.
"""

import contextlib
import importlib
import io
import json
import sys
import time

import numpy as np

_DRAWN_STEPS = 64
_COMMON = {
    "multi_action_mode_agents": False,
    "multi_action_mode_planner": True,
    "flatten_observations": True,
    "flatten_masks": True,
    "dense_log_frequency": None,
}
CONFIGURATIONS = {
    # The paper's second phase of training, without annealing.
    "economy": {
        **_COMMON,
        "scenario_name": "layout_from_file/simple_wood_and_stone",
        "n_agents": 4,
        "world_size": [25, 25],
        "episode_length": 1000,
        "env_layout_file": "quadrant_25x25_20each_30clump.txt",
        "fixed_four_skill_and_loc": True,
        "starting_agent_coin": 0,
        "isoelastic_eta": 0.23,
        "energy_cost": 0.21,
        "energy_warmup_constant": 0,
        "planner_gets_spatial_info": False,
        "planner_reward_type": "coin_eq_times_productivity",
        "components": [
            {"Build": {"skill_dist": "pareto", "payment_max_skill_multiplier": 3}},
            {"ContinuousDoubleAuction": {"max_num_orders": 5}},
            {"Gather": {"skill_dist": "pareto"}},
            {"PeriodicBracketTax": {"tax_model": "model_wrapper"}},
        ],
    },
    "one_step": {
        **_COMMON,
        "scenario_name": "one-step-economy",
        "n_agents": 100,
        "world_size": [1, 1],
        "episode_length": 2,
        "agent_reward_type": "coin_minus_labor_cost",
        "labor_exponent": 3.5,
        "labor_cost": 0.0005,
        "planner_reward_type": "inv_income_weighted_utility",
        "mixing_weight_gini_vs_coin": 0,
        "components": [
            {"SimpleLabor": {"mask_first_step": True, "payment_max_skill_multiplier": 3}},
            {"PeriodicBracketTax": {"tax_model": "model_wrapper", "period": 2}},
        ],
    },
}


def main() -> None:
    """Serve rounds of the configuration that the command line names, until standard input ends."""
    vars(np).setdefault("int", int)  # ai-economist uses it, NumPy has removed it in 1.24
    with contextlib.redirect_stdout(io.StringIO()):
        foundation = importlib.import_module("ai_economist.foundation")
    arguments = dict(CONFIGURATIONS[sys.argv[1]])
    np.random.seed(0)  # noqa: NPY002 - the original draws from it
    env = foundation.make_env_instance(arguments.pop("scenario_name"), **arguments)
    generator = np.random.RandomState(1)
    sizes = [int(size) for size in env.world.planner.action_spaces]
    agents = int(env.world.agents[0].action_spaces)
    actions = [
        {
            **{str(index): int(generator.randint(agents)) for index in range(env.n_agents)},
            "p": [int(generator.randint(size)) for size in sizes],
        }
        for _ in range(_DRAWN_STEPS)
    ]
    env.reset()
    print(json.dumps({"numpy": np.__version__}), flush=True)
    steps = 0
    for line in sys.stdin:
        seconds, first, began = float(line), steps, time.perf_counter()
        while steps == first or time.perf_counter() - began < seconds:
            done = env.step(actions[steps % _DRAWN_STEPS])[2]
            steps += 1
            if done["__all__"]:
                env.reset()
        print(json.dumps({"steps": steps - first, "seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    main()
