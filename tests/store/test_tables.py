"""Tables survive the way to disk and back; what cannot be read says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.core.errors import StoreError
from bench.store.tables import concatenate, read_table, table_key, write_table


def made(rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "embedding": rng.standard_normal((rows, 7)).astype(np.float32),
        "outcome": np.array([("missed", "anonymized")[k % 2] for k in range(rows)], np.str_),
        "frame": np.arange(rows, dtype=np.int64),
        "seconds": np.where(np.arange(rows) % 3 == 0, np.nan, np.arange(rows) / 25),
    }


ODD = {
    "face": np.array(["a#0", "b é#1"]),
    "embedding": np.array([[1.0, np.nan], [0.5, -2.0]], np.float32),
    "age": np.array([np.nan, 31.5]),
    "ok": np.array([True, False]),
}


@pytest.mark.parametrize("columns", [ODD, made(0), made(1), made(10_000)], ids=["odd", "0", "1", "10000"])
def test_tables_keep_values_shapes_and_key(tmp_path: Path, columns: dict[str, Any]) -> None:
    write_table(tmp_path / "t.parquet", columns, "k1")
    assert table_key(tmp_path / "t.parquet") == "k1"
    back = read_table(tmp_path / "t.parquet")
    assert list(back) == list(columns)
    for name, values in columns.items():
        assert back[name].shape == values.shape
        np.testing.assert_array_equal(back[name], values)


def test_tables_without_rows_keep_their_columns(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", {"face": np.array([], np.str_), "box": np.zeros((0, 4), np.float32)}, "")
    back = read_table(tmp_path / "t.parquet")
    assert back["box"].shape == (0, 4)
    assert concatenate([back, back])["box"].shape == (0, 4)


def test_a_missing_table_has_no_key_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "missing.parquet"
    assert table_key(path) is None
    with pytest.raises(StoreError, match="is missing; run the same"):
        read_table(path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 nonsense", b"not a table at all"])
def test_a_damaged_table_has_no_key_and_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    assert table_key(path) is None
    with pytest.raises(StoreError, match=r"cannot be read .*; delete it"):
        read_table(path)


def test_damaged_text_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    ends, text = pa.py_buffer(np.array([0, 2], np.int32).tobytes()), pa.py_buffer(b"\xff\xfe")
    pq.write_table(pa.table({"outcome": pa.StringArray.from_buffers(1, ends, text)}), path)
    with pytest.raises(StoreError, match=r"cannot be read .*; delete it"):
        read_table(path)
