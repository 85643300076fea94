"""The outputs of a shard beside their originals: faces found again, faces elsewhere, and how each face ended."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import ImageError, StoreError
from unmask.bench.core.images import decode_image
from unmask.bench.core.types import Box, Detection, FaceView, Image, Outcome, Region, RegionPair
from unmask.bench.run import opened
from unmask.bench.run.explained import Explanation, explanation
from unmask.bench.run.located import match_faces, outcomes, place_crop, shifted, unmatched
from unmask.bench.run.prepare import as_stored, detection_columns, detections_of, faces_by_sample
from unmask.bench.run.regions import region_pairs
from unmask.bench.run.shards import ShardJob, decode_chunks
from unmask.bench.store.tables import Table, read_table


@dataclass(frozen=True)
class Judged:
    """One readable image of the data set with what the method made of it."""

    sample: str
    original: Image
    faces: list[Detection]
    """The original's faces."""
    output: Image | None
    reason: str
    """Why there is no output; ''."""
    again: list[Detection | None]
    """The face found again in the place of each original face."""
    extra: list[Detection]
    """Faces on the output at places where no original face is."""
    found_by: list[str]
    """The detector that finds a face in the place of each original face: the judge's, the second one, or ''."""
    _shared: dict[Region, list[RegionPair]] = field(default_factory=dict)

    @cached_property
    def explanations(self) -> list[Explanation | None]:
        """Of each face; None where there is no output. Worked out where outcomes are written, not for mere readings."""
        output = self.output
        return [None if output is None else explanation(self.original, output, face.box) for face in self.faces]

    @cached_property
    def boxes(self) -> list[Box]:
        return [face.box for face in self.faces]

    @cached_property
    def views(self) -> list[FaceView | None]:
        """What face instruments see, shared by all of them so that each crop is cut once."""
        if self.output is None:
            return [None] * len(self.again)
        return [None if d is None else FaceView(self.output, d.box, d.landmarks) for d in self.again]

    @cached_property
    def known_views(self) -> list[FaceView | None]:
        """The output at the original's boxes and landmarks, whether a face is found there or not."""
        if self.output is None:
            return [None] * len(self.faces)
        return [FaceView(self.output, d.box, d.landmarks) for d in self.faces]

    @cached_property
    def extra_views(self) -> list[FaceView]:
        return [] if self.output is None else [FaceView(self.output, d.box, d.landmarks) for d in self.extra]

    @cached_property
    def untouched(self) -> bool:
        """Whether the output is the original, pixel for pixel (the control; images in which nobody was found)."""
        return self.output is not None and np.array_equal(self.output, self.original)

    def pairs(self, region: Region) -> list[RegionPair]:
        """The regions before and after, shared by all instruments; empty where there is no output."""
        if self.output is not None and region not in self._shared:
            self._shared[region] = region_pairs(self.original, self.output, self.boxes, region)
        return self._shared.get(region, [])


@dataclass(frozen=True)
class Detections:
    """The judge's detections on outputs that were stored before."""

    again: Iterator[Detection | None]
    """Of each face, in order."""
    extra: Mapping[str, list[Detection]]
    """Sample -> faces elsewhere."""

    @classmethod
    def of(cls, outcome_rows: Table, extra_rows: Table) -> Detections:
        return cls(iter(detections_of(outcome_rows)), faces_by_sample(extra_rows))


def judged_chunks(job: ShardJob, stored: Detections | None) -> Iterator[list[Judged]]:
    """Chunks of the shard's readable images, with the judge's detections (those ``stored``, if any)."""
    originals = faces_by_sample(read_table(job.folder.prepare_dir(job.dataset, job.shard) / "faces.parquet"))
    outputs = job.folder.outputs_dir(job.dataset, job.method, job.shard)
    made = read_table(outputs / "outputs.parquet")
    files = {
        str(name): (str(file), str(sha256), str(error))
        for name, file, sha256, error in zip(made["sample"], made["file"], made["sha256"], made["error"], strict=True)
    }
    dataset, refs = job.open()
    for chunk in decode_chunks(dataset, refs):
        items = []
        for entry in chunk:
            if entry.image is None:
                continue
            faces = originals.get(entry.ref.id, [])
            file, sha256, reason = files.get(entry.ref.id, ("", "", "no output was stored"))
            output = _load((outputs / str(file)).local, sha256) if file else None
            again, extra = _look(job, output, faces) if stored is None else _stored(stored, entry.ref.id, faces)
            items.append(
                Judged(
                    entry.ref.id,
                    entry.image,
                    faces,
                    output,
                    reason,
                    again,
                    extra,
                    _found_by(job, output, faces, again) if stored is None else [""] * len(faces),
                )
            )
        yield items


