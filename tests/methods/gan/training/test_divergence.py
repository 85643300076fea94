"""A loss or a weight that is no number ends a training, and replaces nothing that is good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.methods.gan.training.shards import write_shard
from tests.methods.gan.training.test_training import CONFIGS, EDITING, INPAINTING, STARGAN, rows, train
from unmask.bench.core.errors import CheckpointError, UnmaskError
from unmask.methods.gan.networks.compact import Inpainter, InpainterConfig, save_compact
from unmask.methods.gan.training.hardware import Stepper


def poison(monkeypatch: pytest.MonkeyPatch, update: int) -> None:
    """The ``update``-th update of any network leaves one weight that is no number, and every loss of its step fine."""
    count, step = [0], Stepper.step

    def poisoned(self: Stepper, loss: torch.Tensor, factor: float) -> None:
        step(self, loss, factor)
        count[0] += 1
        if count[0] == update:
            with torch.no_grad():
                self._optimizer.param_groups[0]["params"][0][0, ...] = float("nan")

    monkeypatch.setattr(Stepper, "step", poisoned)


def all_finite(folder: Path) -> bool:
    state = torch.load(folder / "state.pt", weights_only=True)
    parts = [part for part in state.values() if isinstance(part, dict)]
    return all(bool(value.isfinite().all()) for part in parts for value in part.values() if torch.is_tensor(value))


@pytest.mark.parametrize(("network", "update"), [("attgan", 6), ("stargan", 9)])
def test_a_weight_that_is_no_number_replaces_no_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str, update: int
) -> None:
    poison(monkeypatch, update)
    with pytest.raises(UnmaskError, match=r"diverged: a weight of G is no number at step"):
        train(tmp_path, network, CONFIGS[network])
    last = int(rows(tmp_path / "out")[-1]["step"])
    assert torch.load(tmp_path / "out" / "state.pt", weights_only=True)["step"] == last
    assert all_finite(tmp_path / "out")
    monkeypatch.undo()
    train(tmp_path, network, CONFIGS[network], "whole")
    train(tmp_path, network, CONFIGS[network])
    assert (tmp_path / "out" / "losses.csv").read_bytes() == (tmp_path / "whole" / "losses.csv").read_bytes()


@pytest.mark.weights
@pytest.mark.parametrize(("network", "text", "update"), [("deepprivacy", INPAINTING, 5), ("attgan", EDITING, 8)])
def test_a_compact_network_that_diverges_keeps_its_good_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, perceptual: Any, network: str, text: str, update: int
) -> None:
    write_shard(tmp_path / "faces.npz", 12, 128)
    poison(monkeypatch, update)
    with pytest.raises(UnmaskError, match="diverged: a weight of"):
        train(tmp_path, network, text, files=perceptual)
    out = tmp_path / "out"
    assert torch.load(out / "state.pt", weights_only=True)["step"] == int(rows(out)[-1]["step"]) < 4
    assert all_finite(out)
    assert all(bool(value.isfinite().all()) for value in load_file(out / "generator.safetensors").values())


@pytest.mark.weights
def test_a_classifier_that_diverges_teaches_no_editor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, perceptual: Any
) -> None:
    write_shard(tmp_path / "faces.npz", 12, 128)
    poison(monkeypatch, 1)
    with pytest.raises(UnmaskError, match="a weight of classifier is no number"):
        train(tmp_path, "attgan", EDITING, files=perceptual)
    assert not list(tmp_path.glob("out/**/*.safetensors"))


def test_no_network_is_shipped_with_weights_beyond_half_precision(tmp_path: Path) -> None:
    network = Inpainter(InpainterConfig(8, 8, 1))
    with torch.no_grad():
        network.patches.bias[0] = 1e6
    with pytest.raises(CheckpointError, match=r"patches\.bias"):
        save_compact(tmp_path / "x.safetensors", network)
    assert not (tmp_path / "x.safetensors").exists()


def test_losses_that_are_no_numbers_end_a_training(tmp_path: Path) -> None:
    text = STARGAN.replace("steps = 9", "steps = 300").replace("save_every = 3", "save_every = 1") + "rate = 1e30\n"
    with pytest.raises(UnmaskError, match="diverged"):
        train(tmp_path, "stargan", text)
    state = torch.load(tmp_path / "out" / "state.pt", weights_only=True)
    assert all(np.isfinite(float(value)) for row in rows(tmp_path / "out") for value in row.values() if value)
    assert state["step"] == int(rows(tmp_path / "out")[-1]["step"])
