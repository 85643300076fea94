"""A clip is read and written in constant memory, however long it is."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from av.video.frame import VideoFrame

from tests.data.clips_made import make_clip, pictures
from unmask.bench.data.media import VideoReader

FRAMES = 10_000
MOST_MIB = 10
"""Beyond what a tenth of the clip takes; measured: 1. The frames together have 1,080 MiB."""

CODE = """
import sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.media import VideoReader, VideoWriter
from unmask.bench.run.contestants.calling import peak_memory

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
assert writer.frames == count
print(round(peak_memory()))
"""


def peak_mib(frames: int, folder: object) -> int:
    command = [sys.executable, "-c", CODE, str(frames), str(folder)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path: object) -> None:
    assert peak_mib(FRAMES, tmp_path) < peak_mib(FRAMES // 10, tmp_path) + MOST_MIB


@pytest.mark.slow
@pytest.mark.parametrize("rotation", [None, 90])
def test_a_frame_that_was_read_needs_no_garbage_collector(tmp_path: Path, rotation: int | None) -> None:
    """Else hundreds of them lie about until it comes: little for small frames, gigabytes for large ones."""
    reader = VideoReader(make_clip(tmp_path / "a.mp4", pictures(60), rotation=rotation))
    before = frames_alive()
    gc.disable()
    try:
        alive = [frames_alive() for _ in reader]
    finally:
        gc.enable()
    assert len(alive) == 60
    assert max(alive) - before < 10


def frames_alive() -> int:
    # Not isinstance, which asks every object for its class: some modules answer that with a warning.
    return sum(type(each) is VideoFrame for each in gc.get_objects())
