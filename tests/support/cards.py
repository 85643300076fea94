"""Cards as JSON, of nothing real."""

from __future__ import annotations

from typing import Any


def dataset_card(name: str = "d", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "revision": "1",
        "title": name,
        "licence": "MIT",
        "citation": "",
        "roles": ["probe"],
        "show_faces": False,
        "fingerprint": "f",
        **fields,
    }


def method_card(name: str = "none", **fields: Any) -> dict[str, Any]:
    return {"name": name, "version": "1", "description": "", "licence": "MIT", "source": "unmask", **fields}


def instrument_card(name: str = "yunet", role: str = "detector", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1",
        "role": role,
        "description": f"The {name} network.",
        "licence": "MIT",
        "source": "a paper",
        **fields,
    }
