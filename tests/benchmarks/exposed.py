"""Methods that look like anonymizers to whoever does not know them, and that an audit must expose.

Given to a run as files: ``--method tests/benchmarks/exposed.py:Mirror``. What they do is that of the contestants of
`tests.support.fooling` and `tests.support.perturbing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tests.support.fooling import Contestant, in_boxes, permuted
from unmask import Image, MethodCard, Sample
from unmask.metrics.instruments.recognisers import FaceNet

FILE: Final = Path(__file__)


class _Edit:
    """The same change of every face, or of the whole photo, whoever it shows."""

    def __init__(self, name: str, description: str, *, whole: bool, **params: int) -> None:
        self._whole = whole
        self.card = MethodCard(
            name=name,
            version="1",
            description=f"{description}; of the {'photo' if whole else 'face'}",
            licence="MIT",
            source="a contestant of the privacy audit's benchmark",
            params={"whole": whole, **params},
            detector="none" if whole else "harness",
            batch_size=8,
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """There is nothing to load."""

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image]:
        if self._whole:
            return [np.ascontiguousarray(self._edit(sample.image)) for sample in batch]
        return [in_boxes(sample.image, sample.boxes or (), self._edit) for sample in batch]

    def _edit(self, image: Image) -> Image:
        """(H, W, 3) -> another of that size."""
        raise NotImplementedError


class Mirror(_Edit):
    """Left and right exchanged."""

    def __init__(self, *, whole: bool = False) -> None:
        super().__init__("mirror", "left and right exchanged", whole=whole)

    def _edit(self, image: Image) -> Image:
        return image[:, ::-1]


class Invert(_Edit):
    """A negative."""

    def __init__(self, *, whole: bool = False) -> None:
        super().__init__("invert", "a negative", whole=whole)

    def _edit(self, image: Image) -> Image:
        return 255 - image


class Tiles(_Edit):
    """Square tiles in another order, the same for every picture of a size."""

    def __init__(self, *, across: int = 6, key: int = 0, whole: bool = False) -> None:
        """``across``: tiles each way; ``key``: draws the order, whatever the run's seed is."""
        self._across, self._key = across, key
        super().__init__("tiles", "tiles in one other order", whole=whole, across=across, key=key)

    def _edit(self, image: Image) -> Image:
        return permuted(image, self._key, across=self._across)


class Cloak:
    """Each pixel changed by at most 8 levels so that facenet takes the face for somebody else's."""

    def __init__(self, *, steps: int = 4) -> None:
        """``steps``: of projected gradient descent, each by half of what a pixel may change."""
        self._steps = steps
        self._answer: Callable[[Sequence[Sample]], list[Image]] = _unloaded
        self.card = MethodCard(
            name="cloak",
            version="1",
            description="a perturbation of at most 8 levels against facenet alone",
            licence="MIT",
            source="Madry et al.: Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018",
            params={"steps": steps},
            detector="harness",
            files=FaceNet.card.files,
            imports=("torch",),
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        from tests.support.perturbing import LEVELS, cloak_of_one

        contestant: Contestant = cloak_of_one(files["weights"], steps=self._steps, step=LEVELS / 2)
        self._answer = contestant.answer

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image]:
        return self._answer(batch)


def _unloaded(batch: Sequence[Sample]) -> list[Image]:
    raise RuntimeError("load comes first")


CONTESTANTS: Final[Mapping[str, str]] = {
    "mirror": f"{FILE}:Mirror",
    "invert": f"{FILE}:Invert",
    "tiles": f"{FILE}:Tiles",
    "tiles-photo": f"{FILE}:Tiles:whole=true",
    "cloak": f"{FILE}:Cloak",
}
"""Label -> SPEC of each."""
