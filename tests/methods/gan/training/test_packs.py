"""Packed faces: what is packed comes out again, and damage is said in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from tests.methods.gan.training.shards import ATTRIBUTES, SKIN, built, packed, write_shard
from tests.methods.gan.training.test_training import INPAINTING
from unmask.bench.cli import app
from unmask.bench.core.errors import DataError, StoreError, UsageError
from unmask.bench.core.training import stop_time
from unmask.methods.gan.training import packing
from unmask.methods.gan.training.packing import Packer
from unmask.methods.gan.training.perceptual import perceptual_features
from unmask.methods.gan.training.sets import read_training_set


def test_what_is_packed_comes_out_again(tmp_path: Path, random_features: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PART_BYTES", 24_000)
    pack = packed(tmp_path)
    parts = sorted(pack.glob("train/*.safetensors"))
    assert len(parts) > 1
    assert all(part.stat().st_size <= 24_000 for part in parts)
    one, other = (read_training_set([folder], [], 0.5, ("40+", "female")) for folder in (tmp_path / "set", pack))
    assert one.card["sets"] == other.card["sets"]
    assert one.licence == other.licence == "CC0"
    for theirs, ours in ((one.faces, other.faces), (one.held_out, other.held_out)):
        for name in ("boxes", "landmarks", "labels"):
            assert torch.equal(getattr(theirs, name), getattr(ours, name)), name
        assert theirs.images.shape == ours.images.shape
        assert (theirs.images.int() - ours.images.int()).abs().double().mean() < 2
        assert ours.skin is not None
        assert ours.skin[-1].isnan().all()
        assert (ours.skin[:-1] - torch.tensor(SKIN)).abs().max() < 12


def test_people_stay_on_one_side(tmp_path: Path, random_features: None) -> None:
    """Without a val part, who is held out is the same whether the shards are packed or not."""
    (tmp_path / "set").mkdir()
    people = np.array([f"person{k // 4}" if k < 30 else "" for k in range(40)])
    write_shard(tmp_path / "set" / "a.npz", 40, people=people)
    Packer().pack(tmp_path / "set", tmp_path / "pack", {}, lambda line: None)
    one, other = (read_training_set([tmp_path / name], [], 0.5, ()) for name in ("set", "pack"))
    assert torch.equal(one.faces.landmarks, other.faces.landmarks)
    assert len(one.held_out) == len(other.held_out) > 0


def test_equal_sets_give_equal_packs(tmp_path: Path, random_features: None) -> None:
    pack = packed(tmp_path)
    before = {path: path.read_bytes() for path in pack.glob("*/*")}
    Packer().pack(tmp_path / "set", pack, {}, lambda line: None)
    assert before == {path: path.read_bytes() for path in pack.glob("*/*")}


def test_what_cannot_be_packed(tmp_path: Path, random_features: None) -> None:
    source = built(tmp_path / "set")
    with pytest.raises(StoreError, match="something else"):
        Packer().pack(source, source, {}, print)
    with pytest.raises(DataError, match="no training faces"):
        Packer().pack(tmp_path / "gone", tmp_path / "pack", {}, print)
    write_shard(source / "train" / "faces-009.npz", 4, 64)
    with pytest.raises(DataError, match="several sizes"):
        Packer().pack(source, tmp_path / "pack", {}, print)
    assert not (tmp_path / "pack" / "pack.json").exists()


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Writes a part again after ``change`` to its tensors and strings, and keeps it listed."""
    with safe_open(path, "pt") as file:
        texts = json.loads(file.metadata()["faces"])
    tensors = load_file(path)
    change(tensors, texts)
    save_file(tensors, path, {"faces": json.dumps(texts)})
    listed = path.parents[1] / "pack.json"
    facts = json.loads(listed.read_text())
    facts["parts"][path.relative_to(listed.parent).as_posix()] = path.stat().st_size
    listed.write_text(json.dumps(facts))


