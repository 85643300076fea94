"""Stored tables become evidence: one order of faces, people, subgroups, and how every face ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from tests.support import fakes
from tests.support.painted import SFACE_BLIND, Face, picture
from tests.support.painted_runs import PhotoRun
from unmask.bench.core.errors import StoreError
from unmask.bench.core.evidence import KNOWN_PLACE, FaceTruth
from unmask.bench.core.settings import Settings
from unmask.bench.core.types import Image
from unmask.bench.run.figures.problems import output_findings, outputs_digest
from unmask.bench.run.figures.units import face_groups
from unmask.bench.run.outputs.releases import output_rows

pytestmark = pytest.mark.usefixtures("painted_world")

ANN, BOB, CAT = Face(0, 10, 20), Face(1, 90, 40), Face(SFACE_BLIND, 60, 30)
PHOTOS: dict[str, Image | bytes] = {
    "pair.png": picture(1, [ANN, BOB]),
    "ann.png": picture(2, [ANN]),
    "cat.png": picture(4, [CAT]),
    "dan.png": picture(6, [Face(3, 40, 40)]),
    "empty.png": picture(3),
    "broken.png": b"no picture",
}
LABELS = """file,identity,gender,x,y
pair.png,ann,f,15,25
ann.png,ann,f,,
cat.png,,m,,
"""


def run_of(folder: Path, *methods: str, instruments: Sequence[str] = ("mobilefacenet", "sface")) -> PhotoRun:
    return PhotoRun(folder, PHOTOS, LABELS).planned(*methods, shard_size=2, instruments=instruments).through()


def clusters(ids: Sequence[str], numbers: Sequence[int]) -> set[frozenset[str]]:
    """Who is resampled together."""
    return {frozenset(i for i, n in zip(ids, numbers, strict=True) if n == number) for number in numbers}


def test_faces_and_photos_of_all_shards_come_in_the_plan_s_order(tmp_path: Path) -> None:
    originals = run_of(tmp_path, "edit").originals()
    readable = [name for name in PhotoRun(tmp_path, {}).planned().plan.datasets[0].samples if name != "broken.png"]
    assert originals.images.id.tolist() == readable
    faces = [f"{name}#{k}" for name in readable for k in range({"pair.png": 2, "empty.png": 0}.get(name, 1))]
    assert originals.faces.id.tolist() == faces
    assert dict(zip(readable, originals.faces_per_image.tolist(), strict=True)) == {
        "pair.png": 2, "ann.png": 1, "cat.png": 1, "dan.png": 1, "empty.png": 0,
    }  # fmt: skip
    who = {"pair.png#0": 0, "pair.png#1": 1, "ann.png#0": 0, "cat.png#0": SFACE_BLIND, "dan.png#0": 3}
    assert originals.readings["mobilefacenet"]["embedding"].argmax(axis=1).tolist() == [who[face] for face in faces]
    np.testing.assert_allclose(originals.truth.eye_distance, 12)
    assert len(originals.inputs["sample"]) == 6


def test_people_are_resampled_together_and_the_unlabelled_by_their_photo(tmp_path: Path) -> None:
    originals = run_of(tmp_path).originals()
    assert clusters(originals.faces.id.tolist(), originals.faces.cluster.tolist()) == {
        frozenset({"pair.png#0", "ann.png#0"}),
        frozenset({"pair.png#1"}),
        frozenset({"cat.png#0"}),
        frozenset({"dan.png#0"}),
    }


def test_photos_of_one_face_belong_to_its_person_and_others_to_nobody(tmp_path: Path) -> None:
    photos = {"a.png": picture(1, [ANN]), "b.png": picture(2, [ANN]), "both.png": picture(3, [ANN, BOB])}
    labels = "file,identity,x,y\na.png,Ann,,\nb.png,ann,,\nboth.png,bob,15,25\nboth.png,ann,100,50\n"
    run = PhotoRun(tmp_path, photos, labels).planned()
    run.prepare()
    images, faces = run.originals().images, run.originals().faces
    assert clusters(images.id.tolist(), images.cluster.tolist()) == {
        frozenset({"a.png", "b.png"}),
        frozenset({"both.png"}),
    }
    together = clusters(faces.id.tolist(), faces.cluster.tolist())
    assert together == {frozenset({"a.png#0", "b.png#0", "both.png#1"}), frozenset({"both.png#0"})}


def test_a_photo_of_one_face_is_in_the_face_s_subgroups(tmp_path: Path) -> None:
    originals = run_of(tmp_path).originals()

    def members(ids: Sequence[str], mask: Sequence[bool]) -> set[str]:
        return {i for i, inside in zip(ids, mask, strict=True) if inside}

    faces, images = originals.faces, originals.images
    assert members(faces.id.tolist(), faces.groups["gender=female"].tolist()) == {"pair.png#0", "ann.png#0"}
    assert members(images.id.tolist(), images.groups["gender=female"].tolist()) == {"ann.png"}
    assert members(images.id.tolist(), images.groups["gender=male"].tolist()) == {"cat.png"}


def test_how_faces_end_now_that_recognisers_have_been_asked(tmp_path: Path) -> None:
    hows = ("nothing", "tone", "masked", "hidden", "black")
    run = run_of(tmp_path, *(f"{how}=edit:how={how}" for how in hows), "failing=edit:fails_on=3")
    ended = {how: set(run.evidence(how)[0].outcome.tolist()) for how in hows}
    assert ended == {
        "nothing": {"missed"}, "tone": {"missed"}, "masked": {"anonymized"}, "hidden": {"anonymized"},
        "black": {"destroyed"},
    }  # fmt: skip
    failing, faces, photos = run.evidence("failing")
    outcome = dict(zip(failing.faces.id.tolist(), failing.outcome.tolist(), strict=True))
    assert outcome.pop("dan.png#0") == "error"
    assert set(outcome.values()) == {"destroyed"}
    reason = "ValueError: cannot do person 3"
    assert [text for text in faces if text] == [text for text in photos if text] == [reason]
    assert failing.images.id[photos.index(reason)] == "dan.png"
    assert np.isnan(failing.ms).tolist() == [text != "" for text in photos]


def test_evidence_has_the_readings_of_both_sides_in_one_order(tmp_path: Path) -> None:
    run = run_of(tmp_path, "x=edit:how=moved", instruments=())
    evidence, _, _ = run.evidence("x")
    assert set(evidence.original) == set(evidence.anonymized) == {"mobilefacenet", "sface", "face-api", "skin-kmeans"}
    assert np.isnan(evidence.anonymized["sface"]["embedding"]).all()
    assert evidence.anonymized["sface"][KNOWN_PLACE].shape == (5, fakes.DIMENSION)
    before, after = evidence.features["image"]
    assert before["inception"]["features"].shape == after["inception"]["features"].shape == (5, 3)
    assert evidence.pairs["face"]["pixels"]["l1|standard"].shape == (5,)
    extra = dict(
        zip(evidence.extra.sample.tolist(), evidence.extra.readings["mobilefacenet"]["embedding"], strict=True)
    )
    assert {name: int(row.argmax()) for name, row in extra.items()} == {
        "pair.png": 1, "ann.png": 0, "cat.png": SFACE_BLIND, "dan.png": 3,
    }  # fmt: skip
    assert evidence.settings.default_recogniser == "mobilefacenet"
    assert evidence.peak_memory_mib >= 0


def test_a_table_that_is_missing_or_damaged_is_named_and_not_passed_over(tmp_path: Path) -> None:
    run = run_of(tmp_path, "edit")
    tables = [("original", "sface"), ("output", "outputs"), ("score", "outcomes"), ("score", "sface+extra")]
    for stage, name in tables:
        path = run.table_of(stage, name, "edit", shard=1)
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(StoreError, match=rf"{re.escape(name)}.parquet is missing; run the same"):
            run.evidence("edit")
        path.write_bytes(b"no table")
        with pytest.raises(StoreError, match=r"cannot be read .*; delete it and run the same"):
            run.evidence("edit")
        path.write_bytes(content)


def test_equal_outputs_have_equal_digests_over_all_shards(tmp_path: Path) -> None:
    run = run_of(tmp_path, "a=edit", "b=edit:batch=1", "c=edit:fails_on=0", "nothing=edit:how=nothing")
    digests = {r.method: outputs_digest(outputs(run, r.method), r.variant) for r in run.plan.releases}
    assert digests["a"] == digests["b"]
    assert digests["nothing"] == digests["none"]
    assert len(set(digests.values())) == 3


def test_a_method_that_gave_nothing_has_no_digest(tmp_path: Path) -> None:
    run = PhotoRun(tmp_path, {"ann.png": picture(2, [ANN])}).planned("a=edit:fails_on=0").through()
    digests = {r.method: outputs_digest(outputs(run, r.method), r.variant) for r in run.plan.releases}
    assert digests["a"] == "" != digests["none"]


def outputs(run: PhotoRun, method: str) -> Mapping[str, NDArray[Any]]:
    return output_rows(run.folder, run.plan, "photos", method)


def test_outputs_that_are_the_inputs_are_counted(tmp_path: Path) -> None:
    run = run_of(tmp_path, "x=edit", "y=edit:how=nothing,fails_on=3")
    (finding,) = output_findings(outputs(run, "x"), outputs(run, "none"))
    # Nobody is in the fifth photo.
    assert (finding.kind, finding.count, finding.of) == ("unchanged", 1, 5)
    (finding,) = output_findings(outputs(run, "y"), outputs(run, "none"))
    assert (finding.count, finding.of) == (4, 4)
    assert finding.text.startswith("4 of 4 outputs are the inputs themselves")


def test_outputs_that_show_nothing_of_their_inputs_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("pair.png", "ann.png", "cat.png"):
        shown = picture(50 + len(name)) if name != "cat.png" else PHOTOS["cat.png"]
        Pillow.fromarray(np.asarray(shown)).save(folder / name)
    run = run_of(tmp_path, f"theirs=outputs:dir={folder}")
    findings = {f.kind: f for f in output_findings(outputs(run, "theirs"), outputs(run, "none"))}
    assert (findings["unlike"].count, findings["unlike"].of) == (2, 3)
    assert (findings["unchanged"].count, findings["unchanged"].of) == (1, 3)


def truth(ages: Sequence[float], gender: Sequence[str] | None = None, race: Sequence[str] | None = None) -> FaceTruth:
    n = len(ages)
    empty = np.full(n, "", "<U8")
    return FaceTruth(
        empty, np.array(ages, np.float64), empty if gender is None else np.array(gender),
        empty if race is None else np.array(race), np.zeros((n, 5, 2), np.float32), np.zeros(n),
    )  # fmt: skip


def indices(groups: Mapping[str, np.ndarray], by: str) -> dict[str, list[int]]:
    return {name: np.flatnonzero(mask).tolist() for name, mask in groups.items() if name.startswith(by)}


NAN = float("nan")


def test_ages_count_in_whole_years_up_to_the_last_day() -> None:
    groups = face_groups(truth([0, 19.9, 20, 29.99, 40, 99]), {}, Settings())
    assert indices(groups, "age") == {"age=0-19": [0, 1], "age=20-29": [2, 3], "age=40+": [4, 5]}


def test_an_estimate_below_zero_is_in_the_youngest_subgroup_as_in_the_age_metrics() -> None:
    groups = face_groups(truth([NAN, NAN]), {"face-api": {"age": np.float32([-0.4, 121])}}, Settings())
    assert indices(groups, "age") == {"age=0-19": [0]}


def test_labels_decide_where_at_least_half_of_the_faces_have_them() -> None:
    estimates = {"face-api": {"age": np.float32([5, 25, 25, NAN]), "p_female": np.float32([0.9, 0.5, 0.4, NAN])}}
    labelled = face_groups(truth([50, 50, NAN, NAN], ["male", "male", "", ""]), estimates, Settings())
    assert indices(labelled, "gender") == {"gender=male": [0, 1]}
    assert indices(labelled, "age") == {"age=40+": [0, 1]}
    estimated = face_groups(truth([50, NAN, NAN, NAN], ["male", "", "", ""]), estimates, Settings())
    assert indices(estimated, "gender") == {"gender=female": [0, 1], "gender=male": [2]}
    assert indices(estimated, "age") == {"age=0-19": [0], "age=20-29": [1, 2]}


def test_without_labels_and_estimates_nobody_is_in_a_subgroup() -> None:
    assert face_groups(truth([NAN, NAN]), {"sface": {"embedding": np.zeros((2, 4), np.float32)}}, Settings()) == {}


def test_skin_is_cut_into_thirds_of_the_set_from_three_readings_on() -> None:
    ita = np.float32([30, -30, 0, NAN, 60, -60, 10])
    groups = face_groups(truth([NAN] * 7), {"skin-kmeans": {"ita": ita}}, Settings())
    assert indices(groups, "skin") == {"skin=dark": [1, 5], "skin=medium": [2, 6], "skin=light": [0, 4]}
    few = face_groups(truth([NAN] * 3), {"skin-kmeans": {"ita": np.float32([1, 2, NAN])}}, Settings())
    assert indices(few, "skin") == {}


def test_races_are_those_that_the_data_set_names() -> None:
    groups = face_groups(truth([NAN] * 3, race=["b", "", "a"]), {}, Settings())
    assert indices(groups, "race") == {"race=a": [2], "race=b": [0]}


def test_a_set_without_a_face_can_be_assembled(tmp_path: Path) -> None:
    run = PhotoRun(tmp_path, {"wall.png": picture(1), "letter.png": b"?"}).planned("edit").through()
    evidence, faces, photos = run.evidence("edit")
    assert (len(evidence.faces), len(evidence.images), faces, photos) == (0, 1, [], [""])
    assert evidence.faces_per_image.tolist() == [0]
