"""Runs over painted photos and clips, a stage at a time and in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image as Pillow

from tests.benchmarks.stages import Stages
from unmask.bench.core import registry
from unmask.bench.core.evidence import ANY_LOOK, Evidence
from unmask.bench.core.types import Image
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.media import VideoWriter
from unmask.bench.run.anonymize import anonymize_shard
from unmask.bench.run.contestants.calling import Callee
from unmask.bench.run.figures.assemble import Originals, assemble_evidence, assemble_originals
from unmask.bench.run.figures.operating_points import attack_identity, usable_points
from unmask.bench.run.jobs.shards import ShardJob, Workplace, dataset_jobs, shard_jobs
from unmask.bench.run.pipeline import locations_for
from unmask.bench.run.planning.choosing import SHIPPED
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.planning.plan import make_plan
from unmask.bench.run.prepare import prepare_shard
from unmask.bench.run.reduce import reduce_run
from unmask.bench.run.score import score_shard
from unmask.bench.store.documents import write_json, write_locations
from unmask.bench.store.results import Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import read_table

RATE = 10
"""Frames per second of painted clips."""
THRESHOLD = 0.5


def calibration(recognisers: Sequence[str]) -> dict[str, Any]:
    """A card with one threshold for every attack of the recognisers as they are now."""
    cards = {name: registry.instrument_card(name) for name in recognisers}
    attacks = [*recognisers, *(f"{name}{ANY_LOOK}" for name, card in cards.items() if card.looks)]
    points = [{"fmr": fmr, "threshold": THRESHOLD, "low": 0.45, "high": 0.55} for fmr in (1e-2, 1e-3, 1e-4)]
    return {
        "schema": "unmask.operating-points/1",
        "dataset": "painted 1",
        "people": 2,
        "faces": 4,
        "instruments": {name: attack_identity(name, cards[name.removesuffix(ANY_LOOK)]) for name in attacks},
        "points": dict.fromkeys(attacks, points),
    }


def placed_jobs(path: Path, plan: Plan, label: str) -> list[ShardJob]:
    """The jobs of a method or release over the data sets; of '' those of the originals."""
    of_label = [job for dataset in plan.datasets for job in dataset_jobs(plan, dataset, label)]
    return list(map(Workplace(path).place, of_label if label else shard_jobs(plan)))


class PhotoRun:
    """One data set, ``photos``."""

    def __init__(self, folder: Path, photos: Mapping[str, Image | bytes], labels: str = "") -> None:
        """``photos``: name -> picture, or the bytes of a file that may be none. ``labels``: of ``labels.csv``."""
        self.data, self.folder = folder / "photos", RunFolder(folder / "run")
        for name, photo in photos.items():
            (self.data / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(photo, bytes):
                (self.data / name).write_bytes(photo)
            else:
                Pillow.fromarray(photo).save(self.data / name)
        if labels:
            (self.data / "labels.csv").write_text(labels)

    def planned(self, *methods: str, metrics: Sequence[str] = (), wide: bool = False, **settings: Any) -> PhotoRun:
        """Writes a plan of these methods down, also over another one. ``wide``: with wide crops."""
        settings.setdefault("replicates", 100)
        config = RunConfig(datasets=(f"photos=folder:path={self.data}",), methods=methods, metrics=metrics, **settings)
        plan = make_plan(config)
        datasets = [dataset.model_copy(update={"wide": wide}) for dataset in plan.datasets]
        self.plan = plan.changed(operating_points=calibration(plan.recognisers), datasets=datasets)
        self.folder = RunFolder(self.folder.path)
        write_json(self.folder.plan_path, self.plan)
        write_locations(self.folder.path, locations_for(config))
        return self

    def jobs(self, method: str = "") -> list[ShardJob]:
        return placed_jobs(self.folder.path, self.plan, method)

    def prepare(self) -> list[bool]:
        """Whether there was something to do, by shard."""
        return [prepare_shard(job) for job in self.jobs()]

    def anonymize(self, method: str, callee: Callee | None = None) -> list[bool]:
        return [anonymize_shard(job, callee) for job in self.jobs(method)]

    def score(self, method: str) -> list[bool]:
        return [score_shard(job) for job in self.jobs(method)]

    def through(self, *methods: str) -> PhotoRun:
        """Prepares, anonymizes and scores."""
        self.prepare()
        for method in methods or [m.label for m in self.plan.methods]:
            self.anonymize(method)
            self.score(method)
        return self

    def reduce(self) -> Estimates:
        reduce_run(self.folder, self.plan, None, Stages())
        self.folder = RunFolder(self.folder.path)
        return self.folder.estimates

    def table_of(self, stage: str, name: str, method: str = "", shard: int = 0) -> Path:
        """``stage``: original, output or score."""
        if stage == "original":
            return (self.folder.prepare_dir("photos", shard) / f"{name}.parquet").local
        place = self.folder.outputs_dir if stage == "output" else self.folder.score_dir
        return (place("photos", method, shard) / f"{name}.parquet").local

    def original(self, name: str, shard: int = 0) -> dict[str, Any]:
        return read_table(self.table_of("original", name, shard=shard))

    def output(self, method: str, shard: int = 0) -> dict[str, Any]:
        return read_table(self.table_of("output", "outputs", method, shard))

    def scored(self, method: str, name: str, shard: int = 0) -> dict[str, Any]:
        return read_table(self.table_of("score", name, method, shard))

    def originals(self) -> Originals:
        return assemble_originals(self.folder, self.plan, "photos")

    def evidence(self, method: str) -> tuple[Evidence, list[str], list[str]]:
        """The evidence, the reason of each face's error, and of each photo's failure."""
        cards = {card.name: registry.instrument_card(card.name) for card in self.plan.measuring}
        points = usable_points(self.plan.operating_points, cards)
        evidence, faces, outputs = assemble_evidence(self.folder, self.plan, self.originals(), method, points)
        return evidence, faces.tolist(), outputs["error"].tolist()


def write_clip(path: Path, frames: Sequence[Image], times: Sequence[int] | None = None) -> None:
    """A lossless clip; ``times``: milliseconds at which frames are shown, else `RATE` a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    info = VideoInfo(width, height, 0, Fraction(RATE), Fraction(1, 1000), "", "", None, False, len(frames))
    with VideoWriter(path, info, "lossless") as to:
        for k, (image, pts) in enumerate(
            zip(frames, times or range(0, 1000 * len(frames), 1000 // RATE), strict=False)
        ):
            to.write(Frame(k, pts, pts / 1000, image), image)


def write_avi(path: Path, frames: Sequence[Image]) -> None:
    """A lossless clip in a container whose beginning can be read where its end is missing."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "bgr0"
        for image in [*frames, None]:
            frame = None if image is None else av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))


class ClipRun:
    """One data set, ``clips``."""

    def __init__(
        self, folder: Path, clips: Mapping[str, Sequence[Image] | bytes], truth: str = "", dataset: str = "clips:{path}"
    ) -> None:
        """``clips``: name -> frames, or the bytes of a file that may be none. ``truth``: of ``gt.txt``.

        ``dataset``: the SPEC; ``{path}`` stands for the folder of the clips.
        """
        self.data, self.folder = folder / "clips", RunFolder(folder / "run")
        self._dataset = dataset.format(path=self.data)
        self.data.mkdir(parents=True)
        if truth:
            (self.data / "gt.txt").write_text(truth)
        for name, frames in clips.items():
            (self.data / name).parent.mkdir(exist_ok=True)
            if isinstance(frames, bytes):
                (self.data / name).write_bytes(frames)
            else:
                write_clip(self.data / name, frames)

    def planned(self, *methods: str, **settings: Any) -> ClipRun:
        """Writes a plan of these methods down, also over another one."""
        usual: dict[str, Any] = {"replicates": 100, "control_qualities": (), "trackers": ("sort",)}
        config = RunConfig(datasets=(f"clips={self._dataset}",), methods=methods, **(usual | settings))
        self.plan = plan = make_plan(config)
        if config.calibration == SHIPPED:
            self.plan = plan.changed(operating_points=calibration(plan.recognisers))
        self.folder = RunFolder(self.folder.path)
        self.folder.path.mkdir(exist_ok=True)
        write_json(self.folder.plan_path, self.plan)
        write_locations(self.folder.path, locations_for(config))
        return self

    def jobs(self, label: str = "") -> list[ShardJob]:
        return placed_jobs(self.folder.path, self.plan, label)

    def prepare(self) -> list[bool]:
        """Whether there was something to do, by clip."""
        return [prepare_shard(job) for job in self.jobs()]

    def anonymize(self, method: str, callee: Callee | None = None) -> list[bool]:
        return [anonymize_shard(job, callee) for job in self.jobs(method)]

    def score(self, contestant: str) -> list[bool]:
        return [score_shard(job) for job in self.jobs(contestant)]

    def through(self) -> ClipRun:
        """Prepares, anonymizes and scores."""
        self.prepare()
        for method in self.plan.methods:
            self.anonymize(method.label)
        for release in self.plan.releases:
            self.score(release.label)
        return self

    def reduce(self) -> Estimates:
        reduce_run(self.folder, self.plan, None, Stages())
        self.folder = RunFolder(self.folder.path, show_names=True)
        return self.folder.estimates

    def evidence(self, contestant: str) -> Evidence:
        cards = {card.name: registry.instrument_card(card.name) for card in self.plan.measuring}
        points = usable_points(self.plan.operating_points, cards)
        originals = assemble_originals(self.folder, self.plan, "clips")
        return assemble_evidence(self.folder, self.plan, originals, contestant, points)[0]

    def table_of(self, stage: str, name: str, label: str = "", clip: int = 0) -> Path:
        """``stage``: original, output or score."""
        if stage == "original":
            return (self.folder.prepare_dir("clips", clip) / f"{name}.parquet").local
        place = self.folder.outputs_dir if stage == "output" else self.folder.score_dir
        return (place("clips", label, clip) / f"{name}.parquet").local

    def original(self, name: str, clip: int = 0) -> dict[str, Any]:
        return read_table(self.table_of("original", name, clip=clip))

    def output(self, method: str, name: str, clip: int = 0) -> dict[str, Any]:
        return read_table(self.table_of("output", name, method, clip))

    def scored(self, contestant: str, name: str, clip: int = 0) -> dict[str, Any]:
        return read_table(self.table_of("score", name, contestant, clip))
