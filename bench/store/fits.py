"""What an attacker has learned of a method, as safetensors: the arrays of every fit, or why there are none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from unmask.bench.core.errors import StoreError
from unmask.bench.core.evidence import Columns
from unmask.bench.store.storage import Place, storage_at

_KEY: Final = "unmask.key"
_PROBLEMS: Final = "unmask.problems"
_SEAL: Final = "unmask.sha256"
_BETWEEN: Final = "|"
_REMEDY: Final = "run the same `unmask run` again"


def write_fits(place: Place, fits: Mapping[str, Columns | str], key: str) -> None:
    """Publishes fits by name: arrays by name, or the reason why nothing was learned. Sealed by a hash of it all."""
    problems = json.dumps({name: fit for name, fit in fits.items() if isinstance(fit, str)}, sort_keys=True)
    arrays = {
        f"{name}{_BETWEEN}{array}": np.ascontiguousarray(values)
        for name, fit in fits.items()
        if not isinstance(fit, str)
        for array, values in {"": np.zeros(0, np.float32), **fit}.items()
    }
    with storage_at(place).writing() as temp:
        save_file(arrays, temp, {_KEY: key, _PROBLEMS: problems, _SEAL: _seal(arrays, problems, key)})


def fits_key(place: Place) -> str | None:
    """The key that fits were written under; ``None`` where there are none, or not as they were written."""
    try:
        return _read(place)[2]
    except StoreError:
        return None


def read_fits(place: Place) -> dict[str, Columns | str]:
    """Raises `StoreError` where they are missing, damaged or changed."""
    return _read(place)[0]


def fits_stamp(place: Place) -> str:
    """The seal of a file whose content it still is. Raises `StoreError` as `read_fits`."""
    return _read(place)[1]


def _read(place: Place) -> tuple[dict[str, Columns | str], str, str]:
    """The fits, their seal and their key."""
    path = storage_at(place).local
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        problems: dict[str, str] = json.loads(metadata[_PROBLEMS])
        intact = metadata[_SEAL] == _seal(arrays, metadata[_PROBLEMS], metadata[_KEY])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); {_REMEDY}") from error
    if not intact:
        raise StoreError(f"{path} was changed after unmask wrote it; remove it and {_REMEDY}")
    fits: dict[str, dict[str, NDArray[Any]]] = {}
    for name in sorted(arrays):
        fit, _, array = name.partition(_BETWEEN)
        fits.setdefault(fit, {}).update({array: arrays[name]} if array else {})
    return {**fits, **problems}, metadata[_SEAL], metadata[_KEY]


def _seal(arrays: Mapping[str, NDArray[Any]], problems: str, key: str) -> str:
    """Not of the file's bytes: safetensors writes metadata in any order."""
    seal = hashlib.sha256(f"{key}\n{problems}".encode())
    for name in sorted(arrays):
        seal.update(f"\n{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        seal.update(np.ascontiguousarray(arrays[name]).tobytes())
    return seal.hexdigest()
