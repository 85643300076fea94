"""The JSON schemas of the plans and the estimates of runs that ship in the wheel.

``python -m unmask.bench.store.json_schema`` writes them anew after a change of a schemas module; a test compares.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from unmask.bench.store.results import Estimates
from unmask.bench.store.schemas import Plan

SHIPPED: Final[dict[str, type[BaseModel]]] = {
    "plan.schema.json": Plan,
    "estimates.schema.json": Estimates,
}


def schema_text(model: type[BaseModel]) -> str:
    """The JSON schema of a model as it is shipped. A test validates real results against it."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(by_alias=True, mode="serialization"),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def shipped_schema(name: str) -> dict[str, Any]:
    """A schema as it lies in the package, e.g. ``estimates.schema.json``."""
    found: dict[str, Any] = json.loads(files("unmask.bench.store").joinpath("json_schemas", name).read_text("utf-8"))
    return found


if __name__ == "__main__":
    for name, model in SHIPPED.items():
        Path(__file__).with_name("json_schemas").joinpath(name).write_text(schema_text(model), "utf-8")
