"""Outputs that lie wrongly or show another input are failures; whatever a method may do to a photo is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data

from tests.support import edits
from tests.support.edits import Edit
from tests.support.fooling import Contestant, contestants
from unmask.bench.core.errors import DataError
from unmask.bench.core.protocols import Method
from unmask.bench.core.registry import create_method
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import Box, Image, MethodFailure, Sample
from unmask.bench.data import open_dataset
from unmask.bench.run.checks import guard
from unmask.bench.run.checks.guard import Inputs, views_of
from unmask.bench.run.checks.placement import is_unlike
from unmask.bench.run.checks.views import SIDE, Signatures, background, signature_of, view_of
from unmask.bench.run.contestants.calling import checked

Photos = dict[str, tuple[Image, Sequence[Box]]]

ALLOWED: dict[str, Edit] = {
    "untouched": lambda image, boxes: image,
    "JPEG of quality 10": lambda image, boxes: edits.jpeg(image, 10),
    "black faces": edits.black,
    "brighter": lambda image, boxes: edits.toned(image, 0.5),
    "negative": lambda image, boxes: 255 - image,
    "blurred from edge to edge": lambda image, boxes: edits.blurred(image, 0.05),
    "blurred beyond recognition": lambda image, boxes: edits.blurred(image, 0.15),
    "pixelated from edge to edge": lambda image, boxes: edits.pixelated(image, 12),
    "strong noise": lambda image, boxes: edits.noisy(image, 150),
    "nothing but noise": lambda image, boxes: edits.noisy(np.full_like(image, 128), 80),
    "constant": lambda image, boxes: np.full_like(image, 128),
    "moved by one pixel": lambda image, boxes: np.roll(image, 1, 1),
    "grey": lambda image, boxes: np.repeat(image.mean(2, keepdims=True), 3, 2).astype(np.uint8),
    "warmer": lambda image, boxes: np.clip(image * np.array([1.1, 1.0, 0.8]), 0, 255).astype(np.uint8),
}
TURNED: dict[str, Edit] = {
    "the output lies turned by 180 degrees": lambda image, boxes: image[::-1, ::-1],
    "the output is the mirrored input": lambda image, boxes: image[:, ::-1],
    "the output is the input mirrored top to bottom": lambda image, boxes: image[::-1],
    "the output lies turned by 90 degrees clockwise": lambda image, boxes: edits.resized(
        np.ascontiguousarray(np.rot90(image, -1)), image.shape[1], image.shape[0]
    ),
}
MOVED: dict[str, Edit] = {
    r"at (74|75|76) % of its size": lambda image, boxes: edits.padded(image, 0.75),
    r"at (89|90|91) % of its size": lambda image, boxes: edits.padded(image, 0.9),
    r"at 1(28|29|30|31|32) % of its size": lambda image, boxes: edits.zoomed(image, 1.3),
    "pixels to the right": lambda image, boxes: edits.shifted(image, 0.1, 0),
    "pixels to the left": lambda image, boxes: np.roll(image, -image.shape[1] // 4, 1),
    "pixels downwards": lambda image, boxes: edits.shifted(image, 0, 0.06),
}


def _photos(spec: str, step: int, count: int, root: Path | None, detect: Callable[..., Any]) -> Photos:
    dataset = open_dataset(spec, root=root)
    images = {ref.id: _small(dataset.read(ref)) for ref in dataset.refs[::step][:count]}
    faces = detect(list(images.values()))
    return {
        name: (image, [face.box for face in found]) for (name, image), found in zip(images.items(), faces, strict=True)
    }


def _small(image: Image) -> Image:
    """At most 256 pixels: the guard looks at fewer, and every edit of a large photo takes its time."""
    factor = min(256 / max(image.shape), 1.0)
    return edits.resized(image, round(image.shape[1] * factor), round(image.shape[0] * factor))


@pytest.fixture(scope="module")
def demo(open_instrument: Callable[[str], Any]) -> Photos:
    try:
        return _photos("demo", 3, 10, None, open_instrument("yunet").detect)
    except DataError:
        pytest.skip("the demo photos are not in the cache")


@pytest.fixture(scope="module")
def astronaut_photo(astronaut: Image) -> tuple[Image, Sequence[Box]]:
    return astronaut, [Box(180, 70, 90, 120)]


def fault_of(
    name: str, image: Image, boxes: Sequence[Box], output: Image, inputs: Callable[[], Inputs] | None = None
) -> str:
    return guard.fault_of(name, *views_of(image, boxes, output), output, inputs)


def faults(photos: Photos, edit: Edit) -> list[str]:
    return [fault_of(name, image, boxes, edit(image, boxes)) for name, (image, boxes) in photos.items()]


@pytest.mark.parametrize("what", ALLOWED)
def test_what_methods_do_is_no_failure(demo: Photos, what: str) -> None:
    assert not any(faults(demo, ALLOWED[what]))


@pytest.mark.parametrize("reason", TURNED)
def test_a_turned_or_mirrored_output_is(demo: Photos, reason: str) -> None:
    assert faults(demo, TURNED[reason]) == [reason] * len(demo)


@pytest.mark.parametrize("words", MOVED)
def test_a_shifted_or_scaled_output_is(demo: Photos, words: str) -> None:
    told = faults(demo, MOVED[words])
    assert sum(bool(re.search(words, reason)) for reason in told) >= 0.65 * len(told)
    assert not any("turned" in reason or "mirrored" in reason for reason in told)


@pytest.mark.parametrize("level", [0, 127, 255])
@pytest.mark.parametrize("scale", [0.5, 0.6, 0.75, 0.9])
def test_a_padded_output_is_whatever_the_frames_colour(demo: Photos, scale: float, level: int) -> None:
    told = faults(demo, lambda image, boxes: edits.padded(image, scale, level))
    sizes = [int(match[1]) for match in (re.search(r"at (\d+) % of its size", reason) for reason in told) if match]
    assert len(sizes) >= 0.9 * len(told), told
    assert all(abs(size - 100 * scale) <= 4 for size in sizes)


def test_a_frame_about_what_a_method_did_is_none(demo: Photos) -> None:
    """Margins painted over: what is left lies where it lay."""

    def framed(image: Image, boxes: Sequence[Box]) -> Image:
        output = edits.black(image, boxes).copy()
        for part in (output[:20], output[-20:], output[:, :20], output[:, -20:]):
            part[:] = 255
        return output

    assert not any(faults(demo, framed))


@pytest.mark.parametrize("reason", TURNED)
def test_the_background_tells_when_the_face_is_gone(astronaut_photo: tuple[Image, Sequence[Box]], reason: str) -> None:
    image, boxes = astronaut_photo
    hidden = edits.toned(edits.jpeg(edits.black(image, boxes), 30), 0.7)
    assert fault_of("a", image, boxes, hidden) == ""
    assert fault_of("a", image, boxes, TURNED[reason](hidden, boxes)) == reason


def test_a_shift_is_told_in_pixels_of_the_output(astronaut_photo: tuple[Image, Sequence[Box]]) -> None:
    image, boxes = astronaut_photo
    rolled = fault_of("a", image, boxes, np.roll(image, 155, 1))
    assert rolled in [f"the output is shifted by {x} pixels to the right" for x in (154, 155, 156)]
    moved = edits.shifted(image, -0.1, 0.2)
    assert fault_of("a", image, boxes, moved) in [
        f"the output is shifted by {x} pixels to the left and {y} pixels downwards"
        for x in (51, 52)
        for y in (102, 103)
    ]


def test_photos_of_something_else_are_unlike_their_inputs(demo: Photos) -> None:
    """No input explains them, so they are no failures; that they are other photos is counted."""
    strange = np.asarray(skimage.data.coffee(), np.uint8)
    views = [view_of(image, boxes) for image, boxes in demo.values()]
    beside = [view for view in views if not view.whole]
    assert sum(is_unlike(view, view_of(strange, (), view.grey.shape)) for view in beside) >= 0.75 * len(beside)
    assert not any(is_unlike(view, view_of(strange, (), view.grey.shape)) for view in views if view.whole)
    for what in ("black faces", "JPEG of quality 10", "negative", "blurred from edge to edge", "strong noise"):
        for view, (image, boxes) in zip(views, demo.values(), strict=True):
            assert not is_unlike(view, view_of(ALLOWED[what](image, boxes), (), view.grey.shape))


def test_red_for_blue_is_told(demo: Photos) -> None:
    told = faults(demo, lambda image, boxes: image[..., ::-1])
    colourful = [bool((image[..., 0].astype(int) - image[..., 2]).std() > 12) for image, _ in demo.values()]
    reason = "the output shows the input with red and blue swapped"
    assert [t for t, c in zip(told, colourful, strict=True) if c] == [reason] * sum(colourful)
    assert set(told) <= {reason, ""}


def test_a_turned_output_of_another_size_is_told(astronaut_photo: tuple[Image, Sequence[Box]]) -> None:
    image, boxes = astronaut_photo
    image = np.ascontiguousarray(image[:400])
    for turns, step, how in ((1, 1, "turned"), (3, 1, "turned"), (1, -1, "mirrored and turned")):
        answer = checked(np.ascontiguousarray(np.rot90(image[:, ::step], turns)), image, boxes)
        assert getattr(answer, "reason", "") == (
            f"output is 400x512, the input is 512x400: it lies {how} by 90 degrees; apply the orientation tag"
        )
    other = checked(np.full((512, 400, 3), 7, np.uint8), image, boxes)
    assert getattr(other, "reason", "") == "output is 400x512, the input is 512x400"
    smaller = checked(np.zeros((256, 256, 3), np.uint8), image, boxes)
    assert getattr(smaller, "reason", "") == "output is 256x256, the input is 512x400"


def signatures(photos: Photos) -> Signatures:
    masks = [background(boxes, image.shape[:2], (SIDE, SIDE)) for image, boxes in photos.values()]
    return Signatures.of(list(photos), np.stack([signature_of(image) for image, _ in photos.values()]), masks)


def foreign(photos: Photos, outputs: dict[str, Image]) -> dict[str, str]:
    """Input -> its fault, with all inputs at hand."""
    known = signatures(photos)
    return {
        name: fault_of(name, image, boxes, outputs[name], lambda: Inputs(known, lambda other: photos[other]))
        for name, (image, boxes) in photos.items()
    }


def test_outputs_renumbered_by_one_are_named(demo: Photos) -> None:
    _renumbered(demo)


@pytest.mark.data
def test_one_photo_in_place_of_all_is_named(shared_data: Path, open_instrument: Callable[[str], Any]) -> None:
    """Also where a part of it, enlarged and moved, looks like a part of the input."""
    photos = _photos("lfw", 97, 12, shared_data, open_instrument("yunet").detect)
    for first in photos:
        told = foreign(photos, dict.fromkeys(photos, edits.blurred(photos[first][0], 0.02)))
        assert told.pop(first) == ""
        assert set(told.values()) == {f"the output is another input: {first}"}


def _renumbered(photos: Photos) -> None:
    names = list(photos)
    after = dict(zip(names, [*names[1:], names[0]], strict=True))
    outputs = {
        name: edits.jpeg(edits.resized(photos[after[name]][0], *photos[name][0].shape[1::-1]), 75) for name in names
    }
    assert foreign(photos, outputs) == {name: f"the output is another input: {after[name]}" for name in names}


def test_another_persons_face_in_its_place_is_no_other_input(demo: Photos) -> None:
    names = list(demo)
    outputs = {}
    for k, name in enumerate(names):
        donor, boxes = demo[names[k - 1]]
        left, top, right, bottom = boxes[0].clipped(*donor.shape[:2])
        outputs[name] = edits.swapped_faces(*demo[name], donor[top:bottom, left:right])
    assert not any(foreign(demo, outputs).values())


@pytest.mark.parametrize("contestant", contestants(), ids=lambda contestant: contestant.name)
def test_what_happens_to_the_whole_photo_is_told_and_what_happens_to_faces_is_not(
    demo: Photos, contestant: Contestant
) -> None:
    """A moved, flipped or foreign face is for attacks and findings to see."""
    samples = [Sample(name, image, tuple(boxes)) for name, (image, boxes) in demo.items()]
    outputs = dict(zip(demo, contestant.anonymize(samples, seed=0), strict=True))
    faults = foreign(demo, outputs)
    told = [reason for reason in faults.values() if reason]
    if contestant.name in ("upside-down", "moved", "zoomed-out", "shuffled"):
        assert len(told) >= 0.7 * len(demo)
    else:
        # A mirrored face that fills its photo is a mirrored photo.
        beside = [name for name, (image, boxes) in demo.items() if not view_of(image, boxes).whole]
        assert len(beside) >= 4
        assert not any(faults[name] for name in beside)


@pytest.mark.data
@pytest.mark.parametrize("method", ["k-same", "k-same-m", "deepprivacy", "dp-att", "stargan", "pixelate:blocks=6"])
def test_a_method_that_repaints_all_of_a_photo_is_no_failure(
    shared_data: Path,
    open_instrument: Callable[[str], Any],
    load_method: Callable[[Method], Method],
    method: str,
) -> None:
    photos = _photos("utkface:split=all", 571, 8, shared_data, open_instrument("yunet").detect)
    samples = [Sample(name, image, tuple(boxes)) for name, (image, boxes) in photos.items()]
    loaded = load_method(create_method(parse_spec(f"{method}{',' if ':' in method else ':'}detector=harness")))
    outputs = loaded.anonymize(samples, seed=0)
    images = [output for output in outputs if not isinstance(output, MethodFailure)]
    assert len(images) == len(samples)
    assert not any(foreign(photos, dict(zip(photos, images, strict=True))).values())


@pytest.mark.data
@pytest.mark.parametrize(("spec", "step"), [("utkface:split=all", 271), ("lfw", 97)])
def test_on_data_sets(shared_data: Path, open_instrument: Callable[[str], Any], spec: str, step: int) -> None:
    """utkface is all face: nothing lies outside it, and a method changes everything."""
    photos = _photos(spec, step, 15, shared_data, open_instrument("yunet").detect)
    for edit in ALLOWED.values():
        assert not any(faults(photos, edit))
    for reason, edit in TURNED.items():
        assert faults(photos, edit) == [reason] * len(photos)
    for words, edit in MOVED.items():
        assert sum(bool(re.search(words, reason)) for reason in faults(photos, edit)) >= 0.7 * len(photos)
    names = list(photos)
    swapped = {
        name: edits.swapped_faces(*photos[name], photos[names[k - 1]][0][60:190, 60:190])
        for k, name in enumerate(names)
    }
    assert not any(foreign(photos, swapped).values())
    _renumbered(photos)
