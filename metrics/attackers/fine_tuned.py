"""An attacker who trains the last block of FaceNet on other people's released faces, from what the blocks before it
make of them: activations (N, 1792, 3, 3), which are stored once for background and tested faces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.errors import SpecError
from unmask.bench.core.protocols import Background, Columns
from unmask.bench.core.types import Bools, Floats32
from unmask.bench.core.views import ACTIVATIONS
from unmask.metrics.attackers.discriminant import KNOWS, Ints, photos_of
from unmask.metrics.attackers.margin import EVERY, HOW, SOURCE, Training, trained, training
from unmask.metrics.attackers.support import enough, learned, too_little, unit
from unmask.metrics.instruments.recognisers import FaceNet

if TYPE_CHECKING:
    import torch
    from torch import nn

RATE: Final = 5e-4
SHAPE: Final = (1792, 3, 3)
NAME: Final = "fine-tuned"


class FineTuned:
    """See the card."""

    imports: ClassVar[tuple[str, ...]] = ("facenet_pytorch", "h5py", "torch")

    def __init__(self, *, steps: int = 300) -> None:
        """``steps`` of training at most, 50..100000. Raises `SpecError` for other values."""
        if isinstance(steps, bool) or not isinstance(steps, int) or not EVERY <= steps <= 100_000:
            raise SpecError(f"attacker {NAME!r}: steps={steps} is no whole number in {EVERY}..100000")
        self.steps = steps
        self._network: nn.Module | None = None

    @property
    def card(self) -> AttackerCard:
        return AttackerCard(
            name=NAME,
            version="1",
            title="semi-informed, fine-tuned",
            knows=KNOWS,
            how="Trains the last Inception-ResNet block, the linear layer and the batch normalisation of FaceNet, "
            f"whose statistics stay as they are, to name background people by {HOW}. Fits that only check it take as "
            f"many steps. Steps of {RATE:g}. Learns from the released faces of background people with at least two "
            "photos: the face found again, or else the known place. The gallery is released, with another seed; one "
            "template a person.",
            source=f"{SOURCE}; network: Schroff et al.: FaceNet, CVPR 2015, as facenet-pytorch's InceptionResnetV1",
            limits="The blocks below the last stay as they were trained on photos. Weights are kept as float16.",
            params={"steps": self.steps},
            gallery="released",
            templates=True,
            audit="full",
            by_chance=True,
            view=ACTIVATIONS,
            files=FaceNet.card.files,
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Raises `CheckpointError` for another file. ``device`` is ignored: what is trained is small."""
        from unmask.metrics.instruments.support.keras_inception_resnet import load_keras

        self._network = load_keras(files["weights"])

    def fit(self, background: Background, *, seed: int) -> Columns:
        """The weights of the trained part, float16. Raises `UnavailableError` where too few people have released faces
        of two photos."""
        return self.refit(background, seed=seed, settled=None)

    def refit(self, background: Background, *, seed: int, settled: Columns | None) -> Columns:
        """The same by as many steps as ``settled``, what `fit` returned of other people."""
        faces = background.released["embedding"].reshape(-1, *SHAPE)
        photo = photos_of(background.original["embedding"])
        state = fine_tune(self._loaded, faces, background.identity, photo, seed=seed, steps=self.steps, settled=settled)
        return {name: values.astype(np.float16) for name, values in state.items()}

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        return {name: embed(self._loaded, state, rows.reshape(-1, *SHAPE)) for name, rows in readings.items()}

    @property
    def _loaded(self) -> nn.Module:
        assert self._network is not None, "load() comes first"
        return self._network


def fine_tune(
    network: nn.Module,
    faces: NDArray[np.float16],
    identity: NDArray[np.str_],
    photo: Ints,
    *,
    seed: int,
    steps: int,
    settled: Columns | None = None,
) -> Columns:
    """The weights of the trained part, float32, and the number of ``steps`` (1,), at most those asked for.

    ``network``: `load_keras`, which stays as it is; ``faces``: activations (N, 1792, 3, 3) of released faces, NaN
    where none could be cut; ``identity`` (N,) who each is, '' = not labelled; ``photo`` (N,) numbers, the same for
    several draws of one photo. Raises `UnavailableError` where too few people have released faces of two photos.
    """
    usable = np.flatnonzero((identity != "") & np.isfinite(faces).all(axis=(1, 2, 3)))
    photos = {name: len(np.unique(photo[usable][identity[usable] == name])) for name in np.unique(identity[usable])}
    usable = usable[np.array([photos[name] >= 2 for name in identity[usable]], np.bool_)]
    if not enough(identity[usable]):
        raise too_little(NAME, identity[usable], "released faces of two photos each")
    person = np.unique(identity[usable], return_inverse=True)[1].astype(np.int64)

    def train(some: Bools, most: int) -> Training:
        return _training(network, faces, usable[some], np.unique(person[some], return_inverse=True)[1], most, seed)

    def read(weights: Columns, some: Bools) -> Floats32:
        return embed(network, weights, faces[usable[some]])

    numbers = np.unique(photo[usable], return_inverse=True)[1].astype(np.int64)
    return trained(train, read, person, numbers, steps, seed, settled)


def embed(network: nn.Module, state: Columns, faces: NDArray[np.float16]) -> Floats32:
    """(N, 128) rows of length 1 of activations, as the trained part reads them; NaN where they are. Raises
    `UnavailableError` where ``state`` is none of `fine_tune`'s."""
    import torch
    from torch.func import functional_call

    from unmask.metrics.instruments.support.keras_inception_resnet import last_part_of

    last = last_part_of(network)
    weights = {
        name: torch.from_numpy(np.asarray(learned(state, name, NAME), np.float32))
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

    from unmask.metrics.instruments.support.keras_inception_resnet import last_part_of

    last = last_part_of(network)
    weights = {name: values.detach().clone().requires_grad_() for name, values in last.named_parameters()}

    def some(batch: Ints, rng: Any) -> torch.Tensor:
        return torch.from_numpy(faces[rows[batch]].astype(np.float32))

    return training(
        lambda x: functional_call(last, weights, x), weights, some, person, rate=RATE, steps=steps, seed=seed
    )
