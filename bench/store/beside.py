"""What a run needs but results must not carry: where its data and its methods' files lie. No part of any hash."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from unmask.bench.core.errors import StoreError
from unmask.bench.core.settings import Strict
from unmask.bench.core.spec import parse_spec, written
from unmask.bench.store.atomic import write_json
from unmask.bench.store.json_files import read_model

LOCATIONS: Final = "locations.json"
_REMEDY: Final = "mend it, or delete it and give the same `unmask run` again, which writes it anew"
CALIBRATION: Final = "--calibrate-on"
"""Stands for the run's calibration set among the labels of `Locations`; no label can look like it."""


class Locations(Strict):
    """``RUN/locations.json``. Edit it where something was moved; what lies there is checked when it is read."""

    schema_: Literal["unmask.locations/1"] = Field(default="unmask.locations/1", alias="schema")
    datasets: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Label of a data set -> parameter of its SPEC (``path``) -> folder."""
    methods: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Label of a method -> parameter of its SPEC -> file or folder."""


def read_locations(run: Path) -> Locations:
    """Empty where the run has none. Raises `StoreError` for a damaged file."""
    path = run / LOCATIONS
    return read_model(Locations, path, _REMEDY) if path.exists() else Locations()


def write_locations(run: Path, locations: Locations) -> None:
    """Writes them down; those of other labels that are there stay."""
    old = read_locations(run)
    new = Locations(datasets=old.datasets | locations.datasets, methods=old.methods | locations.methods)
    if new != old:
        write_json(run / LOCATIONS, new.model_dump(mode="json", by_alias=True))


def relocate(run: Path, label: str, path: Path) -> None:
    """Points a data set or a method of a run to another file or folder; ``METHOD.PARAMETER`` where it has several.

    Raises `StoreError` for a label that has no location.
    """
    old = read_locations(run).model_copy(deep=True)
    labels = []
    for owner, places in (*old.datasets.items(), *old.methods.items()):
        for parameter in places:
            labels.append(f"{owner}.{parameter}" if len(places) > 1 else owner)
            if label == labels[-1]:
                places[parameter] = str(path)
                write_locations(run, old)
                return
    raise StoreError(f"{run / LOCATIONS} has no {label!r}; it has: {', '.join(labels) or 'nothing'}")


def located_dataset(run: Path, label: str, spec: str) -> str:
    """The SPEC of a plan's data set with the path where it lies now."""
    return _located(spec, read_locations(run).datasets.get(label, {}), "path")


def located_method(run: Path, label: str, spec: str) -> str:
    """The SPEC of a plan's method with the paths where its files lie now."""
    return _located(spec, read_locations(run).methods.get(label, {}), "dir")


def _located(spec: str, places: dict[str, str], positional: str) -> str:
    if not places:
        return spec
    parsed = parse_spec(spec, positional=positional)
    parsed.params.update(places)
    return written(parsed, positional=positional)
