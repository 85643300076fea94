"""``make bench-video``: frames per second per stage of a run over clips, and what memory a long clip takes.

Runs demo-clips (or UNMASK_BENCH_DATASET, the first UNMASK_BENCH_FRAMES frames of each clip) with two methods in this
process. Then, in processes of their own, made-up clips of 1,000 and 10,000 frames with a moving face: what one needs
more than the other grows with the length. Timings are benchmarks, not tests: figures are printed, nothing is asserted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from skimage import data

from bench.core.video import Frame, VideoInfo
from bench.data.video import VideoWriter
from bench.run.calling import peak_memory
from bench.run.video.config import VideoConfig
from bench.run.video.pipeline import get_video_ready, run_video
from bench.store.video_folder import VideoRunFolder
from tests.benchmarks.stages import Stages

METHODS = ("blur:sigma=0.15", "pixelate:blocks=8")
LENGTHS = (1_000, 10_000)
SIZE = (240, 320)


def run_one(config: VideoConfig, out: Path) -> tuple[VideoRunFolder, Stages]:
    stages = Stages()
    plan = get_video_ready(config, root=None)
    return run_video(plan, out, root=None, workers=1, progress=stages), stages


def speeds() -> None:
    dataset = os.environ.get("UNMASK_BENCH_DATASET", "demo-clips")
    frames = int(os.environ.get("UNMASK_BENCH_FRAMES", "0")) or None
    with tempfile.TemporaryDirectory() as scratch:
        # Opening networks is not measuring them: a few frames warm everything up first.
        run_one(VideoConfig(datasets=(dataset,), methods=METHODS, limit=1, frames=4), Path(scratch) / "warm")
        config = VideoConfig(datasets=(dataset,), methods=METHODS, frames=frames)
        folder, stages = run_one(config, Path(scratch) / "run")
        clips, contestants = folder.estimates.clips, len(folder.plan.contestants)
    count = sum(clip.frames for clip in clips)
    sizes = ", ".join(sorted({f"{clip.width}x{clip.height}" for clip in clips}))
    print(
        f"{dataset}: {len(clips)} clips, {count} frames of {sizes}, {sum(clip.faces for clip in clips)} faces in them"
    )
    passes = {"prepare": 1, "anonymize": len(METHODS), "score": contestants, "reduce": contestants}
    print(f"{'stage':<10} {'seconds':>8} {'frames/s':>9}")
    for stage, times in passes.items():
        seconds = stages.seconds[stage]
        print(f"{stage:<10} {seconds:>8.1f} {count * times / seconds:>9.1f}")


def made_clip(path: Path, frames: int) -> None:
    """A face that drifts over a grey wall."""
    face = data.astronaut()[0:200, 130:330]
    height, width = SIZE
    info = VideoInfo(width, height, 0, Fraction(25), Fraction(1, 25), "", "", None, False, frames)
    with VideoWriter(path, info, "800k") as writer:
        for number in range(frames):
            image = np.full((height, width, 3), 128, np.uint8)
            left, top = 60 + round(50 * np.sin(number / 40)), 20 + round(15 * np.cos(number / 25))
            image[top : top + 200, left : left + 200] = face
            writer.write(Frame(number, number, number / 25, image), image)


def memory_of(clip: Path) -> float:
    """Peak resident memory, MiB, of a fresh process that runs the whole of `unmask video` over one clip."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.video", str(clip)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def memory() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for frames in LENGTHS:
            folder = Path(scratch) / str(frames)
            folder.mkdir()
            made_clip(folder / "clip.mp4", frames)
            began = time.perf_counter()
            used = memory_of(folder)
            seconds = time.perf_counter() - began
            print(f"{frames} frames: {used:.0f} MiB at most, {seconds:.0f} s for all stages (blur and the control)")


def main() -> None:
    if len(sys.argv) > 1:
        config = VideoConfig(
            datasets=(f"clips:{sys.argv[1]}",),
            methods=("blur:sigma=0.15",),
            instruments=("mobilefacenet",),
            trackers=("sort",),
            control_qualities=(),
        )
        with tempfile.TemporaryDirectory() as scratch:
            run_one(config, Path(scratch) / "run")
        print(peak_memory())
        return
    speeds()
    memory()


if __name__ == "__main__":
    main()
