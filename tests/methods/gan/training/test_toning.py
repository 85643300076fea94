"""Teaching skin tones: what the target looks like, and that the editor is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.methods.gan.training.shards import arrays
from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.networks.compact import Editor, EditorConfig, Inpainter, InpainterConfig, save_compact
from unmask.methods.gan.runtime.skin import toned
from unmask.methods.gan.training import inpainting
from unmask.methods.gan.training.classifier import AttributeClassifier
from unmask.methods.gan.training.editing import EditingConfig, EditorTrainer, begin_as, drawn_tones
from unmask.methods.gan.training.faces import Faces
from unmask.methods.gan.training.hardware import open_hardware
from unmask.methods.gan.training.jobs import with_skin
from unmask.methods.gan.training.loop import train
from unmask.methods.gan.training.outputs import TrainingFolder
from unmask.methods.gan.training.perceptual import Features
from unmask.methods.learned import DpAttS

SKIN = (190, 140, 120)
DARK, LIGHT = (111, 55, 55), (176, 138, 132)


def faces(count: int = 8) -> Faces:
    found = arrays(count, 128)
    found["images"][:, 32:96, 32:96] = SKIN
    return Faces(*(torch.from_numpy(found[name]) for name in ("images", "boxes", "landmarks", "labels")))


def test_only_the_erased_part_changes_and_takes_the_tone() -> None:
    some = faces(3)
    image = some.images.permute(0, 3, 1, 2).float() / 127.5 - 1
    keep = torch.ones(3, 1, 128, 128)
    keep[:, :, 40:80, 40:80] = 0
    tones = np.array([DARK, LIGHT, (np.nan,) * 3], np.float32)
    made = toned(image, torch.tensor([SKIN] * 3), torch.from_numpy(tones), keep)
    colours = (made[:, :, 50:70, 50:70].mean((2, 3)) + 1) * 127.5
    assert np.allclose(colours[0], DARK, atol=2)
    assert np.allclose(colours[1], LIGHT, atol=2)
    assert torch.equal(made[2], image[2])
    assert torch.equal(made * keep, image * keep)


def test_drawn_tones_are_the_given_ones_and_those_in_between() -> None:
    drawn = drawn_tones((DARK, LIGHT), 400, np.random.default_rng(0))
    assert (drawn >= np.array(DARK)).all()
    assert (drawn <= np.array(LIGHT)).all()
    given = (drawn == np.array(DARK, np.float32)).all(1) | (drawn == np.array(LIGHT, np.float32)).all(1)
    assert 0.4 < given.mean() < 0.9
    assert np.array_equal(drawn, drawn_tones((DARK, LIGHT), 400, np.random.default_rng(0)))


def test_faces_without_an_estimable_skin_are_left_out() -> None:
    some = faces(4)
    some.images[1] = 128  # grey is nobody's skin
    known = with_skin(some)
    assert len(known) == 3
    assert known.skin is not None
    assert (known.skin - torch.tensor(SKIN)).abs().max() < 12


@pytest.mark.weights
def test_the_editor_is_told_the_tone(tmp_path: Path, open_instrument: Callable[[str], Any]) -> None:
    torch.manual_seed(0)
    inpainter = Inpainter(InpainterConfig(width=8, fine=8, blocks=1, latent=2)).eval().requires_grad_(False)
    classifier = AttributeClassifier(5).eval().requires_grad_(False)
    config = EditingConfig(
        tones=(DARK, LIGHT), steps=3, batch=4, critics_from=1, save_every=3, width=8, fine=8, blocks=1
    )
    features = Features()
    features.backbone("alex").copy(open_instrument("lpips-alex").network)
    known = with_skin(faces())
    trainer = EditorTrainer(config, known, inpainter, classifier, features, open_hardware("cpu"))
    assert train(trainer, known, TrainingFolder(tmp_path, {}), lambda _: None)
    editor = trainer.average
    assert editor.config.attributes[-3:] == ("tone_r", "tone_g", "tone_b")
    save_compact(tmp_path / "s.safetensors", editor)
    save_compact(tmp_path / "dp.safetensors", inpainter)
    method = DpAttS(checkpoint=str(tmp_path / "s.safetensors"), deepprivacy=str(tmp_path / "dp.safetensors"))
    assert method.card.params["tone"] == "light"


def test_an_editor_that_knows_more_attributes_starts_as_the_one_it_is_given() -> None:
    torch.manual_seed(0)
    plain = Editor(EditorConfig(("female", "old"), 8, 8, 1)).eval()
    toning = Editor(EditorConfig(("old", "tone_r", "female"), 8, 8, 1)).eval()
    begin_as(plain, toning)
    image, keep = torch.rand(2, 3, 128, 128) * 2 - 1, torch.zeros(2, 1, 128, 128)
    told = torch.tensor([[0.5, -0.5], [-0.5, 0.5]])
    expected = plain(image, keep, told)
    for tone in (-0.5, 0.5):
        wider = torch.stack([told[:, 1], torch.full((2,), tone), told[:, 0]], 1)
        torch.testing.assert_close(toning(image, keep, wider), expected)


@pytest.mark.parametrize("size", [(16, 8, 1), (8, 4, 1), (8, 8, 2), (16, 8, 1, 1)])
def test_an_editor_of_another_size_is_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="start"):
        begin_as(Editor(EditorConfig(("a",), 8, 8, 1)), Editor(EditorConfig(("a",), *size)))


def test_an_editor_with_less_detail_is_refused() -> None:
    with pytest.raises(ConfigError, match="start"):
        begin_as(Editor(EditorConfig(("a",), 8, 8, 1, 1)), Editor(EditorConfig(("a",), 8, 8, 1)))


def test_a_network_with_detail_begins_as_one_without_up_to_64_px() -> None:
    torch.manual_seed(0)
    keep = torch.ones(1, 1, 128, 128)
    keep[..., 40:90, 40:90] = 0
    image, landmarks = torch.rand(1, 3, 128, 128) * 2 - 1, torch.full((1, 5, 2), 64.0)
    inpainters = Inpainter(InpainterConfig(8, 8, 1)), Inpainter(InpainterConfig(8, 8, 1, detail=2))
    inpainting.begin_as(*inpainters)
    editors = Editor(EditorConfig(("old",), 8, 8, 1)), Editor(EditorConfig(("old",), 8, 8, 1, 2))
    begin_as(*editors)
    for start, grown in (inpainters, editors):
        conditions = (landmarks,) if isinstance(start, Inpainter) else (torch.full((1, 1), 0.5),)
        features: dict[int, torch.Tensor] = {}
        for network in (start, grown):
            network.up128.register_forward_pre_hook(
                lambda module, inputs, features=features: features.__setitem__(id(module), inputs[0])
            )
            network(image, keep, *conditions)
        small, large = (features[id(network.up128)] for network in (start, grown))
        torch.testing.assert_close(small, large)
        assert small.std() > 0.01
