"""Tables of Figure 4: returns, validation and choice of ε, statistics, claims, and the exact optimum as reference."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ermas_algos.evaluation.statistics import chosen_by_the_others, difference, interval_columns, summary
from ermas_algos.experiments.jobs import Row
from ermas_envs import augmented_bimatrix_v0
from ermas_envs.base.arrays import FloatArray
from ermas_envs.games.bimatrix.payoffs import as_payoffs
from ermas_envs.oracles import best_constant_planner, equilibrium_policies, robust_planner

TRAINING_GAP = 0.0
"""Q of the training of every method but MARL told another one."""
ORACLE = "per-Q oracle"
"""MARL trained at each test gap and tested there only: it has been told Q."""
Panel = tuple[str, bool]
"""Payoffs, and whether the planner observes."""
Key = tuple[str, float | None, float | None]
"""Method, ε, parameter."""

FRONTIER_SHARES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)
"""Least returns at the training gap, as shares of the largest, at which the exact frontier is computed."""

_BOOTSTRAP_SEED = 0


def transfer_rows(transfers: Iterable[Row], trainings: Iterable[Row]) -> list[Row]:
    """One row per planner and gap, training and test together."""
    steps = {(row["task"], row["method_name"], row["seed"]): row["env_steps"] for row in trainings}
    return [
        {
            "payoffs": row["payoffs"],
            "planner_observes": row["planner_observes"],
            "method": row["method"],
            "epsilon": row["epsilon"],
            "parameter": row["parameter"],
            "seed": row["seed"],
            "q_test": row["gap"],
            "planner_return": row["planner_return"],
            "exact_planner_return": row["exact_planner_return"],
            "exact_regret": row["exact_regret"],
            "converged": row["converged"],
            "training_steps": steps[row["task"], row["method_name"], row["seed"]],
            "test_steps": row["env_steps"],
            "shared_agents": row["shared_agents"],
        }
        for row in transfers
    ]


def panels(rows: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """Panels in order of appearance."""
    return list(dict.fromkeys((row["payoffs"], row["planner_observes"]) for row in rows))


def returns_of(rows: Sequence[Mapping[str, Any]], panel: Panel, gaps: Sequence[float]) -> dict[Key, FloatArray]:
    """Planner returns (seeds, gaps) per method, and of the per-Q oracle.

    Raises:
        ValueError: a method lacks a seed at a gap that it has at another, or that another method has: nothing is
            averaged over what is missing, or compared with it.
    """
    found: dict[Key, dict[tuple[int, float], float]] = {}
    for row in rows:
        if (row["payoffs"], row["planner_observes"]) == panel and row["q_test"] in gaps:
            key = (row["method"], row["epsilon"], row["parameter"])
            found.setdefault(key, {})[row["seed"], row["q_test"]] = row["planner_return"]
    returns, all_seeds = {}, {seed for values in found.values() for seed, _ in values}
    for key, values in found.items():
        seeds = sorted({seed for seed, _ in values})
        if len(seeds) != len(all_seeds):
            raise ValueError(f"{panel}, {key}: has seeds {seeds} of {sorted(all_seeds)}.")
        if len(values) != len(seeds) * len(gaps):
            raise ValueError(f"{panel}, {key}: {len(values)} returns of {len(seeds)} seeds at {len(gaps)} gaps.")
        returns[key] = np.array([[values[seed, gap] for gap in gaps] for seed in seeds])
    told = [("MARL", None, gap) for gap in gaps]
    if all(key in returns for key in told):
        returns[ORACLE, None, None] = np.stack([returns[key][:, k] for k, key in enumerate(told)], axis=1)
    return returns


def summary_rows(rows: Sequence[Row], gaps: Sequence[float]) -> list[Row]:
    """Statistics of every method over the test gaps, with bootstrap 95 % intervals over seeds; MARL is the baseline, in
    pairs: a seed's fresh agents are the same for all methods."""
    table = []
    for panel in panels(rows):
        returns = returns_of(rows, panel, gaps)
        for key, values in returns.items():
            found = summary(values, returns[MARL], list(gaps).index(TRAINING_GAP), _generator(), paired=True)
            table.append({**_labels(panel, key), "seeds": len(values), **interval_columns(found)})
    return table


MARL: Key = ("MARL", None, TRAINING_GAP)
"""MARL without a gap in training: the baseline of all comparisons."""
MARL_TOLD: Key = ("MARL", None, 0.5)
"""MARL that has been told a gap."""
HELD_OUT: Key = ("ERMAS, ε chosen by the other seeds", None, None)
"""A seed's own validation has no part in the choice of its ε."""


