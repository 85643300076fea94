"""Run folders that are damaged, of another version, or cannot be written: one line and an exit code, no traceback."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow

from tests.support.cli import unmask_here

pytestmark = pytest.mark.weights

NAMES = ("new\nline.png", "tab\t.png", "-lead.png", "\u65e5\u672c \u00e9.png", "%s;$(x).png")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    """A finished run over oddly named photos, and the command that made it but for ``--out``."""
    top = tmp_path_factory.mktemp("top") / "odd \u00e9\nplace"
    (top / "photos").mkdir(parents=True)
    for k, name in enumerate(NAMES):
        Pillow.new("RGB", (64, 64), (k, 90, 60)).save(top / "photos" / name)
    command = (
        "run",
        "--dataset",
        f"folder:{top / 'photos'}",
        "--metric",
        "outcome",
        "--method",
        "m=blackout:detector=harness",
    )
    done = unmask_here(*command, "--no-report", "--out", str(top / "run"))
    assert done.returncode == 3, done.stderr  # nobody is in these photos
    return top / "run", command


def cut(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / name).write_text("{")

    return change


def remove(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def of_another_version(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        path = run / f"{name}.json"
        path.write_text(re.sub(rf'"unmask\.{name}/\d+"', f'"unmask.{name}/1"', path.read_text("utf-8")), "utf-8")

    return change


def truncate_tables(run: Path) -> None:
    for path in run.rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:100])


def replace_in(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        text = (run / name).read_text("utf-8")
        assert old in text
        (run / name).write_text(text.replace(old, new, 1), "utf-8")

    return change


def drop_a_row(pattern: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        path = next(iter(run.glob(pattern)))
        table = pq.read_table(path)
        pq.write_table(table.slice(1), path)

    return change


def folder_at(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / name).unlink()
        (run / name).mkdir()

    return change


def file_at(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        shutil.rmtree(run / name)
        (run / name).write_text("x")

    return change


DAMAGE: dict[str, tuple[Callable[[Path], None], str, str]] = {
    # what is damaged -> how, the commands that meet it, and what they say
    "plan cut": (cut("plan.json"), "run score report", "was not written by"),
    "plan of another version": (of_another_version("plan"), "run score report", "was not written by this version"),
    "no plan": (remove("plan.json"), "run score report", "plan.json"),
    "estimates cut": (cut("estimates.json"), "report", "was not written by"),
    "estimates of another version": (of_another_version("estimates"), "report", "was not written by this version"),
    "no estimates": (remove("estimates.json"), "report", "not finished"),
    "tables cut": (truncate_tables, "score report", "cannot be read"),
    "no outputs": (remove("outputs"), "score", "run the same `unmask run` again"),
    "no faces": (remove("faces"), "report", "unmask score"),
    "a setting changed": (
        replace_in("plan.json", '"seed": 0', '"seed": 1'),
        "run score report",
        "plan.json was changed",
    ),
    "a number changed": (replace_in("estimates.json", '"n": 0', '"n": 1'), "report", "estimates.json was changed"),
    "a folder for the plan": (folder_at("plan.json"), "run score report", "plan.json cannot be read"),
    "a folder for the estimates": (folder_at("estimates.json"), "report", "estimates.json cannot be read"),
    "a row less": (drop_a_row("outputs/*/m/*/outputs.parquet"), "score", "outputs.parquet is not as unmask wrote it"),
    "places cut": (cut("locations.json"), "run score report purge", "locations.json was not written by"),
    "places of another kind": (
        replace_in("locations.json", '"datasets": {', '"datasets": {"x": 5, '),
        "run score report",
        "again, which writes it anew",
    ),
    "a folder for the places": (folder_at("locations.json"), "run score report", "locations.json cannot be read"),
    "names cut": (cut("names.json"), "score report", "names.json was not written by"),
    "provenance cut": (cut("provenance.json"), "report", "provenance.json is not JSON"),
    "a file for the scores": (file_at("score"), "score", "score"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_runs_are_told_in_one_line(damage: str, made: tuple[Path, tuple[str, ...]], tmp_path: Path) -> None:
    spoil, commands, says = DAMAGE[damage]
    for name in commands.split():
        run = tmp_path / name
        shutil.copytree(made[0], run)
        spoil(run)
        command = (*made[1], "--out", str(run)) if name == "run" else (name, str(run))
        done = unmask_here(*command)
        assert done.returncode in (1, 2), done.stderr
        assert "Traceback" not in done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("unmask: ")
        assert says in last


def test_what_is_damaged_below_the_plan_is_made_again(made: tuple[Path, tuple[str, ...]], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(made[0], run)
    truncate_tables(run)
    (run / "estimates.json").write_text("{")
    done = unmask_here(*made[1], "--no-report", "--out", str(run))
    assert done.returncode == 3, done.stderr
    assert (run / "estimates.json").read_bytes() == (made[0] / "estimates.json").read_bytes()


def test_a_place_that_cannot_be_written_to(made: tuple[Path, tuple[str, ...]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "run", tmp_path / ("x" * 300)):
        done = unmask_here(*made[1], "--no-report", "--out", str(out))
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.strip().splitlines()
        assert "cannot write to" in line
        assert "choose another --out" in line
