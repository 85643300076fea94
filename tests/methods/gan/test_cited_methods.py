"""Croft's and Chen et al.'s methods around their networks, with tiny untrained ones; the shipped ones by cards."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.methods.gan.test_adapters import FACE, GROUPS, FixedEstimator, loaded, run, scribbled
from unmask.bench.core.errors import CheckpointError, SpecError
from unmask.bench.core.types import Image
from unmask.methods.gan.checkpoints.loading import load_generator
from unmask.methods.gan.networks.compact import (
    Editor,
    EditorConfig,
    Inpainter,
    InpainterConfig,
    save_compact,
    save_half,
)
from unmask.methods.gan.networks.dcgan import DcganConfig, DcganGenerator
from unmask.methods.gan.networks.stargan import StarGanConfig, StarGanGenerator
from unmask.methods.gan.networks.stochastic import StochasticConfig, StochasticEditor
from unmask.methods.learned import Chen, Croft, DeepPrivacy, DpAtt
from unmask.methods.shared.settings import WEIGHTS

NAMES = ("female", *GROUPS)
NOBODY = FixedEstimator(float("nan"), float("nan"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A tiny file for each kind of network, its weights random."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    networks = {
        "croft": StochasticEditor(StochasticConfig(NAMES, 2, 8, 8, 1)),
        "editor": Editor(EditorConfig(NAMES, 8, 8, 1)),
        "inpainter": Inpainter(InpainterConfig(8, 8, 1, 4)),
    }
    for name, network in networks.items():
        save_compact(folder / f"{name}.safetensors", network)
    dcgan = DcganGenerator(DcganConfig(8, 8))
    for tensor in dcgan.parameters():
        tensor.data *= 10  # the paper's first weights make grey pictures
    save_half(folder / "dcgan.safetensors", dcgan, {})
    save_half(folder / "stargan.safetensors", StarGanGenerator(StarGanConfig(5, 4, 1)), {})
    return {path.stem: str(path) for path in folder.iterdir()}


def croft(weights: dict[str, str], estimator: FixedEstimator | None = None, **params: Any) -> Any:
    return loaded(Croft(checkpoint=weights["croft"], detector="harness", paste="box", **params), estimator)


def chen(weights: dict[str, str], estimator: FixedEstimator | None = None, **params: Any) -> Any:
    files: Any = {"checkpoint": weights["stargan"], "dcgan": weights["dcgan"]}
    return loaded(Chen(**files, detector="harness", paste="box", **params), estimator)


def test_the_more_noise_the_less_of_a_face_comes_through(weights: dict[str, str], astronaut: Image) -> None:
    def apart(noise: float) -> float:
        method = croft(weights, noise=noise)
        one, other = (run(method, image).astype(int) for image in (astronaut, scribbled(astronaut)))
        return float(np.abs(one - other).mean())

    distances = [apart(noise) for noise in (0.0, 1.0, 10.0, 100.0)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.05 * distances[0]


def test_noise_follows_the_seed(weights: dict[str, str], astronaut: Image) -> None:
    noisy, plain = croft(weights, noise=2.0), croft(weights, noise=0.0)
    assert np.array_equal(run(noisy, astronaut, 1), run(noisy, astronaut, 1))
    assert not np.array_equal(run(noisy, astronaut, 1), run(noisy, astronaut, 2))
    assert np.array_equal(run(plain, astronaut, 1), run(plain, astronaut, 2))


def test_a_chance_face_follows_the_seed_and_knows_nothing_of_the_photo(
    weights: dict[str, str], astronaut: Image
) -> None:
    method = chen(weights)
    first = run(method, astronaut, 1)
    assert np.array_equal(first, run(method, astronaut, 1))
    assert not np.array_equal(first, run(method, astronaut, 2))
    left, top, right, bottom = FACE.clipped(*astronaut.shape[:2])
    inside = (slice(top + 1, bottom - 1), slice(left + 1, right - 1))
    for image in (scribbled(astronaut), 255 - astronaut):
        assert np.array_equal(first[inside], run(method, image, 1)[inside])
    same = chen(weights, truncation=0.0)
    assert np.array_equal(run(same, astronaut, 1), run(same, astronaut, 2))


@pytest.mark.parametrize("method", [croft, chen])
def test_attributes_are_asked_for_and_only_the_box_changes(
    method: Any, weights: dict[str, str], astronaut: Image
) -> None:
    young_woman = run(method(weights, FixedEstimator(25, 0.9)), astronaut)
    assert np.array_equal(young_woman, run(method(weights, FixedEstimator(29.9, 0.6)), astronaut))
    assert not np.array_equal(young_woman, run(method(weights, FixedEstimator(30, 0.9)), astronaut))
    assert not np.array_equal(young_woman, run(method(weights, FixedEstimator(25, 0.1)), astronaut))
    changed = (young_woman != astronaut).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (176, 60, 272, 185)
    assert changed[60:185, 176:272].mean() > 0.9


@pytest.mark.parametrize("method", [croft, chen])
def test_a_face_that_cannot_be_estimated_is_replaced_all_the_same(
    method: Any, weights: dict[str, str], astronaut: Image
) -> None:
    done = run(method(weights, NOBODY), astronaut)
    assert (done != astronaut).any(axis=2)[60:185, 176:272].mean() > 0.9
    assert not np.array_equal(done, run(method(weights), astronaut))


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda files: Croft(checkpoint=files["editor"]), "croft cannot use editor"),
        (lambda files: Croft(checkpoint=files["inpainter"]), "croft cannot use inpainter"),
        (lambda files: DpAtt(checkpoint=files["croft"]), "dp-att cannot use croft"),
        (lambda files: DeepPrivacy(checkpoint=files["croft"]), "deepprivacy cannot use croft"),
        (lambda files: DeepPrivacy(checkpoint=files["dcgan"]), "deepprivacy cannot use dcgan"),
        (lambda files: Chen(dcgan=files["inpainter"]), "chen cannot use inpainter"),
        (lambda files: Chen(checkpoint=files["dcgan"], dcgan=files["dcgan"]), "chen cannot use dcgan"),
    ],
)
def test_other_networks_are_refused(build: Any, says: str, weights: dict[str, str]) -> None:
    with pytest.raises(CheckpointError, match=says):
        loaded(build(weights))


@pytest.mark.parametrize(("params", "says"), [({"noise": -0.5}, "noise=-0.5"), ({"noise": float("nan")}, "noise=nan")])
def test_strengths_that_are_none(params: dict[str, float], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        Croft(**params)
    with pytest.raises((SpecError, CheckpointError)):
        Chen(dcgan="")


def test_cards_name_what_is_used(weights: dict[str, str]) -> None:
    ours = Croft(checkpoint=weights["croft"], noise=3).card
    assert ours.params["noise"] == 3.0
    assert ours.params["checkpoint"] == "croft.safetensors"
    assert "croft" in ours.weights
    assert "deepprivacy" not in ours.weights
    assert "rebuilt with no attributes in particular" in ours.limits
    assert "no differential privacy" in ours.limits
    pair = Chen(checkpoint=weights["stargan"], dcgan=weights["dcgan"]).card
    assert {"stargan", "dcgan"} <= pair.weights.keys()
    assert pair.params["dcgan"] == "dcgan.safetensors"
    assert "stays as the DCGAN made it" in pair.limits


@pytest.mark.parametrize("name", ["croft", "dcgan"])
def test_shipped_networks_are_small_and_their_cards_say_what_is_weak(name: str) -> None:
    path = WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size <= 4 * 2**20
    card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert "non-commercial" in card["licence"]
    assert any("Weak" in remark and f"{card['steps']:,} steps" in remark for remark in card["remarks"])
    assert {source["spec"] for source in card["data"]["sets"][0]["sources"]} <= {
        "utkface:split=train",
        "utkface:split=val",
        "celeba-identity:split=calibrate",
    }
    assert load_generator(path).identified.architecture.name in ("compact-stochastic-editor", "dcgan")


@torch.no_grad()
def test_a_face_costs_little() -> None:
    """At most 1.5 GFLOP a face, a multiplication and an addition being two."""
    image, keep = torch.zeros(1, 3, 128, 128), torch.ones(1, 1, 128, 128)
    points, labels = torch.zeros(1, 5, 2), torch.zeros(1, 5)
    editor: Any = load_generator(WEIGHTS / "croft.safetensors").module
    dcgan: Any = load_generator(WEIGHTS / "dcgan.safetensors").module
    stargan: Any = load_generator(WEIGHTS / "stargan.safetensors").module
    with FlopCounterMode(display=False) as ours:
        editor(image, keep, points, labels, torch.zeros(1, *editor.code_shape), torch.zeros(1))
    with FlopCounterMode(display=False) as pair:
        dcgan(torch.zeros(1, *dcgan.latent_shape))
        stargan(image, keep, labels)
    assert 0 < ours.get_total_flops() < 1.5e9
    assert 0 < pair.get_total_flops() < 1.5e9
