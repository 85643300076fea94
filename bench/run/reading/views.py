"""What attackers have recognisers read in place of released faces, see `bench.core.views`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, cast

import numpy as np

from unmask.bench.core import registry
from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.evidence import Columns as Readings
from unmask.bench.core.protocols import ActivationReader, Columns, Restorer
from unmask.bench.core.types import Box, Detection, FaceView, Image
from unmask.bench.core.views import ACTIVATIONS, OUTSIDE, VIEWS_VERSION, is_restored, of_photos, psnr, view_column
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.keys import reading_key
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.run.reading.located import shifted
from unmask.bench.run.reading.parts import LANDMARKS, Before, FacePart, Part, spread
from unmask.bench.run.reading.regions import FACE_FACTOR, PATCH_SIDE, blank_face, face_free_patch
from unmask.bench.run.reading.restoring import restoration_stamp, restorers_at_work
from unmask.bench.run.reading.seen import Seen
from unmask.bench.store.planned import PlannedAttacker, PlannedDataset
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan

WINDOW: Final = 5.0
"""Side of the part of a picture that is kept of a face in a view, over the longer side of its box: wider than what any
recogniser looks at."""


def view_table(recogniser: str, view: str) -> str:
    """Name of a table of a recogniser's readings in a view."""
    return f"{recogniser}~{view.replace(':', '-')}"


def psnr_table(planned: PlannedAttacker) -> str:
    return f"psnr~{planned.label}"


def can_read(recogniser: str, view: str) -> bool:
    """Whether a recogniser has readings in a view."""
    return view != ACTIVATIONS or hasattr(registry.instrument_class(recogniser), "read_activations")


def original_views(plan: Plan, dataset: PlannedDataset, recogniser: str) -> list[str]:
    """The views in which a recogniser reads the photos of a data set. Activations too: those of the control are the
    photos' own."""
    if dataset.kind == "clips" or dataset.use == "calibrate":
        return []
    return [view for view in plan.views if (of_photos(view) or view == ACTIVATIONS) and can_read(recogniser, view)]


def released_views(folder: RunFolder, plan: Plan, dataset: PlannedDataset, label: str, recogniser: str) -> list[str]:
    """The views in which a recogniser reads a release of a data set: those of attackers who look at it, restored ones
    only where anything was learned; of what is compared with by somebody who runs the method, activations alone."""
    if label in plan.again.values():
        views = [view for view in plan.views if view == ACTIVATIONS]
    elif label not in plan.audited or dataset.kind == "clips":
        return []
    else:
        restored = [planned.view for planned, _ in restorers_at_work(folder, plan, label)]
        views = [view for view in plan.views if not is_restored(view) or view in restored]
    return [view for view in views if can_read(recogniser, view)]


def original_view_parts(job: ShardJob, located: str) -> Iterator[Part]:
    for card in job.instruments("recogniser"):
        for view in original_views(job.plan, job.planned, card.name):
            yield ViewPart(job, located, card, view)


def released_view_parts(job: ShardJob, located: str) -> Iterator[Part]:
    at_work = {}
    if not job.of_clips and job.method in job.plan.audited:
        at_work = {each.view: (each, s) for each, s in restorers_at_work(job.folder, job.plan, job.method)}
    for card in job.instruments("recogniser"):
        for view in released_views(job.folder, job.plan, job.planned, job.method, card.name):
            if is_restored(view):
                yield RestoredPart(job, located, card, *at_work[view])
            else:
                yield ReleasedViewPart(job, located, card, view)
    for planned, state in at_work.values():
        yield PsnrPart(job, located, planned, state)


class ViewPart(FacePart):
    """A recogniser on the faces of originals in one view."""

    def __init__(self, job: ShardJob, located: str, card: InstrumentCard, view: str, *more: str) -> None:
        super().__init__(job, located, card)
        self.name = view_table(card.name, view)
        self.key = reading_key(job, located, card, VIEWS_VERSION, view, *more)
        self._view = view

    def read(self, chunk: Sequence[Seen]) -> Columns:
        views = [view for seen in chunk for view in views_of(seen, self._view, seen.image)]
        return self._spread(views, [False] * len(views), {})

    def _spread(self, views: Sequence[FaceView | None], same: Sequence[bool], before: Readings) -> Columns:
        """A row a view: NaN where there is none, the original's reading where ``same``."""
        column = view_column(self._view)
        new = [k for k, view in enumerate(views) if view is not None and not same[k]]
        kept = [k for k, view in enumerate(views) if view is not None and same[k]]
        pieces = [view for view, there in zip(views, same, strict=True) if view is not None and not there]
        rows = {"embedding": before[column]} if kept else {}
        return {column: spread(self._reader, pieces, new, len(views), kept, rows)["embedding"]}

    def _reader(self, views: Sequence[FaceView]) -> Columns:
        instrument = opened.face_instrument(self._card.name, self._device)
        if self._view == ACTIVATIONS:
            return cast(ActivationReader, instrument).read_activations(views)
        return instrument.read(views)


