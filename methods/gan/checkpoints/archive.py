"""Looks a torch file over before torch may read it: nothing in it is run, and nothing larger than the file is built.

``torch.load(weights_only=True)`` runs no code of the file, but trusts the sizes that it states. So the pickle is first
read with inert stand-ins for the few names that weights need, and every size it states is compared with the bytes that
are there. Both formats are read: the zip of torch 1.6 and later, and the older sequence of pickles that most published
files are in.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, ClassVar, Final, Literal, NamedTuple

from unmask.bench.core.errors import CheckpointError

MAX_TENSORS: Final = 10_000
MAX_ELEMENTS: Final = 2**26
"""Of one tensor; the largest of a published network has 16.8 million."""
MAX_PICKLE_BYTES: Final = 4 * 2**20
"""Of what describes the tensors; the largest published file takes about 0.1 MiB."""
LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
TorchFormat = Literal["torch zip", "torch before 1.6"]

_STORAGES: Final = {
    "FloatStorage": 4,
    "DoubleStorage": 8,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
}
"""Bytes of an element. Complex and quantised ones are not among them: no network of ours has any."""


def check_torch_file(path: Path) -> TorchFormat:
    """Which of torch's formats a file is in. Raises CheckpointError unless all it holds is plain dense tensors."""
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(0)
        try:
            if head == b"PK\x03\x04":
                _check_zip(path, stream)
                return "torch zip"
            if head[:1] == b"\x80":
                _check_legacy(path, stream)
                return "torch before 1.6"
        except CheckpointError:
            raise
        except (zipfile.BadZipFile, EOFError, struct.error) as error:
            raise CheckpointError(f"{path.name} is truncated or damaged ({error}); get it again") from error
        except Exception as error:  # a malformed pickle fails in a dozen ways, all of which mean the same here
            raise CheckpointError(f"{path.name} cannot be read as weights ({type(error).__name__}: {error})") from error
    raise CheckpointError(f"{path.name} is neither safetensors nor a file that torch.save wrote")


def _check_zip(path: Path, stream: IO[bytes]) -> None:
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
        sizes = {entry.filename: entry.file_size for entry in entries}
        if len(entries) > MAX_TENSORS or len(sizes) != len(entries):
            raise CheckpointError(
                f"{path.name} has too many entries, or two of one name; no network of ours is like that"
            )
        # torch stores without compression. What is compressed, or overlaps, is there to become larger than it is.
        if any("/code/" in name for name in sizes):
            raise CheckpointError(f"{path.name} is a TorchScript program; save the network's state_dict() instead")
        packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if packed or sum(sizes.values()) > path.stat().st_size:
            raise CheckpointError(f"{path.name} is a compressed zip; torch never writes one, so it is not opened")
        roots = [name for name in sizes if name.endswith("data.pkl") and name.count("/") == 1]
        if len(roots) != 1:
            raise CheckpointError(f"{path.name} is a zip, but not one that torch.save wrote")
        if sizes[roots[0]] > MAX_PICKLE_BYTES:
            raise CheckpointError(
                f"{path.name} describes its tensors in {sizes[roots[0]]} bytes; no network of ours takes so many"
            )
        reader = _Inert(io.BytesIO(archive.read(roots[0])), path.name)
        reader.load()
    folder = roots[0].removesuffix("data.pkl")
    for storage in reader.storages.values():
        size = sizes.get(f"{folder}data/{storage.key}")
        if size != storage.bytes:
            raise CheckpointError(
                f"{path.name} states {storage.bytes} bytes for a tensor that has {size or 0}; get it again"
            )


