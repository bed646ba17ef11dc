"""Results of an experiment as files: one CSV per table; a JSON with settings, configurations of all jobs, versions."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ermas_algos.checkpoint import replace_file
from ermas_algos.experiments.jobs import Finished, Row
from ermas_envs.base.text import parsed_json, refuse_special_file


def rows_of(finished: Sequence[Finished], table: str) -> list[Row]:
    """All rows of a table, job by job."""
    return [row for done in finished for row in done.tables.get(table, [])]


def write_results(
    out: Path,
    name: str,
    description: Mapping[str, Any],
    finished: Sequence[Finished],
    tables: Mapping[str, Sequence[Row]],
) -> None:
    """One CSV per table, and `<name>.json`: description, versions and commits, seconds of all jobs together."""
    for table, rows in tables.items():
        write_table(out / f"{table}.csv", rows)
    produced = [json.dumps(done.provenance, sort_keys=True) for done in finished]
    everything = {
        "experiment": name,
        **description,
        "provenance": [json.loads(text) for text in dict.fromkeys(produced)],
        "seconds": round(sum(done.seconds for done in finished), 1),
    }
    replace_file(out / f"{name}.json", json.dumps(everything, indent=1).encode())


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """A tidy CSV: the columns of all rows, in the order in which they first appear; None is empty; floats by repr."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_file(path, text.getvalue().encode())


def write_finished(path: Path, name: str, finished: Sequence[Finished]) -> None:
    """Everything that the jobs of an experiment left but their files, gzipped JSON: what `read_finished` reads."""
    everything = {"experiment": name, "finished": [done.__dict__ for done in finished]}
    replace_file(path, gzip.compress(json.dumps(everything).encode(), mtime=0))


def read_finished(path: Path, name: str) -> list[Finished]:
    """The jobs of an earlier command for the same experiment.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is a pipe or a device, damaged, or of another experiment.
    """
    _refuse_special_file(path)
    try:
        everything = parsed_json(gzip.decompress(path.read_bytes()))
        experiment, finished = everything["experiment"], [Finished.from_json(done) for done in everything["finished"]]
    except (ValueError, TypeError, KeyError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: no finished jobs of an experiment ({error}).") from None
    if experiment != name:
        raise ValueError(f"{path}: holds jobs of {experiment}, not of {name}.")
    return finished


def job_settings(finished: Sequence[Finished]) -> dict[str, Any]:
    """Every job's configuration, settings that never differ only once (`shared`)."""
    flat = {done.key: _flat(done.configuration) for done in finished}
    values: dict[str, list[Any]] = {}
    for settings in flat.values():
        for setting, value in settings.items():
            values.setdefault(setting, []).append(value)
    shared = {setting: found[0] for setting, found in values.items() if found.count(found[0]) == len(found)}
    jobs = {
        key: {setting: value for setting, value in settings.items() if setting not in shared}
        for key, settings in flat.items()
    }
    return {"shared": shared, "jobs": jobs}


def _flat(configuration: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in configuration.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def read_table(path: Path) -> list[Row]:
    """What `write_table` wrote. A column whose cells are all numbers, or all True or False, holds these; empty is None.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is a pipe or a device, ends within a line, or has a row with more or fewer cells than columns.
    """
    _refuse_special_file(path)
    text = path.read_bytes().decode("utf-8-sig")
    if text and not text.endswith("\n"):
        raise ValueError(f"{path}: ends within a line: the rest of the table is missing.")
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    for number, row in enumerate(cells, start=1):
        if None in row or None in row.values():  # more cells than columns, or fewer
            raise ValueError(f"{path}: row {number} has not as many cells as there are columns.")
    columns = {name: _column([row[name] for row in cells]) for name in (cells[0] if cells else ())}
    return [{name: column[k] for name, column in columns.items()} for k in range(len(cells))]


def _refuse_special_file(path: Path) -> None:
    try:
        refuse_special_file(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _column(cells: Sequence[str]) -> list[Any]:
    filled = [cell for cell in cells if cell]
    kinds: tuple[Callable[[str], Any], ...] = (_truth, int, float)
    for kind in kinds:
        try:
            known = {cell: kind(cell) for cell in filled}
        except ValueError:
            continue
        return [known[cell] if cell else None for cell in cells]
    return [cell or None for cell in cells]


def _truth(cell: str) -> bool:
    if cell not in ("True", "False"):
        raise ValueError(cell)
    return cell == "True"
