"""Published files are whole or not there."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import replacing_file
from unmask.bench.store.documents import write_json
from unmask.bench.store.storage import Folder, sweep_temporaries
from unmask.bench.store.tables import read_table, table_key, write_table


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


def write_shard(shard: Folder, names: str, key: str) -> None:
    with shard.replacing(last="outputs.parquet") as place:
        for name in names:
            (place / f"{name}.png").local.write_text(key)
        write_table(place / "outputs.parquet", {"file": np.array(list(names))}, key)


def names_in(folder: Folder) -> list[str]:
    return [place.local.name for place in folder.children()]


def test_objects_below_a_place_are_replaced_together(tmp_path: Path) -> None:
    shard = Folder(tmp_path) / "outputs" / "00000"
    assert shard.children() == []
    write_shard(shard, "xy", "old")
    with pytest.raises(FileNotFoundError), shard.replacing(last="outputs.parquet") as place:
        (place / "missing.png").local.read_bytes()
    assert names_in(shard) == ["outputs.parquet", "x.png", "y.png"]
    write_shard(shard, "z", "new")
    assert names_in(shard) == ["outputs.parquet", "z.png"]
    assert table_key(shard / "outputs.parquet") == "new"
    assert names_in(Folder(tmp_path) / "outputs") == ["00000"]
    shard.remove()
    shard.remove()
    assert not shard.exists()


@pytest.mark.parametrize("steps", range(7))
def test_a_crash_while_objects_are_replaced_leaves_no_key_without_its_objects(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = Folder(tmp_path) / "00000"
    write_shard(shard, "wx", "old")
    count = 0

    def crash_at(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count > steps:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        return step

    with monkeypatch.context() as patched:
        for name in ("rename", "unlink"):
            patched.setattr(Path, name, crash_at(getattr(Path, name)))
        patched.setattr(os, "unlink", crash_at(os.unlink))
        with suppress(KeyboardInterrupt):
            write_shard(shard, "yz", "new")
    key = table_key(shard / "outputs.parquet")
    if key is not None:
        files = read_table(shard / "outputs.parquet")["file"].tolist()
        assert [(shard / f"{name}.png").local.read_text() for name in files] == [key] * 2
    sweep_temporaries(tmp_path)
    write_shard(shard, "yz", "new")
    assert names_in(shard) == ["outputs.parquet", "y.png", "z.png"]


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


def test_json_keeps_order_and_has_a_line_for_each_row(tmp_path: Path) -> None:
    value = {
        "z": 'a "quoted", {name}',
        "rows": [{"b": 1e-5, "a": None}, {"b": True, "a": [1, [2.5]]}],
        "long": {f"photo {number}": number for number in range(60)},
        "numbers": list(range(60)),
        "none": [[], {}, [{}]],
        "a": {"deep": {"deeper": {"deepest": [-0.0, "é"]}}},
    }
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text("utf-8")
    assert json.dumps(json.loads(text)) == json.dumps(value)
    lines = text.splitlines()
    assert '  {"b": 1e-05, "a": null},' in lines
    assert '  "photo 7": 7,' in lines
    assert "  7," in lines
    assert '    "deepest": [-0.0, "é"]' in lines
    assert lines[-1] == "}"


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": [{"b": -math.inf}]}, [math.nan] * 60])
def test_json_has_no_nan(tmp_path: Path, value: object) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", value)
    assert list(tmp_path.iterdir()) == []


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
    with (
        pytest.raises(StoreError, match=r"shard cannot be written"),
        (Folder(path.parent) / "shard").replacing(last="t.parquet"),
    ):
        pass


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_results_are_their_owner_s_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_json(tmp_path / "run" / "a.json", {})
        write_table(tmp_path / "run" / "x" / "y" / "t.parquet", {"a": np.zeros(3)}, "")
        with Folder(tmp_path / "run" / "outputs" / "d").replacing(last="t.parquet") as place:
            assert place.local.stat().st_mode & 0o777 == 0o700
            (place / "1.png").local.write_bytes(b"x")
            (place / "sub").local.mkdir()
        with Folder(tmp_path / "report", private=False).replacing(last="index.html") as place:
            (place / "index.html").local.write_text("x")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "run").rglob("*") if path.is_dir()}
    assert modes | {(tmp_path / "run").stat().st_mode & 0o777} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "run").rglob("*") if path.is_file()} == {0o600}
    assert (tmp_path / "report").stat().st_mode & 0o777 == 0o755
