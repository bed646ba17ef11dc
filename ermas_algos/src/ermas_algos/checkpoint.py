"""Checkpoints: one safetensors file per checkpoint, with JSON in its header, replaced atomically.

Layout. The tensors are stored by safetensors (https://github.com/huggingface/safetensors). Its header carries
four strings: ``format`` (this layout's name and version), ``kind`` (what was saved, for example ``"ermas"``),
``metadata`` (JSON text: counters, configuration, random-generator states) and ``sha256`` (over all the rest).
One file rather than a folder, because ``os.replace`` is atomic for one file only.

Nothing is pickled, so that reading a file from somebody else never executes code.
"""

import errno
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import safe_open
from safetensors.torch import save

from ermas_algos.file_errors import file_errors

FORMAT = "ermas-checkpoint/1"

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


class CheckpointError(ValueError):
    """The file is not a usable checkpoint, or the data cannot be stored in one; the message says why."""


@dataclass(frozen=True)
class Checkpoint:
    """What ``read_checkpoint`` returns; nothing in it shares memory with the file.

    Attributes:
        tensors: CPU tensors by name, with the dtypes and shapes that were written.
        metadata: the JSON values that were written.
    """

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, JSON]


def write_checkpoint(
    path: str | Path, kind: str, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, JSON]
) -> None:
    """Write a checkpoint; at every moment ``path`` holds the previous one or this one, complete.

    The bytes of a file are not a function of its content (safetensors orders its header at random): compare
    checkpoints by what ``read_checkpoint`` returns. A path has one writer at a time.

    Args:
        path: file to create or replace; its directory must exist.
        kind: what is saved; ``read_checkpoint`` must be given the same word.
        tensors: dense tensors of any shape and device, and any dtype that safetensors knows (bool, integers,
            floats and complex64). Read back bit for bit, on the CPU. Views and shared storage are allowed.
        metadata: JSON values: dicts with str keys, lists, str, bool, None, integers of any size and finite
            floats.

    Raises:
        CheckpointError: a value that would not be read back as it is, named by its key.
        OSError: the disk refused; ``path`` holds what it held before, and no temporary file is left. (Only if
            the directory cannot be synchronised, the last step, it holds the new checkpoint.)
    """
    _require_json(dict(metadata), "metadata")
    stored = {name: _storable(name, tensor) for name, tensor in tensors.items()}
    text = json.dumps(dict(metadata))
    header = {"format": FORMAT, "kind": kind, "metadata": text, "sha256": _digest(kind, text, stored)}
    try:
        data = save(stored, metadata=header)
    except KeyError as error:  # how safetensors says that it does not know a dtype
        names = [name for name, tensor in stored.items() if tensor.dtype == error.args[0]]
        raise CheckpointError(f"safetensors cannot store the dtype {error} of {names}") from error
    replace_file(path, data)


def read_checkpoint(path: str | Path, kind: str) -> Checkpoint:
    """Read and verify a checkpoint; executes nothing that the file contains.

    Args:
        path: a file written by ``write_checkpoint``.
        kind: the ``kind`` it must have been written with.

    Raises:
        CheckpointError: the file is missing, empty, truncated, damaged, of another program, of another
            version of this format, or of another kind; the message names the path and the reason.
    """
    path = Path(path)
    header, tensors = _read_safetensors(path)
    found = header.get("format")
    if found is None:
        raise CheckpointError(f"{path}: not an ERMAS checkpoint: a safetensors file without our header")
    if found != FORMAT:
        raise CheckpointError(f"{path}: its format is {found!r}; this version reads {FORMAT!r} only")
    missing = {"kind", "metadata", "sha256"} - header.keys()
    if missing:
        raise CheckpointError(f"{path}: damaged: its header lacks {sorted(missing)}")
    if header["kind"] != kind:
        raise CheckpointError(f"{path}: holds a checkpoint of kind {header['kind']!r}; {kind!r} was expected")
    metadata = _parse_metadata(path, header["metadata"])
    if header["sha256"] != _digest(kind, header["metadata"], tensors):
        raise CheckpointError(f"{path}: damaged: its content does not match the sha256 in its header")
    return Checkpoint(tensors, metadata)


def checkpoint_kind(path: str | Path) -> str:
    """The ``kind`` that a file was written with; CheckpointError as in ``read_checkpoint``."""
    with _opened(Path(path)) as file:
        header: dict[str, str] = file.metadata() or {}
    if "kind" not in header:
        raise CheckpointError(f"{path}: not an ERMAS checkpoint: a safetensors file without our header")
    return header["kind"]


