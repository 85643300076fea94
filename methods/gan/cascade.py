"""The thesis's cascade (3.1): age and gender are estimated on the original, the face is erased, DeepPrivacy invents
one, and an attribute network repaints it to the estimated age group and gender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.files import remembered_sha256
from unmask.bench.core.types import FaceView
from unmask.methods.gan.attributes import attribute_vector, parse_attributes, parse_tone, told_tone
from unmask.methods.gan.compact.crop import Crop
from unmask.methods.gan.estimator import AgeGenderEstimator
from unmask.methods.gan.repaint import RepaintMethod
from unmask.methods.gan.retoning import with_tone
from unmask.methods.gan.shipped import checkpoint_path, shown_checkpoint
from unmask.methods.params import number

if TYPE_CHECKING:
    from unmask.methods.gan.engines import AttributeEngine, InpaintEngine

LICENCE = "MIT; the shipped weights for non-commercial research only, as the data they were trained on"


class AttributeMethod(RepaintMethod):
    """An attribute network behind an estimator; with ``erase``, DeepPrivacy in between.

    Subclasses say which weights they ship and what their card reads; see `methods.dp_att` for the parameters.
    """

    def __init__(
        self,
        facts: MethodCard,
        *,
        checkpoint: str,
        weights: str,
        attributes: str,
        estimator: str,
        paste: str,
        detector: str,
        tone: str | None = None,
        deepprivacy: str | None = None,
        truncation: float = 0.0,
    ) -> None:
        """``facts``: the card's fixed part. ``deepprivacy``: the inpainter's checkpoint; None = nothing is erased."""
        super().__init__(facts.name, detector, paste)
        self._facts = facts
        self._path = checkpoint_path(checkpoint, weights)
        self._weights = weights
        self._attributes = parse_attributes(attributes, facts.name)
        self._tone = None if tone is None else parse_tone(tone, facts.name)
        self._estimator = AgeGenderEstimator(facts.name, estimator)
        self._inpaint_path = None if deepprivacy is None else checkpoint_path(deepprivacy, "deepprivacy")
        self._truncation = number(facts.name, "truncation", truncation, 0, 3)
        self._params: dict[str, Scalar] = {
            "checkpoint": shown_checkpoint(checkpoint),
            "attributes": attributes,
            "estimator": estimator,
            "paste": paste,
            "detector": detector,
        }
        if tone is not None:
            self._params["tone"] = tone
        if deepprivacy is not None:
            self._params |= {
                "deepprivacy": shown_checkpoint(deepprivacy),
                "truncation": self._truncation,
            }
        self._inpaint: InpaintEngine | None = None
        self._edit: AttributeEngine | None = None

    @property
    def card(self) -> MethodCard:
        weights = {**self.detector_weights(), self._weights: remembered_sha256(self._path)}
        if self._inpaint_path is not None:
            weights["deepprivacy"] = remembered_sha256(self._inpaint_path)
        estimator = self._estimator.card
        return replace(
            self._facts,
            params=self._params,
            detector=self._detector,
            files=estimator.files,
            weights=weights,
            imports=("torch", *self.detector_imports(), "unmask.methods.gan.engines"),
            limits=f"{self._facts.limits} A face whose age and gender {estimator.name} cannot estimate gets no "
            f"attributes{' and stays as DeepPrivacy made it' if self._inpaint_path else ' and stays as it was'}. "
            + self.detector_limits(),
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """``files``: the estimator's."""
        from unmask.methods.gan.engines import AttributeEngine, InpaintEngine

        super().load(files, device)
        self._estimator.load(files, device)
        if self._edit is None:
            self._edit = AttributeEngine(self._path, device, self._facts.name, self._attributes)
            if self._inpaint_path is not None:
                self._inpaint = InpaintEngine(self._inpaint_path, device, self._facts.name)

    def repaint(self, crops: Sequence[Crop], views: Sequence[FaceView], rng: np.random.Generator) -> Sequence[Crop]:
        if self._edit is None:
            raise RuntimeError("load() must be called before anonymize()")
        people = self._estimator.read(views)
        # From here on the photo is not looked at again: what the networks get has no face in it.
        given = self._inpaint(crops, self._truncation, rng) if self._inpaint is not None else crops
        known = [k for k, person in enumerate(people) if np.isfinite(person).all()]
        done = list(given)
        if known:
            wanted = np.stack([attribute_vector(self._edit.attributes, *people[k], self._tone) for k in known])
            told = None if self._tone is None else told_tone(self._edit.attributes, self._tone)
            for k, crop in zip(known, self._edit([given[k] for k in known], wanted), strict=True):
                done[k] = crop if told is None else with_tone(crop, told)
        return done
