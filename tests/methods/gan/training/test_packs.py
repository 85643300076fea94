"""Packed faces: what is packed comes out again, a pack is trained on like the set, damage is said in one line."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
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

from tests.methods.gan.training.shards import ATTRIBUTES, arrays, write_shard
from tests.methods.gan.training.test_training import ATTGAN, EDITING, INPAINTING, STARGAN, rows
from unmask.bench.cli import app
from unmask.bench.core.errors import DataError, StoreError, UnmaskError, UsageError
from unmask.bench.core.registry import open_training
from unmask.bench.core.training import TrainingInputs, stop_time
from unmask.methods.gan.training import packing
from unmask.methods.gan.training.packing import Packer
from unmask.methods.gan.training.perceptual import Features, packed_features
from unmask.methods.gan.training.sets import read_training_set

SKIN = (190, 140, 120)


@pytest.fixture
def perceptual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights instead of those that would be fetched."""
    torch.manual_seed(0)
    features = Features()
    monkeypatch.setattr(packing, "perceptual_features", lambda files: features)


def built(folder: Path, side: int = 128, counts: tuple[int, int] = (24, 6)) -> Path:
    """A built set with a card; the first faces have skin, the last of each part are grey."""
    for part, count, seed in (("train", counts[0], 0), ("val", counts[1], 3)):
        (folder / part).mkdir(parents=True)
        faces = arrays(count, side, seed)
        faces["images"][: count - 1, side // 4 : -side // 4, side // 4 : -side // 4] = SKIN
        faces["images"][-1] = 128  # grey is nobody's skin
        half = count // 2
        for number, chosen in enumerate((slice(0, half), slice(half, count))):
            shard = {name: value[chosen] for name, value in faces.items()}
            np.savez(folder / part / f"faces-{number:03d}.npz", **shard, attributes=np.array(ATTRIBUTES))
    source = {"part": "train", "spec": "mine", "title": "Mine", "revision": "1", "licence": "CC0", "fingerprint": "f"}
    (folder / "card.json").write_text(json.dumps({"name": "mine", "terms": "", "plan": {"sources": [source]}}))
    return folder


def packed(folder: Path, **options: Any) -> Path:
    Packer().pack(built(folder / "set", **options), folder / "pack", {}, lambda line: None)
    return folder / "pack"


def test_what_is_packed_comes_out_again(tmp_path: Path, perceptual: None, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_people_stay_on_one_side(tmp_path: Path, perceptual: None) -> None:
    """Without a val part, who is held out is the same whether the shards are packed or not."""
    (tmp_path / "set").mkdir()
    people = np.array([f"person{k // 4}" if k < 30 else "" for k in range(40)])
    write_shard(tmp_path / "set" / "a.npz", 40, people=people)
    Packer().pack(tmp_path / "set", tmp_path / "pack", {}, lambda line: None)
    one, other = (read_training_set([tmp_path / name], [], 0.5, ()) for name in ("set", "pack"))
    assert torch.equal(one.faces.landmarks, other.faces.landmarks)
    assert len(one.held_out) == len(other.held_out) > 0


def test_equal_sets_give_equal_packs(tmp_path: Path, perceptual: None) -> None:
    pack = packed(tmp_path)
    before = {path: path.read_bytes() for path in pack.glob("*/*")}
    Packer().pack(tmp_path / "set", pack, {}, lambda line: None)
    assert before == {path: path.read_bytes() for path in pack.glob("*/*")}


def test_what_cannot_be_packed(tmp_path: Path, perceptual: None) -> None:
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
def test_damage_is_said(tmp_path: Path, perceptual: None, says: str) -> None:
    pack = packed(tmp_path, counts=(4, 2))
    rewrite(pack / "train" / "faces-000.safetensors", DAMAGE[says])
    with pytest.raises(DataError) as error:
        read_training_set([pack], [], 0.5, ATTRIBUTES)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_half_a_pack_is_not_trained_on(tmp_path: Path, perceptual: None) -> None:
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


def test_a_missing_part_is_missed(tmp_path: Path, perceptual: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PART_BYTES", 24_000)
    pack = packed(tmp_path)
    max(pack.glob("train/*.safetensors")).unlink()
    with pytest.raises(DataError, match="is missing"):
        read_training_set([pack], [], 0.5, ())


CASES = {"deepprivacy": INPAINTING, "attgan": EDITING.replace("[editing]", "[editing]\ntones = [[111, 55, 55]]")}


@pytest.mark.parametrize("network", CASES)
def test_training_on_a_pack_stops_in_time_and_resumes_to_the_same_bytes(
    tmp_path: Path, perceptual: None, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    data, config = packed(tmp_path), tmp_path / "mine.toml"
    config.write_text(CASES[network].replace("save_every = 1", "save_every = 3"))

    def run(out: str, stop_at: float | None = None) -> tuple[Path | None, list[str]]:
        lines: list[str] = []
        inputs = TrainingInputs((data,), (), tmp_path / out, "cpu", 1, stop_at=stop_at)
        return open_training(network, str(config)).run(inputs, lines.append), lines

    whole, _ = run("whole")
    assert whole is not None
    path, lines = run("stopped", time.time() - 1)
    assert path is None
    assert "stopped in time at step 0" in lines[-1]
    # The clock jumps on at every look: some steps, then the time is up; again until the training is complete.
    for _ in range(20):
        looks = iter(range(10**6))
        monkeypatch.setattr("unmask.methods.gan.training.loop.time.time", lambda looks=looks: float(next(looks)))
        path, lines = run("stopped", 2.0)
        monkeypatch.undo()
        if path is not None:
            break
        assert "stopped in time" in lines[-1]
        card = tmp_path / "stopped" / "generator.json"  # what was trained so far can be looked at
        assert not card.exists() or f"at step {json.loads(card.read_text())['steps']}/4" in lines[-1]
    assert path is not None
    for name in ("losses.csv", "grid.png"):
        assert (path.parent / name).read_bytes() == (whole.parent / name).read_bytes(), name
    weights = load_file(whole)
    assert all(torch.equal(value, weights[name]) for name, value in load_file(path).items())


PUBLISHED = {
    "stargan": f"{STARGAN}steps = 2\n".replace("steps = 9\n", ""),
    "attgan": f'{ATTGAN}reconstruction = "ms_ssim_l1"\nepochs = 1\n'.replace("epochs = 3\n", ""),
}


@pytest.mark.slow
@pytest.mark.parametrize(("network", "text"), [*CASES.items(), *PUBLISHED.items()])
def test_compiled_steps_learn_the_same(
    tmp_path: Path, perceptual: None, monkeypatch: pytest.MonkeyPatch, network: str, text: str
) -> None:
    """Traced and differentiated as for a GPU, but without a compiler."""
    data, config = packed(tmp_path, counts=(8, 2)), tmp_path / "mine.toml"
    config.write_text(text.replace("steps = 4", "steps = 2").replace("save_every = 3", "save_every = 1"))
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    tables = []
    for compiles in (False, True):
        inputs = TrainingInputs((data,), (), tmp_path / str(compiles), "cpu", 1, compiles=compiles)
        open_training(network, str(config)).run(inputs, lambda line: None)
        tables.append([[float(value or 0) for value in row.values()] for row in rows(inputs.out)])
    assert len(tables[0]) > 0
    np.testing.assert_allclose(*tables, rtol=2e-3, atol=1e-4)


def test_a_state_is_saved_every_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two rows too, and the rows of a training killed there are the same."""
    write_shard(tmp_path / "faces.npz", 32)
    config = tmp_path / "mine.toml"
    config.write_text(STARGAN)
    monkeypatch.setattr("unmask.methods.gan.training.loop.SAVE_SECONDS", 0.0)
    seen: list[int] = []

    def killed(path: Path, step: int, parts: Any) -> None:
        save(path, step, parts)
        seen.append(step)
        if step in (4, 8) and seen.count(step) == 1:
            raise KeyboardInterrupt

    from unmask.methods.gan.training import loop

    save = loop.save_state
    monkeypatch.setattr(loop, "save_state", killed)
    job = open_training("stargan", str(config))
    for end in ("killed", "killed", "killed", "whole"):
        try:
            job.run(TrainingInputs((tmp_path / "faces.npz",), (), tmp_path / end, "cpu", 1), lambda line: None)
        except KeyboardInterrupt:
            continue
    assert seen[:9] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")


NEEDED = ("torch", "torchvision", "numpy", "safetensors")
"""What a GPU machine has, with what these bring along."""
BROUGHT = ("functorch", "torchgen", "PIL", "sympy", "mpmath", "networkx", "jinja2", "markupsafe", "fsspec", "filelock")
ALONE = f"""
import importlib.machinery, runpy, sys
class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        ours = spec is None or "site-packages" not in str(spec.origin or spec.submodule_search_locations)
        return spec if ours or name.partition(".")[0] in {(*NEEDED, *BROUGHT, "typing_extensions")!r} else None
sys.meta_path = [Finder if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
sys.argv = ["unmask.methods.gan.training", *sys.argv[1:]]
runpy.run_module("unmask.methods.gan.training", run_name="__main__")
"""


def test_a_machine_with_torch_alone_trains(tmp_path: Path, perceptual: None) -> None:
    data, config = packed(tmp_path, counts=(8, 2)), tmp_path / "mine.toml"
    config.write_text(CASES["attgan"].replace("steps = 4", "steps = 2"))

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = ["attgan", str(config), "--data", str(data), "--out", str(tmp_path / "out"), "--workers", "1", *more]
        return subprocess.run([sys.executable, "-c", ALONE, *command], capture_output=True, text=True, check=False)

    done = run("--device", "cpu", "--stop-at", "+10m")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"trained: {tmp_path / 'out' / 'generator.safetensors'}"
    for more, says in ((("--stop-at", "soon"), "--stop-at soon"), (("--device", "cuda:77"), "no such device")):
        wrong = run(*more)
        assert wrong.returncode in (1, 2)
        assert len(wrong.stderr.splitlines()) == 1
        assert says in wrong.stderr


def test_a_pack_is_asked_for_where_weights_are_missing(tmp_path: Path) -> None:
    write_shard(tmp_path / "faces.npz", 12, 128)
    config = tmp_path / "mine.toml"
    config.write_text(INPAINTING)
    inputs = TrainingInputs((tmp_path / "faces.npz",), (), tmp_path / "out")
    with pytest.raises(UnmaskError, match="unmask data pack"):
        open_training("deepprivacy", str(config)).run(inputs, print)


@pytest.mark.weights
def test_the_command_packs_what_trains(tmp_path: Path, open_instrument: Callable[[str], Any]) -> None:
    network = open_instrument("lpips-alex").network
    source, config = built(tmp_path / "set", counts=(8, 2)), tmp_path / "mine.toml"
    done = CliRunner().invoke(app, ["data", "pack", str(source), "--out", str(tmp_path / "pack")])
    assert done.exit_code == 0, done.output
    assert "8 faces" in done.output
    features = packed_features(tmp_path / "pack" / "perceptual.safetensors")
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
