"""Reading the JSON files of a run: whatever is wrong with one, the message names its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from unmask.bench.core.errors import StoreError
from unmask.bench.store.results import REPRODUCTION, Estimates, Reproduction
from unmask.bench.store.schemas import Sealed

M = TypeVar("M", bound=BaseModel)


def read_object(path: Path, remedy: str = "") -> dict[str, Any]:
    """A JSON file that holds an object. Raises `StoreError`, which ends in ``remedy``, where it does not."""
    end = f"; {remedy}" if remedy else ""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}{end}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not JSON: {error}{end}") from error
    if not isinstance(found, dict):
        raise StoreError(f"{path} holds no JSON object{end}")
    return found


def read_model(model: type[M], path: Path, remedy: str = "run the same command again with another --out") -> M:
    """A file of one of our schemas. Raises `StoreError`, which ends in ``remedy``, where it is missing, damaged, of
    another version, or not what it was when it was sealed."""
    try:
        found = model.model_validate_json(path.read_bytes())
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
    if not _intact(found):
        raise StoreError(f"{path} was changed after unmask wrote it: its content and its hash differ; {remedy}")
    return found


def read_reproduction(run: Path) -> Reproduction | None:
    """Which published protocol a run follows; ``None`` = none. Raises `StoreError` for a damaged file."""
    path = run / REPRODUCTION
    return read_model(Reproduction, path, "reproduce again") if path.is_file() else None


def _intact(found: BaseModel) -> bool:
    if isinstance(found, Sealed):
        return found.run == found.content_name()
    return not isinstance(found, Estimates) or found.seal == found.content_seal()