def _check_legacy(path: Path, stream: IO[bytes]) -> None:
    start = io.BytesIO(stream.read(MAX_PICKLE_BYTES))
    if _Inert(start, path.name).load() != LEGACY_MAGIC:
        raise CheckpointError(
            f"{path.name} is a Python pickle but not a torch file; pickles can run code, so it is not opened"
        )
    for _ in ("protocol version", "machine"):
        _Inert(start, path.name).load()
    reader = _Inert(start, path.name)
    reader.load()
    keys = _Inert(start, path.name).load()
    stream.seek(start.tell())
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(reader.storages):
        raise CheckpointError(f"{path.name} does not list the tensors that it describes; get it again")
    end = path.stat().st_size
    for key in keys:
        storage = reader.storages[str(key)]
        (count,) = struct.unpack("<q", stream.read(8))
        if count * storage.item_size != storage.bytes or stream.tell() + storage.bytes > end:
            raise CheckpointError(
                f"{path.name} is truncated or damaged: {end - stream.tell()} bytes left of {storage.bytes}"
            )
        stream.seek(storage.bytes, io.SEEK_CUR)


class _Storage(NamedTuple):
    """The bytes that one or more tensors lie in."""

    key: str
    elements: int
    item_size: int

    @property
    def bytes(self) -> int:
        return self.elements * self.item_size


class _Dict(dict[Any, Any]):
    """Stands in for ``collections.OrderedDict``. Built empty, without attributes: else a few bytes copy many."""

    def __init__(self) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict) or set(state) != {"_metadata"}:
            raise ValueError("a dict with attributes")


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: object) -> None:
    """Stands in for ``torch._utils._rebuild_tensor_v2``: checks, and makes nothing."""
    sound = isinstance(storage, _Storage) and type(shape) is type(stride) is tuple and len(shape) == len(stride) <= 8
    if not sound or not all(type(n) is int and 0 <= n <= 2**40 for n in (offset, *shape, *stride)):
        raise ValueError("a tensor without a sound storage, shape and stride")
    count = math.prod(shape)
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True)) if count else 0
    # More elements than its storage has: a tensor that repeats itself, a small file that unfolds into a large one.
    if count > MAX_ELEMENTS or count > storage.elements or (count and last >= storage.elements):
        raise ValueError(f"a tensor of shape {tuple(shape)} in a storage of {storage.elements} elements")


_NAMES: Final[Mapping[str, Callable[..., Any]]] = {
    "collections.OrderedDict": _Dict,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
}
_KINDS: Final = {"sparse": "sparse", "qtensor": "quantised", "Q": "quantised", "Complex": "complex"}
"""What torch's names of special tensors have in them."""


class _Inert(pickle._Unpickler):
    """Reads one pickle; every name in it becomes a stand-in or is refused, so that nothing of it is ever run.

    Python's own implementation, not the one in C, which reserves memory for the largest index that a pickle mentions.
    """

    dispatch: ClassVar = {
        code: step for code, step in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]
    }

    def __init__(self, stream: IO[bytes], file: str) -> None:
        super().__init__(stream, encoding="utf-8")
        self._file = file
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        full = f"{module}.{name}"
        if full in _NAMES:
            return _NAMES[full]
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        for sign, kind in _KINDS.items():
            if module.startswith("torch") and sign in name:
                raise CheckpointError(f"{self._file} holds {kind} tensors; save them as plain float tensors")
        raise CheckpointError(
            f"{self._file} names {ascii(full)[1:-1][:80]}, which no weights need and which could run code; "
            "save the state_dict() alone, best as safetensors"
        )

    def persistent_load(self, pid: Any, /) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage" or pid[5:] not in ((), (None,)):
            raise ValueError("data that is not a tensor's storage")
        item_size, key, count = pid[1], str(pid[2]), pid[4]
        if item_size not in _STORAGES.values() or type(count) is not int or not 0 <= count <= MAX_ELEMENTS:
            raise CheckpointError(f"{self._file} holds a tensor of a kind or size that no network of ours has")
        storage = _Storage(key, count, item_size)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError("one storage described in two ways")
        if len(self.storages) > MAX_TENSORS:
            raise CheckpointError(f"{self._file} holds more than {MAX_TENSORS} tensors")
        return storage
