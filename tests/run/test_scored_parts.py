"""What score leaves behind of a method's outputs: how faces end, who reads them, and when it looks again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import fakes
from tests.support.painted import NOBODY, SFACE_BLIND, Face, picture, place_of
from tests.support.painted_runs import PhotoRun
from unmask.bench.core.errors import StoreError
from unmask.bench.core.evidence import KNOWN_PLACE, look_column
from unmask.bench.core.types import Image
from unmask.bench.run.reading.regions import wide_crop
from unmask.metrics.instruments.photometric import STATISTICS

pytestmark = pytest.mark.usefixtures("painted_world")

ANN, BOB, CAT = Face(0, 10, 20), Face(1, 90, 40), Face(SFACE_BLIND, 60, 30)
PHOTOS: dict[str, Image | bytes] = {
    "pair.png": picture(1, [ANN, BOB]),
    "one.png": picture(2, [CAT]),
    "empty.png": picture(3),
    "broken.png": b"no picture",
}
ONE = ("sface",)
AXES = np.eye(fakes.DIMENSION, dtype=np.float32)


def scored(folder: Path, method: str, **settings: Any) -> PhotoRun:
    """A run of one method, labelled ``x``."""
    run = PhotoRun(folder, PHOTOS).planned(f"x={method}", **settings)
    return run.through("x")


def by_face(run: PhotoRun, table: str, column: str) -> dict[str, Any]:
    faces = run.original("faces")["face"].tolist()
    return dict(zip(faces, run.scored("x", table)[column], strict=True))


def ends(run: PhotoRun, method: str = "x") -> dict[str, tuple[str, str, bool, bool]]:
    """Face -> outcome, who finds it again, explained, equal."""
    table = run.scored(method, "outcomes")
    columns = (table[name].tolist() for name in ("outcome", "found_by", "explained", "equal"))
    return dict(zip(table["face"].tolist(), zip(*columns, strict=True), strict=True))


def test_how_a_face_ends_as_far_as_pixels_and_detectors_tell(tmp_path: Path) -> None:
    expected = {
        "nothing": ("anonymized", "yunet", True, True),
        "tone": ("anonymized", "yunet", True, False),
        "masked": ("anonymized", "yunet", False, False),
        "hidden": ("anonymized", "blazeface", False, False),
        "black": ("destroyed", "", False, False),
        "moved": ("destroyed", "", False, False),
    }
    run = PhotoRun(tmp_path, PHOTOS).planned(*(f"{how}=edit:how={how}" for how in expected), instruments=("sface",))
    run.through(*expected)
    for how, end in expected.items():
        assert ends(run, how) == dict.fromkeys(("pair.png#0", "pair.png#1", "one.png#0"), end), how
        assert set(run.scored(how, "outcomes")["reason"].tolist()) == {""}
    residuals = {how: run.scored(how, "outcomes")["residual"] for how in ("nothing", "tone", "black")}
    assert residuals["nothing"].tolist() == [0, 0, 0]
    assert 0 < residuals["tone"].min() < residuals["tone"].max() < 1.5 < residuals["black"].min()


def test_faces_of_a_photo_without_an_output_are_errors_and_are_not_read(tmp_path: Path) -> None:
    run = scored(tmp_path, "edit:how=masked,fails_on=1")
    assert ends(run) == {
        "pair.png#0": ("error", "", False, False),
        "pair.png#1": ("error", "", False, False),
        "one.png#0": ("anonymized", "yunet", False, False),
    }
    reason = "ValueError: cannot do person 1"
    assert by_face(run, "outcomes", "reason") == {"pair.png#0": reason, "pair.png#1": reason, "one.png#0": ""}
    failed = run.original("faces")["sample"] == "pair.png"
    for part in ("mobilefacenet", "mobilefacenet+any-look", "sface", "face-api", "skin-kmeans", "inception@face"):
        for values in run.scored("x", part).values():
            assert np.isnan(values[failed]).all()
    readable = [name for name in run.plan.datasets[0].samples if name != "broken.png"]
    for part in ("inception@image", "inception@background", "pixels@image", "pixels@background"):
        for values in run.scored("x", part).values():
            rows = np.isnan(values.reshape(3, -1)).any(axis=1).tolist()
            assert dict(zip(readable, rows, strict=True)) == {"pair.png": True, "one.png": False, "empty.png": False}


def test_a_face_is_read_where_it_is_found_and_where_the_original_lies(tmp_path: Path) -> None:
    run = scored(tmp_path, "edit:how=moved")
    # Nobody is found in place: no reading of a face again, but one of what lies there.
    for name in ("mobilefacenet", "sface"):
        assert np.isnan(run.scored("x", name)["embedding"]).all()
        assert run.scored("x", name)[KNOWN_PLACE].tolist() == [AXES[NOBODY].tolist()] * 3
    extras = run.scored("x", "extras")
    assert sorted(extras["sample"].tolist()) == ["one.png", "pair.png"]
    assert extras["box"].tolist() == [[0, 64, 32, 32]] * 2
    read = dict(zip(extras["sample"].tolist(), run.scored("x", "mobilefacenet+extra")["embedding"], strict=True))
    assert read["pair.png"].tolist() == AXES[1].tolist()
    assert read["one.png"].tolist() == AXES[SFACE_BLIND].tolist()


def test_photometry_is_read_where_the_original_lies(tmp_path: Path) -> None:
    """Whether a face is found there or not; a usual run does without it."""
    run = scored(tmp_path, "edit:how=moved,fails_on=6", metrics=("release_only",))
    assert "photometric" in [card.name for card in run.plan.instruments]
    before, after = (table["statistics"] for table in (run.original("photometric"), run.scored("x", "photometric")))
    assert np.isfinite(before).all()
    lost = run.original("faces")["sample"] == "one.png"
    assert np.isnan(after[lost]).all()
    mean = STATISTICS.index("mean_red")
    assert (after[~lost, mean : mean + 3] == 0).all()  # its place is black
    assert (before[:, mean : mean + 3] > 20).all()
    usual = PhotoRun(tmp_path / "usual", PHOTOS).planned("x=edit:how=moved")
    assert "photometric" not in [card.name for card in usual.plan.instruments]


def test_a_disguised_face_is_known_by_a_look_alone(tmp_path: Path) -> None:
    run = scored(tmp_path, "edit:how=disguised")
    assert by_face(run, "mobilefacenet", "embedding")["pair.png#1"].argmax() == NOBODY
    assert by_face(run, "mobilefacenet+any-look", look_column("blurred"))["pair.png#1"].argmax() == NOBODY
    assert by_face(run, "mobilefacenet+any-look", look_column("mirrored"))["pair.png#1"].argmax() == 1


def test_a_face_that_one_instrument_cannot_read_is_read_by_the_others(tmp_path: Path) -> None:
    run = scored(tmp_path, "edit:how=tone")
    assert by_face(run, "mobilefacenet", "embedding")["one.png#0"].argmax() == SFACE_BLIND
    assert np.isnan(by_face(run, "sface", "embedding")["one.png#0"]).all()
    assert np.isfinite(by_face(run, "sface", "embedding")["pair.png#0"]).all()


def test_what_is_untouched_is_not_read_but_has_the_original_s_readings(tmp_path: Path) -> None:
    run = PhotoRun(tmp_path, PHOTOS).planned()
    run.prepare()
    run.anonymize("none")
    fakes.workload()
    run.score("none")
    # Pairs are compared whatever they are.
    assert fakes.workload() == {"pixels": 3 + 3 + 3}
    for part in ("mobilefacenet", "sface", "face-api", "skin-kmeans", "inception@face", "inception@background"):
        for column, values in run.original(part).items():
            np.testing.assert_array_equal(run.scored("none", part)[column], values)
    np.testing.assert_array_equal(
        run.scored("none", "mobilefacenet")[KNOWN_PLACE], run.original("mobilefacenet")["embedding"]
    )
    assert run.scored("none", "pixels@face")["l1|standard"].tolist() == [0, 0, 0]


def test_pairs_are_compared_over_each_region(tmp_path: Path) -> None:
    run = scored(tmp_path, "edit:how=black")
    samples = [name for name in run.plan.datasets[0].samples if name != "broken.png"]
    image = {name: k for k, name in enumerate(samples)}
    pair, output = picture(1, [ANN, BOB]), picture(1, [ANN, BOB])
    for face in (ANN, BOB):
        output[place_of(face.box)] = 0
    changed = np.abs(pair.astype(int) - output).mean()
    values = run.scored("x", "pixels@image")["l1|standard"]
    assert values[image["pair.png"]] == pytest.approx(changed)
    assert values[image["empty.png"]] == 0
    # Outside the faces nothing changed.
    assert run.scored("x", "pixels@background")["l1|standard"].tolist() == [0, 0, 0]
    assert (run.scored("x", "pixels@face")["l1|standard"] > 50).all()


def stamps(run: PhotoRun) -> dict[str, int]:
    folder = run.table_of("score", "outcomes", "x").parent
    return {path.stem: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}


def rewritten(run: PhotoRun, before: dict[str, int]) -> set[str]:
    return {name for name, stamp in stamps(run).items() if stamp != before.get(name)}


def test_nothing_is_done_twice_and_a_lost_table_is_read_again_alone(tmp_path: Path) -> None:
    run = scored(tmp_path, "edit:how=moved")
    before = stamps(run)
    assert run.score("x") == [False]
    for name in ("sface", "mobilefacenet+any-look", "mobilefacenet+extra", "inception@image", "pixels@face"):
        whole = run.scored("x", name)
        run.table_of("score", name, "x").write_bytes(b"no table")
        fakes.workload()
        assert run.score("x") == [True]
        # The detections are those that are stored.
        assert not {"yunet", "blazeface"} & set(fakes.workload())
        assert rewritten(run, before) == {name}
        before = stamps(run)
        for column, values in run.scored("x", name).items():
            np.testing.assert_array_equal(values, whole[column])


def test_an_added_or_renewed_instrument_reads_alone(tmp_path: Path, painted_world: pytest.MonkeyPatch) -> None:
    run = scored(tmp_path, "edit:how=masked", instruments=("mobilefacenet",))
    before = stamps(run)
    assert "sface" not in before
    run.planned("x=edit:how=masked", instruments=("mobilefacenet", "sface")).prepare()
    fakes.workload()
    assert run.score("x") == [True]
    assert rewritten(run, before) == {"sface", "sface+extra"}
    assert fakes.workload() == {"sface": 6}  # at two places each
    before = stamps(run)
    fakes.raise_version(painted_world, fakes.Recogniser)
    run.planned("x=edit:how=masked", instruments=("mobilefacenet", "sface")).prepare()
    assert run.score("x") == [True]
    assert rewritten(run, before) == {"mobilefacenet", "mobilefacenet+any-look", "mobilefacenet+extra"}


@pytest.mark.parametrize("detector", [fakes.Judge, fakes.SecondDetector])
def test_another_detector_looks_at_everything_again(
    tmp_path: Path, painted_world: pytest.MonkeyPatch, detector: type[fakes.Judge]
) -> None:
    run = scored(tmp_path, "edit:how=masked", instruments=ONE)
    before = stamps(run)
    fakes.raise_version(painted_world, detector)
    run.planned("x=edit:how=masked", instruments=ONE).prepare()
    assert run.score("x") == [True]
    assert rewritten(run, before) == set(before)


@pytest.mark.parametrize("table", ["outcomes", "extras"])
def test_without_its_detections_a_shard_is_judged_again(tmp_path: Path, table: str) -> None:
    run = scored(tmp_path, "edit:how=moved", instruments=ONE)
    before, whole = stamps(run), run.scored("x", table)
    run.table_of("score", table, "x").unlink()
    assert run.score("x") == [True]
    assert rewritten(run, before) == {"outcomes", "extras"}
    for column, values in run.scored("x", table).items():
        np.testing.assert_array_equal(values, whole[column])


def test_outputs_that_are_gone_or_exchanged_are_no_readings(tmp_path: Path) -> None:
    run = scored(tmp_path, "edit:how=masked", instruments=ONE)
    folder = run.table_of("output", "outputs", "x").parent
    pictures = sorted(folder.glob("*.png"))
    run.table_of("score", "outcomes", "x").unlink()
    pictures[0].write_bytes(pictures[1].read_bytes())
    with pytest.raises(StoreError, match=r"is not the picture that was stored there; delete its folder and run"):
        run.score("x")
    pictures[0].unlink()
    with pytest.raises(StoreError, match=r"\.png cannot be read .*; delete its folder and run the same"):
        run.score("x")
    run.table_of("output", "outputs", "x").unlink()
    with pytest.raises(StoreError, match=r"outputs.parquet is missing; run the same `unmask run` again"):
        run.score("x")


def test_a_data_set_in_which_nobody_is_seen_has_empty_tables(tmp_path: Path) -> None:
    run = PhotoRun(tmp_path, {"wall.png": picture(1), "letter.png": b"?"}).planned("x=edit").through("x")
    assert run.scored("x", "outcomes")["face"].tolist() == []
    assert run.scored("x", "extras")["sample"].tolist() == []
    assert run.scored("x", "mobilefacenet")[KNOWN_PLACE].shape == (0, fakes.DIMENSION)
    assert run.scored("x", "pixels@image")["l1|standard"].tolist() == [0]
    assert run.score("x") == [False]


def test_a_data_set_without_a_readable_photo_can_be_scored(tmp_path: Path) -> None:
    run = PhotoRun(tmp_path, {"letter.png": b"?"}).planned("x=edit").through("x")
    assert run.scored("x", "outcomes")["face"].tolist() == []
    assert run.scored("x", "inception@image")["features"].shape == (0, 3)
    assert run.score("x") == [False]


def test_over_wide_crops_quality_is_of_each_face_and_of_its_surroundings(tmp_path: Path) -> None:
    run = PhotoRun(tmp_path, {"pair.png": picture(1, [ANN, BOB]), "one.png": picture(2, [CAT])})
    run.planned("x=edit:how=black", metrics=("l1", "fid"), instruments=("pixels", "inception"), wide=True).through()
    pair, output = picture(1, [ANN, BOB]), picture(1, [ANN, BOB])
    for face in (ANN, BOB):
        output[place_of(face.box)] = 0
    row = run.original("faces")["face"].tolist().index("pair.png#0")
    changed = np.abs(wide_crop(pair, ANN.box).astype(int) - wide_crop(output, ANN.box)).mean()
    assert changed > 0
    stored = run.scored("x", "pixels@wide")["l1|standard"]
    assert stored[row] == pytest.approx(changed, rel=1e-5)
    rows = {(r.metric, r.region): r for r in run.reduce().estimates if r.method == "x" and r.group == "all"}
    assert rows["l1", "wide"].value == pytest.approx(stored.mean(), rel=1e-6)
    assert rows["l1", "wide"].n == rows["fid", "wide"].n == 3
    assert rows["l1", "image"].n == 2
