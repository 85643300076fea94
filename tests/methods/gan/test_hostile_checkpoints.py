"""Files made to do harm: code in pickles, bombs, lies about sizes, damage. Each is refused in one line, and not run."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from unmask.bench.core.errors import CheckpointError
from unmask.methods.gan.checkpoints.loading import load_generator
from unmask.methods.gan.checkpoints.reading import open_checkpoint
from unmask.methods.gan.networks.stargan import StarGanConfig, StarGanGenerator


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(StarGanGenerator(StarGanConfig(1, 2, 1)).state_dict())


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_generator(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


class Evil:
    """Pickles to a call that would leave a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(
    "wrap", [lambda e, s: {"G": s, "note": e}, lambda e, s: e, lambda e, s: s | {"main.0.weight": e}]
)
def test_code_in_a_torch_file_is_not_run(
    new: bool, wrap: Callable[..., Any], state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path, mark = tmp_path / "G.ckpt", tmp_path / "ran"
    torch.save(wrap(Evil(mark), state), path, _use_new_zipfile_serialization=new)
    assert f"names {os.mkdir.__module__}.mkdir" in refusal(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the file does what it is feared for
    assert mark.exists()


def test_a_plain_pickle_is_not_run(tmp_path: Path) -> None:
    path, mark = tmp_path / "G.pkl", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Evil(mark)))
    assert f"names {os.mkdir.__module__}.mkdir" in refusal(path)
    assert not mark.exists()
    path.write_bytes(pickle.dumps({"weights": [1.0]}))
    assert "is a Python pickle but not a torch file" in refusal(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello, this is a text", "neither safetensors nor"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "neither safetensors nor"),
        (b"PK\x03\x04" + bytes(60), "truncated or damaged"),
        (b"\x80\x02", "truncated or damaged"),
        (struct.pack("<Q", 50) + b'{"a":' + bytes(100), "not a sound safetensors file"),
        (struct.pack("<Q", 2**60) + b"{}", "neither safetensors nor"),
    ],
)
def test_other_content_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "G.ckpt"
    path.write_bytes(content)
    assert said in refusal(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "there is no file" in refusal(tmp_path / "missing.pth")
    assert "there is no file" in refusal(tmp_path)


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "G.ckpt"
    with path.open("wb") as stream:
        stream.truncate(3 * 2**30)  # sparse: takes no room
    assert "more than the 2147483648" in refusal(path)


def test_a_compressed_zip_is_not_unpacked(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    honest, bomb = tmp_path / "honest", tmp_path / "G.ckpt"
    torch.save(state, honest)
    with zipfile.ZipFile(honest) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        target.writestr("honest/data/99", bytes(200_000_000))
    assert bomb.stat().st_size < 400_000
    assert "compressed zip" in refusal(bomb)


def test_a_zip_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "G.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "not one that torch.save wrote" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("G/data.pkl", pickle.dumps(None))
        archive.writestr("G/code/__torch__.py", "class Net: ...")
    assert "TorchScript program" in refusal(path)


def test_a_tensor_that_unfolds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "G.ckpt"
    torch.save({"main.0.weight": torch.zeros(1).expand(2**14, 2**14)}, path)
    assert path.stat().st_size < 10_000
    assert "in a storage of 1 elements" in refusal(path)


def test_a_lie_about_a_size_reserves_nothing(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """An old file is believed about its sizes by torch itself: it would reserve 4 GiB here."""
    path = tmp_path / "G.ckpt"
    weights = torch.full((1000,), 0.5)
    torch.save({"main.0.weight": weights}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    thousand, billion = b"M\xe8\x03", b"J" + struct.pack("<i", 2**30)
    assert content.count(thousand) == 2  # of the storage, of the shape
    path.write_bytes(content.replace(thousand, billion))
    assert "of a kind or size that no network" in refusal(path)
    path.write_bytes(content.replace(thousand, b"J" + struct.pack("<i", 2**20)))
    assert "truncated or damaged" in refusal(path)
    with_pickle({"main.0.weight": weights}, path, lambda content: content.replace(thousand, b"M\xff\x0f"))
    assert "states 16380 bytes for a tensor that has 4000" in refusal(path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: torch.eye(3).to_sparse(), "sparse tensors"),
        (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "quantised tensors"),
        (lambda: torch.ones(3, dtype=torch.complex64), "complex tensors"),
    ],
)
@pytest.mark.parametrize("new", [True, False])
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_special_tensors_are_refused(make: Callable[[], torch.Tensor], said: str, new: bool, tmp_path: Path) -> None:
    path = tmp_path / "G.ckpt"
    torch.save({"main.0.weight": make()}, path, _use_new_zipfile_serialization=new)
    assert said in refusal(path)


def test_special_types_in_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "G.safetensors"
    save_file({"main.0.weight": torch.ones(3).to(torch.float8_e4m3fn)}, path)
    assert "main.0.weight is not a float or integer tensor" in refusal(path)


@pytest.mark.parametrize("tree", [[torch.ones(2)], torch.ones(2), {}, 5, {"epoch": 3, "model": {"a": torch.ones(2)}}])
def test_files_without_a_state_dict_are_refused(tree: Any, tmp_path: Path) -> None:
    path = tmp_path / "G.ckpt"
    torch.save(tree, path)
    assert "state_dict()" in refusal(path)


def test_a_pickle_cannot_unfold_without_end(tmp_path: Path) -> None:
    """A hundred lists, each holding the one before ten times."""
    nested: list[Any] = []
    for _ in range(100):
        nested = [nested] * 10
    path = tmp_path / "G.ckpt"
    torch.save({"G": nested}, path)
    assert refusal(path)


def with_pickle(state: dict[str, torch.Tensor], path: Path, change: Callable[[bytes], bytes]) -> None:
    """A torch zip whose pickle is changed."""
    torch.save(state, path)
    with zipfile.ZipFile(path) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w") as target:
        for name, part in parts.items():
            target.writestr(name, change(part) if name.endswith("data.pkl") else part)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x80\x02Nr\xff\xff\xff\xff.",  # an index of 4 billion, for which pickle in C would reserve 64 GiB
        b"\x80\x05\x96" + struct.pack("<Q", 2**38) + b".",  # bytes of 256 GiB that do not follow
        b"\x80\x04\x8e" + struct.pack("<Q", 2**38) + b".",
        b"ccollections\nOrderedDict\n" + b"(lNNNNe" + b"\x85R.",  # a dict made from a list, to be copied many times
        b"ccollections\nOrderedDict\n)R}(NNub.",  # a dict with attributes of the file's choice
        b"\x80\x02" + b"(" * 100_000 + b".",
        b"ctorch\nFloatStorage\n)R.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR.",
        b"Pnot-a-tuple\n.",
    ],
)
def test_pickles_made_to_exhaust_are_refused_at_once(
    payload: bytes, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "G.ckpt"
    with_pickle(state, path, lambda _: payload)
    started = time.monotonic()
    refusal(path)
    legacy = saved(state, "legacy")
    end = legacy.index(pickle.STOP) + 1  # of the first pickle, a magic number
    path.write_bytes(legacy[:end] + payload + legacy[end:])
    refusal(path)
    # A guard against exhaustion, which takes minutes and gigabytes; not a timing.
    assert time.monotonic() - started < 60


def saved(state: dict[str, torch.Tensor], file_format: str) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream, _use_new_zipfile_serialization=file_format == "zip")
    return stream.getvalue()


@pytest.mark.parametrize("file_format", ["zip", "legacy", "safetensors"])
def test_truncated_and_damaged_files_never_crash(
    file_format: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "G.ckpt"
    if file_format == "safetensors":
        save_file(state, path)
        content = path.read_bytes()
    else:
        content = saved(state, file_format)
    for end in range(0, len(content), max(len(content) // 60, 1)):
        path.write_bytes(content[:end])
        refusal(path)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        damaged = bytearray(content)
        at = int(torch.randint(len(content), (1,), generator=generator))
        damaged[at] ^= int(torch.randint(1, 256, (1,), generator=generator))
        path.write_bytes(damaged)
        with contextlib.suppress(CheckpointError):
            open_checkpoint(path)
