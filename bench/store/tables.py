"""Parquet tables of named arrays, each carrying the key of the job that made it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from unmask.bench.core.errors import StoreError
from unmask.bench.store.storage import Place, storage_at

_KEY: Final = b"unmask.key"
_SEAL: Final = b"unmask.sha256"
_DAMAGE: Final = (pa.ArrowException, ValueError, KeyError, IndexError, TypeError, OverflowError, MemoryError)
"""What reading a damaged table can end in, besides `OSError`."""
_ROW_GROUP: Final = 4096
"""Rows that are encoded at a time: what writing a long table needs beside the table itself."""

Table = Mapping[str, NDArray[Any]]
"""Column name -> (N,) strings or numbers, or (N, D) float32 or int32."""


def write_table(place: Place, columns: Table, key: str) -> None:
    """Publishes ``columns`` (all of one length N) as Parquet; (N, D) arrays become fixed-size lists.

    The table is sealed: its metadata hold a hash of its key, the names of its columns and all their values.
    """
    arrays = {name: _to_arrow(np.asarray(values)) for name, values in columns.items()}
    table = pa.table(arrays)
    table = table.replace_schema_metadata({_KEY: key.encode(), _SEAL: _seal(table, key.encode())})
    # A dictionary of numbers that are all different saves nothing and takes ten times their memory.
    repeated = [name for name, values in arrays.items() if pa.types.is_string(values.type)]
    with storage_at(place).writing() as temp:
        pq.write_table(
            table,
            temp,
            compression="zstd",
            use_dictionary=repeated,
            row_group_size=_ROW_GROUP,
            write_page_checksum=True,
        )


def table_key(place: Place) -> str | None:
    """The key a table was written under; ``None`` if there is no readable table."""
    try:
        metadata = pq.read_schema(storage_at(place).local).metadata or {}
    except (*_DAMAGE, OSError):
        return None
    key = metadata.get(_KEY)
    return None if key is None or _SEAL not in metadata else bytes(key).decode("utf-8", "replace")


_REMEDY: Final = "run the same `unmask run` again"


def read_table(place: Place, remedy: str = _REMEDY) -> dict[str, NDArray[Any]]:
    """The columns of a table, in file order. Raises `StoreError`, which ends in ``remedy``, where it is missing,
    damaged or was changed."""
    table = read_arrow(place, remedy)
    try:
        return read_columns(table)
    except _DAMAGE as error:
        raise _damaged(storage_at(place).local, error, remedy) from error


def read_columns(table: pa.Table) -> dict[str, NDArray[Any]]:
    """The columns of a table in memory, in order."""
    return {name: column_values(table.column(name)) for name in table.column_names}


def read_arrow(place: Place, remedy: str = _REMEDY) -> pa.Table:
    """A table as Arrow has it. Raises `StoreError`, which ends in ``remedy``, where it is missing, damaged or was
    changed."""
    path = storage_at(place).local
    try:
        # Not pq.read_table: it is for folders of files, and what it imports takes 50 MB.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        metadata = table.schema.metadata or {}
        intact = metadata.get(_SEAL) == _seal(table, metadata.get(_KEY, b""))
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing; {remedy} to make it") from error
    except (*_DAMAGE, OSError) as error:
        raise _damaged(path, error, remedy) from error
    if not intact:
        raise StoreError(f"{path} is not as unmask wrote it: rows or values were changed; delete it and {remedy}")
    return table


def _damaged(path: Path, error: Exception, remedy: str) -> StoreError:
    text = " ".join(str(error).split())[:200]
    return StoreError(f"{path} cannot be read ({text}); delete it and {remedy}")


def _seal(table: pa.Table, key: bytes) -> bytes:
    """sha256 (hex) over the key, and name, type, length and values of each column."""
    total = hashlib.sha256(key)
    for name in table.column_names:
        column = table.column(name)
        kind = column.type
        if pa.types.is_fixed_size_list(kind):  # whose element has another name after it was read
            kind = f"{kind.value_type}[{kind.list_size}]"
        total.update(f"\0{name}\0{kind}\0{len(column)}\0".encode())
        for part in _values(column):
            total.update(part)
    return total.hexdigest().encode()


def _values(column: Any) -> Iterator[bytes | memoryview]:
    """The bytes of a column's values, the same however it is cut into chunks."""
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    if not pa.types.is_string(column.type):
        for chunk in chunks:
            values = chunk.flatten() if pa.types.is_fixed_size_list(chunk.type) else chunk
            yield np.ascontiguousarray(_numbers_of(values)).tobytes()
        return
    ends = [np.frombuffer(c.buffers()[1], np.int32)[c.offset : c.offset + len(c) + 1] for c in chunks]
    yield from (np.diff(each).tobytes() for each in ends)
    for chunk, each in zip(chunks, ends, strict=True):
        if each[-1] > each[0]:
            yield memoryview(chunk.buffers()[2])[each[0] : each[-1]]


