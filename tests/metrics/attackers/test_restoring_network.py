"""Trained restoration: learns from pairs, resumes, refuses what is not its own, and makes nothing of what is gone."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.metrics.attackers.test_restoring import blurred, faces
from tests.support.textured import pairs_of, photo
from unmask.bench.core.errors import CheckpointError, DataError, UnavailableError
from unmask.bench.core.types import Box
from unmask.metrics.attackers.restoring.pairs import FEWEST_PAIRS, Scorer, released_of
from unmask.metrics.attackers.restoring.training import FILE, build_network
from unmask.metrics.attackers.restoring.unet import UNet, unet_score

SHORT = UNet(side=32, steps=6, batch=4, save_every=3)


class Interrupted(Exception):
    """Stands for a kill right after a state was saved."""


def interrupt(line: str) -> None:
    raise Interrupted


def test_it_learns_to_undo_a_tone_and_is_judged_on_other_people() -> None:
    darkened = faces("dark", lambda image: (image // 3 + 20).astype(np.uint8))
    unet = UNet(side=32, steps=50, batch=8, save_every=25, rate=4e-3)
    state = unet.learn(pairs_of(darkened, 60), seed=0)
    score = unet_score(state)
    assert bool(state["complete"])
    assert int(state["steps"]) == 50
    assert score.restored_psnr > score.released_psnr + 5
    others = Scorer(pairs_of(darkened, 10, first=500)).score(lambda image, box: unet.restore(state, image, box))
    assert others.restored_psnr > others.released_psnr + 5


def test_nothing_is_made_of_a_black_box() -> None:
    black = pairs_of(faces("black", np.zeros_like), 40)
    score = unet_score(UNet(side=32, steps=20, batch=8, save_every=10).learn(black, seed=0))
    assert score.restored_psnr > score.released_psnr + 1  # a mean face, which is nobody's
    assert not score.works


def test_an_interrupted_training_resumes_to_the_same_weights(tmp_path: Path) -> None:
    pairs = pairs_of(blurred(2), FEWEST_PAIRS)
    whole = SHORT.learn(pairs, seed=0)
    with pytest.raises(Interrupted):
        SHORT.learn(pairs, seed=0, folder=tmp_path, report=interrupt)
    resumed = SHORT.learn(pairs, seed=0, folder=tmp_path)
    assert whole.keys() == resumed.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(values, resumed[name], err_msg=name)
    other = SHORT.learn(pairs, seed=1)
    assert any((whole[name] != other[name]).any() for name in whole if name.startswith("weights/"))


def test_time_can_run_out_before_the_first_step(tmp_path: Path) -> None:
    pairs = pairs_of(blurred(2), FEWEST_PAIRS)
    state = SHORT.learn(pairs, seed=0, folder=tmp_path, stop_at=time.time() - 1)
    assert (int(state["steps"]), bool(state["complete"]), unet_score(state).works) == (0, False, False)
    assert bool(SHORT.learn(pairs, seed=0, folder=tmp_path)["complete"])


@pytest.mark.parametrize("what", ["other seed", "other faces", "other settings", "no checkpoint", "code"])
def test_a_state_that_is_not_of_this_training_is_refused(what: str, tmp_path: Path) -> None:
    pairs = pairs_of(blurred(2), FEWEST_PAIRS)
    SHORT.learn(pairs, seed=0, folder=tmp_path, stop_at=0)
    if what == "no checkpoint":
        (tmp_path / FILE).write_bytes(b"PK" + bytes(100))
    elif what == "code":
        torch.save({"print": Path("x"), "step": interrupt}, tmp_path / FILE)
    settings = UNet(side=32, steps=7, batch=4, save_every=3) if what == "other settings" else SHORT
    faces_now = pairs_of(blurred(3), FEWEST_PAIRS) if what == "other faces" else pairs
    with pytest.raises(CheckpointError, match="use another folder") as caught:
        settings.learn(faces_now, seed=int(what == "other seed"), folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_too_few_pairs_and_missing_devices_are_refused() -> None:
    pairs = pairs_of(blurred(2), FEWEST_PAIRS)
    with pytest.raises(DataError, match="add background photos"):
        SHORT.learn(pairs[1:], seed=0)
    with pytest.raises(UnavailableError, match="use cpu"):
        UNet(side=32, steps=1, device="cuda:99").learn(pairs, seed=0)


def test_faces_of_any_size_are_restored_in_their_place() -> None:
    state = SHORT.learn(pairs_of(blurred(2), FEWEST_PAIRS), seed=0)
    for size, box in (
        ((61, 47), Box(-8, -6, 20, 25)),
        ((40, 50), Box(10, 10, 1, 1)),
        ((300, 280), Box(20, 10, 240, 250)),
    ):
        image, _ = photo(7, size)
        before = image.copy()
        output = SHORT.restore(state, image, box)
        assert (output.shape, output.dtype) == (image.shape, np.uint8)
        np.testing.assert_array_equal(image, before)
        left, top, right, bottom = box.scaled(1.4).clipped(*image.shape[:2])
        output[top:bottom, left:right] = image[top:bottom, left:right]
        np.testing.assert_array_equal(output, image)
    np.testing.assert_array_equal(SHORT.restore(state, image, Box(-90, 0, 20, 20)), image)


def test_the_network_is_small() -> None:
    assert sum(weights.numel() for weights in build_network().parameters()) < 1_000_000


def test_released_pairs_are_left_as_they_were() -> None:
    pairs = pairs_of(blurred(2), FEWEST_PAIRS)
    copies = [released_of(pair).copy() for pair in pairs]
    SHORT.learn(pairs, seed=0)
    for pair, copy in zip(pairs, copies, strict=True):
        np.testing.assert_array_equal(released_of(pair), copy)
