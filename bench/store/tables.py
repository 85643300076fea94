"""Parquet tables of named arrays, each carrying the key of the job that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.core.errors import StoreError
from bench.core.files import replacing_file

_KEY = b"unmask.key"
_ROW_GROUP: Final = 4096
"""Rows that are encoded at a time: what writing a long table needs beside the table itself."""

Table = Mapping[str, NDArray[Any]]
"""Column name -> (N,) strings or numbers, or (N, D) float32."""


def write_table(path: Path, columns: Table, key: str) -> None:
    """Publishes ``columns`` (all of one length N) as Parquet; (N, D) arrays become fixed-size lists."""
    arrays = {name: _to_arrow(np.asarray(values)) for name, values in columns.items()}
    table = pa.table(arrays).replace_schema_metadata({_KEY: key.encode()})
    # A dictionary of numbers that are all different saves nothing and takes ten times their memory.
    repeated = [name for name, values in arrays.items() if pa.types.is_string(values.type)]
    with replacing_file(path) as temp:
        pq.write_table(table, temp, compression="zstd", use_dictionary=repeated, row_group_size=_ROW_GROUP)


def table_key(path: Path) -> str | None:
    """The key a table was written under; ``None`` if there is no readable table."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    found = metadata.get(_KEY)
    return None if found is None else bytes(found).decode()


def read_table(path: Path) -> dict[str, NDArray[Any]]:
    """The columns of a table, in file order. Raises `StoreError` where it is missing or damaged."""
    try:
        table = read_arrow(path)
        return {name: _from_arrow(table.column(name)) for name in table.column_names}
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing; run the same `unmask run` again to make it") from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise StoreError(f"{path} cannot be read ({error}); delete it and run the same `unmask run` again") from error


def read_arrow(path: Path) -> pa.Table:
    """A table as Arrow has it. Raises `OSError` or `pa.ArrowException` where it is missing or damaged."""
    # Not pq.read_table: it is for folders of files, and what it imports takes 50 MB.
    with pq.ParquetFile(path) as file:
        return file.read()


def concatenate(parts: Sequence[Table]) -> dict[str, NDArray[Any]]:
    """Tables with the same columns, one below the other."""
    if not parts:
        return {}
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}


def _to_arrow(values: NDArray[Any]) -> Any:
    if values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    if values.dtype.kind in "UO":
        # Undecodable file names hold lone surrogates, which Arrow's UTF-8 cannot store.
        return pa.array([str(v).encode("utf-8", "backslashreplace").decode() for v in values], type=pa.string())
    return pa.array(values)


def _from_arrow(column: Any) -> NDArray[Any]:
    column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
        return np.asarray(column.flatten().to_numpy(zero_copy_only=False), dtype=np.float32).reshape(-1, width)
    if pa.types.is_string(column.type):
        return np.asarray(column.to_pylist(), dtype=np.str_)
    return np.asarray(column.to_numpy(zero_copy_only=False))