def table_stamp(table: pa.Table) -> list[str]:
    """Key and seal of a table: equal = the same rows, made in the same way."""
    metadata = table.schema.metadata or {}
    return [metadata.get(name, b"").decode("utf-8", "replace") for name in (_KEY, _SEAL)]


def concatenate(parts: Sequence[Table]) -> dict[str, NDArray[Any]]:
    """Tables with the same columns, one below the other."""
    if not parts:
        return {}
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def columns_of(rows: Sequence[Sequence[Any]], kinds: Mapping[str, type]) -> dict[str, NDArray[Any]]:
    """Rows as columns; ``kinds``: name and type of each, in the order of a row's values."""
    return {name: np.array([row[k] for row in rows], kind) for k, (name, kind) in enumerate(kinds.items())}


def _to_arrow(values: NDArray[Any]) -> Any:
    if values.ndim == 2:
        kind = np.int32 if values.dtype == np.int32 else np.float32
        flat = _numbers_to_arrow(np.ascontiguousarray(values, dtype=kind).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    if values.dtype.kind in "UO":
        return strings_to_arrow([str(v) for v in values])
    return _numbers_to_arrow(values)


# pa.array and to_numpy would do the same, but import pandas wherever that is installed: a quarter of a second and 30 MB
# in every process that reads or writes a table.


def strings_to_arrow(values: Sequence[str]) -> Any:
    """What cannot be encoded in UTF-8, such as the surrogates of undecodable file names, becomes backslash escapes."""
    encoded = [value.encode("utf-8", "backslashreplace") for value in values]
    ends = np.concatenate([[0], np.cumsum([len(each) for each in encoded])]).astype(np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def _numbers_to_arrow(values: NDArray[Any]) -> Any:
    stored = np.packbits(values, bitorder="little") if values.dtype == np.bool_ else np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(stored)])


def _numbers_of(chunk: Any) -> NDArray[Any]:
    """(N,) numbers of an array of Arrow's, NaN where one is missing."""
    plain = pa.types.is_integer(chunk.type) or pa.types.is_floating(chunk.type)
    if chunk.null_count or not (plain or pa.types.is_boolean(chunk.type)):
        return np.asarray(chunk.to_numpy(zero_copy_only=False))
    used, stored = slice(chunk.offset, chunk.offset + len(chunk)), chunk.buffers()[1] or b""
    if plain:
        return np.frombuffer(stored, chunk.type.to_pandas_dtype())[used]
    return np.unpackbits(np.frombuffer(stored, np.uint8), bitorder="little")[used].astype(np.bool_)


def column_values(column: Any) -> NDArray[Any]:
    """(N,) or (N, D) values of a column of a table from `read_arrow`; texts as `numpy.str_`."""
    column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
        return _numbers_of(column.flatten()).reshape(-1, width)
    if pa.types.is_string(column.type):
        return np.asarray(column.to_pylist(), dtype=np.str_)
    return _numbers_of(column)
