"""Metrics of a run: one row per outer iteration in ``progress.csv``, and the same scalars in TensorBoard."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, TextIO

from ermas_algos.checkpoint import replace_file
from ermas_algos.file_errors import file_errors

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

PROGRESS_FILE = "progress.csv"
TENSORBOARD_FOLDER = "tensorboard"
ITERATION = "iteration"


class MetricsLog:
    """Writes the scalars of every outer iteration; a killed process loses at most the row it was writing.

    ``progress.csv`` starts with the column ``iteration``; the other columns are those of the first row, in its order,
    and those that ``add_columns`` has added. Numbers are written by ``repr``: reading gives the same float64.
    TensorBoard keeps float32.

    A run that goes on from a checkpoint calls ``resume_from`` once, before the first ``log``.
    """

    def __init__(self, directory: Path | None, tensorboard: bool = True) -> None:
        """Create the directory; files appear with the first row.

        Args:
            directory: where ``progress.csv`` and the folder ``tensorboard`` go; None keeps nothing on disk.
            tensorboard: also write TensorBoard events.
        """
        self._directory = directory
        self._tensorboard = tensorboard and directory is not None
        self._columns: list[str] | None = None
        self._file: TextIO | None = None
        self._writer: SummaryWriter | None = None
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)

    def resume_from(self, iteration: int) -> None:
        """Drop what a killed run logged at ``iteration`` and later; further rows are appended to the rest.

        Args:
            iteration: the next iteration to be logged; 0 starts the log again.

        Raises:
            ValueError: ``progress.csv`` is damaged (a torn last line is not damage: it is dropped), or rows
                have already been logged.
        """
        if self._columns is not None:
            raise ValueError("resume_from must come before the first row is logged")
        if self._directory is None:
            return
        path = self._directory / PROGRESS_FILE
        if path.exists():
            self._columns = _drop_rows(path, iteration)
            self._file = _open_progress(path, "a")
        if self._tensorboard:
            self._writer = _open_tensorboard(self._directory, purge_step=iteration)

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the metrics in every row; None before the first."""
        return None if self._columns is None else tuple(self._columns)

    def add_columns(self, names: Sequence[str]) -> None:
        """Add columns behind the others, NaN in the rows so far, for metrics that begin later than the first row.

        The file is rewritten, atomically.

        Raises:
            ValueError: a name that is there already, or that cannot be a column's; no row has been logged.
        """
        if self._columns is None:
            raise ValueError("add_columns must come after the first row")
        _require_column_names([*self._columns, *names])
        if self._file is not None:
            path = Path(self._file.name)
            self._file.close()
            header, *lines = _complete_lines(path)
            nothing = "," + ",".join(["nan"] * len(names))
            text = [f"{header},{','.join(names)}", *(line + nothing for line in lines)]
            replace_file(path, "".join(f"{line}\n" for line in text).encode())
            self._file = _open_progress(path, "a")
        self._columns += names

    def log(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Write one row and flush it.

        Args:
            iteration: outer iteration, from 0.
            metrics: scalars by name; the names of all columns. NaN and infinities are allowed.

        Raises:
            ValueError: the names differ from the columns, or cannot be column names.
            FileExistsError: the directory already holds a log, and ``resume_from`` was not called.
        """
        values = {name: float(value) for name, value in metrics.items()}
        if self._columns is None:
            _require_column_names(list(values))
            self._start(list(values))
        assert self._columns is not None
        _require_same_names(self._columns, values)
        self._write([str(int(iteration)), *(repr(values[name]) for name in self._columns)])
        if self._writer is not None:
            with file_errors(self._writer.log_dir):
                for name in self._columns:
                    self._writer.add_scalar(name, values[name], iteration)
                self._writer.flush()

    def close(self) -> None:
        """Close the files; the log takes no further rows. May be called twice."""
        with ExitStack() as stack:  # both, even if a full disk keeps one from ending well
            if self._writer is not None:
                stack.enter_context(file_errors(self._writer.log_dir))
                stack.callback(self._writer.close)
            if self._file is not None:
                stack.enter_context(file_errors(self._file.name))
                stack.callback(self._file.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, cells: list[str]) -> None:
        """A line, on disk at once."""
        if self._file is not None:
            with file_errors(self._file.name):
                self._file.write(",".join(cells) + "\n")
                self._file.flush()

    def _start(self, columns: list[str]) -> None:
        """Fix the columns and, if something is kept on disk, write the header line."""
        if self._directory is not None:
            if self._file is None:
                self._file = _open_progress(self._directory / PROGRESS_FILE, "x")
            self._write([ITERATION, *columns])
            if self._tensorboard and self._writer is None:
                self._writer = _open_tensorboard(self._directory, purge_step=None)
        self._columns = columns


def read_progress(path: str | Path) -> list[dict[str, float]]:
    """Read the complete rows of a ``progress.csv``, each with its ``iteration``; a torn last line is ignored.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a complete line is not text or does not fit the header, or the header repeats a column; the message
            names the path and the line.
    """
    path = Path(path)
    columns, *rows = [line.split(",") for line in _complete_lines(path)] or [[ITERATION]]
    if columns[0] != ITERATION:
        raise ValueError(f"{path}: line 1 does not start with the column {ITERATION!r}")
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path}: line 1 is damaged: it has a column twice")
    return [_parse_row(path, number, columns, cells) for number, cells in enumerate(rows, start=2)]


def _complete_lines(path: Path) -> list[str]:
    """Lines that end in a newline: without one, even a line that parses may have lost its last digits."""
    # Split as bytes, because a torn line may end inside a UTF-8 character.
    lines = path.read_bytes().split(b"\n")[:-1]
    return [_text(path, number, line) for number, line in enumerate(lines, start=1)]


def _text(path: Path, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: line {number} is damaged: it is not text ({error.reason})") from error


def _parse_row(path: Path, number: int, columns: list[str], cells: list[str]) -> dict[str, float]:
    try:
        return {name: float(cell) for name, cell in zip(columns, cells, strict=True)}
    except ValueError as error:
        raise ValueError(f"{path}: line {number} does not fit the header: {error}") from error


def _drop_rows(path: Path, iteration: int) -> list[str] | None:
    """Rewrite the file without the rows from ``iteration`` on; return its columns, None if no row is left."""
    rows = read_progress(path)
    header, *lines = _complete_lines(path) or [""]
    kept = [line for line, row in zip(lines, rows, strict=True) if row[ITERATION] < iteration]
    # Without rows the file is emptied, header too: the first row to come fixes the columns.
    replace_file(path, "".join(f"{line}\n" for line in [header, *kept] if kept).encode())
    return header.split(",")[1:] if kept else None


def _open_progress(path: Path, mode: Literal["x", "a"]) -> TextIO:
    """Create the file, which must be new ("x"), or append to it ("a")."""
    try:
        return open(path, mode, encoding="utf-8", newline="")
    except FileExistsError as error:
        raise FileExistsError(
            f"{path} already exists: choose another directory, or call resume_from (0 discards the old log)"
        ) from error


def _open_tensorboard(directory: Path, purge_step: int | None) -> "SummaryWriter":
    # Imported here, because it takes about a second and is not wanted by every run.
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(log_dir=str(directory / TENSORBOARD_FOLDER), purge_step=purge_step)


def _require_column_names(names: list[str]) -> None:
    """Names are written bare, so that a row is always one line and splits at every comma."""
    if len(set(names)) < len(names):
        raise ValueError(f"metrics must have different names, got {names}")
    for name in names:
        if name == ITERATION or any(character in name for character in ',"\r\n'):
            raise ValueError(f"{name!r} cannot be the name of a metric")


def _require_same_names(columns: list[str], values: Mapping[str, float]) -> None:
    missing, extra = sorted(set(columns) - values.keys()), sorted(values.keys() - set(columns))
    if missing or extra:
        raise ValueError(f"metrics differ from the first row's: missing {missing}, not in the first row {extra}")