def choice_rows(rows: Sequence[Row], gaps: Sequence[float]) -> list[Row]:
    """ERMAS at every ε on the validation gaps: the largest worst case over them, mean over seeds, is chosen."""
    table = []
    for panel in panels(rows):
        returns = {key: values for key, values in returns_of(rows, panel, gaps).items() if key[0] == "ERMAS"}
        worst = {key: float(values.min(axis=1).mean()) for key, values in returns.items()}
        chosen = max(worst, key=lambda key: worst[key])
        for key, values in returns.items():
            per_gap = {f"validation_{gap:g}": float(values[:, k].mean()) for k, gap in enumerate(gaps)}
            table.append({**_labels(panel, key), **per_gap, "worst_case": worst[key], "chosen": key == chosen})
    return table


def claim_rows(
    rows: Sequence[Row], validated: Sequence[Row], gaps: Sequence[float], validation_gaps: Sequence[float]
) -> list[Row]:
    """Every method against MARL without a gap, against MARL told Q = 0.5, and against ERMAS at the chosen ε.

    Differences of the mean and of the worst case over the test gaps, and of the return at the training gap, with
    bootstrap 95 % intervals, in pairs: a seed's fresh agents are the same for all methods.
    """
    table = []
    training = list(gaps).index(TRAINING_GAP)
    choice = choice_rows(validated, validation_gaps)
    for panel in panels(rows):
        returns = returns_of(rows, panel, gaps)
        returns |= _held_out(returns, returns_of(validated, panel, validation_gaps))
        (chosen,) = [r["epsilon"] for r in choice if _panel(r) == panel and r["chosen"]]
        opponents = {"MARL, Q = 0": MARL, "MARL, Q = 0.5": MARL_TOLD, "ERMAS, chosen ε": ("ERMAS", chosen, None)}
        for key, values in returns.items():
            for name, opponent in opponents.items():
                other = returns.get(opponent)
                if other is None or key == opponent:
                    continue
                pairs = {
                    "mean": (values, other, "mean"),
                    "worst_case": (values, other, "worst case"),
                    "training_point": (values[:, [training]], other[:, [training]], "mean"),
                }
                found = {
                    column: difference(a, b, what, _generator(), paired=True) for column, (a, b, what) in pairs.items()
                }
                table.append({**_labels(panel, key), "against": name, **interval_columns(found)})
    return table


def _held_out(returns: Mapping[Key, FloatArray], validated: Mapping[Key, FloatArray]) -> dict[Key, FloatArray]:
    """ERMAS's returns (seeds, gaps), each seed's at the ε that the others choose; nothing without several seeds."""
    keys = [key for key in validated if key[0] == "ERMAS"]
    if len(validated[keys[0]]) < 2:
        return {}
    chosen = chosen_by_the_others(np.array([validated[key].min(axis=1) for key in keys]))
    return {HELD_OUT: np.array([returns[keys[k]][seed] for seed, k in enumerate(chosen)])}


def optimum_rows(rows: Sequence[Row]) -> list[Row]:
    """The best constant planner at each gap, exact, where the agents' game has a pure equilibrium at every step."""
    table = []
    for payoffs in dict.fromkeys(row["payoffs"] for row in rows):
        if as_payoffs(payoffs).planner_rule != "amplify":
            continue
        for gap in sorted({row["q_test"] for row in rows}):
            game = augmented_bimatrix_v0.batched_env(1, payoffs=payoffs, q=gap).tabular_game()
            assert game is not None
            best = best_constant_planner(game)
            table.append(
                {
                    "payoffs": payoffs,
                    "q_test": gap,
                    "action": best.action,
                    "planner_return": best.planner_return,
                    **{f"action_{a}": float(value) for a, value in enumerate(best.planner_returns)},
                }
            )
    return table


def frontier_rows(rows: Sequence[Row], gaps: Sequence[float]) -> list[Row]:
    """The best worst case over the test gaps of any planner that earns so much at the training gap, exact.

    Against the agents' exact equilibrium at every gap, where there is a pure one; a planner that observes may adapt.
    """
    table = []
    for payoffs, observes in panels(rows):
        if as_payoffs(payoffs).planner_rule != "amplify":
            continue
        found = [
            augmented_bimatrix_v0.batched_env(
                1, payoffs=payoffs, q=gap, agents_observe="own", planner_observes=observes
            ).tabular_game()
            for gap in gaps
        ]
        games = [game for game in found if game is not None]
        agents = [equilibrium_policies(game) for game in games]
        training = list(gaps).index(TRAINING_GAP)
        most = robust_planner([games[training]], [agents[training]]).worst_case
        for share in FRONTIER_SHARES:
            best = robust_planner(games, agents, training, share * most)
            columns = {"training_point": float(best.returns[training]), "worst_case": best.worst_case}
            table.append({"payoffs": payoffs, "planner_observes": observes, "share": share, **columns})
    return table


def _generator() -> np.random.Generator:
    return np.random.default_rng(_BOOTSTRAP_SEED)


def _panel(row: Mapping[str, Any]) -> Panel:
    return row["payoffs"], row["planner_observes"]


def _labels(panel: Panel, key: Key) -> Row:
    names = ("payoffs", "planner_observes", "method", "epsilon", "parameter")
    return dict(zip(names, (*panel, *key), strict=True))
