"""Weights out of pickles without running what they say: numpy arrays (flax checkpoints) and TorchScript archives.

A pickle may name any function and have it called. These readers let it name only inert stand-ins of ours, so the worst
that a bad file can do is to be refused. Not even numpy's and torch's own reconstruction is handed what the file says.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32

MAX_FILE_BYTES: Final = 200_000_000
MAX_STRUCTURE_BYTES: Final = 1_000_000
"""Of the pickle in a TorchScript archive; the tensors lie beside it."""


def load_numpy_pickle(path: Path) -> dict[str, Floats32]:
    """All float32 arrays of a pickled tree of dicts, by path such as ``AlexNet_0/Conv_0/kernel``.

    Raises CheckpointError if the pickle holds anything but dicts, text keys and little-endian float32 arrays.
    """
    tree = _Unpickler(_read(path), _NUMPY_NAMES, path.name).run()
    arrays: dict[str, Floats32] = {}
    for key, value in _leaves(tree):
        if not isinstance(value, _Array):
            raise CheckpointError(f"{path.name}: {key} is not an array; delete the file and fetch it again")
        arrays[key] = value.array(f"{path.name}: {key}")
    return arrays


def load_torchscript_tensors(path: Path) -> dict[str, Floats32]:
    """All float32 tensors of a TorchScript archive by attribute path such as ``net/layers/conv/weight``.

    Its program is not loaded, let alone run. Raises CheckpointError if the archive is not made as expected.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(_read(path))) as archive:
            roots = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(roots) != 1 or archive.getinfo(roots[0]).file_size > MAX_STRUCTURE_BYTES:
                raise CheckpointError(f"{path.name} is not a TorchScript archive of a network")
            prefix = roots[0].removesuffix("data.pkl")
            tree = _Unpickler(archive.read(roots[0]), _TORCH_NAMES, path.name).run()
            tensors: dict[str, Floats32] = {}
            for key, value in _leaves(tree):
                if isinstance(value, _Tensor):
                    tensors[key] = value.array(archive, f"{prefix}data/", f"{path.name}: {key}")
    except (zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{path.name} is damaged ({error}); delete it and fetch it again") from error
    return tensors


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


class _Dtype:
    """Stands in for ``numpy.dtype``; remembers what the pickle says of it."""

    def __init__(self, code: object = None, *_: object) -> None:
        self.code = code
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    @property
    def little_float32(self) -> bool:
        return self.code == "f4" and isinstance(self.state, tuple) and self.state[1:2] == ("<",)


class _Array:
    """Stands in for ``numpy.ndarray``: what ``numpy.core.multiarray._reconstruct`` gives."""

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self, what: str) -> Floats32:
        state = self.state
        if not (isinstance(state, tuple) and len(state) == 5):
            raise CheckpointError(f"{what} is not stored as a numpy array")
        _, shape, dtype, fortran, data = state
        if not (isinstance(dtype, _Dtype) and dtype.little_float32 and isinstance(data, bytes)):
            raise CheckpointError(f"{what} does not hold little-endian float32 values")
        _check_shape(shape, len(data), what)
        return np.frombuffer(data, "<f4").reshape(shape, order="F" if fortran else "C").astype(np.float32)


class _Tensor:
    """Stands in for a torch tensor: what ``torch._utils._rebuild_tensor_v2`` gives."""

    def __init__(
        self, storage: object = None, offset: object = 0, shape: Any = (), stride: Any = (), *_: object
    ) -> None:
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride

    def array(self, archive: zipfile.ZipFile, prefix: str, what: str) -> Floats32:
        storage = self.storage
        if not (isinstance(storage, tuple) and len(storage) == 5 and storage[:2] == ("storage", _FloatStorage)):
            raise CheckpointError(f"{what} does not hold float32 values")
        name = prefix + str(storage[2])
        count = math.prod(self.shape) if isinstance(self.shape, tuple) else -1
        if archive.getinfo(name).file_size > MAX_FILE_BYTES:
            raise CheckpointError(f"{what} is larger than any tensor of a network of ours")
        data = archive.read(name)
        contiguous = tuple(math.prod(self.shape[i + 1 :]) for i in range(len(self.shape))) if count >= 0 else None
        if self.offset != 0 or self.stride != contiguous:
            raise CheckpointError(f"{what} is not stored contiguously")
        _check_shape(self.shape, len(data), what)
        return np.frombuffer(data, "<f4").reshape(self.shape).astype(np.float32)


class _FloatStorage:
    """Stands in for ``torch.FloatStorage``; only ever compared with."""


def _check_shape(shape: Any, size: int, what: str) -> None:
    sound = isinstance(shape, tuple) and len(shape) <= 8 and all(isinstance(n, int) and 0 < n < 2**24 for n in shape)
    if not sound or math.prod(shape) * 4 != size:
        raise CheckpointError(f"{what} has {size} bytes, which does not fit the shape {str(shape)[:80]}")


_NUMPY_NAMES: Final[Mapping[str, Any]] = {
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.ndarray": _Array,
    "numpy.dtype": _Dtype,
}
_TORCH_NAMES: Final[Mapping[str, Any]] = {
    "torch._utils._rebuild_tensor_v2": _Tensor,
    "torch.FloatStorage": _FloatStorage,
    "torch.jit._pickle.build_intlist": list,
    "collections.OrderedDict": dict,
}


class _Unpickler(pickle.Unpickler):
    """Resolves the names in ``allowed`` to stand-ins and ``__torch__.*`` to `_Record`; refuses every other."""

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
        if full in self._allowed:
            return self._allowed[full]
        if self._allowed is _TORCH_NAMES and module.startswith("__torch__"):
            return _Record
        raise CheckpointError(f"{self._file} names {full[:80]}, which no weights file needs; do not use it")

    def persistent_load(self, pid: Any, /) -> Any:
        if self._allowed is _TORCH_NAMES:
            return pid
        raise CheckpointError(f"{self._file} refers to data outside itself")
