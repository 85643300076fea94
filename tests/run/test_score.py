"""What is read of a method's outputs: at the known place, and of faces where none was."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from tests.benchmarks.stages import Stages
from unmask.bench.core.errors import StoreError
from unmask.bench.core.evidence import KNOWN_PLACE, LOOKS, Evidence, OperatingPoint, look_column
from unmask.bench.core.exposure import distances
from unmask.bench.core.types import Detection, Floats32, Image
from unmask.bench.run.figures.assemble import assemble_evidence, assemble_originals
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.shards import Job, Workplace
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.score import score_shard
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.tables import read_table

pytestmark = pytest.mark.weights

FACE = (slice(20, 110), slice(80, 150))
"""The face in the astronaut's photo at 256 x 256."""


def copied_to_a_corner(image: Image) -> Image:
    output = image.copy()
    output[160:250, 180:250] = image[FACE]
    output[FACE] = 0
    return output


def pixelated(image: Image) -> Image:
    output = image.copy()
    face = Pillow.fromarray(image[FACE])
    small = face.resize((12, 15), Pillow.Resampling.BOX)
    output[FACE] = np.asarray(small.resize(face.size, Pillow.Resampling.NEAREST))
    return output


def turned(image: Image) -> Image:
    """Upside down about the middle of the face's aligned crop: what a look turns back."""
    output = image.copy()
    face = (slice(21, 84), slice(80, 143))
    output[face] = image[face][::-1, ::-1]
    return output


def brighter(image: Image) -> Image:
    return np.clip(image.astype(np.int16) + 6, 0, 255).astype(np.uint8)


def barred(image: Image) -> Image:
    """A black bar over the eyes."""
    output = image.copy()
    output[44:58, 84:140] = 0
    return output


def softened(image: Image) -> Image:
    """A blur that no compression explains, and that every recogniser sees through."""
    output = image.copy()
    output[FACE] = cv2.GaussianBlur(image, (0, 0), 1.2)[FACE]
    return output


def judged(folder: Path, photo: Image, outputs: Mapping[str, Image]) -> RunFolder:
    """A run over ``outputs`` of one photo, a method each, read by SFace."""
    (folder / "photos").mkdir(parents=True)
    Pillow.fromarray(photo).save(folder / "photos" / "a.png")
    for name, image in outputs.items():
        (folder / name).mkdir()
        Pillow.fromarray(image).save(folder / name / "a.png")
    config = RunConfig(
        datasets=(f"photos=folder:path={folder / 'photos'}",),
        methods=tuple(f"{name}=outputs:dir={folder / name}" for name in outputs),
        metrics=("deid_rate",),
        instruments=("yunet", "sface"),
        replicates=100,
    )
    plan = get_ready(config, root=None)
    places = locations_for(config)
    return run(plan, folder / "run", locations=places, root=None, workers=1, progress=Stages())


def evidence(done: RunFolder, method: str) -> Evidence:
    originals = assemble_originals(done, done.plan, "photos")
    points = {"sface": (OperatingPoint(1e-3, 0.636, 0.628, 0.642),)}
    return assemble_evidence(done, done.plan, originals, method, points)[0]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    from skimage import data

    photo = np.asarray(Pillow.fromarray(data.astronaut()).resize((256, 256)), np.uint8)
    outputs = {"copied": copied_to_a_corner(photo), "pixelated": pixelated(photo), "turned": turned(photo)}
    outputs |= {"brighter": brighter(photo), "bar": barred(photo), "soft": softened(photo)}
    return judged(tmp_path_factory.mktemp("scored"), photo, outputs)


@pytest.fixture(scope="module")
def found(done: RunFolder) -> dict[str, Evidence]:
    """The evidence on each method."""
    return {method.label: evidence(done, method.label) for method in done.plan.methods}


def to_original(evidence: Evidence, reading: Floats32) -> float:
    """The smallest cosine distance of a reading to the photo's own face."""
    return float(distances(reading, evidence.original["sface"]["embedding"]).min())


