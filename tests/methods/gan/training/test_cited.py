"""Trainings of the systems that the thesis cites: Croft's stochastic AttGAN, the DCGAN of Chen et al.'s pair, and
the compact StarGAN that gives its faces their attributes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.methods.gan.training.shards import packed, write_shard
from tests.methods.gan.training.test_training import SMALL, Killed, assert_same_training, killer, quiet, rows, train
from unmask.bench.core.errors import ConfigError
from unmask.bench.core.training import TrainingInputs, open_training
from unmask.methods.gan.checkpoints.loading import inspect_checkpoint, load_generator
from unmask.methods.gan.networks.compact import Editor, EditorConfig, Inpainter, InpainterConfig, save_compact
from unmask.methods.gan.networks.stochastic import StochasticConfig, StochasticEditor

DCGAN = """
latent = 8
width = 4
critic_width = 4
steps = 6
batch = 8
save_every = 2
held_out_share = 0.2
"""
EDITOR = f"""
start = ""
[classifier]
epochs = 1
batch = 8
width = 8
[editing]
{SMALL}"""
CROFT = f'kind = "stochastic"{EDITOR}code = 2\n'
STARGAN = f'kind = "compact"{EDITOR}'


def test_a_dcgan_leaves_all_that_is_promised_and_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    write_shard(tmp_path / "faces.npz", 32, 128)
    whole = train(tmp_path, "dcgan", DCGAN)
    with pytest.raises(Killed):
        train(tmp_path, "dcgan", DCGAN, "killed", killer(2))
    again = train(tmp_path, "dcgan", DCGAN, "killed")
    for name in ("losses.csv", "grid.png", "generator.safetensors"):
        assert (again.parent / name).read_bytes() == (whole.parent / name).read_bytes(), name
    report = inspect_checkpoint(whole)
    assert (report.architecture, report.methods) == ("dcgan", ("chen",))
    assert report.settings == {"latent": 8, "width": 4}
    assert report.stored_as == ("float16",)
    assert report.training["steps"] == 6
    assert report.training["settings"]["batch"] == 8


def test_a_dcgan_learns_what_photos_look_like(tmp_path: Path) -> None:
    """Out of the same noise: light pictures after light photos, dark ones after dark."""
    noise = torch.randn(16, 8, 1, 1, generator=torch.Generator().manual_seed(0))
    text = DCGAN.replace("steps = 6", "steps = 80\nrate = 2e-3\naverage = 0.5").replace(
        "save_every = 2", "save_every = 40"
    )
    lightness = []
    for grey in (40, 220):
        folder = tmp_path / str(grey)
        folder.mkdir()
        write_shard(folder / "faces.npz", 32, 64, images=np.full((32, 64, 64, 3), grey, np.uint8))
        made = load_generator(train(folder, "dcgan", text)).module
        with torch.no_grad():
            lightness.append(float((made(noise).mean() + 1) * 127.5))
    assert lightness[0] < 115 < 140 < lightness[1]


def test_faces_that_a_dcgan_cannot_take(tmp_path: Path) -> None:
    write_shard(tmp_path / "faces.npz", 32, 96)
    with pytest.raises(ConfigError, match="cannot be reduced to 64 px"):
        train(tmp_path, "dcgan", DCGAN)


def run(folder: Path, text: str, out: str, report: object = quiet, network: str = "attgan") -> Path | None:
    config = folder / "mine.toml"
    config.write_text(text)
    data = folder / "pack" if (folder / "pack").exists() else packed(folder)
    inputs = TrainingInputs((data,), (), folder / out, "cpu", 1)
    return open_training(network, str(config)).run(inputs, report)  # type: ignore[arg-type]


def test_a_stochastic_attgan_resumes_to_the_same_bytes(tmp_path: Path, random_features: None) -> None:
    whole = run(tmp_path, CROFT, "whole")
    assert whole is not None
    for after in (1, 3):  # in the classifier, in the editor
        with pytest.raises(Killed):
            run(tmp_path, CROFT, f"killed-{after}", killer(after))
        again = run(tmp_path, CROFT, f"killed-{after}")
        assert again is not None
        assert_same_training(again, whole)
    report = inspect_checkpoint(whole)
    assert (report.architecture, report.methods) == ("compact-stochastic-editor", ("croft",))
    assert str(report.settings["attributes"]) == str(("female", "0-19", "20-29", "30-39", "40+"))
    assert set(report.training["classifier_right"]) == {"attribute_0", "age_group"}
    assert set(rows(tmp_path / "whole")[-1]) >= {"l1", "attributes", "critic_attributes"}


def test_a_stochastic_attgan_begins_as_the_inpainter_that_it_starts_from(tmp_path: Path, random_features: None) -> None:
    start = tmp_path / "start.safetensors"
    torch.manual_seed(3)
    inpainter = Inpainter(InpainterConfig(8, 8, 1))
    save_compact(start, inpainter)
    text = CROFT.replace('start = ""', f'start = "{start}"').replace("steps = 4", "steps = 1\nrate = 1e-12")
    path = run(tmp_path, text, "out")
    assert path is not None
    begun, weights = load_file(path), load_file(start)
    assert all(torch.allclose(begun[f"decoder.{name}"], value) for name, value in weights.items())
    assert begun["films.0.tell.weight"].abs().max() < 1e-6
    assert inspect_checkpoint(path).training["weights"].keys() == {"start"}
    held = run(tmp_path, text.replace("rate = 1e-12", "rate = 1e-2\ndecoder = 0.0"), "held")
    assert held is not None
    learned = load_file(held)
    assert all(torch.equal(learned[f"decoder.{name}"], begun[f"decoder.{name}"]) for name in weights)
    assert learned["films.0.tell.weight"].any()
    with pytest.raises(ConfigError, match="start: "):
        run(tmp_path, text.replace("width = 8\nfine", "width = 16\nfine"), "other")


@torch.no_grad()
def test_noise_drowns_the_face_and_nothing_else_tells_of_it() -> None:
    torch.manual_seed(0)
    network = StochasticEditor(StochasticConfig(("female",), 2, 8, 8, 1)).eval()
    keep = torch.ones(2, 1, 128, 128)
    keep[:, :, 30:100, 30:100] = 0
    faces = torch.rand(2, 3, 128, 128) * 2 - 1
    faces[1] = torch.where(keep[1] > 0, faces[0], faces[1])  # two faces in one photo's place
    points, label = torch.full((2, 5, 2), 64.0), torch.full((2, 1), 0.5)
    noise = torch.randn(1, *network.code_shape).expand(2, -1, -1, -1)

    def apart(strength: float) -> float:
        made = network(faces, keep, points, label, noise, torch.full((2,), strength))
        assert torch.equal(made[:, :, :30], faces[:, :, :30])
        return float((made[0] - made[1]).abs().max())

    distances = [apart(strength) for strength in (0.0, 1.0, 10.0, 1e6)]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0
    assert distances[-1] < 1e-4 * distances[0]


def test_a_compact_stargan_resumes_to_the_same_bytes(tmp_path: Path, random_features: None) -> None:
    whole = run(tmp_path, STARGAN, "whole", network="stargan")
    assert whole is not None
    with pytest.raises(Killed):
        run(tmp_path, STARGAN, "killed", killer(3), network="stargan")
    again = run(tmp_path, STARGAN, "killed", network="stargan")
    assert again is not None
    assert_same_training(again, whole)
    report = inspect_checkpoint(whole)
    assert report.methods == ("dp-att", "attgan", "dp-stargan", "stargan", "chen")
    assert report.training["network"] == "stargan"


def test_a_compact_stargan_is_held_to_the_photo_once_its_faces_are_turned_back(
    tmp_path: Path, random_features: None
) -> None:
    """Everybody gets somebody else's attributes: then AttGAN has no photo to aim at, StarGAN has."""
    text = STARGAN.replace("steps = 4", "steps = 1")
    stars = run(tmp_path, text, "stargan", network="stargan")
    atts = run(tmp_path, text.replace("[editing]", "[editing]\nother = 1.0"), "attgan")
    assert stars is not None
    assert atts is not None
    assert [float(row["l1"]) for row in rows(atts.parent)] == [0.0]
    (row,) = rows(stars.parent)
    assert float(row["l1"]) > 0
    assert float(row["lpips"]) != 0


