"""A recipe without the network: a tool of one small wheel, which covers whole pictures with a grey."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

NAME = "shading"
TOOL = """
import struct, sys, zlib
from pathlib import Path

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

def main():
    source, target, grey = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    if grey == 13:
        sys.exit(13)
    for path in source.iterdir():
        size = path.read_bytes()[16:24]
        width, height = struct.unpack(">II", size)
        rows = zlib.compress((b"\\0" + bytes([grey]) * width) * height)
        header = chunk(b"IHDR", size + bytes([8, 0, 0, 0, 0]))
        picture = b"\\x89PNG\\r\\n\\x1a\\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        (target / f"{path.stem}_grey.png").write_bytes(picture)

main()
"""
RECIPE = """
name = "shading"
description = "Covers the whole picture with a grey."
licence = "MIT"
package = "shading"
version = "1.0"
run = "{python} -m shading {input} {output} {grey} {look}"
suffix = "_grey"
limits = "It finds no faces."
tested = "nothing"

[parameters.grey]
default = 100
low = 0
high = 255
meaning = "the grey"

[parameters.look]
default = "plain"
choices = ["plain", "odd"]
meaning = "nothing"
"""


def write_recipe(folder: Path, *, tool: str = TOOL) -> Path:
    """The recipe's folder below ``folder``, which `UNMASK_RECIPES` is to name; its wheel lies beside the lock."""
    place = folder / NAME
    place.mkdir(parents=True, exist_ok=True)
    (place / "recipe.toml").write_text(RECIPE)
    wheel = place / f"{NAME}-1.0-py3-none-any.whl"
    info = f"{NAME}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{NAME}/__main__.py", tool)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    write_lock(place, hashlib.sha256(wheel.read_bytes()).hexdigest())
    return place


def write_lock(place: Path, sha256: str) -> None:
    (place / "lock.txt").write_text(f"--no-index\n--find-links .\n{NAME}==1.0 --hash=sha256:{sha256}\n")
