"""Tables survive the way to disk and back; what cannot be read says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unmask.bench.core.errors import StoreError
from unmask.bench.store.tables import concatenate, read_table, table_key, write_table


def made(rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "embedding": rng.standard_normal((rows, 7)).astype(np.float32),
        "outcome": np.array([("missed", "anonymized")[k % 2] for k in range(rows)], np.str_),
        "frame": np.arange(rows, dtype=np.int64),
        "ok": np.arange(rows) % 5 < 2,
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


def rewritten(path: Path, change: Any) -> None:
    """Changes a table as somebody would who knows Parquet: the metadata stay."""
    pq.write_table(change(pq.read_table(path)), path)


def shifted(table: pa.Table) -> pa.Table:
    at = table.schema.get_field_index("seconds")
    return table.set_column(at, "seconds", pa.array(np.nan_to_num(table.column("seconds").to_numpy()) + 1e-9))


CHANGES = {
    "a row less": lambda table: table.slice(1),
    "no rows": lambda table: table.slice(0, 0),
    "a row twice": lambda table: pa.concat_tables([table, table.slice(0, 1)]),
    "another order": lambda table: table.take([*range(1, len(table)), 0]),
    "a column less": lambda table: table.drop_columns(["frame"]),
    "a column renamed": lambda table: table.rename_columns(["embedding", "outcome", "frame", "ok", "minutes"]),
    "another value": shifted,
    "another text": lambda table: table.set_column(1, "outcome", pa.array(["missed"] * len(table))),
    "another key": lambda table: table.replace_schema_metadata({**table.schema.metadata, b"unmask.key": b"k2"}),
    "no seal": lambda table: table.replace_schema_metadata({b"unmask.key": b"k1"}),
    "no metadata": lambda table: table.replace_schema_metadata(None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_table_that_was_changed_is_refused(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, made(9000), "k1")
    rewritten(path, lambda table: table)
    read_table(path)  # written anew with the same content it is the same table
    rewritten(path, change)
    with pytest.raises(StoreError, match=r"t\.parquet is not as unmask wrote it.*delete it"):
        read_table(path)


def test_a_table_without_a_seal_has_no_key(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, made(3), "k1")
    rewritten(path, CHANGES["no seal"])
    assert table_key(path) is None


def what_is_said(path: Path) -> str:
    try:
        read_table(path)
    except StoreError as error:
        return str(error)
    return ""


def test_no_damage_escapes_as_anything_but_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, made(50), "k1")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[:cut] for cut in (*range(12), *rng.integers(12, len(whole), 60))]
    for at in (*rng.integers(0, len(whole), 250), *range(len(whole) - 40, len(whole))):
        flipped = bytearray(whole)
        flipped[at] ^= int(rng.integers(1, 256))
        damaged.append(bytes(flipped))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        table_key(path)
        said = what_is_said(path)
        if said:
            refused += 1
            assert str(path) in said
            assert "\n" not in said
        else:  # a byte that means nothing, such as one of a statistic
            for name, values in made(50).items():
                np.testing.assert_array_equal(read_table(path)[name], values)
    assert refused > len(damaged) * 0.8


def test_a_folder_where_a_table_belongs_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.mkdir()
    assert table_key(path) is None
    with pytest.raises(StoreError, match=r"t\.parquet cannot be read"):
        read_table(path)


def test_a_file_where_its_folder_belongs_is_said(tmp_path: Path) -> None:
    (tmp_path / "shard").write_text("x")
    with pytest.raises(StoreError, match="shard"):
        read_table(tmp_path / "shard" / "t.parquet")


def test_damaged_text_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    ends, text = pa.py_buffer(np.array([0, 2], np.int32).tobytes()), pa.py_buffer(b"\xff\xfe")
    pq.write_table(pa.table({"outcome": pa.StringArray.from_buffers(1, ends, text)}), path)
    with pytest.raises(StoreError, match=r"t\.parquet .*; delete it"):
        read_table(path)
