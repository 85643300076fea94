"""Cards out of a plan's JSON, typed again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from bench.core.cards import DatasetCard, InstrumentCard, MethodCard, MetricCard, PackageFile
from bench.core.errors import StoreError

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
