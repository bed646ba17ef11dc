"""Draw one picture per policy question of the documentation, from the committed tables of results alone.

.venv/bin/python examples/question_pictures.py --results docs/results --out docs/questions    # ten seconds
"""

import argparse
import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ermas_algos.plots import looks
from ermas_envs.base.text import replace_what_cannot_be_shown

Rows = list[dict[str, str]]
Drawing = Callable[[Axes, Callable[[str], Rows]], None]

PLAIN, ROBUST, TRUTH, RULE = looks.MARL[0], looks.ERMAS[0], "#222222", looks.NOTHING[0]
"""A planner that was trained plainly; a robust one; the exact best; a rule that learns nothing."""


def main() -> None:
    replace_what_cannot_be_shown()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder with the tables")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})

    def table(name: str) -> Rows:
        return list(csv.DictReader((chosen.results / f"{name}.csv").read_text(encoding="utf-8").splitlines()))

    for name, draw in QUESTIONS.items():
        figure = Figure(figsize=(6.4, 3.4), layout="constrained", dpi=130)
        draw(figure.add_subplot(), table)
        figure.savefig(chosen.out / f"{name}.png", metadata={"Software": None})
        print(f"Wrote {chosen.out / name}.png")


def chosen(rows: Rows, **wanted: str) -> Rows:
    """Rows whose columns have these values."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def best_tax(axes: Axes, table: Callable[[str], Rows]) -> None:
    """Equality times productivity by schedule, with exact agents."""
    rows = chosen(table("which-tax-wins"), responses="exact")
    values = {row["schedule"]: float(row["eq_times_prod"]) for row in rows}
    names = sorted(values, key=values.__getitem__)
    colours = [ROBUST if name.startswith("best on") else RULE for name in names]
    axes.bar_label(axes.barh(names, [values[name] for name in names], color=colours), fmt="%.1f", padding=3)
    axes.set(xlabel="equality × sum of coin", xlim=(0, 350))


def whose_welfare(axes: Axes, table: Callable[[str], Rows]) -> None:
    """Every schedule by every welfare function, as a share of the best of the compared."""
    rows = chosen(table("which-tax-wins-welfare"), responses="exact")
    functions = list(dict.fromkeys(row["welfare"] for row in rows))
    best = {name: max(float(row["value"]) for row in chosen(rows, welfare=name)) for name in functions}
    shown = {"free market": RULE, "US federal 2018": TRUTH, "Saez, e = 0.5": PLAIN, "best on the 5 % grid": ROBUST}
    for (schedule, colour), marker in zip(shown.items(), "osD^", strict=True):
        values = [float(chosen(rows, welfare=name, schedule=schedule)[0]["value"]) / best[name] for name in functions]
        axes.plot([100 * value for value in values], functions, marker, color=colour, label=schedule)
    axes.invert_yaxis()
    axes.set(xlabel="% of the best of the compared schedules")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=8)


def smoothing(axes: Axes, table: Callable[[str], Rows]) -> None:
    """What alternating between a good and a bad year costs in taxes, in percent of smoothing's."""
    rows = table("which-tax-wins-periods")
    labels = {
        "US federal 2018": "rates rise (US federal)",
        "US federal 2018, rates reversed": "rates fall (the same, reversed)",
    }
    for (schedule, label), colour in zip(labels.items(), (ROBUST, PLAIN), strict=True):
        found = chosen(rows, schedule=schedule)
        more = [100 * (float(row["tax_alternating"]) / float(row["tax_smoothing"]) - 1) for row in found]
        axes.plot([float(row["mean_income"]) for row in found], more, "o-", color=colour, label=label)
    axes.axhline(0, color=TRUTH, linewidth=0.8)
    axes.set(xlabel="mean income of the two years, coin", ylabel="tax of all in one year,\n% more than of half in each")
    axes.legend(fontsize=8)


