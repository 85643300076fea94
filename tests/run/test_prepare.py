"""What prepare leaves behind of a data set's originals, and when it does what again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support import fakes
from tests.support.painted import SFACE_BLIND, SIZE, Face, picture
from tests.support.painted_runs import PhotoRun
from unmask.bench.core.errors import DataError
from unmask.bench.core.evidence import LOOKS, look_column
from unmask.bench.core.files import digest
from unmask.bench.core.types import Image
from unmask.bench.run.reading.regions import background_mask, wide_crop

pytestmark = pytest.mark.usefixtures("painted_world")

ANN, BOB, CAT = Face(0, 10, 20, age=30, p_female=0.9, skin=100), Face(1, 90, 40), Face(SFACE_BLIND, 60, 30)
LABELS = """file,identity,age,gender,race,x,y
pair.png,bob,41,m,x,100,50
pair.png,ann,,f,,15,25
one.png,cat,7,,,,
empty.png,dan,,,,5,5
"""
FACE_PARTS = ("mobilefacenet", "mobilefacenet+any-look", "sface", "face-api", "skin-kmeans")
REGIONS = ("face", "image", "background")
FEATURES = tuple(f"inception@{region}" for region in REGIONS)
LOCATED = ("images", "faces", "signatures")


def photos() -> dict[str, Image | bytes]:
    return {
        "pair.png": picture(1, [ANN, BOB]),
        "one.png": picture(2, [CAT]),
        "empty.png": picture(3),
        "broken.png": b"no picture",
    }


@pytest.fixture
def run(tmp_path: Path) -> PhotoRun:
    made = PhotoRun(tmp_path, photos(), LABELS).planned()
    assert made.prepare() == [True]
    return made


def stamps(run: PhotoRun) -> dict[str, int]:
    """When each table was written."""
    return {path.stem: path.stat().st_mtime_ns for path in run.folder.prepare_dir("photos", 0).local.glob("*.parquet")}


def rewritten(run: PhotoRun, before: dict[str, int]) -> set[str]:
    return {name for name, stamp in stamps(run).items() if stamp != before.get(name)}


def rows_of(run: PhotoRun, name: str) -> dict[str, np.ndarray]:
    """Face -> its row of an instrument's reading ``embedding``."""
    return dict(zip(run.original("faces")["face"].tolist(), run.original(name)["embedding"], strict=True))


def test_every_input_has_a_row_with_its_size_or_the_reason_why_not(run: PhotoRun) -> None:
    table = run.original("images")
    rows = {name: k for k, name in enumerate(table["sample"].tolist())}
    assert set(rows) == {"pair.png", "one.png", "empty.png", "broken.png"}
    assert table["sample"].tolist() == run.plan.datasets[0].samples
    broken = rows["broken.png"]
    assert not table["readable"][broken]
    assert table["reason"][broken] == "not an image, or of an unknown format"
    assert (table["height"][broken], table["width"][broken]) == (0, 0)
    whole = [k for name, k in rows.items() if name != "broken.png"]
    assert table["readable"][whole].all()
    assert set(table["reason"][whole].tolist()) == {""}
    assert {(int(table["height"][k]), int(table["width"][k])) for k in whole} == {SIZE}


def test_faces_have_the_label_that_points_at_them(run: PhotoRun) -> None:
    table = run.original("faces")
    rows = {name: k for k, name in enumerate(table["face"].tolist())}
    assert set(rows) == {"pair.png#0", "pair.png#1", "one.png#0"}
    ann, bob, cat = (rows[name] for name in ("pair.png#0", "pair.png#1", "one.png#0"))
    assert table["sample"][[ann, bob, cat]].tolist() == ["pair.png", "pair.png", "one.png"]
    assert table["box"][[ann, bob, cat]].tolist() == [[10, 20, 32, 32], [90, 40, 32, 32], [60, 30, 32, 32]]
    assert table["landmarks"][ann][:4].tolist() == [20, 32, 32, 32]
    assert table["identity"][[ann, bob, cat]].tolist() == ["ann", "bob", "cat"]
    np.testing.assert_array_equal(table["age"][[ann, bob, cat]], np.float32([np.nan, 41, 7]))
    assert table["gender"][[ann, bob, cat]].tolist() == ["female", "male", ""]
    assert table["race"][bob] == "x"


