"""Tables of the result pages say what their committed files say: rounded, cell by cell."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

DOCS = Path(__file__).parents[2] / "docs"
Row = dict[str, str]


def results(name: str) -> list[Row]:
    """Rows of a committed table."""
    with open(DOCS / "results" / f"{name}.csv") as file:
        return list(csv.DictReader(file))


def printed(page: str, header: str) -> dict[tuple[str, ...], list[str]]:
    """Cells of the page's table whose first line begins with `header`, by their first cell; by the first two where the
    second column is ε."""
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    (begin,) = (k for k, line in enumerate(lines) if line.startswith(header))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    keys = 2 if header.startswith("| | ε") else 1
    return {tuple(row[:keys]): row[keys:] for row in rows}


def short(value: float, digits: int) -> str:
    """A number as pages have it: .5, −.5, 1.0."""
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1).replace("-", "−") if abs(float(text)) < 1.0 and digits else text.replace("-", "−")


def interval(row: Row, column: str, digits: int) -> str:
    """The mean and its interval."""
    mean, low, high = (short(float(row[name]), digits) for name in (column, f"{column}_low", f"{column}_high"))
    return f"{mean} [{low}, {high}]"


def test_numbers_are_shortened_as_on_pages() -> None:
    assert [short(*given) for given in ((0.5, 2), (-0.744, 2), (1.0, 3), (12.34, 1), (-2.89, 2), (47.6, 0))] == [
        ".50",
        "−.74",
        "1.000",
        "12.3",
        "−2.89",
        "48",
    ]


LABELS = {"oracle": "MARL trained at the test's η (oracle)"}


def test_the_village() -> None:
    """Means over seeds, by η and in all; by seed; and the poor economies among the tests."""
    chosen = {row["epsilon"] for row in results("figure-5-choice") if row["chosen"] == "True"}
    found: dict[str, list[Row]] = {}
    for row in results("figure-5"):
        found.setdefault(label(row, chosen), []).append(row)
    poor: Counter[str] = Counter()
    etas = sorted({float(row["eta_test"]) for row in results("figure-5")})
    for row in results("figure-5-economies"):
        if float(row["eta_test"]) in etas:
            poor[label(row, chosen)] += int(row["poor"])
    page = printed("figure-5.md", "| η = | .11 | .15")
    assert {key for (key,) in page} == found.keys()
    for name, rows in found.items():
        by_eta = [[float(row["eq_times_prod"]) for row in rows if float(row["eta_test"]) == eta] for eta in etas]
        by_seed = [fmean(values) for values in zip(*by_eta, strict=True)]
        expected = [short(fmean(values), 0) for values in by_eta] + [short(fmean(by_seed), 1)]
        assert page[name,] == [*expected, ", ".join(short(value, 1) for value in by_seed), str(poor[name])], name


def label(row: Row, chosen: set[str]) -> str:
    """Of a row of results, as the page has it."""
    if not row["epsilon"]:
        return LABELS.get(row["method"], row["method"])
    mark = " (chosen)" if row["epsilon"] in chosen else ""
    return f"{row['method']}, ε = {row['epsilon'].lstrip('0')}{mark}"


def test_contracts() -> None:
    page = printed("contracts.md", "| | ε | worst case")
    summary = results("contracts-summary")
    assert len(page) == len(summary)
    for row in summary:
        cells = page[row["method"], row["epsilon"].lstrip("0")]
        worst, optimum = (short(float(row[name]), 3) for name in ("worst_value", "robust_optimum"))
        assert cells[0] in (worst, f"{worst} ({optimum})")
        assert cells[1:4] == [
            row["within_2_percent"],
            interval(row, "gain", 2),
            short(float(row["gain_median"]), 2),
        ]
        assert cells[4:] == [row["multipliers_within_20_percent"], row["multipliers_within_20_percent_of_own"]]


COLUMNS = {"MARL": 1, "ERMAS": 2, "ERMAS, others' regret": 3, "ERMAS, whole gradient": 4}


def test_tolls() -> None:
    """Worst latencies, means of ten seeds, with the tolls that were learned."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in results("tolls"):
        if row["method"] in COLUMNS and row["seed"]:
            people = f"{row['num_drivers']} drivers, " + "unknown value of time, " * (row["gap"] == "value of time")
            epsilon = row["epsilon"] or "0.45"  # MARL knows none: the page has it beside ERMAS's for that gap
            found.setdefault(f"{people}ε = {epsilon.lstrip('0')}", {}).setdefault(row["method"], []).append(row)
    page = printed("tolls.md", "| worst mean latency, mean of ten seeds")
    assert len(page) == 8
    for (line,), cells in page.items():
        for method, column in COLUMNS.items():
            rows = found[line].get(method)
            assert cells[column] == (f"{worst_of(rows)} {tolls_of(rows)}" if rows else ""), (line, method)
        assert cells[0] == short(float(found[line]["MARL"][0]["robust_optimum"]), 3)


def worst_of(rows: Sequence[Row]) -> str:
    """Mean over the trainings."""
    return short(fmean(float(row["worst_latency"]) for row in rows), 3)


def tolls_of(rows: Sequence[Row]) -> str:
    """Which second tolls were learned, and how often where they differ."""
    count = Counter(short(float(row["tolls"].split()[1]), 2) for row in rows)
    each = [f"{toll} × {number}" if len(count) > 1 else toll for toll, number in sorted(count.items())]
    return f"({', '.join(each)})"


def test_which_start_of_a_contract_is_chosen() -> None:
    """By what the planner earned in its training: how often that is near the best start, and how far from the truth."""
    starts: dict[tuple[str, ...], list[Row]] = {}
    for row in results("contracts-starts"):
        if row["method"] == "ERMAS, Lagrangian planner":
            starts.setdefault((row["epsilon"], row["instance"], row["seed"]), []).append(row)
    chosen = [max(rows, key=lambda row: float(row["training_payoff"])) for rows in starts.values()]
    best = [max(float(row["worst_value"]) for row in rows) for rows in starts.values()]
    near = sum(float(row["worst_value"]) > most - 0.002 for row, most in zip(chosen, best, strict=True))
    off = [abs(float(row["training_payoff"]) - float(row["worst_value"])) for rows in starts.values() for row in rows]
    text = " ".join((DOCS / "contracts.md").read_text(encoding="utf-8").split())
    assert f"within .002 of the best one in {near} of {len(starts)} cases" in text
    assert f"median difference {short(median(off), 4)}; above .02 in one of ten" in text
    assert round(10 * sum(one > 0.02 for one in off) / len(off)) == 1
