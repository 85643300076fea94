"""The loop: it learns, a killed one resumes to the same bytes, and no bad state replaces a good one."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.methods.gan.training.shards import write_shard
from unmask.bench.core.errors import ConfigError, PlanMismatchError, UnmaskError
from unmask.bench.core.training import TrainingInputs, open_training
from unmask.methods.gan.checkpoints.loading import inspect_checkpoint
from unmask.methods.gan.networks.compact import Inpainter, InpainterConfig, save_compact

ATTGAN = """
attributes = ["female", "0-19", "20-29", "30-39", "40+"]
layers = 2
width = 4
critic_width = 4
critic_hidden = 8
batch = 4
n_d = 1
rate = 2e-3
epochs = 3
save_every = 2
held_out_share = 0.2
licence = "made up"
"""
STARGAN = """
attributes = ["female", "0-19", "20-29", "30-39", "40+"]
width = 4
blocks = 1
critic_width = 4
critic_layers = 3
batch = 4
n_critic = 2
steps = 9
save_every = 3
held_out_share = 0.2
"""
CONFIGS = {"attgan": ATTGAN, "stargan": STARGAN}


class Killed(Exception):
    """Stands in for a kill between two steps; the real one is in test_train.py."""


def killer(after: int) -> Callable[[str], None]:
    """A report that ends the training at its ``after``-th line about steps."""
    lines: list[str] = []

    def report(line: str) -> None:
        lines.extend([line] if "step" in line else [])
        if len(lines) == after:
            raise Killed

    return report


def quiet(line: str) -> None:
    """Reports to nobody."""


def train(
    folder: Path,
    network: str,
    text: str,
    out: str = "out",
    report: Callable[[str], None] = quiet,
    device: str = "cpu",
    files: Any = None,
) -> Path:
    """Trains in ``folder/out`` on ``folder/faces.npz`` (made if missing)."""
    if not (folder / "faces.npz").exists():
        write_shard(folder / "faces.npz", 32)
    config = folder / f"{network}.toml"
    config.write_text(text)
    inputs = TrainingInputs((folder / "faces.npz",), (), folder / out, device, 1, files or {})
    return open_training(network, str(config)).run(inputs, report)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "losses.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("network", ["attgan", "stargan"])
def test_leaves_all_that_is_promised(tmp_path: Path, network: str) -> None:
    path = train(tmp_path, network, CONFIGS[network])
    out = tmp_path / "out"
    made = {file.name for file in out.iterdir()}
    files = {"generator.safetensors", "generator.json", "losses.csv", "losses.svg", "grid.png", "state.pt"}
    assert made == files | {"training.json"}
    report = inspect_checkpoint(path)
    assert report.architecture == network
    assert report.metadata["attributes"] == "female;0-19;20-29;30-39;40+"
    assert "dp-att" in report.methods or "dp-stargan" in report.methods
    card = report.training
    assert report.training_file == "generator.json"
    assert card["data"]["training_faces"] + card["data"]["held_out_faces"] == 32
    assert card["licence"] == ("made up" if network == "attgan" else "not stated")
    assert card["seed"] == 0
    assert card["seconds"] > 0
    assert card["settings"]["batch"] == 4
    last = rows(out)[-1]
    assert card["steps"] == int(last["step"])
    assert card["losses"] == {name: float(value) for name, value in last.items() if name != "step" and value}
    state = torch.load(out / "state.pt", weights_only=True)
    assert {"G", "D", "optim_G", "optim_D", "step"} <= set(state)
    assert inspect_checkpoint(out / "state.pt").architecture == network


@pytest.mark.parametrize("network", ["attgan", "stargan"])
def test_resumes_to_the_same_bytes(tmp_path: Path, network: str) -> None:
    whole = train(tmp_path, network, CONFIGS[network])
    with pytest.raises(Killed):
        train(tmp_path, network, CONFIGS[network], "killed", killer(2))
    # A kill after a row was written and before its state was: the row is taken back, not written twice.
    with (tmp_path / "killed" / "losses.csv").open("a") as file:
        file.write("999,1,1,1,1,1,1\r\n1000,1")
    again = train(tmp_path, network, CONFIGS[network], "killed")
    for name in ("losses.csv", "losses.svg", "grid.png", "generator.safetensors"):
        assert (again.parent / name).read_bytes() == (whole.parent / name).read_bytes(), name
    before = (again.parent / "state.pt").read_bytes()
    train(tmp_path, network, CONFIGS[network], "killed")  # finished: nothing happens
    assert (again.parent / "state.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "left"),
    [("", 0.5), ('reconstruction = "ms_ssim_l1"\n', 0.92), ('norm = "instance"\n', 0.5)],
)
def test_attgan_learns_to_rebuild(tmp_path: Path, change: str, left: float) -> None:
    """``left``: of the loss. MS-SSIM is a product of many factors: it hardly moves before all of them are good."""
    text = change + ATTGAN.replace("epochs = 3", "epochs = 12").replace("save_every = 2", "save_every = 50")
    train(tmp_path, "attgan", text)
    losses = [float(row["g_rec"]) for row in rows(tmp_path / "out")]
    assert losses[-1] < left * losses[0]


def test_attgan_keeps_the_best_epoch_and_stops(tmp_path: Path) -> None:
    """With lambda_rec 0 and a rate that wrecks the network, the first epochs are the best."""
    text = ATTGAN.replace("rate = 2e-3", "rate = 0.03").replace("epochs = 3", "epochs = 40")
    path = train(tmp_path, "attgan", text + "patience = 3\nlambda_rec = 0.0\n")
    card = json.loads(path.with_suffix(".json").read_text())
    scores = card["epoch_scores"]
    assert card["best_epoch"] == 1 + scores.index(min(scores))
    assert card["epochs"] == len(scores) == card["best_epoch"] + 3 < 40
    kept, last = load_file(path), torch.load(path.parent / "state.pt", weights_only=True)["G"]
    name = "dec_layers.1.layers.0.weight"
    assert not torch.equal(kept[name], last[name])


def test_other_settings_are_another_training(tmp_path: Path) -> None:
    train(tmp_path, "stargan", STARGAN)
    with pytest.raises(PlanMismatchError, match=r"settings\.batch: 4 before, 8 now"):
        train(tmp_path, "stargan", STARGAN.replace("batch = 4", "batch = 8"))
    (tmp_path / "out" / "training.json").unlink()
    with pytest.raises(ConfigError, match=r"holds no training\.json"):
        train(tmp_path, "stargan", STARGAN)


def test_a_training_resumes_with_more_epochs(tmp_path: Path) -> None:
    train(tmp_path, "attgan", ATTGAN)
    train(tmp_path, "attgan", ATTGAN.replace("epochs = 3", "epochs = 4"))
    train(tmp_path, "attgan", ATTGAN.replace("epochs = 3", "epochs = 4"), "whole")
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


@pytest.mark.parametrize("network", ["attgan", "stargan"])
def test_bfloat16_stays_near_float32(tmp_path: Path, network: str) -> None:
    train(tmp_path, network, CONFIGS[network])
    path = train(tmp_path, network, CONFIGS[network] + 'precision = "bfloat16"\n', "half")
    for exact, rough in zip(rows(tmp_path / "out"), rows(tmp_path / "half"), strict=True):
        assert float(rough["g_rec"] or 0) == pytest.approx(float(exact["g_rec"] or 0), rel=0.1, abs=0.02)
    assert {value.dtype for name, value in load_file(path).items() if "num_batches" not in name} == {torch.float32}


@pytest.mark.parametrize(
    ("network", "change", "says"),
    [
        ("attgan", "layers = 5\n", "lower layers"),
        ("attgan", "shortcut_layers = 2\n", "no AttGAN has these settings"),
        ("attgan", "n_d = 50\n", "lower batch"),
        ("attgan", 'precision = "float16"\n', "needs --device cuda"),
        ("stargan", "critic_layers = 6\n", "lower critic_layers"),
        ("stargan", "steps = 1\n", "never learns"),
        ("stargan", "batch = 100\n", "fewer than one batch"),
    ],
)
def test_impossible_settings(tmp_path: Path, network: str, change: str, says: str) -> None:
    names = [line.split(" = ")[0] for line in change.splitlines()]
    kept = [line for line in CONFIGS[network].splitlines() if line.split(" = ")[0] not in names]
    with pytest.raises(ConfigError, match=says):
        train(tmp_path, network, change + "\n".join(kept))


SMALL = "steps = 4\nbatch = 2\nsave_every = 1\ncritics_from = 1\nwidth = 8\nfine = 8\nblocks = 1\n"
INPAINTING = f'kind = "compact"\nheld_out_share = 0.3\n[training]\n{SMALL}'
EDITING = 'kind = "compact"\nheld_out_share = 0.3\n[classifier]\nepochs = 1\nbatch = 4\nwidth = 16\n[editing]\n' + SMALL


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match="--device cpu"):
        train(tmp_path, "stargan", STARGAN, device="cuda:77")


def assert_same_training(again: Path, whole: Path) -> None:
    """Of two ``generator.safetensors``: equal losses, pictures and weights."""
    for name in ("losses.csv", "grid.png"):
        assert (again.parent / name).read_bytes() == (whole.parent / name).read_bytes(), name
    weights = load_file(whole)
    assert all(torch.equal(value, weights[name]) for name, value in load_file(again).items())


@pytest.mark.weights
def test_compact_trainings(tmp_path: Path, perceptual: Any) -> None:
    """The whole way: an inpainter, then an editor on top of it; each killed once, each with the same bytes."""
    write_shard(tmp_path / "faces.npz", 12, 128)
    path = train(tmp_path, "deepprivacy", INPAINTING, files=perceptual)
    assert inspect_checkpoint(path).methods == ("deepprivacy",)
    assert inspect_checkpoint(path).training["seconds"] > 0
    editing = f'inpainter = "{path}"\n{EDITING}'
    editor = train(tmp_path, "attgan", editing, "editor", files=perceptual)
    assert inspect_checkpoint(editor).architecture == "compact-editor"
    card = inspect_checkpoint(editor).training
    assert set(card["classifier_right"]) == {"attribute_0", "age_group"}
    assert len(card["weights"]["inpainter"]) == 64
    # The editor's first line is of its classifier.
    for network, text, whole, after in (
        ("deepprivacy", INPAINTING, path, 2),
        ("attgan", editing, editor, 1),
        ("attgan", editing, editor, 3),
    ):
        with pytest.raises(Killed):
            train(tmp_path, network, text, f"{network}-{after}", killer(after), files=perceptual)
        again = train(tmp_path, network, text, f"{network}-{after}", files=perceptual)
        assert_same_training(again, whole)
    other = tmp_path / "other.safetensors"
    save_compact(other, Inpainter(InpainterConfig(8, 8, 1)))
    with pytest.raises(PlanMismatchError, match=r"weights\.inpainter"):
        train(tmp_path, "attgan", editing.replace(str(path), str(other)), "editor", files=perceptual)