def _look(
    job: ShardJob, output: Image | None, faces: Sequence[Detection]
) -> tuple[list[Detection | None], list[Detection]]:
    """Which faces are found again, and those elsewhere; images without an original face are not looked at."""
    if output is None or not faces:
        return [None] * len(faces), []
    judge = opened.detector(job.plan.detector.name, job.plan.settings.device)
    seen = as_stored(judge.detect([output])[0])
    again = match_faces([face.box for face in faces], seen)
    return again, unmatched(again, seen)


def _found_by(
    job: ShardJob, output: Image | None, faces: Sequence[Detection], again: Sequence[Detection | None]
) -> list[str]:
    """Who finds each face again. Where the judge's detector does not, another one is asked about the place before the
    face counts as destroyed: a picture can be made to hide from one."""
    others = [card.name for card in job.plan.instruments_of("detector")]
    names = [job.plan.detector.name if detection is not None else "" for detection in again]
    for k, face in enumerate(faces):
        if output is None or names[k]:
            continue
        for other in others:
            crop, corner = place_crop(output, face.box)
            seen = opened.detector(other, job.plan.settings.device).detect([crop])[0] if crop.size else []
            if match_faces([face.box], [shifted(detection, corner) for detection in seen]) != [None]:
                names[k] = other
    return names


def _stored(
    stored: Detections, sample: str, faces: Sequence[Detection]
) -> tuple[list[Detection | None], list[Detection]]:
    return [next(stored.again) for _ in faces], stored.extra.get(sample, [])


def _load(path: Path, sha256: str) -> Image:
    """The stored output. Raises `StoreError` where it is missing, damaged, or not the one that was stored."""
    remedy = "delete its folder and run the same `unmask run` again"
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"{path} is not the picture that was stored there; {remedy}")
        return decode_image(data, path.name)
    except (OSError, ImageError) as error:
        raise StoreError(f"{path} cannot be read ({error}); {remedy}") from error


def outcome_rows(chunk: Sequence[Judged]) -> dict[str, NDArray[Any]]:
    """A row a face of an original: how it ended, as far as pixels and detectors tell, and where it is found again.

    No face is `missed` here: recognisers say which of those that are ``explained`` are (`bench.run.explained`).
    """
    faces: list[str] = []
    ended: list[str] = []
    reasons: list[str] = []
    again: list[Detection | None] = []
    found_by: list[str] = []
    explanations: list[Explanation | None] = []
    for item in chunk:
        faces += [f"{item.sample}#{k}" for k in range(len(item.faces))]
        again += item.again
        found_by += item.found_by
        explanations += item.explanations
        reasons += [item.reason if item.output is None else ""] * len(item.faces)
        if item.output is None:
            ended += [Outcome.ERROR] * len(item.faces)
        else:
            there = np.array([name != "" for name in item.found_by], np.bool_)
            ended += outcomes(there)
    return {
        "face": np.array(faces, np.str_),
        "outcome": np.array([str(outcome) for outcome in ended], np.str_),
        "reason": np.array(reasons, np.str_),
        "found_by": np.array(found_by, np.str_),
        "residual": np.array([np.nan if e is None else e.residual for e in explanations], np.float32),
        "explained": np.array([e is not None and e.explained for e in explanations], np.bool_),
        "equal": np.array([e is not None and e.equal for e in explanations], np.bool_),
        **detection_columns(again),
    }


def extra_rows(chunk: Sequence[Judged]) -> dict[str, NDArray[Any]]:
    """A row a face that is found where no original face is."""
    rows = [(item.sample, detection) for item in chunk for detection in item.extra]
    return {
        "sample": np.array([sample for sample, _ in rows], np.str_),
        **detection_columns([detection for _, detection in rows]),
    }
