"""`unmask data pack`: a built set's faces as JPEG, with all else that a training on another machine needs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from safetensors.torch import save_file

from unmask.bench.core.errors import DataError, StoreError
from unmask.bench.core.files import replacing_file
from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import Box, FaceView
from unmask.methods.gan.training.packs import PACK, PERCEPTUAL, STRINGS, SUFFIX
from unmask.methods.gan.training.perceptual import INSTRUMENTS, packed_weights, perceptual_features
from unmask.methods.gan.training.sets import CARD, HELD_OUT, TRAIN, find_shards, open_shard, shard_images

QUALITY: Final = 92
"""Of the JPEG files, colours at full resolution."""
PART_BYTES: Final = 60_000_000
"""The largest part."""
SKIN: Final = "skin-kmeans"
"""The registered instrument that estimates skin colours."""
CHUNK: Final = 256
Report = Callable[[str], None]
Rows = dict[str, list[Any]]


class Packer:
    """See `bench.core.training.FacePacker`."""

    instruments = tuple(INSTRUMENTS.values())

    @staticmethod
    def pack(source: Path, out: Path, files: Mapping[str, Mapping[str, Path]], report: Report) -> None:
        """Packs the built set ``source`` (or a folder of shards) into ``out``; see `methods.gan.training.packs`.

        ``files``: of `instruments`. Raises `DataError` where there is nothing to pack, `StoreError` where ``out`` holds
        something else.
        """
        if out.exists() and any(out.iterdir()) and not (out / PERCEPTUAL).is_file():
            raise StoreError(f"{out} holds something else; choose another --out")
        (out / PACK).unlink(missing_ok=True)
        for old in out.glob(f"**/faces-*{SUFFIX}"):
            old.unlink()
        with replacing_file(out / PERCEPTUAL) as temp:
            save_file(packed_weights(perceptual_features(files, views=("alex-half", "vgg-half"))), temp)
        if (source / CARD).is_file():
            with replacing_file(out / CARD) as temp:
                temp.write_bytes((source / CARD).read_bytes())
        folders = [name for name in (TRAIN, HELD_OUT) if (source / name).is_dir()] or [""]
        parts: dict[str, int] = {}
        for name in folders:
            count = 0
            for number, rows in enumerate(_parts(source / name)):
                path = out / name / f"faces-{number:03d}{SUFFIX}"
                _write(path, rows)
                parts[path.relative_to(out).as_posix()] = path.stat().st_size
                count += len(rows["jpeg"])
                report(f"{path}: {len(rows['jpeg'])} faces, {path.stat().st_size / 1e6:.1f} MB")
            report(f"{count} faces of {source / name} packed")
        with replacing_file(out / PACK) as temp:
            temp.write_text(json.dumps({"schema": "unmask.face-pack/1", "quality": QUALITY, "parts": parts}, indent=1))


def _parts(folder: Path) -> Iterator[Rows]:
    """The faces of a folder of shards, as many at a time as fit into a part."""
    rows: Rows = {}
    size = 0
    for face in _faces(folder):
        need = len(face["jpeg"]) + 4 * face["labels"].size + 200 + 4 * sum(len(str(face[k])) for k in ("id", "person"))
        same = not rows or (rows["side"][-1], rows["attributes"][-1]) == (face["side"], face["attributes"])
        if not same:
            raise DataError(f"{folder} holds faces of several sizes or with several sets of labels; build them alike")
        if size + need > PART_BYTES - 4096:
            yield rows
            rows, size = {}, 0
        for name, value in face.items():
            rows.setdefault(name, []).append(value)
        size += need
    if rows:
        yield rows


def _faces(folder: Path) -> Iterator[dict[str, Any]]:
    for path in find_shards([folder]):
        if path.suffix == SUFFIX:
            raise DataError(f"{folder} is packed already")
        shard = open_shard(path)
        images = shard_images(path, len(shard["boxes"]))
        skin = estimated_skin(images, shard["boxes"], shard["landmarks"])
        count = len(images)
        ids = shard.get("ids", np.full(count, ""))
        labels = shard.get("labels", np.zeros((count, 0), np.float32))
        for k in range(count):
            yield {
                "jpeg": as_jpeg(images[k]),
                "boxes": shard["boxes"][k].astype(np.int16),
                "landmarks": shard["landmarks"][k].astype(np.float32),
                "labels": labels[k].astype(np.float32),
                "skin": skin[k],
                "id": str(ids[k]),
                "person": str(shard["people"][k]) if "people" in shard else "",
                "attributes": [str(name) for name in shard.get("attributes", [])],
                "side": images.shape[1],
            }


def _write(path: Path, rows: Rows) -> None:
    texts = {"side": rows["side"][0], "ids": rows["id"], "people": rows["person"], "attributes": rows["attributes"][0]}
    texts = {name: value for name, value in texts.items() if name == "side" or any(value)}
    tensors = {name: torch.from_numpy(np.stack(rows[name])) for name in ("boxes", "landmarks", "labels", "skin")}
    tensors["jpeg"] = torch.frombuffer(bytearray(b"".join(rows["jpeg"])), dtype=torch.uint8)
    tensors["ends"] = torch.from_numpy(np.cumsum([len(data) for data in rows["jpeg"]]))
    with replacing_file(path) as temp:
        save_file(tensors, temp, {STRINGS: json.dumps(texts)})


def as_jpeg(image: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) RGB as a JPEG file of `QUALITY`."""
    sink = io.BytesIO()
    Pillow.fromarray(image).save(sink, "JPEG", quality=QUALITY, subsampling=0)
    return sink.getvalue()


def estimated_skin(
    images: NDArray[np.uint8], boxes: NDArray[np.int16], landmarks: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(N, 3) colour of each face's skin, RGB 0..255; NaN where it cannot be estimated."""
    instrument: Any = instrument_class(SKIN).open({}, "cpu")
    read = [np.zeros((0, 3), np.float32)]
    for start in range(0, len(images), CHUNK):
        views = []
        for row in range(start, min(start + CHUNK, len(images))):
            left, top, right, bottom = (float(value) for value in boxes[row])
            views.append(FaceView(images[row], Box(left, top, right - left, bottom - top), landmarks[row]))
        columns = instrument.read(views)
        read.append(np.stack([np.asarray(columns[channel], np.float32) for channel in "rgb"], 1))
    return np.concatenate(read)
