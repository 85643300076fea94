"""Weights out of pickles without running what they say: numpy arrays (flax checkpoints) and TorchScript archives.

A pickle may name any function and have it called. These readers let it name only what makes numpy arrays and inert
stand-ins of ours, so the worst that a bad file can do is to be refused.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32

MAX_FILE_BYTES: Final = 200_000_000
_FLOAT32: Final = np.dtype("<f4")


def load_numpy_pickle(path: Path) -> dict[str, Floats32]:
    """All float32 arrays of a pickled tree of dicts, by path such as ``AlexNet_0/Conv_0/kernel``.

    Raises CheckpointError if the pickle holds anything but dicts, text keys and little-endian float32 arrays.
    """
    arrays = dict(_leaves(_Unpickler(_read(path), _NUMPY_NAMES, path.name).run()))
    for key, value in arrays.items():
        if not isinstance(value, np.ndarray) or value.dtype != _FLOAT32:
            raise CheckpointError(f"{path.name}: {key} is no array of float32 values; delete the file, fetch it again")
    return arrays


def load_torchscript_tensors(path: Path) -> dict[str, Floats32]:
    """All float32 tensors of a TorchScript archive by attribute path such as ``net/layers/conv/weight``.

    Its program is not loaded, let alone run. Raises CheckpointError if the archive is not made as expected.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(_read(path))) as archive:
            roots = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(roots) != 1 or sum(entry.file_size for entry in archive.infolist()) > MAX_FILE_BYTES:
                raise CheckpointError(f"{path.name} is not a TorchScript archive of a network")
            tree = _TorchUnpickler(archive, roots[0], path.name).run()
    except (zipfile.BadZipFile, RuntimeError) as error:
        raise CheckpointError(f"{path.name} is damaged ({error}); delete it and fetch it again") from error
    return {key: value for key, value in _leaves(tree) if isinstance(value, np.ndarray)}


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise CheckpointError(
            f"{path.name} has {size} bytes, more than the {MAX_FILE_BYTES} that a network of ours takes"
        )
    return path.read_bytes()


def _leaves(node: Any, path: tuple[str, ...] = (), visited: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """(path, value) of everything in a tree of dicts and `_Record`s that is neither."""
    visited = set() if visited is None else visited
    node = vars(node) if isinstance(node, _Record) else node
    if not isinstance(node, dict):
        yield "/".join(path), node
        return
    # A network is a tree: something met twice could contain itself, or unfold without end.
    if id(node) in visited or len(path) > 50:
        raise CheckpointError(f"a weights file has no tree at {'/'.join(path)[:80]!r}; do not use it")
    visited.add(id(node))
    for key, value in node.items():
        yield from _leaves(value, (*path, str(key)), visited)


class _Record:
    """Stands in for a TorchScript module: holds attributes, has no behaviour."""


class _FloatStorage:
    """Stands in for ``torch.FloatStorage``; only ever compared with."""


def _tensor(storage: Floats32, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Floats32:
    """Stands in for ``torch._utils._rebuild_tensor_v2``."""
    values = storage.reshape(shape)
    if offset != 0 or tuple(step // _FLOAT32.itemsize for step in values.strides) != stride:
        raise ValueError("a tensor that is not stored contiguously")
    return values


_NUMPY_NAMES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(
        ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"), np.zeros(0).__reduce__()[0]
    ),
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
}
_TORCH_NAMES: Final[Mapping[str, Any]] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.FloatStorage": _FloatStorage,
    "torch.jit._pickle.build_intlist": list,
    "collections.OrderedDict": dict,
}


class _Unpickler(pickle.Unpickler):
    """Resolves the names in ``allowed``; refuses every other."""

    def __init__(self, data: bytes, allowed: Mapping[str, Any], file: str) -> None:
        super().__init__(io.BytesIO(data), encoding="bytes")
        self._allowed, self._file = allowed, file

    def run(self) -> Any:
        try:
            return self.load()
        except CheckpointError:
            raise
        except Exception as error:  # a malformed pickle fails in a dozen ways, all of which mean the same here
            raise CheckpointError(
                f"{self._file} cannot be read as weights ({type(error).__name__}: {error})"
            ) from error

    def find_class(self, module: str, name: str, /) -> Any:
        full = f"{module}.{name}"
        if full not in self._allowed:
            raise CheckpointError(f"{self._file} names {full[:80]}, which no weights file needs; do not use it")
        return self._allowed[full]


class _TorchUnpickler(_Unpickler):
    """Of a TorchScript archive: ``__torch__.*`` are `_Record`s, and storages lie beside the pickle."""

    def __init__(self, archive: zipfile.ZipFile, root: str, file: str) -> None:
        super().__init__(archive.read(root), _TORCH_NAMES, file)
        self._archive, self._folder = archive, root.removesuffix("data.pkl")

    def find_class(self, module: str, name: str, /) -> Any:
        return _Record if module.startswith("__torch__") else super().find_class(module, name)

    def persistent_load(self, pid: Any, /) -> Floats32:
        if pid[:2] != ("storage", _FloatStorage):
            raise ValueError("a tensor that is not of float32 values")
        return np.frombuffer(self._archive.read(f"{self._folder}data/{pid[2]}"), _FLOAT32).astype(np.float32)
