"""What decides what: the keys of all tables, each made of everything that could change its table."""

from __future__ import annotations

from typing import Any, Final

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.store.planned import PlannedMethod

PREPARED: Final = 4
OUTPUTS: Final = 9
SCORED: Final = 7
"""Versions of the stages. Raise one whenever its stage's results could change."""


def located_key(job: ShardJob) -> str:
    """Of the faces of the originals; of clips also of their tracks."""
    cards = [job.plan.detector]
    if job.of_clips:
        linking = job.plan.settings.default_recogniser
        cards += [card for card in job.plan.instruments if card.name == linking]
        cards.append(job.plan.part("face_tracker").card)
    return job.key("located", PREPARED, *(card.identity for card in cards))


def outputs_key(job: ShardJob) -> str:
    """Of a shard's outputs: the method as it is, the seed, the harness's boxes where it uses them, and of clips the
    variants that are written."""
    method, settings = job.planned_method, job.plan.settings
    boxes = located_key(job) if method.card.detector == "harness" else ""
    written: list[Any] = [variants_of(job, method), settings.keep_audio] if job.of_clips else []
    return job.key("outputs", OUTPUTS, method.identity, method.seed(settings.seed), settings.device, boxes, written)


def variants_of(job: ShardJob, method: PlannedMethod) -> list[str]:
    """The variants of a method that lie in files of their own. JPEGs are made of the lossless photos where they are
    scored, so that a further quality runs no method again."""
    releases = (release for release in job.plan.releases_of(job.planned) if release.method == method.label)
    return [release.variant for release in releases if release.jpeg_quality is None]


def scored_key(job: ShardJob) -> str:
    """Of how the faces of a release end, and where they are found again."""
    variant = job.release.variant if job.of_clips or job.release.jpeg_quality else ""
    others = [card.identity for card in job.instruments("detector")]
    return job.key("outcomes", SCORED, located_key(job), outputs_key(job), variant, *others)


def reading_key(job: ShardJob, located: str, card: InstrumentCard, *more: Any) -> str:
    """Of one instrument's readings of the faces that were located under ``located``, or of the regions around them."""
    return job.key("reading", PREPARED, located, card.identity, job.plan.settings.device, *more)


def people_key(job: ShardJob, frames: str = "") -> str:
    """Of the people that are found in frames; ``frames``: the key of those that are looked at, '' = the originals."""
    return job.key("people", frames, job.plan.part("person_detector").card.identity, job.plan.settings.device)


def tracks_key(job: ShardJob, people: str, tracker: InstrumentCard) -> str:
    """Of what a tracker makes of the people that were found under ``people``."""
    return job.key("tracks", PREPARED, people, tracker.identity)
