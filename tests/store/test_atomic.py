"""Published files are whole or not there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import replacing_file
from unmask.bench.store.atomic import replacing_folder, sweep_temporaries, write_json
from unmask.bench.store.tables import write_table


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


def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (tmp_path / f".tmp-{other.pid}-abc").mkdir()
        sweep_temporaries(tmp_path)
        assert (tmp_path / f".tmp-{other.pid}-abc").exists()
    finally:
        other.kill()
        other.wait()
    sweep_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_json_survives_undecodable_names(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "caf\udce9"})
    assert b"udce9" in (tmp_path / "a.json").read_bytes()


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        # As Arrow raises it: without a file name.
        raise OSError(errno.ENOSPC, "Error writing bytes to file")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(StoreError, match=r"t\.parquet cannot be written \(No space left on device\)"):
        write_table(tmp_path / "t.parquet", {"a": np.zeros(3)}, "")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match=r"a\.json cannot be written \(No space left on device\)"):
        write_json(tmp_path / "a.json", {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_belongs_is_named(tmp_path: Path) -> None:
    (tmp_path / "prepare").write_text("x")
    path = tmp_path / "prepare" / "d" / "t.parquet"
    with pytest.raises(StoreError, match=r"t\.parquet cannot be written"):
        write_table(path, {"a": np.zeros(3)}, "")
    with pytest.raises(StoreError, match=r"shard cannot be written"), replacing_folder(path.parent / "shard"):
        pass


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_results_are_their_owner_s_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_json(tmp_path / "run" / "a.json", {})
        write_table(tmp_path / "run" / "x" / "y" / "t.parquet", {"a": np.zeros(3)}, "")
        with replacing_folder(tmp_path / "run" / "outputs" / "d") as temp:
            assert temp.stat().st_mode & 0o777 == 0o700
            (temp / "1.png").write_bytes(b"x")
            (temp / "sub").mkdir()
        with replacing_folder(tmp_path / "report", private=False) as temp:
            (temp / "index.html").write_text("x")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "run").rglob("*") if path.is_dir()}
    assert modes | {(tmp_path / "run").stat().st_mode & 0o777} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "run").rglob("*") if path.is_file()} == {0o600}
    assert (tmp_path / "report").stat().st_mode & 0o777 == 0o755
