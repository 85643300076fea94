"""Starting is quick and clean: no deep-learning library before one is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import hostile
from tests.support.cli import REPO, unmask
from unmask import __version__

HEAVY = ("torch", "torchvision", "onnxruntime", "dlib", "cv2", "sklearn", "matplotlib", "pyarrow")


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import bench", HEAVY),
        ("import unmask.bench.cli", (*HEAVY, "numpy", "scipy", "PIL", "pydantic", "rich.table")),
        ("import unmask.bench.core.registry", HEAVY),
    ],
)
def test_imports_pull_in_nothing_heavy(code: str, heavy: tuple[str, ...]) -> None:
    check = f"{code}; import sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_and_help() -> None:
    assert unmask("--version").stdout.strip() == f"unmask {__version__}"
    shown = unmask("--help")
    assert shown.returncode == 0
    for command in ("run", "score", "report", "calibrate", "list", "data", "instruments", "doctor"):
        assert command in shown.stdout


@pytest.mark.parametrize("kind", ["methods", "metrics", "datasets", "instruments"])
def test_list(kind: str) -> None:
    done = unmask("list", kind)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 4


BROKEN = """
gone = a_package_that_nobody_installed:Method
leaves = hostile_leaves:Method
lacks = hostile_plugin:NoSuchClass
odd = :
[unmask.metrics]
leaves = hostile_leaves:Metric
[unmask.instruments]
lacks = hostile_plugin:NoSuchClass
[unmask.video_metrics]
leaves = hostile_leaves:Metric
[unmask.trackers]
leaves = hostile_leaves:Tracker
"""


def test_broken_plug_ins_are_listed_with_what_is_wrong_and_stop_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.install(tmp_path, monkeypatch, entry=BROKEN)
    (tmp_path / "hostile_leaves.py").write_text("import sys; sys.exit(0)")
    done = unmask("list", "methods", "--json")
    assert done.returncode == 0, done.stderr
    said = {row["method"]: row["what it does"] for row in json.loads(done.stdout)}
    assert "package that is not installed" in said["gone"]
    assert "sys.exit(0) was called" in said["leaves"]
    assert "NoSuchClass" in said["lacks"]
    assert "cannot be used" in said["odd"]
    assert said["blur"].startswith("Blurs")
    for kind in ("metrics", "instruments", "datasets"):
        assert unmask("list", kind).returncode == 0
    for method, reason in {
        "leaves": "sys.exit(0) was called",
        "gone": "not installed",
        "constructed": "sys.exit(0) was called",
        "cardless": "OSError: no card",
    }.items():
        done = unmask("run", "--method", method, "--out", str(tmp_path / "run"))
        assert done.returncode == 1
        *left_out, last = done.stderr.strip().splitlines()
        assert reason in last
        assert all(line.startswith("left out: ") for line in left_out)
    done = unmask("run", "--metrics", "leaves", "--out", str(tmp_path / "run"))
    assert done.returncode == 1
    assert "sys.exit(0) was called" in done.stderr


def test_lists_fit_a_page_and_break_no_name() -> None:
    done = unmask("list", "metrics", columns="")
    assert max(map(len, done.stdout.splitlines())) <= 100
    cards = json.loads(unmask("list", "metrics", "--json").stdout)
    lines = done.stdout.splitlines()
    for card in cards:
        assert sum(line.startswith(f"│ {card['metric']} ") for line in lines) == 1
    assert len(lines) < len(cards) + 10
    assert "How well are people found" in unmask("list", "metrics", "hota").stdout
    assert "did you mean hota" in unmask("list", "metrics", "hotta").stderr


def test_the_shell_completes_commands() -> None:
    environment = {
        **os.environ,
        "_UNMASK_COMPLETE": "complete_bash",
        "_TYPER_COMPLETE_ARGS": "unmask li",
        "COMP_WORDS": "unmask li",
        "COMP_CWORD": "1",
    }
    code = "import sys; sys.argv = ['unmask']; from unmask.bench.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=REPO)
    assert done.stdout.split() == ["list"]
