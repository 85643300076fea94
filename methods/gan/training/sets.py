"""The faces of a training, from shards or a pack: training and held-out ones apart, labels in the config's order."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.bench.core.errors import ConfigError, DataError
from unmask.bench.core.files import sha256_of
from unmask.methods.gan.training import packs
from unmask.methods.gan.training.faces import Faces

SMALL: Final = ("boxes", "landmarks", "labels", "ids", "people", "attributes", "skin")
"""All of a shard but its images; ``labels``, ``ids``, ``people`` (whose split is kept together) and ``attributes``
(the names of the labels) may be missing."""
CARD: Final = "card.json"
"""In a built set's folder; whose photos they are, and under which terms, goes on into the trained network's card."""
SOURCE: Final = ("part", "spec", "title", "revision", "licence", "fingerprint")
"""What is kept of each data set in such a card."""
TRAIN, HELD_OUT = "train", "val"
"""The parts of a built set."""


@dataclass(frozen=True)
class TrainingSet:
    """All that a training sees."""

    faces: Faces
    held_out: Faces
    """For sample grids and accuracies; never learned from."""
    card: dict[str, Any]
    """Files with sha256, numbers of faces, what the data's own cards say."""
    licence: str
    """What those cards say of the terms; '' = nothing."""


def find_shards(paths: Sequence[Path]) -> list[Path]:
    """The files of faces named, and those in the folders named, in order: .npz, or packed .safetensors.

    Raises DataError where there are none, or where a pack is not complete.
    """
    shards: list[Path] = []
    for path in paths:
        files = sorted(path.glob("*.npz")) or sorted(path.glob(f"faces-*{packs.SUFFIX}")) if path.is_dir() else [path]
        if not files or not all(file.is_file() for file in files):
            raise DataError(f"no training faces at {path}; make them with: unmask data build diverse-faces")
        shards += files
    if not shards:
        raise DataError("no training faces; add --data FOLDER (made by: unmask data build diverse-faces)")
    for shard in shards:
        if shard.suffix == packs.SUFFIX:
            packs.check_complete(shard)
    return list(dict.fromkeys(shards))


def read_training_set(
    data: Sequence[Path], held_out: Sequence[Path], share: float, attributes: Sequence[str]
) -> TrainingSet:
    """Reads shards, named one by one, by folder, or as a whole built set (its val part is then held out).

    Where no shards are ``held_out``, ``share`` of ``data`` is, chosen by a hash of each face's person or id. Labels are
    the columns ``attributes`` (none if empty). Raises DataError or ConfigError.
    """
    parts = [path / HELD_OUT for path in data if (path / TRAIN).is_dir() and (path / HELD_OUT).is_dir()]
    data = [path / TRAIN if (path / TRAIN).is_dir() else path for path in data]
    held_out = held_out or parts
    training, testing = find_shards(data), find_shards(held_out) if held_out else []
    faces, held = _read(training, attributes, None if testing else share)
    if testing:
        held, _ = _read(testing, attributes, None)
    if not len(faces) or not len(held):
        raise ConfigError(
            f"{len(faces)} faces to train on and {len(held)} held out: both are needed; change held_out_share, "
            "or give --held-out files"
        )
    if held.images.shape[1:] != faces.images.shape[1:]:
        raise DataError("the held-out faces have another size than those to train on; build both alike")
    cards = [card for path in (*data, *held_out) for card in _cards(path)]
    sets = [card for k, card in enumerate(cards) if card not in cards[:k]]
    card: dict[str, Any] = {
        "training_faces": len(faces),
        "held_out_faces": len(held),
        "files": {sha256_of(path): path.name for path in training},
        "held_out_files": {sha256_of(path): path.name for path in testing},
        "sets": sets,
    }
    terms = [text for card in sets for text in (*(source["licence"] for source in card["sources"]), card["terms"])]
    return TrainingSet(faces, held, card, "; ".join(dict.fromkeys(text for text in terms if text)))


