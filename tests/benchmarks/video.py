"""``make bench-video``: frames per second per stage of a run over clips, and what memory a long clip takes.

Runs demo-clips (or UNMASK_BENCH_DATASET, the first UNMASK_BENCH_FRAMES frames of each clip) with two methods in this
process. Then, in processes of their own, made-up clips with a moving face, a short and a long one: what one needs more
than the other grows with the length. Small frames, with SORT and with DeepSORT, which remembers all looks of who is in
view; and large frames, of which a few that are kept too long would be seen.
Timings are benchmarks, not tests: figures are printed, nothing is asserted.
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

from tests.benchmarks.stages import Stages
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.media import VideoWriter
from unmask.bench.run.contestants.calling import peak_memory
from unmask.bench.run.pipeline import get_ready, locations_for
from unmask.bench.run.pipeline import run as run_plan
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.tables import read_table

METHODS = ("blur:sigma=0.15", "pixelate:blocks=8")
LONG_CLIPS = (((120, 160), (1_000, 10_000), ("sort", "deepsort")), ((1080, 1920), (100, 1_000), ("sort",)))
"""(height, width), numbers of frames, trackers."""


def run_one(config: RunConfig, out: Path) -> tuple[RunFolder, Stages]:
    stages = Stages()
    plan = get_ready(config, root=None)
    folder = run_plan(plan, out, locations=locations_for(config), root=None, workers=1, progress=stages)
    return folder, stages


def speeds() -> None:
    dataset = os.environ.get("UNMASK_BENCH_DATASET", "demo-clips")
    frames = int(os.environ.get("UNMASK_BENCH_FRAMES", "0")) or None
    with tempfile.TemporaryDirectory() as scratch:
        # Opening networks is not measuring them: a few frames warm everything up first.
        run_one(RunConfig(datasets=(dataset,), methods=METHODS, limit=1, frames=4), Path(scratch) / "warm")
        config = RunConfig(datasets=(dataset,), methods=METHODS, frames=frames)
        folder, stages = run_one(config, Path(scratch) / "run")
        clips, contestants = folder.estimates.clips, len(folder.plan.releases)
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


def made_clip(path: Path, size: tuple[int, int], frames: int) -> None:
    """A face that drifts over a grey wall."""
    face = data.astronaut()[0:200:2, 130:330:2]
    height, width = size
    info = VideoInfo(width, height, 0, Fraction(25), Fraction(1, 25), "", "", None, False, frames)
    with VideoWriter(path, info, "800k") as writer:
        for number in range(frames):
            image = np.full((height, width, 3), 128, np.uint8)
            left, top = 30 + round(25 * np.sin(number / 40)), 10 + round(8 * np.cos(number / 25))
            image[top : top + 100, left : left + 100] = face
            writer.write(Frame(number, number, number / 25, image), image)


def whole_run(clips: Path, tracker: str) -> None:
    """All of `unmask video` over a folder of one clip; prints what memory it took: of this process, and of the method's
    process beyond what that began with."""
    # Small networks, for memory grows with the length, not with their size: minutes then, not an hour.
    config = RunConfig(
        datasets=(f"clips:{clips}",),
        methods=("blur:sigma=0.15,detector=harness",),
        detector="yolov3-tiny:size=96",
        instruments=("mobilefacenet",),
        trackers=(tracker,),
        control_qualities=(),
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder, _ = run_one(config, Path(scratch) / "run")
        (dataset,), blur = folder.plan.datasets, folder.plan.methods[-1]
        outputs = read_table(folder.output_dir(dataset.label, blur.label, 0) / "frames.parquet")
        of_method = outputs["peak_memory_mib"].max()
        boxes = len(read_table(folder.original_dir(dataset.label, 0) / "detections.parquet")["frame"])
    print(peak_memory(), of_method, boxes)


def memory() -> None:
    row = "{:<10} {:<10} {:>7} {:>7} {:>12} {:>12} {:>8}"
    print(row.format("size", "tracker", "frames", "boxes", "MiB at most", "method, MiB", "seconds"))
    for size, lengths, trackers in LONG_CLIPS:
        for frames in lengths:
            with tempfile.TemporaryDirectory() as clips:
                made_clip(Path(clips) / "clip.mp4", size, frames)
                for tracker in trackers:
                    began = time.perf_counter()
                    command = [sys.executable, "-m", "tests.benchmarks.video", clips, tracker]
                    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                    seconds = round(time.perf_counter() - began)
                    peak, of_method, boxes = (round(float(part)) for part in done.stdout.splitlines()[-1].split())
                    name = f"{size[1]}x{size[0]}"
                    print(row.format(name, tracker, frames, boxes, peak, of_method, seconds), flush=True)


def main() -> None:
    if len(sys.argv) > 1:
        whole_run(Path(sys.argv[1]), sys.argv[2])
        return
    speeds()
    memory()


if __name__ == "__main__":
    main()
