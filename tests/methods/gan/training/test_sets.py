"""Reading training faces: nobody on both sides, labels by name, damage said in one line."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.methods.gan.training.shards import ATTRIBUTES, arrays, write_shard
from unmask.bench.core.errors import ConfigError, DataError, UnmaskError
from unmask.methods.gan.training.faces import GROWTH, JITTER, Faces, batch_of, in_order
from unmask.methods.gan.training.jobs import with_usual_landmarks
from unmask.methods.gan.training.sets import read_training_set


def test_held_out_are_chosen_by_name_alone(tmp_path: Path) -> None:
    one, two = write_shard(tmp_path / "a.npz", 40, seed=1), write_shard(tmp_path / "b.npz", 40, seed=2)
    both = read_training_set([one, two], [], 0.25, ATTRIBUTES)
    assert len(both.faces) + len(both.held_out) == 80
    assert 8 <= len(both.held_out) <= 32
    alone = read_training_set([one], [], 0.25, ATTRIBUTES)
    # The same faces are held out, whatever else is in the data, and every row kept its labels.
    assert (both.held_out.images[: len(alone.held_out)] == alone.held_out.images).all()
    made = arrays(40, 16, 1)
    for faces in (alone.faces, alone.held_out):
        for image, labels in zip(faces.images.numpy(), faces.labels.numpy(), strict=True):
            (row,) = np.flatnonzero((made["images"] == image).all((1, 2, 3)))
            assert (made["labels"][row] == labels).all()


def test_a_person_is_on_one_side(tmp_path: Path) -> None:
    people = np.array([f"person{k // 4}" for k in range(40)])
    boxes = np.zeros((40, 4), np.int16)
    boxes[:, 0] = np.arange(40) // 4  # carries the person through
    found = read_training_set([write_shard(tmp_path / "a.npz", 40, people=people, boxes=boxes)], [], 0.5, ATTRIBUTES)
    sides = [set(faces.boxes[:, 0].tolist()) for faces in (found.faces, found.held_out)]
    assert sides[0].isdisjoint(sides[1])
    assert all(len(faces) == 4 * len(side) for faces, side in zip((found.faces, found.held_out), sides, strict=True))


def test_a_built_set(tmp_path: Path) -> None:
    """Labels by name; train and val by themselves; terms out of its card, whichever part is named."""
    for part, count, seed in (("train", 12, 0), ("val", 8, 3)):
        (tmp_path / part).mkdir()
        write_shard(tmp_path / part / "faces-000.npz", count, seed=seed, attributes=np.array(ATTRIBUTES))
    source = {"part": "train", "spec": "mine", "title": "Mine", "revision": "1", "licence": "CC0", "fingerprint": "f"}
    card = {"name": "diverse-faces", "terms": "ask first", "plan": {"sources": [{**source, "roles": ["train"]}]}}
    (tmp_path / "card.json").write_text(json.dumps(card))
    shards = [tmp_path / part / "faces-000.npz" for part in ("train", "val")]
    for data, held_out in (([tmp_path], []), ([tmp_path / "train"], [tmp_path / "val"]), (shards[:1], shards[1:])):
        found = read_training_set(data, held_out, 0.5, ("40+", "female"))
        assert (len(found.faces), len(found.held_out)) == (12, 8)
        assert (found.faces.labels.numpy() == arrays(12, 16)["labels"][:, [4, 0]]).all()
        assert found.card["sets"] == [{"name": "diverse-faces", "terms": "ask first", "sources": [source]}]
        assert found.licence == "CC0; ask first"
    with pytest.raises(DataError, match="the config names male"):
        read_training_set([tmp_path], [], 0.5, ("male",))
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(DataError, match="no card of a built set"):
        read_training_set([tmp_path], [], 0.5, ())


def test_order_is_the_same_from_any_start() -> None:
    whole = list(islice(in_order(10, 3, 7, 0), 9))
    assert [number for number, _ in whole] == list(range(9))
    for (_, rows), (_, again) in zip(whole[4:], islice(in_order(10, 3, 7, 4), 5), strict=True):
        assert rows.tolist() == again.tolist()
    epochs = [np.concatenate([rows for _, rows in whole[k : k + 3]]) for k in (0, 3, 6)]
    assert all(len(set(epoch.tolist())) == 9 for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": None}, "no labels"),
        ({"labels": np.zeros((24, 3), np.float32)}, "3 labels a face, the config names 5"),
        ({"labels": np.full((24, 5), 2.0, np.float32)}, "outside 0..1"),
        ({"labels": np.zeros((23, 5), np.float32)}, "different lengths"),
        ({"images": None}, "lacks images"),
        ({"images": np.zeros((24, 16, 16), np.uint8)}, "must be"),
        ({"ids": None}, "no ids"),
        ({"ids": np.array([{}] * 24)}, "no file of training faces"),  # needs a pickle
    ],
)
def test_damage_is_said(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    path = write_shard(tmp_path / "a.npz", **changes)
    with pytest.raises(DataError, match=says):
        read_training_set([path], [], 0.2, ATTRIBUTES)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "empty").mkdir()
    for given in ([tmp_path / "text.npz"], [tmp_path / "empty"], [tmp_path / "gone.npz"], []):
        with pytest.raises(UnmaskError) as error:
            read_training_set(given, [], 0.2, ATTRIBUTES)
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="both are needed"):
        read_training_set([write_shard(tmp_path / "a.npz", 4)], [], 1e-6, ATTRIBUTES)


def test_compact_networks_are_told_everybody_s_proportions_where_the_face_is() -> None:
    rng = np.random.default_rng(0)
    places = np.array([[40, 50], [80, 52], [60, 75], [45, 95], [78, 96]], np.float32)
    own = torch.from_numpy(places + rng.normal(0, 4, (8, 5, 2)).astype(np.float32))
    images = torch.zeros(8, 128, 128, 3, dtype=torch.uint8)
    faces = with_usual_landmarks(Faces(images, torch.zeros(8, 4), own, own[:, 0]))
    torch.testing.assert_close(faces.landmarks.mean(1), own.mean(1), atol=2e-3, rtol=0)
    across = (faces.landmarks[:, 0] - faces.landmarks[:, 1]).norm(dim=1)
    down = (faces.landmarks[:, 2] - faces.landmarks[:, 3]).norm(dim=1)
    assert float((across / down).std()) < 1e-4
    assert float((across / (own[:, 0] - own[:, 1]).norm(dim=1)).std()) > 0.01


def test_erased_boxes_are_moved_and_grown_and_landmarks_mirrored_with_the_face() -> None:
    faces = Faces(
        torch.zeros(200, 128, 128, 3, dtype=torch.uint8),
        torch.tensor([[30, 30, 90, 100]], dtype=torch.int16).expand(200, 4),
        torch.tensor([[[45.0, 50], [75, 50], [60, 70], [50, 85], [70, 85]]]).expand(200, 5, 2),
        torch.zeros(200, 0),
    )
    batch = batch_of(faces, np.arange(200), np.random.default_rng(0))
    heights = (1 - batch.keep[:, 0]).amax(2).sum(1)
    assert 70 - 2 * JITTER <= int(heights.min()) < 70 < int(heights.max()) <= 70 + 2 * (JITTER + GROWTH)
    assert float(heights.mean()) == pytest.approx(70 + GROWTH, abs=0.8)
    left_eye = batch.landmarks[:, 0, 0]
    assert set(left_eye.tolist()) == {45.0, 53.0}


def test_the_black_around_a_photo_is_filled_from_its_edge_alone() -> None:
    rng = np.random.default_rng(0)
    images = torch.zeros(64, 128, 128, 3, dtype=torch.uint8)
    images[:, 20:100, 30:128] = 200  # three edges in the crop
    images[:, 50:80, 60:90] = torch.from_numpy(rng.integers(10, 50, (64, 30, 30, 3)).astype(np.uint8))
    faces = Faces(images, torch.tensor([[50, 40, 100, 90]]).expand(64, 4), torch.zeros(64, 5, 2), torch.zeros(64, 0))
    filled = batch_of(faces, np.arange(64), np.random.default_rng(1), surroundings=0.5)
    plain = batch_of(faces, np.arange(64), np.random.default_rng(1))
    dark = (filled.image == -1).all(1).flatten(1).any(1)
    assert 16 < int(dark.sum()) < 48
    assert torch.equal(filled.image[dark], plain.image[dark])
    assert torch.equal(filled.keep, plain.keep)
    around = plain.image[~dark] == -1
    assert float((filled.image[~dark][around] - (200 / 127.5 - 1)).abs().max()) < 1e-5
    assert torch.equal(filled.image[~dark][~around], plain.image[~dark][~around])


def test_a_photo_without_black_around_it_stays_as_it_is() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8))
    images[0] = 0
    faces = Faces(images, torch.tensor([[20, 20, 40, 40]]).expand(4, 4), torch.zeros(4, 5, 2), torch.zeros(4, 0))
    batches = [batch_of(faces, np.arange(4), np.random.default_rng(1), share) for share in (0.0, 1.0)]
    assert torch.equal(batches[0].image, batches[1].image)
