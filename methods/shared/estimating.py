"""Age and gender of the faces that a method is to hide, by a registered instrument whose files its card asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.errors import SpecError
from unmask.bench.core.protocols import FaceInstrument
from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import FaceView


def estimator_card(name: str, method: str) -> InstrumentCard:
    """The card of the instrument from which ``method`` learns age and gender; `MethodCard.files` must hold its files.
    Raises `SpecError` for one of another role, `UnknownNameError` for a name that is not registered."""
    card = instrument_class(name).card
    if card.role != "attributes":
        raise SpecError(f"{method}: estimator={name} is a {card.role}, not an estimator of age and gender")
    return card


def open_estimator(name: str, files: Mapping[str, Path], device: str) -> FaceInstrument:
    """The instrument, out of the ``files`` of a method."""
    kind: Any = instrument_class(name)
    return cast(FaceInstrument, kind.open({file.key: files[file.key] for file in kind.card.files}, device))


def people_of(estimator: FaceInstrument, views: Sequence[FaceView]) -> list[tuple[float, float]]:
    """Age in years and probability of female of each face; NaN where the estimator cannot tell."""
    if not views:
        return []
    columns = estimator.read(views)
    return [(float(age), float(p)) for age, p in zip(columns["age"], columns["p_female"], strict=True)]
