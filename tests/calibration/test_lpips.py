"""Our LPIPS against the lpips package loaded the ordinary way, and against torchmetrics' own network."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32, Image, RegionPair
from unmask.bench.fetch.packages import cached
from unmask.metrics.instruments.lpips import LONGEST_SIDE, LpipsAlex, LpipsVgg, build_network, prepared
from unmask.metrics.instruments.support.safe_pickle import load_numpy_pickle

Opener = Callable[[str], Any]
BACKBONES: dict[str, type[LpipsAlex] | type[LpipsVgg]] = {"lpips-alex": LpipsAlex, "lpips-vgg": LpipsVgg}
pytestmark = pytest.mark.weights


@pytest.fixture(scope="module", params=BACKBONES)
def name(request: pytest.FixtureRequest, open_instrument: Opener) -> str:
    open_instrument(request.param)  # skips where its file is missing
    return str(request.param)


@pytest.fixture(scope="module")
def arrays(name: str) -> dict[str, Floats32]:
    path = cached(BACKBONES[name].card.files[0])
    assert path is not None
    return load_numpy_pickle(path)


@pytest.fixture(scope="module")
def pairs(astronaut: Image) -> list[RegionPair]:
    face = np.ascontiguousarray(astronaut[40:168, 160:288])
    changes: list[Any] = [
        cv2.GaussianBlur(face, (0, 0), 2.0),
        cv2.GaussianBlur(face, (0, 0), 8.0),
        face[:, ::-1],
        np.zeros_like(face),
    ]
    return [RegionPair(face, np.ascontiguousarray(change)) for change in changes]


def fill(network: Any, arrays: dict[str, Floats32]) -> Any:
    """Any LPIPS network whose convolutions stand in the order of the checkpoint's."""
    convolutions = [module for module in network.net.modules() if isinstance(module, torch.nn.Conv2d)]
    trunk = {key.split("/", 1)[1]: value for key, value in arrays.items() if key.startswith(("AlexNet", "VGG16"))}
    with torch.no_grad():
        for index, convolution in enumerate(convolutions):
            kernel, bias = trunk[f"Conv_{index}/kernel"], trunk[f"Conv_{index}/bias"]
            convolution.weight.copy_(torch.from_numpy(np.moveaxis(kernel, (3, 2), (0, 1)).copy()))
            assert convolution.bias is not None
            convolution.bias.copy_(torch.from_numpy(bias))
    return network.eval()


def distances(network: Any, net: str, pairs: list[RegionPair]) -> np.ndarray[Any, Any]:
    def batch(images: list[Image]) -> torch.Tensor:
        images = [prepared(image, LONGEST_SIDE[net]) for image in images]
        return torch.from_numpy(np.stack(images) / 255.0).permute(0, 3, 1, 2).float() * 2 - 1

    with torch.inference_mode():
        values = network(batch([p.original for p in pairs]), batch([p.anonymized for p in pairs]))
    return np.asarray(values.flatten().numpy())


def test_same_as_the_lpips_package(
    name: str, arrays: dict[str, Floats32], pairs: list[RegionPair], open_instrument: Opener
) -> None:
    import lpips  # seconds, which every worker would spend

    instrument = open_instrument(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = lpips.LPIPS(net=instrument.net, pnet_rand=True, verbose=False)
    ours = instrument.compare(pairs)[instrument.column]
    np.testing.assert_allclose(ours, distances(fill(package, arrays), instrument.net, pairs), rtol=1e-4, atol=1e-6)


def test_same_as_torchmetrics(
    name: str, arrays: dict[str, Floats32], pairs: list[RegionPair], open_instrument: Opener
) -> None:
    from torchmetrics.functional.image.lpips import _LPIPS

    instrument = open_instrument(name)
    theirs = _LPIPS(pretrained=True, net=instrument.net, pnet_rand=True)
    ours = instrument.compare(pairs)[instrument.column]
    np.testing.assert_allclose(ours, distances(fill(theirs, arrays), instrument.net, pairs), rtol=1e-4, atol=1e-6)


def test_the_checkpoints_heads_are_the_packages(name: str, arrays: dict[str, Floats32]) -> None:
    import lpips

    file = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{BACKBONES[name].net}.pth"
    for key, head in torch.load(file, map_location="cpu", weights_only=True).items():
        number = key.removeprefix("lin").split(".")[0]
        np.testing.assert_array_equal(arrays[f"NetLinLayer_{number}/Conv_0/kernel"].ravel(), head.numpy().ravel())


def test_equal_is_zero_and_blur_moves_away(name: str, astronaut: Image, open_instrument: Opener) -> None:
    face = np.ascontiguousarray(astronaut[40:168, 160:288])
    blurred = [np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8) for sigma in (1.0, 2.0, 4.0)]
    instrument = open_instrument(name)
    values = instrument.compare([RegionPair(face, other) for other in (face, *blurred)])[instrument.column]
    assert values[0] == 0.0
    assert (np.diff(values) > 0.02).all()


def test_sizes_masks_and_order(name: str, astronaut: Image, open_instrument: Opener) -> None:
    instrument = open_instrument(name)
    face = np.ascontiguousarray(astronaut[40:168, 160:288])
    other = np.asarray(cv2.GaussianBlur(face, (0, 0), 4.0), np.uint8)
    tiny, wide = np.ascontiguousarray(face[:9, :20]), np.ascontiguousarray(astronaut[:40])
    nothing = np.zeros(face.shape[:2], bool)
    mixed = [
        RegionPair(tiny, np.ascontiguousarray(tiny[:, ::-1])),
        RegionPair(face, other),
        RegionPair(face, other, nothing),
        RegionPair(wide, np.ascontiguousarray(wide[:, ::-1])),
        RegionPair(face, face),
    ]
    values = instrument.compare(mixed)[instrument.column]
    assert values.dtype == np.float32
    assert np.isnan(values).tolist() == [False, False, True, False, False]
    assert values[1] == pytest.approx(instrument.compare([RegionPair(face, other)])[instrument.column][0], rel=1e-4)
    assert values[4] == 0.0


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((128, 128), 256, (128, 128)),
        ((512, 400), 256, (256, 200)),
        ((30, 90), 256, (64, 90)),
        ((40, 512), 256, (64, 256)),
        ((128, 96), 64, (64, 64)),
    ],
)
def test_regions_are_brought_to_size(size: tuple[int, int], longest: int, expected: tuple[int, int]) -> None:
    assert prepared(np.zeros((*size, 3), np.uint8), longest).shape == (*expected, 3)


def test_a_checkpoint_of_another_network_is_refused(name: str, arrays: dict[str, Floats32]) -> None:
    net = BACKBONES[name].net
    with pytest.raises(CheckpointError):
        build_network("vgg" if net == "alex" else "alex", arrays)
    first = next(iter(arrays))
    with pytest.raises(CheckpointError, match="does not fit"):
        build_network(net, {**arrays, first: arrays[first][..., :1]})
