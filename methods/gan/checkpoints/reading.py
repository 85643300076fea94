"""Checkpoints as untrusted input: safetensors, or torch files by ``weights_only=True`` after `check_torch_file`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.files import sha256_of
from unmask.methods.gan.checkpoints.archive import MAX_ELEMENTS, MAX_TENSORS, check_torch_file

MAX_FILE_BYTES: Final = 2 * 2**30
"""AttGAN with its discriminator and both optimisers takes about 1 GiB."""
MAX_NETWORK_ELEMENTS: Final = 2**28
"""Of one network's tensors together."""
WRAPPINGS: Final = ("running_average_generator", "G", "parameters")
"""Names under which published formats keep a generator, the generator first: DeepPrivacy, AttGAN, old DeepPrivacy."""
FLOATS: Final = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
INTEGERS: Final = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One network's tensors as a file holds them, and what the file is."""

    path: Path
    format: str
    """``safetensors``, ``torch zip`` or ``torch before 1.6``."""
    sha256: str
    size: int
    """Bytes of the file."""
    tensors: Mapping[str, torch.Tensor]
    """Key -> dense float or integer tensor on the CPU; may share memory with the file."""
    wrapping: tuple[str, ...] = ()
    """The names above the tensors, outermost first."""
    beside: tuple[str, ...] = ()
    """What else the file holds: optimisers, a discriminator."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Of a safetensors file."""


def open_checkpoint(path: Path) -> Checkpoint:
    """The network in a file; runs no code of it and makes nothing larger than it.

    Raises CheckpointError: no such file, empty, over 2 GiB, truncated, compressed, a pickle with code, sparse,
    quantised or complex tensors, too many or too large ones, no network inside, weights that are not finite.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {str(path)!r}; check the path of the checkpoint")
    size = path.stat().st_size
    if size == 0:
        raise CheckpointError(f"{path.name} is empty; get it again")
    if size > MAX_FILE_BYTES:
        raise CheckpointError(
            f"{path.name} has {size} bytes, more than the {MAX_FILE_BYTES} that a checkpoint may have"
        )
    metadata: Mapping[str, str] = {}
    tree: Any
    if _is_safetensors(path, size):
        file_format = "safetensors"
        tree, metadata = _read_safetensors(path)
    else:
        file_format = check_torch_file(path)
        tree = _read_torch(path, mapped=file_format == "torch zip")
    tensors, wrapping, beside = _unwrapped(tree, path.name)
    _check_tensors(tensors, path.name)
    return Checkpoint(path, file_format, sha256_of(path), size, tensors, wrapping, beside, metadata)


def listed(names: list[str], most: int = 3) -> str:
    """The first ``most`` names and how many more there are, safe to print whatever a file calls its tensors."""
    text = ", ".join(ascii(name)[1:-1][:80] for name in names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text


def _is_safetensors(path: Path, size: int) -> bool:
    """A header's length in 8 bytes, then a JSON object: nothing that torch writes starts like that."""
    with path.open("rb") as stream:
        head = stream.read(9)
    return path.suffix == ".safetensors" or (head[8:] == b"{" and int.from_bytes(head[:8], "little") < size)


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if len(names) > MAX_TENSORS:
                raise CheckpointError(f"{path.name} holds more than {MAX_TENSORS} tensors")
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except (SafetensorError, OSError, AttributeError, KeyError) as error:  # the last two: of types that torch has not
        raise CheckpointError(f"{path.name} is not a sound safetensors file ({error}); get it again") from error


def _read_torch(path: Path, *, mapped: bool) -> Any:
    try:
        # Mapped, so that the optimisers beside a generator are never read.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises many types for files that it does not like
        reason = str(error).strip().split("\n")[0][:200]
        raise CheckpointError(f"{path.name} cannot be read by torch ({type(error).__name__}: {reason})") from error


def _unwrapped(tree: Any, file: str) -> tuple[dict[str, torch.Tensor], tuple[str, ...], tuple[str, ...]]:
    """(tensors, names they lie under, names beside them)."""
    wrapping: list[str] = []
    beside: list[str] = []
    while isinstance(tree, Mapping):
        inside = next((name for name in WRAPPINGS if isinstance(tree.get(name), Mapping)), None)
        if inside is None:
            break
        wrapping.append(inside)
        beside += [str(name) for name in tree if name != inside]
        tree = tree[inside]
    if not isinstance(tree, Mapping) or not tree:
        raise CheckpointError(
            f"{file} holds no state dict but a {type(tree).__name__}; save the network's state_dict()"
        )
    others = [
        str(key) for key, value in tree.items() if not isinstance(key, str) or not isinstance(value, torch.Tensor)
    ]
    if others:
        raise CheckpointError(
            f"{file} holds things that are no tensors ({listed(others)}) and none of {', '.join(WRAPPINGS)}; "
            "save the generator's state_dict()"
        )
    # What torch.nn.DataParallel puts before every key.
    prefix = "module." if all(key.startswith("module.") for key in tree) else ""
    return {key.removeprefix(prefix): value for key, value in tree.items()}, tuple(wrapping), tuple(beside)


def _check_tensors(tensors: Mapping[str, torch.Tensor], file: str) -> None:
    if sum(tensor.numel() for tensor in tensors.values()) > MAX_NETWORK_ELEMENTS:
        raise CheckpointError(f"{file} holds a network of more than {MAX_NETWORK_ELEMENTS} numbers")
    for key, tensor in tensors.items():
        if tensor.dtype not in (*FLOATS, *INTEGERS):
            raise CheckpointError(f"{file}: {listed([key])} is not a float or integer tensor")
        if tensor.numel() > MAX_ELEMENTS:
            raise CheckpointError(
                f"{file}: {listed([key])} has {tensor.numel()} elements, more than any network of ours"
            )
        if tensor.dtype in FLOATS and not torch.isfinite(tensor).all():
            raise CheckpointError(f"{file}: {listed([key])} has NaN or infinite weights; that training has failed")


def settings_beside(path: Path) -> tuple[str, Mapping[str, Any]] | None:
    """(file name, what it says) of the training settings that lie by a checkpoint, or None.

    AttGAN's trainer writes ``setting.txt`` (JSON) above its ``checkpoint`` folder; ours a card ``NAME.json``.
    """
    places = [path.with_suffix(".json"), path.parent / "setting.txt"]
    if path.parent.name == "checkpoint":
        places.append(path.parent.parent / "setting.txt")
    for place in places:
        if place.is_file() and place.stat().st_size < 2**20:
            try:
                settings = json.loads(place.read_text(encoding="utf-8"))
            except (ValueError, OSError):
                continue
            if isinstance(settings, dict):
                return place.name, settings
    return None
