"""``unmask score``: other numbers from the same outputs; a run is left as it was where that cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.support.cli import BLACKOUT, unmask, unmask_here
from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import Image
from unmask.bench.fetch import packages

pytestmark = pytest.mark.weights


@pytest.fixture
def run(tmp_path: Path, astronaut: Image) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    Pillow.fromarray(astronaut).resize((256, 256)).save(photos / "a.png")
    out = tmp_path / "run"
    done = unmask_here(
        *("run", "--dataset", f"folder:{photos}", "--method", BLACKOUT, "--metric", "outcome"),
        *("--out", str(out), "--no-report"),
    )
    assert done.returncode == 0, done.stderr
    return out


def metrics(run: Path) -> set[str]:
    return {row["metric"] for row in json.loads((run / "estimates.json").read_text("utf-8"))["estimates"]}


def test_other_metrics_of_the_same_outputs(run: Path) -> None:
    stored = {path: path.stat().st_mtime_ns for path in run.glob("outputs/**/*") if path.is_file()}
    assert stored
    done = unmask_here("score", str(run), "--metric", "outcome,ssim")
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
    done = unmask("score", str(run), "--metric", "gender", "--instrument", "face-api")
    assert done.returncode == 1
    *fetching, last = done.stderr.strip().splitlines()
    assert fetching
    assert all(line.startswith("fetching") for line in fetching), fetching
    assert "face-api" in fetching[0]
    assert last.startswith("unmask: cannot")
    assert "Without a network" in last
    assert (run / "plan.json").read_bytes() == before


def test_scoring_that_fails_leaves_the_run_as_it_was(run: Path, tmp_path: Path) -> None:
    before = {name: (run / name).read_bytes() for name in ("plan.json", "estimates.json", "provenance.json")}
    photos = tmp_path / "photos"
    photos.rename(tmp_path / "elsewhere")
    done = unmask_here("score", str(run), "--metric", "ssim")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(photos) in done.stderr
    assert {name: (run / name).read_bytes() for name in before} == before
    assert unmask_here("report", str(run)).returncode == 0
    (tmp_path / "elsewhere").rename(photos)
    again = unmask_here("run", "--dataset", f"folder:{photos}", "--method", BLACKOUT, "--metric", "outcome",
                   "--out", str(run), "--no-report")  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert metrics(run) == {row["metric"] for row in json.loads(before["estimates.json"])["estimates"]}


def test_stored_outputs_are_scored_when_the_folder_that_they_came_from_is_gone(
    tmp_path: Path, astronaut: Image
) -> None:
    for name in ("photos", "theirs"):
        (tmp_path / name).mkdir()
        Pillow.fromarray(astronaut).resize((256, 256)).save(tmp_path / name / "a.png")
    out = tmp_path / "run"
    data, method = f"folder:{tmp_path / 'photos'}", f"theirs=outputs:dir={tmp_path / 'theirs'}"
    done = unmask_here("run", "-d", data, "-m", method, "--metric", "outcome", "--out", str(out), "--no-report")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(tmp_path / "theirs")
    scored = unmask_here("score", str(out), "--metric", "outcome,ssim")
    assert scored.returncode == 0, scored.stderr
    assert "ssim" in metrics(out)


def test_methods_that_give_the_same_bytes_are_said_to_be_identical(tmp_path: Path, astronaut: Image) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Pillow.fromarray(astronaut).resize((256, 256)).save(photos / "a.png")
    out = tmp_path / "run"
    methods = [
        part
        for method in (BLACKOUT, "twin=blackout:detector=harness", "blur:sigma=0.1,detector=harness")
        for part in ("--method", method)
    ]
    done = unmask_here(
        *("run", "--dataset", f"folder:{photos}", *methods, "--metric", "outcome,speed", "--out", str(out)),
        "--no-report",
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((out / "estimates.json").read_text("utf-8"))["comparisons"]
    blur = {row["b"] for row in rows if row["b"].startswith("blur")}.pop()
    assert {(row["a"], row["b"]): row["identical"] for row in rows} == {
        ("blackout", "twin"): True,
        ("blackout", blur): False,
        ("twin", blur): False,
    }
    assert {row["p"] for row in rows if row["identical"] or row["metric"].startswith("ms_")} == {None}