DAMAGE: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    "no size": lambda tensors, texts: texts.pop("side"),
    "damaged (a picture is": lambda tensors, texts: texts.update(side=64),
    "do not end where": lambda tensors, texts: tensors.update(ends=tensors["ends"].flip(0)),
    "do not end": lambda tensors, texts: tensors.update(ends=tensors["ends"] + 1),
    "do not fit": lambda tensors, texts: tensors.update(boxes=tensors["boxes"][:-1]),
    "do not fit each other": lambda tensors, texts: tensors.update(skin=tensors["skin"][:, :2].contiguous()),
    "no packed part": lambda tensors, texts: tensors.pop("landmarks"),
    "is damaged (": lambda tensors, texts: tensors.update(jpeg=tensors["jpeg"] * 0),
    "labels outside": lambda tensors, texts: tensors.update(labels=tensors["labels"] + 5),
}


@pytest.mark.parametrize("says", DAMAGE)
def test_damage_is_said(tmp_path: Path, random_features: None, says: str) -> None:
    pack = packed(tmp_path, counts=(4, 2))
    rewrite(pack / "train" / "faces-000.safetensors", DAMAGE[says])
    with pytest.raises(DataError) as error:
        read_training_set([pack], [], 0.5, ATTRIBUTES)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_half_a_pack_is_not_trained_on(tmp_path: Path, random_features: None) -> None:
    pack = packed(tmp_path, counts=(4, 2))
    part = pack / "train" / "faces-000.safetensors"
    data = part.read_bytes()
    part.write_bytes(data[:-1])
    with pytest.raises(DataError, match="bytes, not"):
        read_training_set([pack], [], 0.5, ())
    part.write_bytes(data)
    part.rename(pack / "train" / "faces-001.safetensors")
    with pytest.raises(DataError, match="does not list"):
        read_training_set([pack], [], 0.5, ())
    (pack / "pack.json").unlink()
    with pytest.raises(DataError, match="no complete pack"):
        read_training_set([pack], [], 0.5, ())


def test_a_missing_part_is_missed(tmp_path: Path, random_features: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PART_BYTES", 24_000)
    pack = packed(tmp_path)
    max(pack.glob("train/*.safetensors")).unlink()
    with pytest.raises(DataError, match="is missing"):
        read_training_set([pack], [], 0.5, ())


@pytest.mark.weights
def test_the_command_packs_what_trains(tmp_path: Path, open_instrument: Callable[[str], Any]) -> None:
    network = open_instrument("lpips-alex").network
    source, config = built(tmp_path / "set", counts=(8, 2)), tmp_path / "mine.toml"
    done = CliRunner().invoke(app, ["data", "pack", str(source), "--out", str(tmp_path / "pack")])
    assert done.exit_code == 0, done.output
    assert "8 faces" in done.output
    features = perceptual_features({}, tmp_path / "pack" / "perceptual.safetensors")
    images = torch.rand(2, 3, 128, 128) * 2 - 1
    ours = features.distance(features(images[:1]), features(images[1:]))
    halves = [torch.nn.functional.avg_pool2d(image[None], 2) for image in images]
    torch.testing.assert_close(ours, network(*halves).flatten())
    config.write_text(INPAINTING)
    arguments = ["train", "deepprivacy", str(config), "--data", str(tmp_path / "pack"), "--out", str(tmp_path / "out")]
    stopped = CliRunner().invoke(app, [*arguments, "--workers", "1", "--stop-at", "+0s"])
    assert stopped.exit_code == 0, stopped.output
    assert "stopped in time at step 0/4" in stopped.output
    assert "trained" not in stopped.output


def test_times_to_stop_at() -> None:
    now = datetime(2026, 1, 31, 17, 0, tzinfo=UTC)
    for text, seconds in (
        ("+90s", 90),
        ("+1.5m", 90),
        ("+2h", 7200),
        ("17:30", 1800),
        ("17:00:05", 5),
        ("17:00", 86400),
        ("9:00", 16 * 3600),
        ("2026-01-31T17:01+00:00", 60),
    ):
        assert stop_time(text, now) == now.timestamp() + seconds, text
    for text in ("", "soon", "9m", "+9", "25:00", "2026-01-31T16:59+00:00", "+1e400h"):
        with pytest.raises(UsageError, match="--stop-at"):
            stop_time(text, now)
