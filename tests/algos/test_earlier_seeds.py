"""An experiment in pieces: seeds that ran before or elsewhere are added to those of a command."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ermas_algos.experiments.backends import Processes
from ermas_algos.experiments.jobs import Products, Scale, run_stages
from ermas_algos.experiments.results import read_finished, read_table
from ermas_algos.studies import figure_5_economy
from ermas_algos.studies.agent_adv_search import seed_batches
from ermas_algos.studies.economy_sizes import VILLAGE
from ermas_algos.studies.reproduction import reproduce

NAME = "meta-gradient"
ARCHIVE = f"{NAME}.finished.json.gz"


def test_two_pieces_are_one_experiment(tmp_path: Path) -> None:
    whole, first, second = tmp_path / "whole", tmp_path / "first", tmp_path / "second"
    assert not reproduce(NAME, Scale(2, quick=True), whole, Processes(1)).failed
    assert not reproduce(NAME, Scale(1, quick=True), first, Processes(1)).failed
    rest = Scale(1, quick=True, first_seed=1)
    assert not reproduce(NAME, rest, second, Processes(1), earlier=[first / ARCHIVE]).failed
    wanted, found = read_table(whole / f"{NAME}.csv"), read_table(second / f"{NAME}.csv")
    assert {row["seed"] for row in wanted} == {0, 1}
    assert sorted(map(str, wanted)) == sorted(map(str, found))
    assert {done.key for done in read_finished(second / ARCHIVE, NAME)} == {
        done.key for done in read_finished(whole / ARCHIVE, NAME)
    }


@dataclass(frozen=True)
class Part:
    """A job that may leave a file."""

    name: str
    leaves_file: bool = False

    @property
    def key(self) -> str:
        return self.name

    def configuration(self) -> dict[str, Any]:
        return {"name": self.name}

    def run(self) -> Products:
        return Products({"rows": [{"name": self.name}]}, {"file": b"1"} if self.leaves_file else {})


def test_what_an_earlier_command_has_is_not_run_again(tmp_path: Path) -> None:
    """But jobs whose files a later stage may read are."""

    def both(*_: Any) -> list[Part]:
        return [Part("exact"), Part("phase", leaves_file=True)]

    def seed(*_: Any) -> list[Part]:
        return [Part("seed")]

    first = run_stages([both], tmp_path / "first", Processes(1))
    earlier = {done.key: done for done in first.finished}
    second = run_stages([both, seed], tmp_path / "second", Processes(1), earlier=earlier)
    assert sorted(done.key for done in second.finished) == ["exact", "phase", "seed"]
    assert earlier["exact"] in second.finished
    assert {path.name for path in (tmp_path / "second").glob("*.json")} == {"phase.json", "seed.json"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no finished jobs"),
        (b"a text", "no finished jobs"),
        (gzip.compress(b"{}")[:-9], "no finished jobs"),
        (gzip.compress(b"{}"), "no finished jobs"),
        (gzip.compress(b"[]"), "no finished jobs"),
        (gzip.compress(json.dumps({"experiment": NAME, "finished": [{"key": "a"}]}).encode()), "no finished jobs"),
        (gzip.compress(json.dumps({"experiment": "mixing", "finished": []}).encode()), "holds jobs of mixing"),
    ],
    ids=["empty", "text", "cut", "no-entries", "list", "not-a-job", "another-experiment"],
)
def test_other_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "earlier.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"earlier\.gz: {message}"):
        reproduce(NAME, Scale(1, quick=True), tmp_path / "out", Processes(1), earlier=[path])
    assert not (tmp_path / "out" / f"{NAME}.csv").exists()


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"absent\.gz"):
        reproduce(NAME, Scale(1, quick=True), tmp_path / "out", Processes(1), earlier=[tmp_path / "absent.gz"])


def test_seeds_begin_where_they_are_told_to() -> None:
    assert list(Scale(2, first_seed=3).numbers) == [3, 4]
    assert seed_batches("exact", Scale(2, first_seed=3).numbers) == [(3, 2)]
    assert seed_batches("SB3 PPO", Scale(2, first_seed=3).numbers) == [(3, 1), (4, 1)]
    with pytest.raises(ValueError, match="first_seed"):
        Scale(2, first_seed=-1)


def test_fresh_agents_of_later_seeds_are_those_of_the_whole(tmp_path: Path) -> None:
    def keys(scale: Scale) -> set[str]:
        return {job.key for job in figure_5_economy.first_phases(VILLAGE, scale, [], tmp_path)}

    assert keys(Scale(1)) | keys(Scale(2, first_seed=1)) == keys(Scale(3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3", "ends within a line"),
        ("a,b\n1,2\n3\n", "row 2 has not as many cells"),
        ("a,b\n1,2,3\n", "row 1 has not as many cells"),
    ],
    ids=["cut", "fewer", "more"],
)
def test_a_table_that_is_cut_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n3,\n")
    assert read_table(path) == [{"a": 1, "b": 2}, {"a": 3, "b": None}]
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"table\.csv: {message}"):
        read_table(path)
