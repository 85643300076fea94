"""DeepPrivacy: erases each face and invents one that fits its surroundings (Hukkelas et al. 2019; thesis 2.3.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.files import remembered_sha256
from unmask.bench.core.types import FaceView
from unmask.methods.gan.compact.crop import Crop
from unmask.methods.gan.repaint import RepaintMethod
from unmask.methods.gan.shipped import SHIPPED, checkpoint_path, shown_checkpoint
from unmask.methods.params import number

if TYPE_CHECKING:
    from unmask.methods.gan.engines import InpaintEngine


class DeepPrivacy(RepaintMethod):
    """Invents faces with the compact network that comes with unmask, or with a published checkpoint.

    Parameters: ``checkpoint`` ``shipped`` or the path of a DeepPrivacy generator (multi-scale, V1 or compact);
    ``truncation`` 0..3, the scale of the random noise: 0 gives the same face for the same surroundings whatever the
    seed; ``paste`` ``box`` or ``feather``; ``detector`` ``mtcnn`` or ``harness``.
    """

    def __init__(
        self, *, checkpoint: str = SHIPPED, truncation: float = 0.0, paste: str = "box", detector: str = "mtcnn"
    ) -> None:
        super().__init__("deepprivacy", detector, paste)
        self._path = checkpoint_path(checkpoint, "deepprivacy")
        self._checkpoint = shown_checkpoint(checkpoint)
        self._truncation = number("deepprivacy", "truncation", truncation, 0, 3)
        self._engine: InpaintEngine | None = None

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="deepprivacy",
            version="2",
            description="Erases each face's box; a network that never sees the face invents one that fits its "
            "surroundings. The shipped network is told where the face is, how large and how turned; a published one "
            "its key points.",
            licence="MIT; the shipped weights for non-commercial research only, as the data they were trained on",
            source="Hukkelas, Mester, Lindseth: DeepPrivacy, ISVC 2019, arXiv:1909.04538; thesis 2.3.5",
            params={
                "checkpoint": self._checkpoint,
                "truncation": self._truncation,
                "paste": self._paste,
                "detector": self._detector,
            },
            detector=self._detector,
            weights={**self.detector_weights(), "deepprivacy": remembered_sha256(self._path)},
            imports=("torch", *self.detector_imports(), "unmask.methods.gan.engines"),
            limits="Hair, ears and everything else outside the box stay as they are and can identify. A published "
            "network keeps the proportions of eyes, nose and mouth; the shipped one, a compact one (128 px, see its "
            "card), gives everybody the usual ones, and so loses which way a head is turned. " + self.detector_limits(),
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        from unmask.methods.gan.engines import InpaintEngine

        super().load(files, device)
        if self._engine is None:
            self._engine = InpaintEngine(self._path, device, "deepprivacy")

    def repaint(self, crops: Sequence[Crop], views: Sequence[FaceView], rng: np.random.Generator) -> Sequence[Crop]:
        if self._engine is None:
            raise RuntimeError("load() must be called before anonymize()")
        return self._engine(crops, self._truncation, rng)