def test_a_face_copied_to_a_corner_is_read_there(found: dict[str, Evidence]) -> None:
    copied = found["copied"]
    assert copied.extra.sample.tolist() == ["a.png"]
    assert to_original(copied, copied.extra.readings["sface"]["embedding"]) < 0.1
    assert np.isnan(copied.anonymized["sface"]["embedding"]).all()
    # At the known place lies a black box: it is read, and it is nobody.
    assert to_original(copied, copied.anonymized["sface"][KNOWN_PLACE]) > 0.7


def test_every_output_is_read_at_the_place_that_the_original_tells(found: dict[str, Evidence]) -> None:
    pixelated = found["pixelated"]
    assert len(pixelated.extra.sample) == 0
    assert np.isfinite(pixelated.anonymized["sface"][KNOWN_PLACE]).all()
    assert to_original(pixelated, pixelated.anonymized["sface"][KNOWN_PLACE]) > 0


def test_a_face_turned_in_its_place_is_known_by_one_of_its_looks(found: dict[str, Evidence]) -> None:
    turned = found["turned"]
    plain = to_original(turned, turned.anonymized["sface"][KNOWN_PLACE])
    looks = {look: to_original(turned, turned.anonymized["sface"][look_column(look)]) for look in LOOKS}
    assert min(looks, key=lambda look: looks[look]) == "turned-180"
    assert looks["turned-180"] < 0.4 < plain
    assert all(np.isfinite(list(looks.values())))


def test_missed_is_measured(found: dict[str, Evidence]) -> None:
    outcome = {name: evidence.outcome.tolist() for name, evidence in found.items()}
    assert outcome["none"] == outcome["brighter"] == ["missed"]
    # Both are attacked like anything else.
    assert outcome["bar"][0] in ("anonymized", "destroyed")
    assert outcome["soft"] == ["anonymized"]
    assert to_original(found["soft"], found["soft"].anonymized["sface"]["embedding"]) < 0.3
    assert [name for name, evidence in found.items() if evidence.equal.all()] == ["none"]
    assert {name for name, evidence in found.items() if evidence.explained.all()} == {"none", "brighter"}


def test_what_is_untouched_has_the_originals_readings(found: dict[str, Evidence]) -> None:
    control = found["none"]
    for column in ("embedding", KNOWN_PLACE):
        np.testing.assert_array_equal(control.anonymized["sface"][column], control.original["sface"]["embedding"])
    for column in map(look_column, LOOKS):
        np.testing.assert_array_equal(control.anonymized["sface"][column], control.original["sface"][column])
    assert len(control.extra.sample) == 0


class Blind:
    """A detector that sees nothing: what a picture that hides from the judge's makes of it."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        return [[] for _ in images]


def test_an_output_that_was_exchanged_is_refused(done: RunFolder, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(done.path, folder.path)
    shutil.rmtree(folder.path / "score")
    stored = (folder.outputs_dir("photos", "soft", 0) / "0.png").local
    Pillow.new("RGB", Pillow.open(stored).size).save(stored)
    with pytest.raises(StoreError, match="is not the picture that was stored there; delete its folder"):
        score_shard(Workplace(folder.path).place(Job("photos", 0, "soft", folder.plan.run)))


def test_a_face_that_hides_from_one_detector_is_not_destroyed(
    done: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(done.path, folder.path)
    shutil.rmtree(folder.path / "score")
    real = opened.detector
    monkeypatch.setattr(opened, "detector", lambda name, device: Blind() if name == "yunet" else real(name, device))
    ended = {}
    for method in ("soft", "copied"):
        assert score_shard(Workplace(folder.path).place(Job("photos", 0, method, folder.plan.run)))
        rows = read_table(folder.score_dir("photos", method, 0) / "outcomes.parquet")
        ended[method] = (str(rows["outcome"][0]), str(rows["found_by"][0]))
    # Of the second one nothing is left at the place, whoever looks.
    assert ended == {"soft": ("anonymized", "blazeface"), "copied": ("destroyed", "")}
    before = read_table(done.score_dir("photos", "soft", 0) / "outcomes.parquet")
    assert before["found_by"].tolist() == ["yunet"]
