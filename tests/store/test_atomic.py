"""Published files are whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.core.errors import StoreError
from bench.core.files import replacing_file
from bench.store.atomic import replacing_folder, sweep_temporaries, write_json
from bench.store.tables import concatenate, read_table, table_key, write_table


def test_a_failed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with replacing_file(target) as temp:
            temp.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "shard"
    target.mkdir()
    (target / "old").write_text("x")
    with replacing_folder(target) as temp:
        (temp / "new").write_text("y")
        assert (target / "old").exists()
    assert [path.name for path in target.iterdir()] == ["new"]


def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ".tmp-abc").write_text("half")
    (tmp_path / "x" / ".tmp-dir").mkdir()
    (tmp_path / "x" / "keep").write_text("whole")
    sweep_temporaries(tmp_path)
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["keep"]


def test_json_survives_undecodable_names(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "caf\udce9"})
    assert b"udce9" in (tmp_path / "a.json").read_bytes()


def test_tables_keep_values_shapes_and_key(tmp_path: Path) -> None:
    columns = {
        "face": np.array(["a#0", "b é#1"]),
        "embedding": np.array([[1.0, np.nan], [0.5, -2.0]], np.float32),
        "age": np.array([np.nan, 31.5]),
        "ok": np.array([True, False]),
    }
    write_table(tmp_path / "t.parquet", columns, "k1")
    assert table_key(tmp_path / "t.parquet") == "k1"
    back = read_table(tmp_path / "t.parquet")
    assert list(back) == list(columns)
    for name, values in columns.items():
        np.testing.assert_array_equal(back[name], values)


def test_tables_without_rows_keep_their_columns(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", {"face": np.array([], np.str_), "box": np.zeros((0, 4), np.float32)}, "")
    back = read_table(tmp_path / "t.parquet")
    assert back["box"].shape == (0, 4)
    assert concatenate([back, back])["box"].shape == (0, 4)


def test_a_damaged_table_has_no_key_and_reads_as_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 nonsense")
    assert table_key(path) is None
    assert table_key(tmp_path / "missing.parquet") is None
    with pytest.raises(StoreError, match="cannot be read"):
        read_table(path)
