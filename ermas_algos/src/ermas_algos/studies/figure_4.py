"""Figure 4: planners of every method against fresh agents over the reality gap Q; baselines on equal environment steps.

The baselines' sources are cited in `docs/figure-4.md`, one paragraph each.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ermas_algos.algorithms import PopulationConfig
from ermas_algos.algorithms.config import AGENT_PPO, ERMASConfig, to_json
from ermas_algos.algorithms.multipliers import MultiplierConfig
from ermas_algos.evaluation.fresh_agents import FreshAgentsConfig
from ermas_algos.experiments.jobs import Finished, Job, Row, Scale
from ermas_algos.experiments.results import rows_of
from ermas_algos.experiments.sweep import SEED, TRAINING, TRANSFER, Method, Sweep, Task
from ermas_algos.studies.figure_4_tables import (
    choice_rows,
    claim_rows,
    frontier_rows,
    optimum_rows,
    summary_rows,
    transfer_rows,
)
from ermas_envs import augmented_bimatrix_v0
from ermas_envs.games.bimatrix.payoffs import as_payoffs

EXPERIMENTS = {"figure-4": "tragedy_of_commons", "figure-4-released-payoffs": "strategically_robust_2022"}
"""Payoff set by the experiment's name; the first is the main panel."""
TEST_GAPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
VALIDATION_GAPS = (0.25, 0.45)
"""Where ε is chosen; never a test gap."""
HORIZON = 20

EPSILONS = (0.02, 0.05, 0.1, 0.15, 0.25)
FROZEN = (0.0, 1.0, 2.0, 4.0)
REDRAWS = (10, 50)
"""Outer iterations between two draws of domain randomisation."""
RISKS = (("crra", 4.0), ("exponential", 4.0), ("cvar", 0.1))
ACTION_NOISES = (0.1, 0.3)
TEMPERATURES = (0.1, 0.5)
"""Quantal response: weight of the entropy bonus, payoff of a discounted return per nat."""

ITERATIONS = 200
QUICK_ITERATIONS = 45


def ermas_env_steps(iterations: int) -> int:
    """Environment steps of ERMAS with the default configuration: the budget of every method."""
    config = ERMASConfig()
    warmup = min(config.warmup_iterations, iterations)
    blocks = warmup + (iterations - warmup) * (2 * config.deviation_updates + 1)
    return blocks * config.num_envs * HORIZON


def sweep(scale: Scale, payoffs: str) -> Sweep:
    """The sweep over one payoff set, planner blind and observing."""
    tasks = {
        f"{payoffs}_{'observing' if observes else 'blind'}": Task(
            augmented_bimatrix_v0.NAME,
            {"payoffs": payoffs, "agents_observe": "own", "planner_observes": observes, "horizon": HORIZON},
            labels={"payoffs": payoffs, "planner_observes": observes},
        )
        for observes in (False, True)
    }
    iterations = QUICK_ITERATIONS if scale.quick else ITERATIONS
    chosen = methods(iterations)
    if scale.quick:
        chosen = {name: chosen[name] for name in ("MARL_q-0", "MARL_q-0.5", "ERMAS_epsilon-0.05", "DR-tables_every-10")}
    fresh = FreshAgentsConfig(window=10, max_iterations=20) if scale.quick else FreshAgentsConfig()
    gaps = (0.0, 0.25, 0.3, 0.6) if scale.quick else tuple(sorted((*TEST_GAPS, *VALIDATION_GAPS)))
    return Sweep(tasks, chosen, tuple(scale.numbers), gaps, iterations, fresh)


