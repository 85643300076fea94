"""A long clip is read and written in constant memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMES = 10_000
MOST_MIB = 60
"""Beyond what a tenth of the clip takes; measured: 13. The frames together have 1,080 MiB."""

CODE = """
import resource, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from bench.core.video import Frame, VideoInfo
from bench.data.video import VideoReader, VideoWriter

count, folder = int(sys.argv[1]), Path(sys.argv[2])
info = VideoInfo(224, 168, 0, Fraction(25), Fraction(1, 25), "none", "rgb24", 400.0, False, None)
base = np.random.default_rng(0).integers(0, 256, (168, 448, 3), dtype=np.uint8)
with VideoWriter(folder / "a.mp4", info, "400k") as writer:
    for k in range(count):
        image = np.ascontiguousarray(base[:, k % 224 : k % 224 + 224])
        writer.write(Frame(k, k, k / 25, image), image)
reader = VideoReader(folder / "a.mp4")
with VideoWriter(folder / "b.mp4", reader.info, "matched") as writer:
    for frame in reader:
        writer.write(frame, frame.image)
assert writer.frames == reader.frames_read == count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_mib(frames: int, folder: object) -> int:
    command = [sys.executable, "-c", CODE, str(frames), str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path: object) -> None:
    assert peak_mib(FRAMES, tmp_path) < peak_mib(FRAMES // 10, tmp_path) + MOST_MIB
