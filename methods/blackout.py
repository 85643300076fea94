"""Black rectangles over the faces: the most private of the classical methods, and the least useful."""

from __future__ import annotations

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.types import Box, Image
from unmask.methods.faces import BoxMethod, covered, grown
from unmask.methods.params import number


class Blackout(BoxMethod):
    """Fills each face's box black.

    Parameters: ``margin`` 0..2, the share of the box's width and height added on each side; ``detector``
    ``mtcnn`` or ``harness``.
    """

    def __init__(self, *, margin: float = 0.1, detector: str = "mtcnn") -> None:
        super().__init__("blackout", detector)
        self._margin = number("blackout", "margin", margin, 0, 2)

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="blackout",
            version="2",
            description="Fills the box of each face black.",
            licence="MIT",
            source="unmask; a classical baseline, e.g. Newton et al. 2005, doi:10.1109/TKDE.2005.32",
            params={"margin": self._margin, "detector": self._detector},
            detector=self._detector,
            weights=self.detector_weights(),
            imports=self.detector_imports(),
            limits="Destroys the face: nothing that needs a face can be done with the output. "
            + self.detector_limits(),
        )

    def edit(self, image: Image, face: Box) -> None:
        """Black from edge to edge of the grown box."""
        image[covered(grown(face, self._margin), *image.shape[:2])] = 0
