"""Reading training faces: nobody on both sides, labels by name, damage said in one line."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.methods.gan.training.shards import ATTRIBUTES, arrays, write_shard
from unmask.bench.core.errors import ConfigError, DataError, UnmaskError
from unmask.methods.gan.training.faces import in_order
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