@contextmanager
def content_of(path: str | Path) -> Iterator[None]:
    """For code that uses what `path` holds: its errors become CheckpointErrors that name the file."""
    try:
        yield
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except Exception as error:  # what a wrong value raises depends on where it is used first, MemoryError included
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise CheckpointError(f"{path}: damaged, or written by another version of ermas-algos ({reason})") from error


def prefixed(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Put ``prefix + "/"`` before every name, so that several state dicts fit in one checkpoint."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def with_prefix(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Undo ``prefixed``: select the names under ``prefix + "/"`` and strip it; empty if there are none."""
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def replace_file(path: str | Path, data: bytes) -> None:
    """Make ``data`` the content of ``path``: a reader, or a crash at any moment, finds the old or the new.

    Raises:
        OSError: the disk refused; it names ``path``. No temporary file is left, and ``path`` holds the old content, or
            the new if only the last step failed, which makes it durable.
    """
    path = Path(path)
    # A fixed name, so that what a killed process left is overwritten by the next write instead of piling up.
    temporary = path.with_name(f".{path.name}.tmp")
    with file_errors(path):
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _fsync_directory(path.parent)


def _fsync_directory(directory: Path) -> None:
    """Make a rename in ``directory`` survive a power failure, where the system can: Windows opens no directories."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot either
            raise
    finally:
        os.close(descriptor)


def _storable(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return a contiguous copy of a dense tensor, on the CPU."""
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
        raise CheckpointError(f"tensors[{name!r}]: is not a dense tensor: {tensor!r}")
    if name == "__metadata__":
        raise CheckpointError(f"tensors[{name!r}]: safetensors reserves this name for its header")
    # Cloned, because safetensors refuses tensors that share storage (tied weights, slices of one vector).
    return tensor.detach().cpu().contiguous().clone()


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Return the header strings and the tensors of any safetensors file."""
    with _opened(path) as file:
        # Cloned, because safetensors may map the file into memory, and the file will be replaced.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 it is no mapping
        return file.metadata() or {}, tensors


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file; safetensors refuses one whose header asks for more than the file holds."""
    if not path.exists():
        raise CheckpointError(f"{path}: there is no such file")
    if not path.is_file():
        raise CheckpointError(f"{path}: is not a file")
    if path.stat().st_size == 0:
        raise CheckpointError(f"{path}: the file is empty")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            yield file
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    except Exception as error:  # what safetensors raises on a malformed file is not documented
        raise CheckpointError(f"{path}: {_unreadable(path)} ({error})") from error


def _unreadable(path: Path) -> str:
    """Tell a truncated safetensors file (a length of 8 bytes, then a JSON object) from a foreign one."""
    with open(path, "rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    if len(start) == 9 and start[8:] != b"{":
        return "not an ERMAS checkpoint: not even a safetensors file"
    if len(start) < 9 or 8 + length > path.stat().st_size:
        return "truncated: the file ends inside its header"
    return "truncated or damaged"


def _parse_metadata(path: Path, text: str) -> dict[str, JSON]:
    """Parse the JSON of the header, which must be an object."""
    try:
        metadata = json.loads(text)
        _require_json(metadata, "metadata")  # Python reads NaN and infinities, which JSON does not have
    except CheckpointError as error:
        raise CheckpointError(f"{path}: damaged: {error}") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged: the metadata in its header is not JSON ({error})") from error
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path}: damaged: the metadata in its header is not a JSON object")
    return metadata


def _digest(kind: str, metadata: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """Hex sha256 over kind, metadata text and, by sorted name, each tensor's name, dtype, shape and bytes."""
    digest = hashlib.sha256(json.dumps([kind, metadata]).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        if tensor.numel():  # an empty tensor may have strides that ``view`` refuses
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _require_json(value: object, key: str) -> None:
    """Raise CheckpointError, naming the key, unless JSON gives ``value`` back as it is."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise CheckpointError(f"{key}: has the key {name!r}; JSON keeps str keys only")
            _require_json(item, f"{key}[{name!r}]")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _require_json(item, f"{key}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise CheckpointError(f"{key}: is {value}; JSON has finite numbers only")
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise CheckpointError(f"{key}: a {type(value).__name__} cannot be stored as JSON: {value!r}")
