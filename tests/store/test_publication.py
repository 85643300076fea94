"""New results take the place of the old ones together, whenever a process is killed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from unmask.bench.core.errors import StoreError
from unmask.bench.store.run_folder import PUBLISHING, RunFolder

OLD = {"plan.json": "old", "estimates.json": "old", "faces/demo/a.parquet": "old", "faces/demo/gone.parquet": "old"}
NEW = {"plan.json": "new", "estimates.json": "new", "faces/demo/a.parquet": "new", "provenance.json": "new"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def content(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write(tmp_path, {**OLD, "outputs/x.png": "kept"})
    return tmp_path


def test_all_are_replaced_and_nothing_else(run: Path) -> None:
    with RunFolder(run).replacing_results() as new:
        write(new.results.local, NEW)
        assert content(run)["plan.json"] == "old"
    assert content(run) == {**NEW, "outputs/x.png": "kept"}


def test_a_failure_before_the_end_leaves_the_old_ones(run: Path) -> None:
    def fail() -> None:
        with RunFolder(run).replacing_results() as new:
            write(new.results.local, NEW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert content(run) == {**OLD, "outputs/x.png": "kept"}


@pytest.mark.parametrize("moves", range(len(NEW)))
def test_a_crash_between_two_moves_is_made_good_by_whoever_opens_next(
    run: Path, moves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(run / PUBLISHING, NEW)
    real, done = Path.replace, []

    def replace(self: Path, target: Path) -> Path:
        if len(done) == moves:
            raise KeyboardInterrupt
        done.append(target)
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            RunFolder(run).finish_publication()
    RunFolder(run).finish_publication()
    assert content(run) == {**NEW, "outputs/x.png": "kept"}


def test_a_file_where_a_folder_belongs_is_named_and_loses_nothing(run: Path) -> None:
    shutil.rmtree(run / "faces")
    (run / "faces").write_text("in the way")
    with (
        pytest.raises(StoreError, match="faces is a file where a folder belongs; remove it"),
        RunFolder(run).replacing_results() as new,
    ):
        write(new.results.local, NEW)
    (run / "faces").unlink()
    RunFolder(run).finish_publication()
    assert content(run) == {**NEW, "outputs/x.png": "kept"}


def test_what_is_published_in_part_counts_for_nothing(run: Path) -> None:
    write(run / PUBLISHING, {name: text for name, text in NEW.items() if name != "estimates.json"})
    RunFolder(run).finish_publication()
    assert {name: (run / name).read_text() for name in OLD} == OLD
    with RunFolder(run).replacing_results() as new:
        write(new.results.local, {"plan.json": "newer", "estimates.json": "newer"})
    assert content(run) == {**OLD, "plan.json": "newer", "estimates.json": "newer", "outputs/x.png": "kept"}
