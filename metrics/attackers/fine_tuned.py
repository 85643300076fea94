"""An attacker who trains the last block of FaceNet on other people's released faces, from what the blocks before it
make of them, which is stored. What is kept of a face are its activations (N, 1792, 3, 3), so it is no `Attacker` on
embeddings: who uses it takes `activations` of the background and of the tested faces once."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Bools, Floats32
from unmask.metrics.attackers.discriminant import KNOWS, Ints
from unmask.metrics.attackers.margin import HOW, SOURCE, Training, trained, training
from unmask.metrics.attackers.support import enough, learned, too_little, unit
from unmask.metrics.instruments.recognisers import standardised

if TYPE_CHECKING:
    import torch
    from torch import nn

RATE: Final = 5e-4
BODY: Final = (
    *("conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b", "conv2d_4a", "conv2d_4b"),
    *("repeat_1", "mixed_6a", "repeat_2", "mixed_7a", "repeat_3"),
)
FINE_TUNED: Final = AttackerCard(
    name="fine-tuned",
    version="1",
    title="semi-informed, fine-tuned",
    knows=KNOWS,
    how="Trains the last Inception-ResNet block, the linear layer and the batch normalisation of FaceNet, whose "
    f"statistics stay as they are, to name background people by {HOW}. Steps of {RATE:g}. Learns from the released "
    "faces of background people with at least two photos. The gallery is released, with another seed; one template a "
    "person.",
    source=f"{SOURCE}; network: Schroff et al.: FaceNet, CVPR 2015, as facenet-pytorch's InceptionResnetV1",
    limits="The blocks below the last stay as they were trained on photos.",
    gallery="released",
    templates=True,
)


def activations(network: nn.Module, crops: NDArray[np.uint8], batch: int = 16) -> NDArray[np.float16]:
    """(N, 1792, 3, 3) what the last block of ``network`` (`load_keras`) is given of (N, 160, 160, 3) RGB crops."""
    import torch

    parts = [np.zeros((0, 1792, 3, 3), np.float16)]
    with torch.inference_mode():
        for start in range(0, len(crops), batch):
            x = torch.from_numpy(standardised(crops[start : start + batch]).transpose(0, 3, 1, 2).copy())
            for name in BODY:
                x = network.get_submodule(name)(x)
            parts.append(x.numpy().astype(np.float16))
    return np.concatenate(parts)


def fine_tune(
    network: nn.Module,
    faces: NDArray[np.float16],
    identity: NDArray[np.str_],
    photo: Ints,
    *,
    seed: int,
    steps: int = 1000,
) -> Columns:
    """The weights of the trained part, float32, and the number of ``steps`` (1,), at most those asked for.

    ``network``: `load_keras`, which stays as it is; ``faces``: `activations` (N, 1792, 3, 3) of released faces, NaN
    where none could be cut; ``identity`` (N,) who each is, '' = not labelled; ``photo`` (N,) numbers, the same for
    several draws of one photo. Raises `UnavailableError` where too few people have released faces of two photos.
    """
    usable = np.flatnonzero((identity != "") & np.isfinite(faces).all(axis=(1, 2, 3)))
    photos = {name: len(np.unique(photo[usable][identity[usable] == name])) for name in np.unique(identity[usable])}
    usable = usable[np.array([photos[name] >= 2 for name in identity[usable]], np.bool_)]
    if not enough(identity[usable]):
        raise too_little(FINE_TUNED.name, identity[usable], "released faces of two photos each")
    person = np.unique(identity[usable], return_inverse=True)[1].astype(np.int64)

    def train(some: Bools, most: int) -> Training:
        return _training(network, faces, usable[some], np.unique(person[some], return_inverse=True)[1], most, seed)

    def read(weights: Columns, some: Bools) -> Floats32:
        return embed(network, weights, faces[usable[some]])

    return trained(train, read, person, np.unique(photo[usable], return_inverse=True)[1].astype(np.int64), steps, seed)


def embed(network: nn.Module, state: Columns, faces: NDArray[np.float16]) -> Floats32:
    """(N, 128) rows of length 1 of `activations`, as the trained part reads them; NaN where they are. Raises
    `UnavailableError` where ``state`` is none of `fine_tune`'s."""
    import torch
    from torch.func import functional_call

    last = _last_part(network)
    weights = {
        name: torch.from_numpy(np.asarray(learned(state, name, FINE_TUNED.name), np.float32))
        for name, _ in last.named_parameters()
    }
    rows = [np.zeros((0, 128), np.float32)]
    with torch.inference_mode():
        for start in range(0, len(faces), 64):
            part = torch.from_numpy(faces[start : start + 64].astype(np.float32))
            rows.append(functional_call(last, weights, part).numpy())
    return unit(np.concatenate(rows))


def _training(
    network: nn.Module, faces: NDArray[np.float16], rows: Ints, person: Ints, steps: int, seed: int
) -> Training:
    import torch
    from torch.func import functional_call

    last = _last_part(network)
    weights = {name: values.detach().clone().requires_grad_() for name, values in last.named_parameters()}

    def some(batch: Ints, rng: Any) -> torch.Tensor:
        return torch.from_numpy(faces[rows[batch]].astype(np.float32))

    return training(
        lambda x: functional_call(last, weights, x), weights, some, person, rate=RATE, steps=steps, seed=seed
    )


def _last_part(network: nn.Module) -> nn.Module:
    """What comes after `BODY`, a copy in eval mode: (N, 1792, 3, 3) -> (N, 128), not scaled."""
    from torch import nn

    names = ("block8", "avgpool_1a", "last_linear", "last_bn")
    block, pool, linear, norm = (copy.deepcopy(network.get_submodule(name)) for name in names)
    return nn.Sequential(block, pool, nn.Flatten(), linear, norm).eval()