def test_a_label_that_points_at_no_face_is_counted(run: PhotoRun) -> None:
    table = run.original("images")
    counts = dict(zip(table["sample"].tolist(), table["unplaced_labels"].tolist(), strict=True))
    assert counts == {"pair.png": 0, "one.png": 0, "empty.png": 1, "broken.png": 0}


def test_each_instrument_has_a_row_a_face(run: PhotoRun) -> None:
    first, second = rows_of(run, "mobilefacenet"), rows_of(run, "sface")
    axes = np.eye(fakes.DIMENSION)
    assert {name: int(row.argmax()) for name, row in first.items()} == {
        "pair.png#0": 0, "pair.png#1": 1, "one.png#0": SFACE_BLIND,
    }  # fmt: skip
    assert first["pair.png#1"].tolist() == axes[1].tolist()
    assert second["pair.png#1"].tolist() == axes[1].tolist()
    # What one instrument cannot read is a row of its own all the same.
    assert np.isnan(second["one.png#0"]).all()
    looks = run.original("mobilefacenet+any-look")
    assert set(looks) == set(map(look_column, LOOKS))
    np.testing.assert_array_equal(looks[look_column("mirrored")], run.original("mobilefacenet")["embedding"])


def test_estimators_that_cannot_say_leave_a_gap(run: PhotoRun) -> None:
    rows = {name: k for k, name in enumerate(run.original("faces")["face"].tolist())}
    estimates, skin = run.original("face-api"), run.original("skin-kmeans")
    ann, bob = rows["pair.png#0"], rows["pair.png#1"]
    assert (estimates["age"][ann], estimates["p_female"][ann]) == (30, np.float32(0.9))
    assert np.isnan(estimates["age"][bob])
    assert np.isnan(estimates["p_female"][bob])
    assert (skin["r"][ann], skin["ita"][ann]) == (100, -28)


