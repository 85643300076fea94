"""What a run uses a data set for: who is tested is in no other use, and what is not tested has no results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from tests.benchmarks.stages import Stages
from tests.support.painted import Face, picture
from tests.support.painted_runs import ClipRun, PhotoRun
from unmask.bench.core.errors import ConfigError, DataError
from unmask.bench.core.exposure import FMR
from unmask.bench.core.types import FaceLabel
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.planning.plan import locations_of, make_plan
from unmask.bench.store.purging import purge
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import read_table
from unmask.bench.study.originals import CalibrationSettings, calibration_card

pytestmark = pytest.mark.usefixtures("painted_world")

PEOPLE = ("dan", "eve", "fay")


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Two photos each of three people."""
    folder = tmp_path / "others"
    folder.mkdir()
    lines = ["file,identity"]
    for k, name in enumerate(PEOPLE):
        for number in range(2):
            Pillow.fromarray(picture(10 * k + number, [Face(k, 20 + 10 * number, 30)])).save(
                folder / f"{name}{number}.png"
            )
            lines.append(f"{name}{number}.png,{name}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def photos_of(folder: Path, *people: str) -> PhotoRun:
    photos = {f"{k}.png": picture(40 + k, [Face(k, 30, 20)]) for k, _ in enumerate(people)}
    return PhotoRun(folder, photos, "\n".join(["file,identity", *(f"{k}.png,{name}" for k, name in enumerate(people))]))


def test_what_is_calibrated_on_is_read_by_recognisers_and_has_no_results(tmp_path: Path, others: Path) -> None:
    run = photos_of(tmp_path, "ann", "bob").planned(
        "edit", metrics=("outcome", "deid_rate", "gender"), calibration=f"folder:{others}"
    )
    (entry,) = run.plan.others
    assert (entry.label, entry.use, len(entry.samples)) == ("folder-others+calibrate", "calibrate", 6)
    assert {job.dataset for job in run.jobs("edit")} == {"photos"}
    run.through()
    read = {place.local.stem for place in run.folder.prepare_dir(entry.label, 0).children()}
    assert read >= {"faces", "images", *run.plan.recognisers}
    roles = {card.name: card.role for card in run.plan.instruments}
    assert {roles[name] for name in read & roles.keys()} == {"recogniser"}
    assert len({roles[n] for n in roles if (run.folder.prepare_dir("photos", 0) / f"{n}.parquet").exists()}) > 1

    estimates = run.reduce()
    settings = CalibrationSettings(datasets=(f"folder:{others}",), instruments=tuple(run.plan.recognisers))
    alone = calibration_card(settings, tmp_path / "alone", root=None, workers=1, progress=Stages())
    assert run.folder.operating_points == alone
    assert alone["people"] == 3
    purge(RunFolder.open(run.folder.path))
    assert not (run.folder.path / "prepare").exists()
    assert "dan0" not in run.folder.plan_path.read_text("utf-8")
    tables = [value for _, value in estimates if isinstance(value, list)]
    assert {row.dataset for rows in tables for row in rows} == {"photos"}


@pytest.mark.parametrize(("lookalikes", "exposed"), [(False, 1.0), (True, 0.0)])
def test_clips_are_measured_by_the_thresholds_of_the_photos_that_are_calibrated_on(
    tmp_path: Path, lookalikes: bool, exposed: float
) -> None:
    """Where different people look the same, no distance tells them apart at the false match rate: nobody is taken for
    themselves, and a face whose recogniser sees no change is not exposed."""
    photos, lines = {}, ["file,identity"]
    for number in range(56):
        who = number % 7
        photos[f"{number}.png"] = picture(number, [Face(who, 20, 30)])
        lines.append(f"{number}.png,{number if lookalikes else who}x")
    others = PhotoRun(tmp_path / "others", photos, "\n".join(lines)).data
    clip = [picture(1, [Face(0, 10 + k, 10)]) for k in range(3)]
    run = ClipRun(tmp_path, {"a.mp4": clip}).planned(
        "kept=edit:how=repainted", metrics=("exposure",), calibration=f"folder:{others}"
    )
    assert [(entry.kind, entry.use) for entry in run.plan.others] == [("photos", "calibrate")]
    run.through()
    estimates = run.reduce()
    (threshold,) = [
        point["threshold"] for point in run.folder.operating_points["points"]["mobilefacenet"] if point["fmr"] == FMR
    ]
    assert (threshold < 0.0) == lookalikes
    assert threshold < 1.0
    values = {(row.method, row.metric): row.value for row in estimates.estimates if row.instrument == "mobilefacenet"}
    assert values["kept", "tracks_exposed"] == exposed
    assert values["kept", "frames_exposed"] == 3 * exposed
    (stretch,) = read_table(run.folder.timelines_path("clips", "kept"))["state"]
    assert stretch == ("exposed" if exposed else "anonymized")


@pytest.mark.parametrize("tested", ["photos", "clips"])
def test_a_run_over_clips_shares_nobody_with_the_photos_that_are_calibrated_on(
    tmp_path: Path, others: Path, monkeypatch: pytest.MonkeyPatch, tested: str
) -> None:
    """No reader of ours names the people of clips, but a plug-in's may."""
    clips = ClipRun(tmp_path, {"dan.mp4": [picture(1, [Face(0, 10, 10)])]}).data

    def planned(*people: str) -> Plan:
        names = people if tested == "photos" else ("ann",)
        data = photos_of(tmp_path / "-".join(people), *names).data

        def opened(text: str, **how: Any) -> Dataset:
            dataset = open_dataset(text, **how)
            if tested == "photos" or "clips:" not in text:
                return dataset
            labels = tuple(FaceLabel(identity=name) for name in people)
            return replace(dataset, refs=tuple(replace(ref, labels=labels) for ref in dataset.refs))

        monkeypatch.setattr("unmask.bench.run.planning.plan.open_dataset", opened)
        return make_plan(
            RunConfig(
                datasets=(f"street=clips:{clips}", f"album=folder:{data}"), methods=("edit",),
                metrics=("exposure", "outcome"), calibration=f"folder:{others}", trackers=("sort",),
            )
        )  # fmt: skip

    assert [entry.use for entry in planned("ann", "bob").others] == ["calibrate"]
    with pytest.raises(DataError, match=f"1 people of {'album' if tested == 'photos' else 'street'} were used to cal"):
        planned("ann", "Eve")


@pytest.mark.parametrize("use", ["calibrate", "background"])
def test_nobody_is_tested_and_in_another_use(tmp_path: Path, others: Path, use: str) -> None:
    def planned(*people: str) -> Plan:
        data = photos_of(tmp_path / "-".join(people), *people).data
        config = RunConfig(datasets=(f"folder:{data}",), methods=("edit",), metrics=("outcome",))
        if use == "background":
            return make_plan(config, background=[f"folder:{others}"])
        return make_plan(config.model_copy(update={"calibration": f"folder:{others}"}))

    (entry,) = planned("ann", "bob").used_to(use)
    assert sorted(entry.samples) == [f"{name}{number}.png" for name in PEOPLE for number in range(2)]
    with pytest.raises(DataError, match=r"1 people of folder-photos (were used|are among the people)"):
        planned("ann", "Eve")


def test_one_person_is_too_few_for_another_use(tmp_path: Path) -> None:
    alone, tested = photos_of(tmp_path / "a", "dan").data, photos_of(tmp_path / "b", "ann").data
    config = RunConfig(datasets=(f"folder:{tested}",), methods=("edit",), metrics=("outcome",))
    with pytest.raises(DataError, match="names 1 people; photos of at least two are needed to learn from"):
        make_plan(config, background=[f"folder:{alone}"])


def test_a_plan_keeps_the_uses_apart(tmp_path: Path) -> None:
    plan = photos_of(tmp_path, "ann").planned("edit", metrics=("outcome",)).plan
    body = plan.model_dump(exclude={"run", "schema_"})
    with pytest.raises(ConfigError, match="datasets are of use test, others are not"):
        Plan.sealed({**body, "others": body["datasets"]})
    assert Plan.sealed(body).run == plan.run


def test_where_the_calibration_set_lies_is_written_down(tmp_path: Path) -> None:
    places = locations_of(["folder:/tested"], [], "folder:/others").datasets
    assert places == {"folder-tested": {"path": "/tested"}, "folder-others+calibrate": {"path": "/others"}}
