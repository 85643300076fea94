"""A purged run shows and names nobody; its report is what it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.reports.synthetic import make_run
from unmask.bench.cli import app
from unmask.bench.core.errors import StoreError
from unmask.bench.run.pipeline import renew_plan
from unmask.bench.run.planning.settling import settle_plan
from unmask.bench.store.documents import Locations, write_json, write_locations
from unmask.bench.store.names import Pseudonyms, write_names
from unmask.bench.store.purging import purge
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.storage import Folder
from unmask.reports.build import build_report


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    folder = make_run(path, outputs=True)
    write_locations(path, Locations(datasets={"demo": {"path": "/home/jdoe/photos"}}))
    write_names(path, {"demo": Pseudonyms(folder.plan.datasets[0].samples)})
    for name in ("prepare/demo/00000/sface.parquet", "score/demo/blur/00000/sface.parquet", "logs/blur.txt"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"a face")
    write_json(
        path / "calibration" / "operating_points.json", {**folder.plan.operating_points, "people_sha256": ["ab"]}
    )
    build_report([folder], path / "report")
    return path


def figures(path: Path) -> list[str]:
    numbers = json.loads((path / "estimates.json").read_text("utf-8"))
    return [json.dumps(numbers[key], sort_keys=True) for key in ("estimates", "gaps", "ranks", "comparisons")]


def test_only_figures_are_left(run: Path) -> None:
    before, sample = figures(run), RunFolder(run).plan.datasets[0].samples[0]
    removed = purge(RunFolder.open(run))
    assert set(removed) == {"locations.json", "logs", "names.json", "outputs", "prepare", "report", "score"}
    left = {path.relative_to(run).parts[0] for path in run.rglob("*") if path.is_file()}
    assert left <= {"plan.json", "estimates.json", "provenance.json", "faces", "calibration", "purged.json"}
    assert [path.name for path in (run / "calibration").iterdir()] == ["operating_points.json"]
    assert figures(run) == before
    texts = "".join(path.read_text("utf-8") for path in run.rglob("*.json"))
    assert sample not in texts
    assert "jdoe" not in texts
    assert not list(run.rglob("*.png"))
    assert build_report([RunFolder.open(run)], run / "report").is_file()
    assert purge(RunFolder.open(run)) == ["report"]


def test_a_purged_run_goes_on_in_no_way_and_says_so(run: Path) -> None:
    plan = RunFolder(run).plan
    purge(RunFolder.open(run))
    folder = RunFolder.open(run)
    with pytest.raises(StoreError, match="was purged"):
        settle_plan(folder, plan, Locations())
    with pytest.raises(StoreError, match="was purged"):
        renew_plan(folder, [], [])


def test_an_interrupted_purge_is_finished_by_the_next(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(place: Folder) -> None:
        if place.local.name == "outputs":
            raise KeyboardInterrupt
        remove(place)

    remove = Folder.remove
    with monkeypatch.context() as patched:
        patched.setattr(Folder, "remove", interrupt)
        with pytest.raises(KeyboardInterrupt):
            purge(RunFolder.open(run))
    with pytest.raises(StoreError, match="was purged"):
        settle_plan(RunFolder(run), RunFolder(run).plan, Locations())
    purge(RunFolder.open(run))
    assert not (run / "outputs").exists()


def test_the_command_says_what_it_removed(run: Path) -> None:
    done = CliRunner().invoke(app, ["purge", str(run)])
    assert done.exit_code == 0, done.output
    assert "outputs, prepare" in done.output
