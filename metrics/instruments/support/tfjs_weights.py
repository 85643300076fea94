"""Weights of TensorFlow.js models: a JSON manifest and one binary file, often quantised."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32

MAX_JSON_BYTES: Final = 1_000_000
MAX_BINARY_BYTES: Final = 100_000_000
MAX_TENSORS: Final = 2_000
_STORED: Final = {"float32": "<f4", "float16": "<f2", "uint8": "|u1", "uint16": "<u2", "int32": "<i4"}


def read_json(path: Path) -> Any:
    """The content of a JSON file of at most 1 MB. Raises CheckpointError."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise CheckpointError(f"{path.name} is larger than any model description of ours; do not use it")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is not readable JSON ({error}); delete it and fetch it again") from error


def read_weights(manifest: Any, binary: Path) -> dict[str, Floats32]:
    """All tensors of a manifest (one group, one binary file), by name, dequantised to float32.

    uint8 and uint16 values ``q`` stand for ``min + scale q``, float16 for themselves; int32 constants become floats.
    Raises CheckpointError unless names, shapes and kinds are sound and the binary has exactly the bytes they need.
    """
    if binary.stat().st_size > MAX_BINARY_BYTES:
        raise CheckpointError(f"{binary.name} is larger than any network of ours; do not use it")
    data = binary.read_bytes()
    try:
        (group,) = manifest
        entries = list(group["weights"])
        if len(entries) > MAX_TENSORS:
            raise ValueError(f"{len(entries)} tensors")
        weights: dict[str, Floats32] = {}
        at = 0
        for entry in entries:
            name, values, at = _tensor(entry, data, at)
            if name in weights:
                raise ValueError(f"{name} twice")
            weights[name] = values
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointError(f"the manifest of {binary.name} is not one of ours ({error}); fetch it again") from error
    if at != len(data):
        raise CheckpointError(f"{binary.name} has {len(data)} bytes, its manifest describes {at}; fetch both again")
    return weights


def _tensor(entry: Any, data: bytes, at: int) -> tuple[str, Floats32, int]:
    """Name and values of the tensor that starts at byte ``at``, and where the next one starts."""
    name, shape, quantization = entry["name"], entry["shape"], entry.get("quantization")
    if not isinstance(name, str) or not isinstance(shape, list) or len(shape) > 6:
        raise ValueError(f"bad entry {str(entry)[:80]}")
    if not all(type(side) is int and 0 < side < 2**24 for side in shape):
        raise ValueError(f"bad shape {str(shape)[:80]} of {name}")
    kind = np.dtype(_STORED[quantization["dtype"] if quantization else entry["dtype"]])
    count = math.prod(shape)
    end = at + count * kind.itemsize
    if end > len(data):
        raise ValueError(f"{name} reaches beyond the end of the data")
    values = np.frombuffer(data, kind, count, at).astype(np.float32).reshape(shape)
    if quantization and kind.kind == "u":
        scale, lowest = float(quantization["scale"]), float(quantization["min"])
        if not (math.isfinite(scale) and math.isfinite(lowest)):
            raise ValueError(f"bad quantization of {name}")
        values = values * np.float32(scale) + np.float32(lowest)
    return name, values, end
