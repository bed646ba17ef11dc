"""Checkpoints come back bit for bit, survive a kill at any moment; bad files are refused with the reason."""

import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from ermas_algos import checkpoint
from ermas_algos.checkpoint import (
    CheckpointError,
    prefixed,
    read_checkpoint,
    with_prefix,
    write_checkpoint,
)

DTYPES = [
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint16,
    torch.uint64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
]
TENSORS = {
    "policy/weight": torch.arange(12.0).reshape(3, 4),
    "step": torch.tensor(7),
    "mask": torch.tensor([True]),
}
METADATA: dict[str, Any] = {"iteration": 3, "config": {"epsilon": [0.1, 0.2]}, "note": "é\n"}


def bits(tensor: torch.Tensor) -> bytes:
    """The bytes of a tensor, so that NaN payloads and -0.0 count."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """A tensor of any dtype and of 0 to 3 dimensions, filled with random bits (NaN patterns included)."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = int(np.prod(shape, dtype=int))
    if dtype == torch.bool:
        return torch.from_numpy(rng.integers(0, 2, count).astype(bool)).reshape(shape)
    raw = torch.tensor(list(rng.bytes(count * dtype.itemsize)), dtype=torch.uint8)
    return raw.view(dtype).reshape(shape)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A valid checkpoint of kind "ermas"."""
    path = tmp_path / "run.ckpt"
    write_checkpoint(path, "ermas", TENSORS, METADATA)
    return path


def assert_previous_intact(path: Path) -> None:
    """The checkpoint of the fixture ``path`` is there, alone in its directory."""
    found = read_checkpoint(path, "ermas")
    assert found.metadata == METADATA
    assert found.tensors.keys() == TENSORS.keys()
    assert all(bits(found.tensors[name]) == bits(tensor) for name, tensor in TENSORS.items())
    assert os.listdir(path.parent) == [path.name]


@given(st.dictionaries(names, tensors(), max_size=4), st.dictionaries(st.text(), json_values, max_size=3))
@settings(max_examples=150)
def test_round_trip_is_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, given_tensors: dict[str, torch.Tensor], metadata: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.ckpt"
    write_checkpoint(path, "any", given_tensors, metadata)
    found = read_checkpoint(path, "any")
    assert found.tensors.keys() == given_tensors.keys()
    for name, tensor in given_tensors.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert found.tensors[name].shape == tensor.shape
        assert bits(found.tensors[name]) == bits(tensor)
    # repr tells -0.0 from 0.0, True from 1 and 1 from 1.0, which == does not.
    assert repr(sorted(found.metadata.items())) == repr(sorted(metadata.items()))


def test_views_shared_storage_and_parameters(tmp_path: Path) -> None:
    base = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    given_tensors = {
        "a": base,
        "b": base,
        "row": base[1],
        "transposed": base.T,
        "expanded": base[:1].expand(4, 3),
    }
    write_checkpoint(tmp_path / "c", "any", given_tensors, {})
    found = read_checkpoint(tmp_path / "c", "any").tensors
    for name, tensor in given_tensors.items():
        assert torch.equal(found[name], tensor)
        assert not found[name].requires_grad


def test_optimizer_and_random_generator_continue_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rng.normal(size=3)
    torch_state = torch.random.get_rng_state()
    write_checkpoint(tmp_path / "c", "any", {"torch": torch_state}, {"numpy": dict(rng.bit_generator.state)})
    found = read_checkpoint(tmp_path / "c", "any")
    again = np.random.default_rng()
    state: Any = found.metadata["numpy"]
    assert state["state"]["state"] > 2**64
    again.bit_generator.state = state
    assert again.normal(size=4).tolist() == rng.normal(size=4).tolist()
    assert torch.equal(found.tensors["torch"], torch_state)


def test_empty_tensors_with_odd_strides(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", "any", {"w": torch.zeros(3)[:0].as_strided((0, 2), (5, 0))}, {})
    assert read_checkpoint(tmp_path / "c", "any").tensors["w"].shape == (0, 2)


def test_read_tensors_do_not_alias_the_file(path: Path) -> None:
    found = read_checkpoint(path, "ermas")
    found.tensors["policy/weight"].zero_()
    assert_previous_intact(path)


def test_metadata_may_be_any_mapping(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", "any", {}, MappingProxyType({"a": 1}))
    assert read_checkpoint(tmp_path / "c", "any").metadata == {"a": 1}


def test_prefixes() -> None:
    a, b = torch.tensor(1), torch.tensor(2)
    joined = prefixed("agent_1", {"w/x": a}) | prefixed("agent_10", {"w/x": b})
    assert joined == {"agent_1/w/x": a, "agent_10/w/x": b}
    assert with_prefix("agent_1", joined) == {"w/x": a}
    assert with_prefix("agent", joined) == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), r"metadata\['a'\]\[0\]\['b'\]: is nan"),
        (float("-inf"), r"metadata\['a'\]\[0\]\['b'\]: is -inf"),
        (np.int64(3), r"metadata\['a'\]\[0\]\['b'\]: a int64"),
        ((1, 2), r"metadata\['a'\]\[0\]\['b'\]: a tuple"),
        ({1: 2}, r"metadata\['a'\]\[0\]\['b'\]: has the key 1"),
    ],
)
def test_metadata_that_would_not_come_back_is_refused(path: Path, value: Any, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        write_checkpoint(path, "ermas", {}, {"a": [{"b": value}]})
    assert_previous_intact(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("w", torch.zeros(2, dtype=torch.complex128)),
        ("w", torch.eye(2).to_sparse()),
        ("w", np.zeros(2)),
        ("__metadata__", torch.zeros(2)),
    ],
)
def test_tensors_that_cannot_be_stored_are_refused(path: Path, name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=name):
        write_checkpoint(path, "ermas", {name: value}, {})
    assert_previous_intact(path)


def test_truncation_at_any_offset_is_found(path: Path) -> None:
    data = path.read_bytes()
    offsets = {1, 7, 8, 9, len(data) - 1} | set(range(0, len(data), len(data) // 45))
    for offset in offsets:
        path.write_bytes(data[:offset])
        with pytest.raises(CheckpointError, match="empty" if offset == 0 else "truncated") as raised:
            read_checkpoint(path, "ermas")
        assert str(path) in str(raised.value)


def test_every_flipped_byte_is_found(path: Path) -> None:
    data = path.read_bytes()
    for offset in range(len(data)):
        path.write_bytes(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])
        with pytest.raises(CheckpointError, match=path.name):
            read_checkpoint(path, "ermas")


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.ckpt: there is no such file"):
        read_checkpoint(tmp_path / "nothing.ckpt", "ermas")
    with pytest.raises(CheckpointError, match="is not a file"):
        read_checkpoint(tmp_path, "ermas")


def test_other_kind(path: Path) -> None:
    with pytest.raises(CheckpointError, match="kind 'ermas'; 'marl' was expected"):
        read_checkpoint(path, "marl")


def test_other_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT", "ermas-checkpoint/2")
    with pytest.raises(CheckpointError, match="'ermas-checkpoint/1'; this version reads 'ermas-checkpoint/2'"):
        read_checkpoint(path, "ermas")


class Payload:
    """Pickles into a program that creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def test_pickles_are_refused_and_not_executed(tmp_path: Path) -> None:
    path, target = tmp_path / "foreign", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Payload(target)))
    with pytest.raises(CheckpointError, match="not an ERMAS checkpoint"):
        read_checkpoint(path, "ermas")
    torch.save(Payload(target), path)
    with pytest.raises(CheckpointError, match="not an ERMAS checkpoint"):
        read_checkpoint(path, "ermas")
    assert not target.exists()
    pickle.loads(pickle.dumps(Payload(target)))
    assert target.exists()  # the payload does work


