"""``unmask score``: other numbers from the same outputs; a run is left as it was where that cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image as Pillow

from bench.core.registry import instrument_class
from bench.core.types import Image
from bench.data import packages
from tests.support.cli import unmask

pytestmark = pytest.mark.weights


@pytest.fixture
def run(tmp_path: Path, astronaut: Image) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    Pillow.fromarray(astronaut).resize((256, 256)).save(photos / "a.png")
    out = tmp_path / "run"
    done = unmask(
        *("run", "--dataset", f"folder:{photos}", "--method", "blackout", "--metrics", "outcome"),
        *("--out", str(out), "--no-report"),
    )
    assert done.returncode == 0, done.stderr
    return out


def metrics(run: Path) -> set[str]:
    return {row["metric"] for row in json.loads((run / "estimates.json").read_text("utf-8"))["estimates"]}


def test_other_metrics_of_the_same_outputs(run: Path) -> None:
    stored = {path: path.stat().st_mtime_ns for path in run.glob("outputs/**/*") if path.is_file()}
    assert stored
    done = unmask("score", str(run), "--metrics", "outcome,ssim")
    assert done.returncode == 0, done.stderr
    assert {"outcome_missed", "ssim"} <= metrics(run)
    assert {path: path.stat().st_mtime_ns for path in run.glob("outputs/**/*") if path.is_file()} == stored


def test_what_must_be_fetched_is_said_and_the_run_stays_as_it_was_without(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (run / "plan.json").read_bytes()
    detectors = ("yunet", "blazeface")
    here = [(packages.cached(file), file) for name in detectors for file in instrument_class(name).card.files]
    monkeypatch.setenv("UNMASK_CACHE", str(tmp_path / "nearly empty"))
    for path, file in here:
        assert path is not None
        packages.cache_path(file).parent.mkdir(parents=True)
        shutil.copy(path, packages.cache_path(file))
    monkeypatch.setenv("npm_config_offline", "true")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    done = unmask("score", str(run), "--metrics", "gender", "--instrument", "face-api")
    assert done.returncode == 1
    *fetching, last = done.stderr.strip().splitlines()
    assert fetching
    assert all(line.startswith("fetching") for line in fetching), fetching
    assert "face-api" in fetching[0]
    assert last.startswith("unmask: cannot")
    assert "Without a network" in last
    assert (run / "plan.json").read_bytes() == before
