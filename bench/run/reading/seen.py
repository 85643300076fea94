"""An item with its faces and, when a release is scored, what became of them: what all parts look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from unmask.bench.core.types import Box, Detection, FaceView, Image, Region, RegionPair
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.items import Item
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.run.outputs.releases import Released
from unmask.bench.run.reading.explained import Explanation, explanation
from unmask.bench.run.reading.located import match_faces, place_crop, shifted, unmatched
from unmask.bench.run.reading.regions import region_images, region_pairs
from unmask.bench.store.detections import Faces, as_stored, detections_of, faces_by_item
from unmask.bench.store.tables import Table


@dataclass(frozen=True)
class Seen:
    """Views, crops and pairs are cut once and shared by all instruments."""

    item: Item
    faces: Sequence[Detection]
    """The original's faces."""
    released: Released | None = None
    """What a method made of it; ``None`` while originals are read."""
    again: Sequence[Detection | None] = ()
    """The face found again in the place of each original face."""
    extra: Sequence[Detection] = ()
    """Faces on the output at places where no original face is."""
    found_by: Sequence[str] = ()
    """The detector that finds a face in the place of each original face: the judge's, a second one, or ''."""
    restored: dict[str, list[list[FaceView | None]]] = field(default_factory=dict)
    """View -> for each restoration the faces of the output, as an attacker restores them."""
    _crops: dict[Region, list[Image]] = field(default_factory=dict)
    _pairs: dict[Region, list[RegionPair]] = field(default_factory=dict)

    @property
    def image(self) -> Image:
        """The original of an item that could be read."""
        assert self.item.image is not None
        return self.item.image

    @property
    def output(self) -> Image | None:
        return None if self.released is None else self.released.usable

    @property
    def failure(self) -> str:
        """Why there is no output that instruments could read; '' where there is one, or nothing was released."""
        return self.released.reason if self.released is not None and self.output is None else ""

    @property
    def shown(self) -> Image:
        """What somebody sees who has only this: the original, or the output even where the method failed."""
        return self.image if self.released is None or self.released.output is None else self.released.output

    @property
    def same(self) -> bool:
        """Whether the output is the original, pixel for pixel."""
        return self.released is not None and self.released.same

    @cached_property
    def explanations(self) -> list[Explanation | None]:
        """Of each face; ``None`` where there is no output. For outcomes alone, not for mere readings."""
        output = self.output
        return [None if output is None else explanation(self.image, output, face.box) for face in self.faces]

    @cached_property
    def boxes(self) -> list[Box]:
        return [face.box for face in self.faces]

    @cached_property
    def views(self) -> list[FaceView]:
        """The original's faces."""
        return [FaceView(self.image, face.box, face.landmarks) for face in self.faces]

    @cached_property
    def again_views(self) -> list[FaceView | None]:
        return [None if face is None else self._on_output(face) for face in self.again]

    @cached_property
    def known_views(self) -> list[FaceView | None]:
        """The output at the original's boxes and landmarks, whether a face is found there or not."""
        return [self._on_output(face) for face in self.faces]

    @cached_property
    def extra_views(self) -> list[FaceView]:
        return [view for view in map(self._on_output, self.extra) if view is not None]

    def _on_output(self, face: Detection) -> FaceView | None:
        return None if self.output is None else FaceView(self.output, face.box, face.landmarks)

    def crops(self, region: Region) -> list[Image]:
        """Of the original; of an item that could not be read none."""
        if self.item.image is not None and region not in self._crops:
            self._crops[region] = region_images(self.image, self.boxes, region)
        return self._crops.get(region, [])

    def pairs(self, region: Region) -> list[RegionPair]:
        """The regions before and after; empty where there is no output."""
        if self.output is not None and region not in self._pairs:
            self._pairs[region] = region_pairs(self.image, self.output, self.boxes, region)
        return self._pairs.get(region, [])


def seen_originals(job: ShardJob, chunk: Sequence[Item], stored: Faces | None) -> list[Seen]:
    """A chunk of originals, with the judge's detections (or those ``stored``)."""
    if stored is not None:
        return [Seen(item, stored.get(item.key, [])) for item in chunk]
    judge = opened.detector(job.plan.detector.name, job.plan.settings.device)
    faces = iter(judge.detect([item.image for item in chunk if item.image is not None]))
    return [Seen(item, [] if item.image is None else as_stored(next(faces))) for item in chunk]


class Judging:
    """Finds the faces of originals again in a release's items, which come in order."""

    def __init__(self, job: ShardJob, faces: Faces, tables: tuple[Table, Table] | None) -> None:
        """``faces``: the originals'. ``tables``: outcomes and faces elsewhere where they are stored already."""
        self._plan, self._device = job.plan, job.plan.settings.device
        self._others = [card.name for card in job.instruments("detector")]
        self._faces = faces
        self._again: Iterator[Detection | None] | None = None
        self._extra: Faces = {}
        if tables is not None:
            self._again, self._extra = iter(detections_of(tables[0])), faces_by_item(tables[1])

    def seen(self, chunk: Sequence[Released]) -> list[Seen]:
        """A chunk of the release with its faces found again, and those elsewhere. Items whose original has no face are
        not looked at, and what is the original pixel for pixel has its faces."""
        if self._again is not None:
            return [self._stored(released, self._again) for released in chunk]
        looked = [k for k, r in enumerate(chunk) if r.usable is not None and not r.same and self._of(r)]
        judge = opened.detector(self._plan.detector.name, self._device)
        images = [image for k in looked if (image := chunk[k].usable) is not None]
        detected = dict(zip(looked, map(as_stored, judge.detect(images)) if images else (), strict=True))
        return [self._judged(released, detected.get(k)) for k, released in enumerate(chunk)]

    def _of(self, released: Released) -> list[Detection]:
        return self._faces.get(released.item.key, [])

    def _stored(self, released: Released, again: Iterator[Detection | None]) -> Seen:
        faces = self._of(released)
        extra = self._extra.get(released.item.key, [])
        return Seen(released.item, faces, released, [next(again) for _ in faces], extra, [""] * len(faces))

    def _judged(self, released: Released, detected: list[Detection] | None) -> Seen:
        faces, judge = self._of(released), self._plan.detector.name
        if detected is None:
            again: list[Detection | None] = [*faces] if released.same else [None] * len(faces)
            return Seen(released.item, faces, released, again, [], [judge if face else "" for face in again])
        again = match_faces([face.box for face in faces], detected)
        found_by = [
            judge if place is not None else self._second(released, face)
            for face, place in zip(faces, again, strict=True)
        ]
        return Seen(released.item, faces, released, again, unmatched(again, detected), found_by)

    def _second(self, released: Released, face: Detection) -> str:
        """Who else finds a face. Where the judge's detector does not, another one is asked about the place before the
        face counts as destroyed: a picture can be made to hide from one."""
        found_by = ""
        for other in self._others:
            assert released.output is not None
            crop, corner = place_crop(released.output, face.box)
            detected = opened.detector(other, self._device).detect([crop])[0] if crop.size else []
            if match_faces([face.box], [shifted(detection, corner) for detection in detected]) != [None]:
                found_by = other
        return found_by