def methods(iterations: int) -> dict[str, Method]:
    """All methods by name; the column `method` is the family, `parameter` tells its members apart."""
    budget = ermas_env_steps(iterations)
    marl = _envs(budget, iterations)
    found = {f"MARL_q-{q:g}": _marl("MARL", q, marl, arguments={"q": q}) for q in TEST_GAPS}
    extra = ERMASConfig().deviation_updates
    found[f"MARL-extra_updates-{extra}"] = _marl(
        "MARL + extra agent updates", extra, _envs(budget, iterations, 1 + extra), {"extra_agent_updates": extra}
    )
    for every in REDRAWS:
        tables = {"name": "random_tables", "scale": 1.0, "redraw_every": every, "seed": SEED}
        found[f"DR-tables_every-{every}"] = _marl("DR, tables", every, marl, arguments={"perturbation": tables})
    offset = {"name": "random_offset", "scale": 1.0, "redraw_every": REDRAWS[0], "seed": SEED}
    found["DR-scalar"] = _marl("DR, scalar (paper)", REDRAWS[0], marl, arguments={"perturbation": offset})
    for utility, aversion in RISKS:
        risk = {"planner_risk": {"utility": utility, "aversion": aversion}}
        found[f"RR-{utility}_{aversion:g}"] = _marl(f"RR, {utility}", aversion, marl, risk)
    for noise in ACTION_NOISES:
        found[f"noise_{noise:g}"] = _marl("action noise", noise, marl, arguments={"action_noise": noise})
    for temperature in TEMPERATURES:
        kwargs = {**AGENT_PPO.algorithm_kwargs, "ent_coef": temperature, "normalize_advantage": False}
        learner = to_json(dataclasses.replace(AGENT_PPO, algorithm_kwargs=kwargs))
        found[f"QR_{temperature:g}"] = _marl("quantal response", temperature, marl, {"agent_learner": learner})
    members = len(PopulationConfig().multipliers)
    population = {"num_envs": _envs(budget, iterations, members)}
    found["population"] = Method("Population", population, labels=_labels("population of λ", None, members))
    for multiplier in FROZEN:
        frozen = {"multiplier": to_json(MultiplierConfig.frozen(multiplier))}
        labels = _labels("frozen λ" if multiplier else "λ = 0", None, multiplier)
        found[f"frozen_lambda-{multiplier:g}"] = Method("ERMAS", frozen, labels=labels)
    for epsilon in EPSILONS:
        found[f"ERMAS_epsilon-{epsilon:g}"] = Method(
            "ERMAS", {"epsilon": epsilon}, labels=_labels("ERMAS", epsilon, None)
        )
    return found


def _marl(
    family: str,
    parameter: float,
    num_envs: int,
    settings: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Method:
    return Method("MARL", {"num_envs": num_envs, **(settings or {})}, arguments or {}, _labels(family, None, parameter))


def _labels(family: str, epsilon: float | None, parameter: float | None) -> dict[str, Any]:
    return {"method": family, "epsilon": epsilon, "parameter": parameter}


def _envs(budget: int, iterations: int, rollouts: int = 1) -> int:
    """Replicas with which `iterations` of so many rollouts each come closest to the budget."""
    return round(budget / (iterations * rollouts * HORIZON))


def trainings(payoffs: str, scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The first stage."""
    return sweep(scale, payoffs).trainings()


def transfers(payoffs: str, scale: Scale, finished: Sequence[Finished], folder: Path) -> Sequence[Job]:
    """The second stage: tests of what was trained."""
    return sweep(scale, payoffs).transfers(finished, folder)


def tables(name: str) -> list[str]:
    """Names of the tables: returns at the test gaps; at the validation gaps; ε on them; statistics; differences; and,
    where the agents have a pure equilibrium, the exact optima and frontier."""
    exact = as_payoffs(EXPERIMENTS[name]).planner_rule == "amplify"
    return [f"{name}{part}" for part in (*_SAMPLED, *(_EXACT if exact else ()))]


_SAMPLED = ("", "-validation", "-choice", "-summary", "-comparisons")
_EXACT = ("-optimum", "-frontier")


def collect(name: str, finished: Sequence[Finished]) -> dict[str, list[Row]]:
    """See `Experiment.collect`."""
    rows = transfer_rows(rows_of(finished, TRANSFER), rows_of(finished, TRAINING))
    used = {row["q_test"] for row in rows}
    test_gaps, validation_gaps = ([gap for gap in gaps if gap in used] for gaps in (TEST_GAPS, VALIDATION_GAPS))
    tested, validated = ([row for row in rows if row["q_test"] in gaps] for gaps in (test_gaps, validation_gaps))
    found = (
        tested,
        validated,
        choice_rows(validated, validation_gaps),
        summary_rows(tested, test_gaps),
        claim_rows(tested, validated, test_gaps, validation_gaps),
        optimum_rows(tested),
        frontier_rows(tested, test_gaps),
    )
    return dict(zip(tables(name), found, strict=False))  # the exact ones come last


def describe(payoffs: str, scale: Scale, finished: Sequence[Finished]) -> dict[str, Any]:
    """The sweep: the jobs follow from it."""
    return {"sweep": to_json(sweep(scale, payoffs))}


def plot(name: str, path: Path, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write the returns over Q, and beside them `<name>-frontier`, of the same kind."""
    drawn = ("", "-summary", "-choice", "-optimum", "-frontier")
    from ermas_algos.studies.figure_4_picture import plot_figure_4  # Matplotlib takes a second to import

    plot_figure_4(path, *(found.get(f"{name}{part}", []) for part in drawn))