def how_many_people(axes: Axes, table: Callable[[str], Rows]) -> None:
    """How far rates of Saez's formula are from those of a million people, the mean of the brackets above the lowest."""
    rows = table("which-tax-wins-people")
    for distribution, colour in (("log-normal", PLAIN), ("Pareto", ROBUST)):
        found = chosen(rows, distribution=distribution)
        people = sorted({int(row["people"]) for row in found})
        above = {
            count: [row for row in found if int(row["people"]) == count and row["bracket"] != "0"] for count in people
        }
        distances = [100 * fmean(float(row["distance_mean"]) for row in above[count]) for count in people]
        axes.loglog(people, distances, "o-", color=colour, label=f"{distribution} incomes")
    axes.set(
        xlabel="people whose incomes the formula sees",
        ylabel="mean error of the rates above the\nlowest bracket, percentage points",
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def careless_drivers(axes: Axes, table: Callable[[str], Rows]) -> None:
    """Worst mean latency over the toll, for 20 drivers and three ε, with what was learned at ε = 0.1."""
    curves = chosen(table("tolls-curves"), num_drivers="20", gap="epsilon")
    for epsilon, colour in zip(("0.05", "0.1", "0.2"), ("#cbd5e1", "#94a3b8", "#475569"), strict=True):
        found = chosen(curves, epsilon=epsilon)
        axes.plot(
            [float(row["toll"]) for row in found],
            [float(row["worst_latency"]) for row in found],
            color=colour,
            label=f"ε = {epsilon}",
        )
    learned = chosen(table("tolls"), num_drivers="20", gap="epsilon", epsilon="0.1")
    for method, label, marker, colour in (
        ("MARL", "MARL", "s", PLAIN),
        ("ERMAS, others' regret", "ERMAS, trained at ε = 0.1", "o", ROBUST),
    ):
        found = chosen(learned, method=method)
        tolls = [float(row["tolls"].split()[1]) for row in found]
        axes.plot(
            tolls,
            [float(row["worst_latency"]) for row in found],
            marker,
            color=colour,
            label=label,
        )
    axes.set(xlabel="toll on the fast road", ylabel="mean latency with the worst\ndrivers whose regret is at most ε")
    axes.legend(fontsize=8)


def price_of_committing(axes: Axes, table: Callable[[str], Rows], results: str) -> None:
    """Worst case over Q against the return at Q = 0, blind planner; means over training seeds, which move all
    methods alike, so that intervals of each would hide what differs between them."""
    rows = chosen(table(f"{results}-summary"), planner_observes="False")
    told = [row for row in rows if row["method"] == "MARL" and row["parameter"] != "0.0"]
    named = ("MARL", "ERMAS", "frozen λ", "per-Q oracle", "λ = 0")
    for found, colour, marker, label in (
        ([row for row in rows if row["method"] not in named], RULE, "v", "other baselines"),
        (told, "#7c3aed", "P", "MARL, trained at a Q of the test"),
        (chosen(rows, method="frozen λ"), "#c2410c", "D", "frozen λ = 1, 2, 4"),
        (chosen(rows, method="MARL", parameter="0.0"), PLAIN, "s", "MARL"),
        (chosen(rows, method="ERMAS"), ROBUST, "o-", "ERMAS, ε = 0.02 to 0.25"),
    ):
        axes.plot(
            [float(row["training_point"]) for row in found],
            [float(row["worst_case"]) for row in found],
            marker,
            color=colour,
            label=label,
        )
    if results == "figure-4":
        exact = chosen(table("figure-4-frontier"), planner_observes="False")
        axes.plot(
            [float(row["training_point"]) for row in exact],
            [float(row["worst_case"]) for row in exact],
            color=TRUTH,
            label="exact best of all planners",
            zorder=0,
        )
    axes.set(
        xlabel="planner payoff per step, agents as trained with", ylabel="payoff with the worst\nof the tested agents"
    )
    axes.legend(fontsize=8)


def other_risk_aversion(axes: Axes, table: Callable[[str], Rows], results: str) -> None:
    """Exact welfare over the risk aversion of the test, means over training seeds; ERMAS at the chosen ε."""
    rows, (choice,) = table(results), chosen(table(f"{results}-choice"), chosen="True")
    for method, epsilon, label, colour in (
        ("oracle", "", "best for each η", TRUTH),
        ("free market", "", "free market", RULE),
        ("MARL", "", "MARL, trained at η = .23", PLAIN),
        ("ERMAS", choice["epsilon"], f"ERMAS, trained at η = .23, ε = {choice['epsilon'].lstrip('0')}", ROBUST),
    ):
        found = chosen(rows, method=method, epsilon=epsilon)
        etas = sorted({row["eta_test"] for row in found}, key=float)
        means = [fmean(float(row["exact_welfare"]) for row in chosen(found, eta_test=eta)) for eta in etas]
        axes.plot([float(eta) for eta in etas], means, "o-", color=colour, label=label)
    axes.axvline(0.23, color=TRUTH, linewidth=0.6, linestyle=":")
    axes.set(xlabel="risk aversion η of the people who live under the schedule", ylabel="equality × mean coin")
    axes.legend(fontsize=8)


def bad_followers(axes: Axes, table: Callable[[str], Rows]) -> None:
    """Exact welfare of the last schedule by the quality of followers, every seed a point."""
    rows = chosen(table("imperfect-followers"), last="True")
    followers = list(dict.fromkeys(row["followers"] for row in rows))
    for method, epsilon, label, colour, shift in (
        ("MARL", "", "MARL", PLAIN, -0.1),
        ("ERMAS", "0.25", "ERMAS, ε = .25", ROBUST, 0.1),
    ):
        for place, name in enumerate(followers):
            found = chosen(rows, followers=name, method=method, epsilon=epsilon)
            values = [float(row["exact_welfare"]) for row in found]
            axes.plot(
                [place + shift] * len(values), values, "o", color=colour, alpha=0.8, label=label if place == 0 else None
            )
    axes.axhline(128.0, color=RULE, linewidth=1, label="free market")
    axes.set_xticks(range(len(followers)), ["as in the preset", *followers[1:]], fontsize=8)
    axes.set(ylabel="equality × mean coin\nunder the last schedule")
    axes.legend(fontsize=8)


QUESTIONS: dict[str, Drawing] = {
    "best-tax": best_tax,
    "whose-welfare": whose_welfare,
    "smoothing": smoothing,
    "how-many-people": how_many_people,
    "careless-drivers": careless_drivers,
    "price-of-committing": partial(price_of_committing, results="figure-4"),
    "nothing-to-gain": partial(price_of_committing, results="figure-4-released-payoffs"),
    "other-risk-aversion": partial(other_risk_aversion, results="figure-5-one-step"),
    "hundred-people": partial(other_risk_aversion, results="figure-5-one-step-100"),
    "bad-followers": bad_followers,
}
"""What is drawn under which name."""


if __name__ == "__main__":
    main()