def test_a_compact_stargan_learns_to_turn_faces_back(tmp_path: Path, random_features: None) -> None:
    off = "lpips = 0.0\npixel_critic = 0.0\nfeature_critic = 0.0\nstay = 0.0\ncritic_attributes = 0.0\nrate = 3e-3\n"
    text = STARGAN.replace("steps = 4", f"steps = 60\n{off}l1 = 10.0").replace("save_every = 1", "save_every = 20")
    path = run(tmp_path, text, "out", network="stargan")
    assert path is not None
    first, *_, last = rows(path.parent)
    assert float(last["l1"]) < 0.5 * float(first["l1"])


def test_a_compact_stargan_begins_as_the_attgan_that_it_starts_from(tmp_path: Path, random_features: None) -> None:
    start = tmp_path / "start.safetensors"
    torch.manual_seed(3)
    save_compact(start, Editor(EditorConfig(("female", "0-19", "20-29", "30-39", "40+"), 8, 8, 1)))
    text = STARGAN.replace('start = ""', f'start = "{start}"').replace("steps = 4", "steps = 1\nrate = 1e-12")
    path = run(tmp_path, text, "out", network="stargan")
    assert path is not None
    weights = load_file(start)
    assert all(torch.allclose(value, weights[name]) for name, value in load_file(path).items())
    assert inspect_checkpoint(path).training["weights"].keys() == {"start"}
