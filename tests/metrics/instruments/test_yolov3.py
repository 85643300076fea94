"""YOLOv3 as a person detector: settings, the user's own files, batches, and people where there are some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.metrics.instruments.darknet_files import write_cfg, write_weights
from tests.support.video_parts import person_detector, pets_frames
from unmask.bench.core.cards import OWN_WEIGHTS
from unmask.bench.core.errors import CheckpointError, SpecError, UnavailableError
from unmask.bench.core.files import sha256_of
from unmask.bench.core.registry import create_instrument
from unmask.bench.core.spec import Spec
from unmask.bench.core.types import Box, Image
from unmask.bench.core.video import PersonBox
from unmask.metrics.instruments.yolov3 import YoloV3, YoloV3Tiny

Made = Callable[..., YoloV3]


@pytest.fixture
def own(tmp_path: Path) -> Made:
    """A small random network as the user's own; class 1 of its two is the person."""
    cfg = write_cfg(tmp_path)
    names = tmp_path / "two.names"
    names.write_text("dog\nperson\n")
    weights = write_weights(tmp_path, cfg)

    def made(**params: object) -> YoloV3:
        settings: dict[str, object] = {"cfg": str(cfg), "weights": str(weights), "names": str(names), "size": 64}
        detector = create_instrument(Spec("yolov3", {**settings, **params}), "people")  # type: ignore[dict-item]
        assert isinstance(detector, YoloV3)
        return detector

    return made


def images() -> list[Image]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((40, 90), (200, 33), (64, 64), (1, 1), (120, 80))]


def same(a: list[list[PersonBox]], b: list[list[PersonBox]]) -> None:
    assert [len(people) for people in a] == [len(people) for people in b]
    for one, other in ((x, y) for left, right in zip(a, b, strict=True) for x, y in zip(left, right, strict=True)):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        np.testing.assert_allclose(
            [one.box.x, one.box.y, one.box.w, one.box.h],
            [other.box.x, other.box.y, other.box.w, other.box.h],
            atol=0.01,
        )


def test_people_come_best_first_inside_their_own_image(own: Made) -> None:
    detector = own(score=0.2)
    detector.load({}, "cpu")
    found = detector.detect(images())
    assert min(len(people) for people in found[:3]) > 2
    for image, people in zip(images(), found, strict=True):
        assert [p.score for p in people] == sorted((p.score for p in people), reverse=True)
        for p in people:
            assert 0.2 < p.score <= 1
            assert p.box.w > 0
            assert p.box.h > 0
            assert p.box.x >= 0
            assert p.box.y >= 0
            assert p.box.x + p.box.w <= image.shape[1] + 1e-6
            assert p.box.y + p.box.h <= image.shape[0] + 1e-6


def test_no_two_people_overlap_by_more_than_iou(own: Made) -> None:
    counts = []
    for iou in (0.1, 0.5):
        detector = own(score=0.3, iou=iou)
        detector.load({}, "cpu")
        people = detector.detect(images()[2:3])[0]
        inside = [p.box for p in people if p.box.w < 40 and p.box.h < 40]
        # Boxes are compared before they are clipped, so only those well inside can be checked here.
        inside = [b for b in inside if b.x > 1 and b.y > 1 and b.x + b.w < 63 and b.y + b.h < 63]
        assert max(a.iou(b) for k, a in enumerate(inside) for b in inside[:k]) <= iou + 1e-6
        counts.append(len(people))
    assert counts[0] < counts[1] < 100


def test_batches_of_mixed_sizes_answer_as_one_by_one(own: Made) -> None:
    detector = own(score=0.2)
    detector.load({}, "cpu")
    together = detector.detect(images())
    same(together, [detector.detect([image])[0] for image in images()])
    same(together[::-1], detector.detect(images()[::-1]))
    assert detector.detect([]) == []


def test_the_class_is_the_one_named_person(own: Made, tmp_path: Path) -> None:
    swapped = tmp_path / "swapped.names"
    swapped.write_text("person\ndog\n")
    one, other = own(score=0.2), own(score=0.2, names=str(swapped))
    for detector in (one, other):
        detector.load({}, "cpu")
    assert one.detect(images()[:1]) != other.detect(images()[:1])


