"""What an attacker has learned of a method, as safetensors: the arrays of every fit, or why there are none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unmask.bench.core.errors import StoreError
from unmask.bench.core.evidence import Columns
from unmask.bench.store.storage import Place, storage_at

_KEY: Final = "unmask.key"
_PROBLEMS: Final = "unmask.problems"
_BETWEEN: Final = "|"


def write_fits(place: Place, fits: Mapping[str, Columns | str], key: str) -> None:
    """Publishes fits by name: arrays by name, or the reason why nothing was learned."""
    problems = {name: fit for name, fit in fits.items() if isinstance(fit, str)}
    arrays = {
        f"{name}{_BETWEEN}{array}": np.ascontiguousarray(values)
        for name, fit in fits.items()
        if not isinstance(fit, str)
        for array, values in {"": np.zeros(0, np.float32), **fit}.items()
    }
    with storage_at(place).writing() as temp:
        save_file(arrays, temp, {_KEY: key, _PROBLEMS: json.dumps(problems)})


def fits_key(place: Place) -> str | None:
    """The key that fits were written under; ``None`` if there is no readable file."""
    try:
        with safe_open(storage_at(place).local, "numpy") as file:
            return (file.metadata() or {}).get(_KEY)
    except (OSError, SafetensorError):
        return None


def read_fits(place: Place) -> dict[str, Columns | str]:
    """Raises `StoreError` where they are missing or damaged."""
    path = storage_at(place).local
    fits: dict[str, dict[str, np.ndarray]] = {}
    try:
        with safe_open(path, "numpy") as file:
            problems: dict[str, str] = json.loads((file.metadata() or {})[_PROBLEMS])
            for name in sorted(file.keys()):
                fit, _, array = name.partition(_BETWEEN)
                fits.setdefault(fit, {}).update({array: file.get_tensor(name)} if array else {})
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); run the same `unmask run` again") from error
    return {**fits, **problems}


def fits_stamp(place: Place) -> str:
    """A hash of the file's bytes. Raises `StoreError` where it is missing."""
    path = storage_at(place).local
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); run the same `unmask run` again") from error
