"""The JSON documents of a run: read, written, described by schemas. Whatever is wrong with one, the message names it.

``python -m unmask.bench.store.documents`` writes the JSON schemas in ``json_schemas/`` anew after a change of a schemas
module; a test compares.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from unmask.bench.core.errors import StoreError
from unmask.bench.core.settings import Strict
from unmask.bench.core.spec import Spec, file_target, parse_spec
from unmask.bench.store.gating import Baseline, Gate
from unmask.bench.store.results import REPRODUCTION, Estimates, Reproduction
from unmask.bench.store.schemas import Plan
from unmask.bench.store.storage import Place, storage_at

M = TypeVar("M", bound=BaseModel)

SHIPPED: Final[dict[str, type[BaseModel]]] = {
    "plan.schema.json": Plan,
    "estimates.schema.json": Estimates,
    "baseline.schema.json": Baseline,
    "gate.schema.json": Gate,
}
LOCATIONS: Final = "locations.json"
LONGEST_ROW: Final = 50
"""Plain values that share a line of a document; of more, each has its own."""
_CONTAINERS: Final = frozenset({dict, list, tuple})
_in_one_line = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def write_json(place: Place, value: Any, *, private: bool = True) -> None:
    """Writes indented JSON, a row of plain values in a line, with a final newline; equal values give equal bytes.
    ``private``: a path is for the owner alone. Raises `ValueError` for NaN and infinity."""
    content = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    text = _indented(content, "\n") + "\n"
    with storage_at(place, private=private).writing() as temp:
        # Names of samples can hold lone surrogates (undecodable file names); they must survive as escapes.
        temp.write_bytes(text.encode("utf-8", errors="backslashreplace"))


def _indented(value: Any, newline: str) -> str:
    """Twice as fast as ``json.dumps(indent=1)``, which leaves its C encoder. ``newline``: with its indent."""
    if not isinstance(value, dict | list | tuple):
        return _in_one_line(value)
    below = newline + " "
    values = value.values() if isinstance(value, dict) else value
    if _CONTAINERS.isdisjoint(map(type, values)):
        if len(value) <= LONGEST_ROW:
            return _in_one_line(value)
        text = json.dumps(value, separators=("," + below, ": "), ensure_ascii=False, allow_nan=False)
        return text[0] + below + text[1:-1] + newline + text[-1]
    parts = [_indented(each, below) for each in values]
    if isinstance(value, dict):
        parts = [f"{_in_one_line(str(key))}: {part}" for key, part in zip(value, parts, strict=True)]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return first + below + ("," + below).join(parts) + newline + last


def read_object(place: Place, remedy: str = "") -> dict[str, Any]:
    """A JSON file that holds an object. Raises `StoreError`, which ends in ``remedy``, where it does not."""
    path, end = storage_at(place).local, f"; {remedy}" if remedy else ""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}{end}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not JSON: {error}{end}") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} holds no JSON object{end}")
    return content


def read_model(model: type[M], place: Place, remedy: str = "run the same command again with another --out") -> M:
    """A file of one of our schemas. Raises `StoreError`, which ends in ``remedy``, where it is missing, damaged, of
    another version, or not what it was when it was sealed."""
    path = storage_at(place).local
    try:
        document = model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        # Of another version most fields differ; the version is what says why.
        first = min(error.errors(), key=lambda each: each["loc"] != ("schema",))
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        what = f"{where}: {first['msg']}"
        if where == "schema":
            what = f"{str(first['input'])[:40]}; this one reads {model.model_fields['schema_'].default}"
        raise StoreError(f"{path} was not written by this version of unmask ({what}); {remedy}") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); {remedy}") from error
    if not _intact(document):
        raise StoreError(f"{path} was changed after unmask wrote it: its content and its hash differ; {remedy}")
    return document


def read_reproduction(run: Path) -> Reproduction | None:
    """Which published protocol a run follows; ``None`` = none. Raises `StoreError` for a damaged file."""
    path = run / REPRODUCTION
    return read_model(Reproduction, path, "reproduce again") if path.is_file() else None


def _intact(document: BaseModel) -> bool:
    if isinstance(document, Plan):
        return document.run == document.content_name()
    return not isinstance(document, Estimates | Baseline) or document.seal == document.content_seal()


class Locations(Strict):
    """``RUN/locations.json``: what a run needs but results must not carry. No part of any hash.

    Edit it where something was moved; what lies there is checked when it is read.
    """

    schema_: Literal["unmask.locations/1"] = Field(default="unmask.locations/1", alias="schema")
    datasets: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Label of a data set -> parameter of its SPEC (``path``) -> folder."""
    methods: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Label of a method -> parameter of its SPEC -> file or folder; where its class is in a file of the user's, also
    the name of that file in the plan -> the file."""


def read_locations(run: Path) -> Locations:
    """Empty where the run has none. Raises `StoreError` for a damaged file."""
    remedy = "mend it, or delete it and give the same `unmask run` again, which writes it anew"
    return read_model(Locations, run / LOCATIONS, remedy) if (run / LOCATIONS).exists() else Locations()


def write_locations(run: Path, locations: Locations) -> None:
    """Writes them down; those of other labels that are there stay."""
    old = read_locations(run)
    new = Locations(datasets=old.datasets | locations.datasets, methods=old.methods | locations.methods)
    if new != old:
        write_json(run / LOCATIONS, new)


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
    return _located(spec, read_locations(run).datasets.get(label, {}))


def located_method(run: Path, label: str, spec: str) -> str:
    """The SPEC of a plan's method with the paths where its files lie now."""
    return _located(spec, read_locations(run).methods.get(label, {}))


def _located(spec: str, places: dict[str, str]) -> str:
    if not places:
        return spec
    parsed = parse_spec(spec)
    name, params, target = parsed.name, dict(places), file_target(parsed.name)
    if target is not None and (file := params.pop(target[0].name, "")):
        name = f"{file}:{target[1]}"
    return Spec(name, {**parsed.params, **params}).text


def schema_text(model: type[BaseModel]) -> str:
    """The JSON schema of a model as it is shipped. A test validates real results against it."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(by_alias=True, mode="serialization"),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def shipped_schema(name: str) -> dict[str, Any]:
    """A schema as it lies in the package, e.g. ``estimates.schema.json``."""
    schema: dict[str, Any] = json.loads(files("unmask.bench.store").joinpath("json_schemas", name).read_text("utf-8"))
    return schema


if __name__ == "__main__":
    for name, model in SHIPPED.items():
        Path(__file__).with_name("json_schemas").joinpath(name).write_text(schema_text(model), "utf-8")
