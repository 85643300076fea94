"""Reading the JSON files of a run: whatever is wrong with one, the message names its path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bench.core.errors import StoreError

M = TypeVar("M", bound=BaseModel)


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises `StoreError` where it does not."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise StoreError(f"{path} holds no JSON object")
    return found


def read_model(model: type[M], path: Path) -> M:
    """A file of one of our schemas. Raises `StoreError` where it is missing, damaged or of another version."""
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise StoreError(f"{path} was not written by this version of unmask ({where}: {first['msg']})") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
