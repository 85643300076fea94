"""Weights are read from pickles, and nothing in a pickle is ever run."""

from __future__ import annotations

import collections
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from unmask.bench.core.errors import CheckpointError
from unmask.metrics.instruments.support import safe_pickle
from unmask.metrics.instruments.support.safe_pickle import load_numpy_pickle, load_torchscript_tensors


def pickled(path: Path, value: object) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=3))
    return path


class Runs:
    """A pickle of this writes a file when it is loaded by Python's own unpickler."""

    def __init__(self, where: Path) -> None:
        self.where = where

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.where),)


def test_arrays_come_out_as_they_went_in(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 2, 4)).astype(np.float32)
    tree = {"Net": {"kernel": kernel, "bias": np.arange(4, dtype=np.float32)}, "f": np.asfortranarray(kernel[0])}
    arrays = load_numpy_pickle(pickled(tmp_path / "w.ckpt", tree))
    assert set(arrays) == {"Net/kernel", "Net/bias", "f"}
    np.testing.assert_array_equal(arrays["Net/kernel"], kernel)
    np.testing.assert_array_equal(arrays["Net/bias"], np.arange(4))
    np.testing.assert_array_equal(arrays["f"], kernel[0])


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    path = pickled(tmp_path / "evil.ckpt", {"kernel": Runs(harm)})
    with pytest.raises(CheckpointError, match=r"mkdir.*do not use it"):
        load_numpy_pickle(path)
    assert not harm.exists()
    with path.open("rb") as file:
        pickle.load(file)  # the same bytes do run where they are not refused
    assert harm.exists()


@pytest.mark.parametrize(
    "value",
    [
        {"a": np.arange(3)},
        {"a": np.arange(3.0)},
        {"a": np.array([None, {}], dtype=object)},
        {"a": 3},
        {"a": collections.OrderedDict()},
        np.float32(3),
        [np.ones(2, np.float32)],
    ],
    ids=["int", "float64", "object", "number", "other-class", "scalar", "list"],
)
def test_anything_but_float32_arrays_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(CheckpointError):
        load_numpy_pickle(pickled(tmp_path / "w.ckpt", value))


def test_trees_that_unfold_without_end_are_refused(tmp_path: Path) -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    bomb: dict[str, Any] = {}
    for _ in range(40):
        bomb = {"a": bomb, "b": bomb}
    for value in (circle, bomb):
        with pytest.raises(CheckpointError, match="no tree"):
            load_numpy_pickle(pickled(tmp_path / "w.ckpt", value))


def test_cut_off_and_foreign_files_are_refused(tmp_path: Path) -> None:
    whole = pickle.dumps({"a": np.ones(100, np.float32)}, protocol=3)
    for content in (b"", b"not a pickle", whole[:-50]):
        path = tmp_path / "w.ckpt"
        path.write_bytes(content)
        with pytest.raises(CheckpointError):
            load_numpy_pickle(path)
        with pytest.raises(CheckpointError):
            load_torchscript_tensors(path)


def test_a_shape_that_does_not_fit_the_bytes_is_refused(tmp_path: Path) -> None:
    good = pickle.dumps({"a": np.ones(77, np.float32)}, protocol=3)
    assert good.count(b"KM\x85") == 1  # 77 as a one-byte integer, then a tuple of one
    path = tmp_path / "w.ckpt"
    path.write_bytes(good.replace(b"KM\x85", b"KN\x85"))
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_numpy_pickle(path)


def test_too_large_files_are_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_pickle, "MAX_FILE_BYTES", 10)
    with pytest.raises(CheckpointError, match="more than the 10"):
        load_numpy_pickle(pickled(tmp_path / "w.ckpt", {"a": np.ones(100, np.float32)}))


class Small(nn.Module):
    """Something to trace."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.inner = nn.Sequential(nn.Linear(5, 2), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.inner(self.conv(x).mean(dim=(2, 3)))
        return y


def torchscript(path: Path, network: nn.Module) -> Path:
    script: Any = torch.jit.script(network)
    script.save(str(path))
    return path


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_tensors_of_a_torchscript_archive(tmp_path: Path) -> None:
    network = Small()
    tensors = load_torchscript_tensors(torchscript(tmp_path / "net.pt", network))
    state = {name.replace(".", "/"): value for name, value in network.state_dict().items()}
    assert set(tensors) == set(state)
    for name, value in state.items():
        np.testing.assert_array_equal(tensors[name], value.numpy())


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_code_in_a_torchscript_archive_is_not_run(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    good = torchscript(tmp_path / "net.pt", Small())
    evil = tmp_path / "evil.pt"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(evil, "w") as target:
        for item in source.infolist():
            content = source.read(item)
            if item.filename.endswith("/data.pkl"):
                content = pickle.dumps({"weight": Runs(harm)}, protocol=3)
            target.writestr(item, content)
    with pytest.raises(CheckpointError, match="mkdir"):
        load_torchscript_tensors(evil)
    assert not harm.exists()


def test_an_archive_without_a_network_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    path = tmp_path / "net.pt"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointError, match="not a TorchScript archive"):
        load_torchscript_tensors(path)
