"""Packed faces: JPEG in safetensors, small enough to be carried to a GPU machine and read there with torch alone.

A pack is a folder laid out as a built set: ``train`` and ``val`` with parts ``faces-NNN.safetensors``, the set's
``card.json``, ``perceptual.safetensors`` (the weights of LPIPS with AlexNet and VGG16) and ``pack.json``, written last.
A part has the tensors ``jpeg`` (all files, one behind the other), ``ends`` (N,) where each file ends, ``boxes``,
``landmarks``, ``labels``, ``skin`` (see `methods.gan.training.faces.Faces`), and its strings as JSON.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from safetensors import SafetensorError, safe_open

from unmask.bench.core.errors import DataError

PACK: Final = "pack.json"
PERCEPTUAL: Final = "perceptual.safetensors"
SUFFIX: Final = ".safetensors"
STRINGS: Final = "faces"
"""The key of a part's metadata under which its strings are."""
SIDES: Final = (16, 1024)
"""Pixels that the faces of a part may have, at least and at most."""


def open_part(path: Path) -> dict[str, Any]:
    """All arrays of a packed part but its images, by the names of an .npz shard. Raises DataError."""
    tensors, texts = _read(path, ("boxes", "landmarks", "labels", "skin"))
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in tensors.items()}
    arrays |= {name: np.array(texts[name], np.str_) for name in ("ids", "people", "attributes") if name in texts}
    lengths = {len(array) for name, array in arrays.items() if name != "attributes"}
    shapes = [arrays[name].shape[1:] for name in ("boxes", "landmarks", "skin")]
    if len(lengths) != 1 or shapes != [(4,), (5, 2), (3,)] or arrays["labels"].ndim != 2:
        raise DataError(f"{path} is damaged: its arrays do not fit each other; pack the set again")
    return arrays


def read_images(path: Path, count: int) -> NDArray[np.uint8]:
    """(count, S, S, 3): the faces of a packed part, decoded by all cores. Raises DataError."""
    tensors, texts = _read(path, ("jpeg", "ends"))
    data, ends, side = tensors["jpeg"].numpy().tobytes(), tensors["ends"].tolist(), texts.get("side")
    if type(side) is not int or not SIDES[0] <= side <= SIDES[1]:
        raise DataError(f"{path} is damaged: it names no size of its faces; pack the set again")
    starts = [0, *ends[:-1]]
    ordered = all(start < end for start, end in zip(starts, ends, strict=True))
    if len(ends) != count or not ordered or (ends and ends[-1] != len(data)):
        raise DataError(f"{path} is damaged: its pictures do not end where it says; pack the set again")
    images = np.empty((count, side, side, 3), np.uint8)

    def decode(row: int) -> None:
        with Pillow.open(io.BytesIO(data[starts[row] : ends[row]]), formats=("JPEG",)) as picture:
            if (picture.size, picture.mode) != ((side, side), "RGB"):
                raise ValueError(f"a picture is {picture.mode} of {picture.size}, not RGB of {(side, side)}")
            images[row] = np.asarray(picture)

    try:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for _ in threads.map(decode, range(count)):
                pass
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{path} is damaged ({str(error).splitlines()[0]}); pack the set again") from error
    return images


def check_complete(part: Path) -> None:
    """Raises DataError where a packed part lies in a pack that was not packed to its end, or has changed since."""
    folder = next((place for place in (part.parent, part.parent.parent) if (place / PACK).is_file()), None)
    if folder is None:
        raise DataError(f"{part} belongs to no complete pack ({PACK} is missing); pack the set again")
    try:
        sizes = json.loads((folder / PACK).read_text("utf-8"))["parts"]
        size = sizes[part.relative_to(folder).as_posix()]
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise DataError(f"{folder / PACK} does not list {part.name}; pack the set again") from error
    gone = next(
        (name for name in sizes if (folder / name).parent == part.parent and not (folder / name).is_file()), None
    )
    if gone is not None:
        raise DataError(f"{gone} is missing; pack the set or copy the part again")
    if size != part.stat().st_size:
        raise DataError(f"{part} has {part.stat().st_size} bytes, not {size}; pack the set or copy the part again")


def perceptual_weights(data: Path) -> Path | None:
    """The weights of the perceptual loss that lie in the pack that ``data`` is or is a part of; None = no pack."""
    return next((place / PERCEPTUAL for place in (data, *data.parents[:2]) if (place / PERCEPTUAL).is_file()), None)


def _read(path: Path, names: tuple[str, ...]) -> tuple[dict[str, torch.Tensor], Mapping[str, Any]]:
    try:
        with safe_open(path, "pt") as file:
            texts = json.loads((file.metadata() or {})[STRINGS])
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is no packed part ({str(error).splitlines()[0]}); pack the set again") from error
    if not isinstance(texts, dict):
        raise DataError(f"{path} is no packed part; pack the set again")
    return tensors, texts
