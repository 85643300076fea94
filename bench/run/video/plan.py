"""Resolves what a user asks of a run over clips to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from unmask.bench.core import registry
from unmask.bench.core.cards import InstrumentCard, Role
from unmask.bench.core.errors import ConfigError, DataError, UnknownNameError
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import FetchProgress
from unmask.bench.data import open_dataset
from unmask.bench.run.calibration import calibration_for
from unmask.bench.run.plan import CONTROL, JUDGE, dataset_label, distinct, plain, planned_methods
from unmask.bench.run.video.config import VideoConfig
from unmask.bench.run.video.given import is_given, output_folder, planned_given
from unmask.bench.store.schemas import PlannedMethod
from unmask.bench.store.video_schemas import (
    LOSSLESS,
    Contestant,
    PlannedClip,
    PlannedClips,
    PlannedPart,
    VideoPlan,
    VideoSettings,
)

FACE_TRACKER: Final = "deepsort:max_cosine_distance=0.5,max_iou_distance=0.8,n_init=1,nn_budget=100"
"""Every face belongs to a track from its first frame on; faces are linked by how the default recogniser sees them."""


def make_video_plan(
    config: VideoConfig, *, root: Path | None = None, progress: FetchProgress | None = None
) -> VideoPlan:
    """The plan of ``config``. Opens the data sets (to fingerprint them) but decodes nothing.

    Raises `UnmaskError` subclasses for unknown names, double labels, or data that is not there.
    """
    methods = [planned_given(m) if is_given(m) else m for m in planned_methods(config.methods)]
    apart = [output_folder(m) for m in methods if is_given(m)]
    datasets = [_planned_clips(text, config.limit, root, progress, apart) for text in config.datasets]
    distinct("data set", [d.label for d in datasets])
    distinct("method", [m.label for m in methods])
    if any(m.draw_of for m in methods):
        raise ConfigError("seeds= averages draws over photos; clips are anonymized once: leave it out")
    trackers = [_part("tracker", text) for text in config.trackers]
    distinct("tracker", [t.label for t in trackers])
    recognisers = _recognisers(config.instruments)
    settings = VideoSettings(
        **config.model_dump(include={"seed", "limit", "frames", "device", "replicates", "keep_audio"})
    )
    if settings.default_recogniser not in {card.name for card in recognisers}:
        raise ConfigError(
            f"face tracks need {settings.default_recogniser}; add --instrument {settings.default_recogniser}"
        )
    body: dict[str, Any] = {
        "datasets": [d.model_dump() for d in datasets],
        "methods": [m.model_dump() for m in methods],
        "contestants": [c.model_dump() for c in _contestants(methods, config)],
        "instruments": [plain(registry.instrument_card(JUDGE)), *(plain(card) for card in recognisers)],
        "detector": _part("people", config.detector).model_dump(),
        "trackers": [t.model_dump() for t in trackers],
        "face_tracker": _part("tracker", FACE_TRACKER).model_dump(),
        "cards": [plain(card) for _, metric in registry.all_metrics(clips=True) for card in metric.cards],
        "operating_points": calibration_for(None, [card.name for card in recognisers]),
        "settings": settings.model_dump(mode="json"),
    }
    return VideoPlan.sealed(body)


def _planned_clips(
    text: str, limit: int | None, root: Path | None, progress: FetchProgress | None, apart: Sequence[Path]
) -> PlannedClips:
    clips = open_dataset(text, clips=True, root=root, progress=progress, exclude=apart)
    chosen = [PlannedClip(id=ref.id, group=ref.group, digest=ref.digest) for ref in clips.refs[:limit]]
    if not chosen:
        raise DataError(f"{text} has no clips")
    label = dataset_label(parse_spec(text, positional="path"))
    return PlannedClips(label=label, spec=text, card=plain(clips.card), clips=chosen, notes=list(clips.notes))


def _part(role: Role, text: str) -> PlannedPart:
    spec = parse_spec(text)
    card = registry.create_instrument(spec, role).card
    return PlannedPart(label=spec.label, spec=spec.text, card=plain(card))


def _recognisers(asked: Sequence[str]) -> list[InstrumentCard]:
    cards = dict(registry.instrument_cards("recogniser"))
    for name in asked:
        if name not in cards:
            raise UnknownNameError("recogniser", name, cards)
    return [registry.instrument_card(n) for n, card in cards.items() if (n in asked if asked else card.default)]


def _contestants(methods: Sequence[PlannedMethod], config: VideoConfig) -> list[Contestant]:
    """Every method lossless, and at the other qualities that were asked for it."""
    found = []
    for method in methods:
        others = config.qualities
        if method.card["name"] == CONTROL:
            others = tuple(dict.fromkeys((*config.control_qualities, *config.qualities)))
        found.append(Contestant(label=method.label, method=method.label, quality=LOSSLESS))
        found += [Contestant(label=f"{method.label}@{q}", method=method.label, quality=q) for q in others]
    return found