def test_the_card_tells_which_files_are_used_but_not_where_they_lie(own: Made, tmp_path: Path) -> None:
    card = own().card
    assert card.params[OWN_WEIGHTS] == sha256_of(tmp_path / "small-2-0.weights")
    assert card.params["cfg_sha256"] == sha256_of(tmp_path / "small.cfg")
    assert card.params["names_sha256"] == sha256_of(tmp_path / "two.names")
    assert card.files == ()
    assert str(tmp_path) not in str(card)
    other = write_weights(tmp_path, tmp_path / "small.cfg", seed=1, version=1)
    assert own(weights=str(other)).card.params != card.params
    assert own(names="").card.params["names_sha256"] == ""


@pytest.mark.parametrize("key", ["cfg", "weights", "names"])
def test_a_missing_file_is_one_line_that_names_it(own: Made, key: str) -> None:
    with pytest.raises(UnavailableError, match=rf"^yolov3: {key}=nowhere is not a file; give the path of your "):
        own(**{key: "nowhere"})


def test_files_cannot_be_left_out() -> None:
    with pytest.raises(SpecError, match="needs cfg, weights; write yolov3:cfg="):
        create_instrument(Spec("yolov3", {}), "people")


def test_names_must_fit_the_network(own: Made, tmp_path: Path) -> None:
    for text in ("person\n", "dog\ncat\n", "person\nperson\n", ""):
        path = tmp_path / "bad.names"
        path.write_text(text)
        with pytest.raises(CheckpointError, match=r"bad.names must name each class of small.cfg \(2\) on a line"):
            own(names=str(path)).load({}, "cpu")
    with pytest.raises(CheckpointError, match=r"small.cfg has other classes than COCO's 80; give names=FILE"):
        own(names="").load({}, "cpu")


@pytest.mark.parametrize("params", [{"size": 400}, {"size": 0}, {"size": 4096}, {"size": 416.5}, {"size": True}])
def test_sizes_that_are_no_grid_are_refused(params: dict[str, float]) -> None:
    with pytest.raises(SpecError, match=r"yolov3-tiny: size=.* must be a multiple of 32, from 32 to 1664 pixels"):
        create_instrument(Spec("yolov3-tiny", dict(params)), "people")


@pytest.mark.parametrize(
    "params", [{"score": 0}, {"score": 1.0}, {"iou": -1}, {"iou": "high"}, {"score": float("nan")}]
)
def test_shares_that_are_none_are_refused(params: dict[str, float | str]) -> None:
    with pytest.raises(SpecError, match="must be above 0 and below 1"):
        create_instrument(Spec("yolov3-tiny", dict(params)), "people")


def test_detecting_before_loading_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="load"):
        YoloV3Tiny().detect(images())


def test_a_gpu_that_is_not_there_is_said(own: Made) -> None:
    with pytest.raises(UnavailableError, match="yolov3 cannot use cuda:7"):
        own().load({}, "cuda:7")


@pytest.mark.weights
@pytest.mark.data
def test_most_people_of_a_surveillance_clip_are_found(shared_data: Path) -> None:
    """Recall 63 % and precision 89 % at an overlap of 0.5 over the first 60 frames; here every tenth of them."""
    rows = np.loadtxt(shared_data / "pets2009_s2l1" / "gt.txt", delimiter=",")
    found = people = right = 0
    detected = person_detector().detect(pets_frames(shared_data, 60)[::10])
    for number, boxes in zip(range(0, 60, 10), detected, strict=True):
        truth = [Box(*row[2:6]) for row in rows[rows[:, 0] == number + 1]]
        people += len(truth)
        found += sum(max((t.iou(p.box) for p in boxes), default=0) >= 0.5 for t in truth)
        right += sum(max(t.iou(p.box) for t in truth) < 0.5 for p in boxes)
    assert found / people > 0.5
    assert right <= 5
