"""Closed-form restoration: what can be undone is, what is gone is not, and the score tells which."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from tests.support import edits
from tests.support.fooling import Contestant, contestants, reversible
from tests.support.textured import pairs_of, photo
from unmask.bench.core.errors import DataError, UnavailableError
from unmask.bench.core.images import decode_image
from unmask.bench.core.types import Box, FacePair, Image, Sample
from unmask.bench.core.views import psnr
from unmask.metrics.attackers.restoring.closed_form import INVERSES, ClosedForm, scores, steps
from unmask.metrics.attackers.restoring.inverses import Unblocked
from unmask.metrics.attackers.restoring.pairs import FEWEST_PAIRS, FEWEST_PEOPLE, Scorer, released_of

UNDONE = {
    "upside-down": ("turn-180",),
    "face-flipped": ("turn-180-mirrored",),
    "face-mirrored": ("turn-0-mirrored",),
    "face-inverted": ("colours",),
    "face-channels": ("colours",),
    "face-mirrored-inverted": ("turn-0-mirrored", "colours"),
    "face-tiles": ("tiles-6x6",),
    "tiles": ("tiles-8px",),
    "pixels": ("tiles-1px",),
}
BY_NAME = {each.name: each for each in (*contestants(), *reversible(seed=3))}
Edit = Callable[[Image, Box], Image]


def faces(name: str, edit: Callable[[Image], Image], factor: float = 1.2) -> Contestant:
    """Edits a rectangle about each face, seen with what surrounds it."""

    def change(image: Image, boxes: tuple[Box, ...] | None) -> Image:
        output = image.copy()
        for box in boxes or ():
            left, top, right, bottom = box.scaled(factor).clipped(*image.shape[:2])
            output[top:bottom, left:right] = edit(image)[top:bottom, left:right]
        return output

    return Contestant(name, name, lambda batch: [change(sample.image, sample.boxes) for sample in batch])


def blurred(sigma: float) -> Contestant:
    return faces("blurred", lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8))


def noise(image: Image) -> Image:
    return np.random.default_rng(int(image.sum())).integers(0, 256, image.shape, np.uint8)


def restored(
    contestant: Contestant, people: int = 30, seed: int = 0
) -> tuple[tuple[str, ...], list[FacePair], list[Image]]:
    """What was chosen, and photos of other people with what it makes of them."""
    attacker = ClosedForm()
    state = attacker.learn(pairs_of(contestant, people), seed=seed)
    others = pairs_of(contestant, 10, first=1000)
    return steps(state), others, [attacker.restore(state, released_of(pair), pair.box) for pair in others]


@pytest.mark.parametrize("name", UNDONE)
def test_what_loses_nothing_is_undone_to_the_pixel(name: str) -> None:
    chosen, others, outputs = restored(BY_NAME[name])
    assert chosen == UNDONE[name]
    same = [np.array_equal(output, pair.original) for pair, output in zip(others, outputs, strict=True)]
    assert not any(np.array_equal(released_of(pair), pair.original) for pair in others)
    assert np.mean(same) > 0.9  # an edge that falls between two pixels may be put to the other


def test_a_tone_curve_is_undone_but_for_the_levels_that_it_merged() -> None:
    chosen, others, outputs = restored(BY_NAME["face-darkened"])
    assert chosen == ("tones",)
    assert min(psnr(output, pair.original) for pair, output in zip(others, outputs, strict=True)) > 35


BLURS = {
    "blurred-face": (blurred(1.5), 1.8),
    "blurred-photo": (faces("blurred-photo", lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 2)), 9), 3.0),
}


@pytest.mark.parametrize("name", BLURS)
def test_a_mild_blur_gains_some_decibels(name: str) -> None:
    contestant, least = BLURS[name]
    chosen, others, outputs = restored(contestant)
    assert "wiener" in chosen[-1]
    gains = [psnr(out, p.original) - psnr(released_of(p), p.original) for p, out in zip(others, outputs, strict=True)]
    assert np.mean(gains) > least
    assert min(gains) > 0


def test_a_mosaic_is_drawn_anew() -> None:
    def mosaic(image: Image) -> Image:
        small = cv2.resize(image, None, fx=1 / 4, fy=1 / 4, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8).repeat(4, axis=0).repeat(4, axis=1)

    pairs = pairs_of(faces("mosaic", mosaic, 9), 30)
    regions = [pair.original for pair in pairs], [released_of(pair) for pair in pairs]
    state = Unblocked().fit(*regions)
    assert state is not None
    others = pairs_of(faces("mosaic", mosaic, 9), 10, first=1000)
    smooth = [
        cv2.resize(released_of(p)[2::4, 2::4], p.original.shape[1::-1], interpolation=cv2.INTER_CUBIC) for p in others
    ]
    for pair, resampled in zip(others, smooth, strict=True):
        drawn = psnr(Unblocked().apply(state, released_of(pair)), pair.original)
        assert drawn > psnr(released_of(pair), pair.original) + 0.5
        assert drawn > psnr(np.asarray(resampled), pair.original)
    assert Unblocked().fit(regions[0], regions[0]) is None


@pytest.mark.parametrize("contestant", [faces("black", np.zeros_like), faces("noise", noise)], ids=lambda c: c.name)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_made_of_what_is_gone(contestant: Contestant, seed: int) -> None:
    with pytest.raises(UnavailableError, match="shows more of"):
        restored(contestant, people=FEWEST_PAIRS, seed=seed)


def test_a_method_that_changes_nothing_leaves_nothing_to_restore() -> None:
    with pytest.raises(UnavailableError, match="shows more of"):
        ClosedForm().learn(pairs_of(faces("none", np.copy), 30), seed=0)


def test_the_score_is_of_people_who_were_not_fitted_on() -> None:
    state = ClosedForm().learn(pairs_of(blurred(2), 48), seed=0)
    others = Scorer(pairs_of(blurred(2), 40, first=500)).score(
        lambda image, box: ClosedForm().restore(state, image, box)
    )
    assert scores(state).faces == 12
    assert scores(state).restored_psnr - scores(state).released_psnr == pytest.approx(
        others.restored_psnr - others.released_psnr, abs=1
    )
    assert others.works


def test_a_mean_face_in_place_of_a_black_one_does_not_pass_for_a_restored_one() -> None:
    pairs = pairs_of(faces("black", np.zeros_like), 20)

    def mean_face(image: Image, box: Box) -> Image:
        output = image.copy()
        output[(image == 0).all(axis=2)] = 125
        return output

    score = Scorer(pairs).score(mean_face)
    assert score.restored_psnr > score.released_psnr + 5
    assert not score.works


def test_somebody_elses_original_does_not_pass_for_a_restored_face() -> None:
    pairs = pairs_of(faces("noise", noise), 20)
    wrong = {pair.box: other.original for pair, other in zip(pairs, [*pairs[1:], pairs[0]], strict=True)}
    assert not Scorer(pairs).score(lambda image, box: wrong[box]).works
    right = {pair.box: pair.original for pair in pairs}
    assert Scorer(pairs).score(lambda image, box: right[box]).works


def test_colours_drawn_in_from_around_a_black_box_do_not_pass_for_a_restored_face() -> None:
    pairs = pairs_of(faces("black", np.zeros_like), 30)

    def filled(image: Image, box: Box) -> Image:
        return np.asarray(cv2.inpaint(image, (image == 0).all(axis=2).astype(np.uint8), 3, cv2.INPAINT_TELEA))

    score = Scorer(pairs).score(filled)
    assert score.restored_psnr > score.released_psnr + 5
    assert score.restored_own < 0.5
    assert not score.works


def test_failed_releases_are_left_out_and_too_few_pairs_are_refused() -> None:
    pairs = pairs_of(BY_NAME["face-inverted"], FEWEST_PAIRS + 2)
    broken = [replace(pairs[0], released=None), replace(pairs[1], released=pairs[1].original[1:])]
    assert ClosedForm().choices(ClosedForm().learn([*broken, *pairs[2:]], seed=0)) > 0
    with pytest.raises(DataError, match=f"at least {FEWEST_PAIRS} background faces .* there are {FEWEST_PAIRS - 1} of"):
        ClosedForm().learn([*broken, *pairs[3:]], seed=0)
    with pytest.raises(DataError, match=f"{FEWEST_PEOPLE} people"):
        ClosedForm().learn([replace(pair, person=str(int(pair.person) % 5)) for pair in pairs], seed=0)


def test_faces_at_the_border_grey_pictures_and_other_sizes_are_restored() -> None:
    state = ClosedForm().learn(pairs_of(BY_NAME["face-inverted"], 30), seed=0)
    image, _ = photo(2000, (61, 47))
    for original in (image, np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)):
        for box in (Box(-8, -6, 20, 25), Box(40, 50, 20, 20), Box(10, 10, 1, 1), Box(-50, 0, 20, 20)):
            left, top, right, bottom = box.scaled(1.2).clipped(*original.shape[:2])
            released = original.copy()
            released[top:bottom, left:right] = 255 - released[top:bottom, left:right]
            np.testing.assert_array_equal(ClosedForm().restore(state, released, box), original)


def test_inverses_take_regions_of_any_size() -> None:
    rng = np.random.default_rng(0)
    shapes = [(1, 1), (1, 40), (5, 3), (40, 33), (64, 64)] * 2
    originals, released = ([rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes] for _ in range(2))
    for inverse in INVERSES.values():
        state = inverse.fit(originals, released)
        for region in released if state is not None else ():
            output = inverse.apply(state or {}, region)
            assert (output.shape, output.dtype) == (region.shape, np.uint8), inverse.name


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.weights
def test_photographed_faces_are_restored(shared_data: Path, open_instrument: Callable[[str], Any]) -> None:
    yunet = open_instrument("yunet")
    with zipfile.ZipFile(shared_data / "lfw_deepfunneled" / "lfw_250px.zip") as photos:
        firsts = [name for name in sorted(photos.namelist()) if name.endswith("_0001.jpg")][::14]
        images = [decode_image(photos.read(name), name) for name in firsts]
    samples = [
        Sample(str(k), image, (detected[0].box,))
        for k, image in enumerate(images)
        if (detected := yunet.detect([image])[0])
    ]
    gains = {}
    for contestant in (BY_NAME["face-mirrored"], BY_NAME["tiles"], blurred(4), faces("noise", noise)):
        pairs = [
            FacePair(sample.image, output, sample.boxes[0], sample.id)
            for sample, output in zip(samples, contestant.anonymize(samples, seed=0), strict=True)
            if sample.boxes
        ]
        assert len(pairs) > 80
        if contestant.name == "noise":
            with pytest.raises(UnavailableError):
                ClosedForm().learn(pairs, seed=0)
            continue
        score = scores(ClosedForm().learn(pairs, seed=0))
        gains[contestant.name] = score.restored_psnr - score.released_psnr
    assert min(gains["face-mirrored"], gains["tiles"]) > 35
    assert gains["blurred"] > 2


def test_each_face_of_a_photo_is_restored_by_itself() -> None:
    def group(first: int) -> list[FacePair]:
        left, right = (pairs_of(BY_NAME["face-mirrored"], FEWEST_PAIRS // 2, first=n) for n in (first, first + 100))
        pairs = []
        for one, two in zip(left, right, strict=True):
            photos = [
                np.hstack(sides) for sides in ((one.original, two.original), (released_of(one), released_of(two)))
            ]
            moved = Box(two.box.x + one.original.shape[1], two.box.y, two.box.w, two.box.h)
            pairs += [FacePair(*photos, box, each.person) for each, box in ((one, one.box), (two, moved))]
        return pairs

    state = ClosedForm().learn(group(0), seed=0)
    assert steps(state) == ("turn-0-mirrored",)
    same = []
    for one, two in zip(*[iter(group(2000))] * 2, strict=True):
        output = ClosedForm().restore(state, released_of(one), one.box)
        assert not np.array_equal(output, one.original)
        same.append(np.array_equal(ClosedForm().restore(state, output, two.box), one.original))
    assert np.mean(same) > 0.8


def test_permutations_of_unknown_layouts_stay_as_they_are() -> None:
    state = ClosedForm().learn(pairs_of(BY_NAME["tiles"], 30), seed=0)
    image, box = photo(2000, (50, 70))
    np.testing.assert_array_equal(ClosedForm().restore(state, image, box), image)


def test_what_jpeg_adds_does_not_hide_the_inverse() -> None:
    tiles = BY_NAME["tiles"]
    compressed = Contestant("c", "c", lambda batch: [edits.jpeg(image, 90) for image in tiles.answer(batch)])
    chosen, others, outputs = restored(compressed)
    assert chosen[0] == "tiles-8px"
    assert min(psnr(output, pair.original) for pair, output in zip(others, outputs, strict=True)) > 27


def test_fitting_depends_on_its_arguments_alone_and_inputs_stay() -> None:
    pairs = pairs_of(blurred(2), 30)
    before = pickle.dumps(pairs)
    first, second = (ClosedForm().learn(pairs, seed=1) for _ in range(2))
    np.testing.assert_equal(dict(first), dict(second))
    ClosedForm().restore(first, released_of(pairs[0]), pairs[0].box)
    assert pickle.dumps(pairs) == before


def test_psnr_of_what_is_restored() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (32, 24, 3), np.uint8) for _ in range(2))
    assert psnr(one, other) == pytest.approx(peak_signal_noise_ratio(one, other), abs=1e-9)
    assert psnr(one, one) == 60.0
    nearly = one.copy()
    nearly[0, 0, 0] ^= 1
    assert psnr(one, nearly) == 60.0 < peak_signal_noise_ratio(one, nearly), "at most that"
    assert math.isnan(psnr(one[:0], other[:0])), "nothing there is nothing restored"
