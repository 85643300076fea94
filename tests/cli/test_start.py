"""Starting is quick and clean: no deep-learning library before one is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench import __version__
from tests.support.cli import unmask

HEAVY = ("torch", "torchvision", "onnxruntime", "dlib", "cv2", "sklearn", "matplotlib", "pyarrow")


@pytest.mark.parametrize("code", ["import bench", "import bench.cli", "import bench.core.registry"])
def test_imports_pull_in_nothing_heavy(code: str) -> None:
    check = f"{code}; import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
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