def _read(paths: Sequence[Path], attributes: Sequence[str], share: float | None) -> tuple[Faces, Faces]:
    """(the rest, the held-out share); images are read last, one shard at a time, into their place."""
    parts = [open_shard(path) for path in paths]
    held = np.concatenate([_held_out(part, path, share) for part, path in zip(parts, paths, strict=True)])
    labels = np.concatenate([_labels(part, path, attributes) for part, path in zip(parts, paths, strict=True)])
    boxes = np.concatenate([part["boxes"] for part in parts])
    landmarks = np.concatenate([part["landmarks"] for part in parts]).astype(np.float32)
    skin = np.concatenate([part["skin"] for part in parts]) if all("skin" in part for part in parts) else None
    images: list[NDArray[np.uint8]] = []
    ends = np.cumsum([len(part["boxes"]) for part in parts])
    places = np.where(held, np.cumsum(held), np.cumsum(~held)) - 1
    for path, start, end in zip(paths, [0, *ends], ends, strict=False):
        pixels = shard_images(path, end - start)
        images = images or [np.empty((int(chosen.sum()), *pixels.shape[1:]), np.uint8) for chosen in (~held, held)]
        if pixels.shape[1:] != images[0].shape[1:]:
            raise DataError(f"{path} holds faces of another size than the files before it; build them alike")
        for each, chosen in zip(images, (~held[start:end], held[start:end]), strict=True):
            each[places[start:end][chosen]] = pixels[chosen]
    rest, held_out = (
        Faces(
            torch.from_numpy(pixels),
            torch.from_numpy(boxes[chosen]),
            torch.from_numpy(landmarks[chosen]),
            torch.from_numpy(labels[chosen]),
            None if skin is None else torch.from_numpy(skin[chosen]),
        )
        for pixels, chosen in zip(images, (~held, held), strict=True)
    )
    return rest, held_out


def open_shard(path: Path) -> dict[str, Any]:
    """All arrays of a file of faces but its images, those of `SMALL` that it has. Raises `DataError`."""
    if path.suffix == packs.SUFFIX:
        return packs.open_part(path)
    part, names = _arrays(path, SMALL)
    if not {"images", "boxes", "landmarks"} <= names:
        raise DataError(f"{path} is no file of training faces: it lacks images, boxes or landmarks")
    if len({len(part[name]) for name in part if name != "attributes"}) > 1:
        raise DataError(f"{path} is damaged: its arrays have different lengths")
    return part


def shard_images(path: Path, count: int) -> NDArray[np.uint8]:
    """(count, S, S, 3): the images of a file of faces. Raises `DataError`."""
    if path.suffix == packs.SUFFIX:
        return packs.read_images(path, count)
    pixels: NDArray[np.uint8] = _arrays(path, ("images",))[0]["images"]
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.shape[1] != pixels.shape[2]:
        raise DataError(f"{path}: images must be (N, S, S, 3) uint8, not {pixels.shape} {pixels.dtype}")
    if len(pixels) != count:
        raise DataError(f"{path} is damaged: its arrays have different lengths")
    return pixels


def _arrays(path: Path, names: Sequence[str]) -> tuple[dict[str, Any], set[str]]:
    """(those of ``names`` that an .npz file has, the names of all that it has)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names if name in file.files}, set(file.files)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no file of training faces ({error})") from error


def _held_out(part: dict[str, Any], path: Path, share: float | None) -> NDArray[np.bool_]:
    """Which faces are held out: those whose person (else id) hashes into the share, whatever else is in the data."""
    if share is None:
        return np.zeros(len(part["boxes"]), np.bool_)
    names = part.get("people", part.get("ids"))
    if names is None:
        raise DataError(f"{path} has no ids to hold faces out by; give --held-out files")
    ids = part.get("ids", names)
    # A face without a name is a person of its own.
    keys = [str(name) or str(own) for name, own in zip(names, ids, strict=True)]
    bound = int(share * 2**32)
    return np.array([int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) < bound for key in keys], np.bool_)


def _labels(part: dict[str, Any], path: Path, attributes: Sequence[str]) -> NDArray[np.float32]:
    count = len(part["boxes"])
    if not attributes:
        return np.zeros((count, 0), np.float32)
    labels = part.get("labels")
    if labels is None or labels.ndim != 2:
        raise DataError(f"{path} has no labels; make labelled faces with: unmask data build diverse-faces")
    if "attributes" in part:
        names = [str(name) for name in part["attributes"]]
        missing = [name for name in attributes if name not in names]
        if missing or len(names) != labels.shape[1]:
            raise DataError(f"{path} has labels for {', '.join(names)}; the config names {', '.join(attributes)}")
        labels = labels[:, [names.index(name) for name in attributes]]
    elif labels.shape[1] != len(attributes):
        raise DataError(f"{path} has {labels.shape[1]} labels a face, the config names {len(attributes)} attributes")
    chosen: NDArray[np.float32] = labels.astype(np.float32)
    if not ((chosen >= 0) & (chosen <= 1)).all():
        raise DataError(f"{path} has labels outside 0..1")
    return chosen


def _cards(path: Path) -> list[dict[str, Any]]:
    """Name, terms and sources out of the card of the built set that ``path`` is a part of; none where there is none."""
    folder = path if path.is_dir() else path.parent
    file = next((place / CARD for place in (folder, folder.parent) if (place / CARD).is_file()), None)
    if file is None:
        return []
    try:
        card = json.loads(file.read_text("utf-8"))
        sources = [{key: str(source[key]) for key in SOURCE} for source in card["plan"]["sources"]]
        return [{"name": str(card["name"]), "terms": str(card["terms"]), "sources": sources}]
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise DataError(f"{file} is no card of a built set ({error!r}); build the set again") from error
