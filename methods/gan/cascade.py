"""The thesis's cascade (3.1): age and gender are estimated on the original, the face is erased, DeepPrivacy invents
one, and an attribute network repaints it to the estimated age group and gender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.files import remembered_sha256
from unmask.bench.core.types import FaceView
from unmask.methods.gan.attributes import THESIS, attribute_vector, parse_attributes, told_tone
from unmask.methods.gan.compact.crop import Crop
from unmask.methods.gan.estimator import DEFAULT, AgeGenderEstimator
from unmask.methods.gan.repaint import RepaintMethod
from unmask.methods.gan.retoning import with_tone
from unmask.methods.gan.shipped import SHIPPED, checkpoint_path, shown_checkpoint
from unmask.methods.params import number

if TYPE_CHECKING:
    from unmask.methods.gan.engines import AttributeEngine, InpaintEngine

LICENCE = "MIT; the shipped weights for non-commercial research only, as the data they were trained on"
CHECKPOINTS: Final = ("checkpoint", "deepprivacy")
"""Parameters that may hold a user's path."""


@dataclass(kw_only=True, eq=False, repr=False)
class AttributeMethod(RepaintMethod):
    """An attribute network behind an estimator of age and gender. Its fields are the parameters of a SPEC.

    Subclasses state the fixed part of their card and which weights they ship.
    """

    facts: ClassVar[MethodCard]
    weights: ClassVar[str]
    """Of the attribute network: the shipped file's name, and its key in the card."""

    checkpoint: str = SHIPPED
    """``shipped``, or the path of a generator, published or compact."""
    attributes: str = THESIS
    """What the numbers of a published network mean, joined by semicolons; a compact one knows its own."""
    estimator: str = DEFAULT
    """A registered instrument of the role ``attributes``."""
    paste: str = "box"
    """``box`` or ``feather``, see `methods.gan.paste`."""
    detector: str = "mtcnn"
    """``mtcnn`` or ``harness``, see `methods.faces`."""

    def __post_init__(self) -> None:
        """Raises `SpecError` for a value that no parameter takes, `CheckpointError` for weights that are missing."""
        name = self.facts.name
        super().__init__(name, self.detector, self.paste)
        self._path = checkpoint_path(self.checkpoint, self.weights)
        self._attributes = parse_attributes(self.attributes, name)
        self._estimator = AgeGenderEstimator(name, self.estimator)
        self._tone: tuple[int, int, int] | None = None
        self._truncation = 0.0
        self._inpaint_path: Path | None = None
        self._inpaint: InpaintEngine | None = None
        self._edit: AttributeEngine | None = None

    @property
    def params(self) -> dict[str, Scalar]:
        """Every parameter with its value, for the card; of a user's checkpoint the file's name only."""
        return {
            field.name: shown_checkpoint(value) if field.name in CHECKPOINTS else value
            for field in fields(self)
            for value in (getattr(self, field.name),)
        }

    @property
    def card(self) -> MethodCard:
        weights = {**self.detector_weights(), self.weights: remembered_sha256(self._path)}
        if self._inpaint_path is not None:
            weights["deepprivacy"] = remembered_sha256(self._inpaint_path)
        estimator = self._estimator.card
        return replace(
            self.facts,
            params=self.params,
            detector=self._detector,
            files=estimator.files,
            weights=weights,
            imports=("torch", *self.detector_imports(), "unmask.methods.gan.engines"),
            limits=f"{self.facts.limits} A face whose age and gender {estimator.name} cannot estimate gets no "
            f"attributes{' and stays as DeepPrivacy made it' if self._inpaint_path else ' and stays as it was'}. "
            + self.detector_limits(),
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """``files``: the estimator's."""
        from unmask.methods.gan.engines import AttributeEngine, InpaintEngine

        super().load(files, device)
        self._estimator.load(files, device)
        if self._edit is None:
            self._edit = AttributeEngine(self._path, device, self.facts.name, self._attributes)
            if self._inpaint_path is not None:
                self._inpaint = InpaintEngine(self._inpaint_path, device, self.facts.name)

    def repaint(self, crops: Sequence[Crop], views: Sequence[FaceView], rng: np.random.Generator) -> Sequence[Crop]:
        if self._edit is None:
            raise RuntimeError("load() must be called before anonymize()")
        people = self._estimator.read(views)
        # From here on the photo is not looked at again: what the networks get has no face in it.
        sources = self._inpaint(crops, self._truncation, rng) if self._inpaint is not None else crops
        estimated = [k for k, person in enumerate(people) if np.isfinite(person).all()]
        done = list(sources)
        if estimated:
            labels = np.stack([attribute_vector(self._edit.attributes, *people[k], self._tone) for k in estimated])
            tone = None if self._tone is None else told_tone(self._edit.attributes, self._tone)
            for k, crop in zip(estimated, self._edit([sources[k] for k in estimated], labels), strict=True):
                done[k] = crop if tone is None else with_tone(crop, tone)
        return done


@dataclass(kw_only=True, eq=False, repr=False)
class Cascade(AttributeMethod):
    """An attribute network behind DeepPrivacy, so that the face is erased before it is repainted."""

    deepprivacy: str = SHIPPED
    """As ``checkpoint`` of `methods.deepprivacy`."""
    truncation: float = 0.0
    """As ``truncation`` of `methods.deepprivacy`: 0..3."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._inpaint_path = checkpoint_path(self.deepprivacy, "deepprivacy")
        self.truncation = self._truncation = number(self.facts.name, "truncation", self.truncation, 0, 3)
