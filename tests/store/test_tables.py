"""Tables survive the way to disk and back; what cannot be read says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.core.errors import StoreError
from bench.store.tables import read_table, table_key, write_table


@pytest.mark.parametrize("rows", [0, 1, 10_000])
def test_what_is_written_is_read(tmp_path: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    table = {
        "embedding": rng.standard_normal((rows, 7)).astype(np.float32),
        "outcome": np.array([("missed", "anonymized")[k % 2] for k in range(rows)], np.str_),
        "frame": np.arange(rows, dtype=np.int64),
        "seconds": np.where(np.arange(rows) % 3 == 0, np.nan, np.arange(rows) / 25),
    }
    write_table(tmp_path / "a.parquet", table, "a key")
    assert table_key(tmp_path / "a.parquet") == "a key"
    read = read_table(tmp_path / "a.parquet")
    assert list(read) == list(table)
    for name, values in table.items():
        assert read[name].shape == values.shape
        np.testing.assert_array_equal(read[name], values)


def test_a_missing_table_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is missing; run the same"):
        read_table(tmp_path / "a.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table at all"])
def test_a_damaged_table_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    assert table_key(path) is None
    with pytest.raises(StoreError, match=r"cannot be read .*; delete it"):
        read_table(path)


def test_damaged_text_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    ends, text = pa.py_buffer(np.array([0, 2], np.int32).tobytes()), pa.py_buffer(b"\xff\xfe")
    pq.write_table(pa.table({"outcome": pa.StringArray.from_buffers(1, ends, text)}), path)
    with pytest.raises(StoreError, match=r"cannot be read .*; delete it"):
        read_table(path)
