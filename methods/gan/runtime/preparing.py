"""The methods' side of `unmask data build`, see `bench.core.training.TrainingFaces`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unmask.bench.core.training import FaceCrop, Rgb
from unmask.bench.core.types import Detection, Image
from unmask.methods.gan.runtime.attributes import attribute_vector, parse_attributes, parse_tone
from unmask.methods.gan.runtime.crop import cut
from unmask.methods.gan.runtime.skin import recolour
from unmask.methods.shared import mtcnn


class PreparedFaces:
    """Faces detected, cut and described exactly as the learned methods do it when they anonymize."""

    attributes = staticmethod(attribute_vector)
    recolour = staticmethod(recolour)

    def __init__(self) -> None:
        self._finder: mtcnn.Mtcnn | None = None

    @property
    def weights(self) -> Mapping[str, str]:
        return mtcnn.weights()

    def load(self, device: str) -> None:
        if self._finder is None:
            self._finder = mtcnn.Mtcnn(device)

    def find(self, image: Image) -> list[Detection]:
        if self._finder is None:
            raise RuntimeError("load() must be called before find()")
        return [face for face in self._finder.faces(image) if face.box.w > 0 and face.box.h > 0]

    def crop(self, image: Image, face: Detection) -> FaceCrop:
        crop = cut(image, face.box, face.landmarks)
        return FaceCrop(crop.image, crop.erased_box, crop.landmarks)

    def check_attributes(self, names: Sequence[str]) -> None:
        parse_attributes(";".join(names), "unmask data build")

    def tone(self, text: str) -> Rgb:
        return parse_tone(text, "unmask data build")