def test_regions_have_a_row_a_face_or_a_row_a_readable_photo(run: PhotoRun) -> None:
    assert {name: len(run.original(f"inception@{name}")["features"]) for name in REGIONS} == {
        "face": 3, "image": 3, "background": 3,
    }  # fmt: skip
    readable = [name for name in run.plan.datasets[0].samples if name != "broken.png"]
    pair = picture(1, [ANN, BOB])
    background = background_mask(pair.shape, [ANN.box, BOB.box])
    row = readable.index("pair.png")
    np.testing.assert_allclose(run.original("inception@image")["features"][row], pair.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(
        run.original("inception@background")["features"][row], (pair * background[..., None]).mean(axis=(0, 1)),
        rtol=1e-5,
    )  # fmt: skip


def test_nothing_is_done_twice(run: PhotoRun) -> None:
    before = stamps(run)
    assert set(before) == {*LOCATED, *FACE_PARTS, *FEATURES}
    fakes.workload()
    assert run.prepare() == [False]
    assert fakes.workload() == {}
    assert stamps(run) == before


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_one_table_that_is_gone_is_read_again_alone(run: PhotoRun, how: str) -> None:
    for name in ("sface", "mobilefacenet+any-look", "inception@background", "skin-kmeans"):
        whole = run.original(name)
        path, before = run.table_of("original", name), stamps(run)
        path.unlink()
        if how == "damaged":
            path.write_bytes(b"no table")
        fakes.workload()
        assert run.prepare() == [True]
        assert rewritten(run, before) == {name}
        assert "yunet" not in fakes.workload()
        for column, values in run.original(name).items():
            np.testing.assert_array_equal(values, whole[column])


@pytest.mark.parametrize("name", LOCATED)
def test_without_its_faces_a_shard_is_looked_at_again(run: PhotoRun, name: str) -> None:
    whole, before = run.original(name), stamps(run)
    run.table_of("original", name).unlink()
    assert run.prepare() == [True]
    assert rewritten(run, before) == set(LOCATED)
    for column, values in run.original(name).items():
        np.testing.assert_array_equal(values, whole[column])


def test_an_instrument_s_next_version_reads_again_and_no_other_does(
    run: PhotoRun, painted_world: pytest.MonkeyPatch
) -> None:
    before = stamps(run)
    fakes.raise_version(painted_world, fakes.SFace)
    fakes.workload()
    assert run.planned().prepare() == [True]
    assert rewritten(run, before) == {"sface"}
    assert fakes.workload() == {"sface": 3}


def test_the_judge_s_next_version_makes_every_table_again(run: PhotoRun, painted_world: pytest.MonkeyPatch) -> None:
    before = stamps(run)
    fakes.raise_version(painted_world, fakes.Judge)
    assert run.planned().prepare() == [True]
    assert rewritten(run, before) == set(before)


def test_the_second_detector_and_the_seed_change_nothing_here(run: PhotoRun, painted_world: pytest.MonkeyPatch) -> None:
    fakes.raise_version(painted_world, fakes.SecondDetector)
    assert run.planned(seed=5).prepare() == [False]


def test_wide_crops_are_read_where_the_plan_says_so_and_nothing_else_is_read_again(run: PhotoRun) -> None:
    before = stamps(run)
    assert run.planned(wide=True).prepare() == [True]
    assert rewritten(run, before) == {"inception@wide"}
    pair = picture(1, [ANN, BOB])
    row = run.original("faces")["face"].tolist().index("pair.png#1")
    np.testing.assert_allclose(
        run.original("inception@wide")["features"][row], wide_crop(pair, BOB.box).mean(axis=(0, 1)), rtol=1e-5
    )
    assert len(run.original("inception@wide")["features"]) == 3


def test_a_plan_without_wide_crops_has_the_name_that_it_had_before_there_were_any(run: PhotoRun) -> None:
    without = run.planned().plan
    body = without.model_dump(mode="json", exclude={"run", "schema_"})
    for dataset in body["datasets"]:
        del dataset["notes"], dataset["wide"]
    assert without.run == digest(body)[:16]
    assert run.planned(wide=True).plan.run != without.run


def test_where_nobody_is_seen_tables_are_empty_but_complete(tmp_path: Path) -> None:
    run = PhotoRun(tmp_path, {"wall.png": picture(1), "letter.png": b"?"}).planned()
    assert run.prepare() == [True]
    assert run.original("faces")["box"].shape == (0, 4)
    assert run.original("mobilefacenet")["embedding"].shape == (0, fakes.DIMENSION)
    assert run.original("inception@face")["features"].shape == (0, 3)
    assert run.original("inception@image")["features"].shape == (1, 3)
    assert run.prepare() == [False]


def test_shards_and_chunks_keep_the_order_of_the_samples(tmp_path: Path) -> None:
    faces = {f"{k:02d}.png": Face(k % 6, 10 + k, 20) for k in range(20)}
    run = PhotoRun(tmp_path, {name: picture(k, [face]) for k, (name, face) in enumerate(faces.items())})
    run.planned(shard_size=17, instruments=("mobilefacenet",))
    assert run.prepare() == [True, True]
    samples = run.plan.datasets[0].samples
    names = [name for shard in (0, 1) for name in run.original("faces", shard)["sample"].tolist()]
    assert names == samples
    assert len(run.original("faces", 0)["sample"]) == 17
    left = np.concatenate([run.original("faces", shard)["box"][:, 0] for shard in (0, 1)])
    assert left.tolist() == [faces[name].x for name in samples]
    who = np.concatenate([run.original("mobilefacenet", shard)["embedding"].argmax(axis=1) for shard in (0, 1)])
    assert who.tolist() == [faces[name].who for name in samples]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data.rename(data.with_name("moved")), "--locate photos=FOLDER"),
        (lambda data: (data / "one.png").write_bytes(b"another"), "holds other images or labels than the run's"),
        (lambda data: (data / "labels.csv").write_text(LABELS.replace("ann", "eve")), "other images or labels"),
    ],
    ids=["moved", "another photo", "another label"],
)
def test_a_data_set_that_changed_after_it_was_planned_is_refused(
    tmp_path: Path, change: Callable[[Path], object], reason: str
) -> None:
    run = PhotoRun(tmp_path, photos(), LABELS).planned()
    change(run.data)
    with pytest.raises(DataError, match=f"^data set photos: .*{reason}") as refusal:
        run.prepare()
    assert len(str(refusal.value).splitlines()) == 1