class ReleasedViewPart(ViewPart):
    """The same on a release."""

    def __init__(self, job: ShardJob, located: str, card: InstrumentCard, view: str) -> None:
        super().__init__(job, located, card, view)
        self._before = Before(job, self.name)

    def read(self, chunk: Sequence[Seen]) -> Columns:
        views: list[FaceView | None] = []
        same: list[bool] = []
        for seen in chunk:
            released = [None] * len(seen.faces) if seen.output is None else views_of(seen, self._view, seen.output)
            views += released
            if self._view == ACTIVATIONS or seen.same:
                same += [seen.same] * len(released)
            else:
                originals = views_of(seen, self._view, seen.image)
                same += [_equal(one, other) for one, other in zip(originals, released, strict=True)]
        return self._spread(views, same, self._before.rows(len(views)))


class RestoredPart(ViewPart):
    """A recogniser on a release as an attacker restores it, at the original's place."""

    def __init__(
        self, job: ShardJob, located: str, card: InstrumentCard, planned: PlannedAttacker, state: Readings
    ) -> None:
        stamp = restoration_stamp(job.folder, job.plan, job.method, planned)
        super().__init__(job, located, card, planned.view, stamp)
        self._planned, self._state = planned, state

    def read(self, chunk: Sequence[Seen]) -> Columns:
        columns: dict[str, np.ndarray] = {}
        choices = restored_views(chunk, self._planned, self._state, self._device)
        for k, views in enumerate(choices):
            rows = self._spread(views, [False] * len(views), {})
            columns[view_column(self._view, k)] = rows[view_column(self._view)]
        return columns


class PsnrPart(Part):
    """How near to the originals released faces are, and as an attacker restores them."""

    def __init__(self, job: ShardJob, located: str, planned: PlannedAttacker, state: Readings) -> None:
        stamp = restoration_stamp(job.folder, job.plan, job.method, planned)
        super().__init__(psnr_table(planned), job.key("psnr", VIEWS_VERSION, located, planned.label, stamp))
        self._planned, self._state, self._device = planned, state, job.plan.settings.device

    def read(self, chunk: Sequence[Seen]) -> Columns:
        originals = [_window(seen.image, face) for seen in chunk for face in seen.faces]
        released = [
            None if seen.output is None else _window(seen.output, face) for seen in chunk for face in seen.faces
        ]
        choices = restored_views(chunk, self._planned, self._state, self._device)
        return {
            "psnr_released": _psnrs(originals, released),
            "psnr": np.max([_psnrs(originals, views) for views in choices], axis=0),
        }


def views_of(seen: Seen, view: str, image: Image) -> list[FaceView | None]:
    """The faces of an original or of what was made of it (``image``) in a view."""
    if view == ACTIVATIONS:
        if image is seen.image:
            return list(seen.views)
        return [found or place for found, place in zip(seen.again_views, seen.known_views, strict=True)]
    if view == OUTSIDE:
        return [_outside(_window(image, face)) for face in seen.faces]
    patch = face_free_patch(image, seen.boxes) if seen.faces else None
    whole = None if patch is None else FaceView(patch, Box(0, 0, PATCH_SIDE, PATCH_SIDE), LANDMARKS)
    return [whole] * len(seen.faces)


def restored_views(
    chunk: Sequence[Seen], planned: PlannedAttacker, state: Readings, device: str
) -> list[list[FaceView | None]]:
    """For each restoration that an attacker offers the faces of a chunk's releases; made once for all recognisers."""
    restorer = cast(Restorer, opened.attacker(planned.spec, device))
    choices: list[list[FaceView | None]] = [[] for _ in range(restorer.choices(state))]
    for seen in chunk:
        if planned.view not in seen.restored:
            seen.restored[planned.view] = [
                [
                    None
                    if seen.output is None
                    else _window(restorer.restore(state, seen.output, face.box, choice), face)
                    for face in seen.faces
                ]
                for choice in range(len(choices))
            ]
        for views, more in zip(choices, seen.restored[planned.view], strict=True):
            views += more
    return choices


def _window(image: Image, face: Detection) -> FaceView:
    """The part of a picture about a face, so that the rest need not be kept."""
    left, top, right, bottom = face.box.square(WINDOW).clipped(*image.shape[:2])
    if right <= left or bottom <= top:
        return FaceView(image[:1, :1].copy(), face.box, face.landmarks)
    moved = shifted(face, (-left, -top))
    return FaceView(image[top:bottom, left:right].copy(), moved.box, moved.landmarks)


def _outside(face: FaceView) -> FaceView:
    return FaceView(blank_face(face.image, face.box, face.landmarks), face.box, face.landmarks)


def _equal(one: FaceView | None, other: FaceView | None) -> bool:
    return one is not None and other is not None and np.array_equal(one.image, other.image)


def _psnrs(originals: Sequence[FaceView], others: Sequence[FaceView | None]) -> np.ndarray:
    """(N,) dB over the square about the face, NaN where there is no picture."""
    values = [math.nan if o is None else _psnr(one, o) for one, o in zip(originals, others, strict=True)]
    return np.array(values, np.float32)


def _psnr(original: FaceView, other: FaceView) -> float:
    left, top, right, bottom = original.box.square(FACE_FACTOR).clipped(*original.image.shape[:2])
    one, two = (view.image[top:bottom, left:right] for view in (original, other))
    return psnr(one, two)