def test_other_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("policy.pth", "x" * 100)
    with pytest.raises(CheckpointError, match="not even a safetensors file"):
        read_checkpoint(path, "ermas")
    path.write_bytes(b"iteration,regret\n0,0.5\n")
    with pytest.raises(CheckpointError, match="not even a safetensors file"):
        read_checkpoint(path, "ermas")
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="safetensors file without our header"):
        read_checkpoint(path, "ermas")


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000])
def test_metadata_that_is_not_a_json_object(path: Path, text: str) -> None:
    header = {"format": checkpoint.FORMAT, "kind": "ermas", "metadata": text, "sha256": ""}
    save_file({"w": torch.zeros(2)}, path, metadata=header)
    with pytest.raises(CheckpointError, match="the metadata in its header is not"):
        read_checkpoint(path, "ermas")


def test_header_without_a_digest(path: Path) -> None:
    header = {"format": checkpoint.FORMAT, "kind": "ermas", "metadata": "{}"}
    save_file({"w": torch.zeros(2)}, path, metadata=header)
    with pytest.raises(CheckpointError, match=r"lacks \['sha256'\]"):
        read_checkpoint(path, "ermas")


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_disk_failure_leaves_the_previous_checkpoint(
    path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(OSError, match="no space left"):
            write_checkpoint(path, "ermas", {}, {"iteration": 4})
    assert_previous_intact(path)


# Runs in a process of its own and forks its victims: forking takes milliseconds, importing torch seconds.
KILLER = """
import os, random, signal, sys, time, torch
from pathlib import Path
from ermas_algos.checkpoint import read_checkpoint, write_checkpoint

torch.set_num_threads(1)
path, rounds, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(0)

def write(i):
    write_checkpoint(path, "any", {"w": torch.full((200_000,), i)}, {"i": i})

def write_forever(i):
    while True:
        i += 1
        write(i)

started = time.perf_counter()
write(0)
seconds = time.perf_counter() - started
last = interrupted = kills = 0
while kills < rounds or interrupted <= 10 and kills < 20 * rounds:  # a busy machine may kill between two writes
    kills += 1
    before = path.stat().st_ino
    pid = os.fork()
    if pid == 0:
        write_forever(last)
    while path.stat().st_ino == before:  # the machine may be busy: wait for the first whole write of this life
        time.sleep(0.001)
    time.sleep(rng.uniform(0.0, 2 * seconds))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    found = read_checkpoint(path, "any")
    i = found.metadata["i"]
    assert i >= last and torch.equal(found.tensors["w"], torch.full((200_000,), i))
    assert len(os.listdir(path.parent)) <= 2, "leftover files pile up"
    last = i
    interrupted += len(os.listdir(path.parent)) - 1
write(last + 1)
assert os.listdir(path.parent) == [path.name]
print(last, interrupted)
"""


def test_kill_at_any_moment_leaves_a_readable_checkpoint(tmp_path: Path) -> None:
    """SIGKILL, 100 times or more, a process that does nothing but rewrite one checkpoint."""
    command = [sys.executable, "-c", KILLER, str(tmp_path / "run.ckpt"), "100"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    written, interrupted = map(int, done.stdout.split())
    assert written >= 100
    assert interrupted > 10  # that many kills came in the middle of a write
