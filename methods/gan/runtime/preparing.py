"""The methods' side of `unmask data build`, see `bench.core.training.TrainingFaces`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unmask.bench.core.training import FaceCrop, Rgb
from unmask.bench.core.types import Detection, Floats32, Image
from unmask.methods.gan.runtime.attributes import attribute_vector, parse_attributes, parse_tone
from unmask.methods.gan.runtime.crop import cut
from unmask.methods.gan.runtime.skin import recolour
from unmask.methods.shared import mtcnn


class PreparedFaces:
    """Faces found, cut and described exactly as the learned methods do it when they anonymize."""

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
        made = cut(image, face.box, face.landmarks)
        return FaceCrop(made.image, made.erased_box, made.landmarks)

    def check_attributes(self, names: Sequence[str]) -> None:
        parse_attributes(";".join(names), "unmask data build")

    def attributes(self, names: Sequence[str], age: float, p_female: float, tone: Rgb | None) -> Floats32:
        return attribute_vector(names, age, p_female, tone)

    def tone(self, text: str) -> Rgb:
        return parse_tone(text, "unmask data build")

    def recolour(self, image: Image, skin: tuple[float, float, float], tone: Rgb, *, whole: bool) -> Image:
        return recolour(image, skin, tone, whole=whole)
