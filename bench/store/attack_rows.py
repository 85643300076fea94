"""Rows of ``estimates.json`` about attackers who know a method, and what such attackers have of each method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic import Field

from unmask.bench.core.headlines import WITHOUT, WORST
from unmask.bench.core.settings import Strict
from unmask.bench.core.split import Part
from unmask.bench.store.planned import CONTROL, PlannedMethod
from unmask.bench.store.schemas import Plan

NOT_POSSIBLE = "informed attacks: not possible, the method cannot be run"

FEW_PEOPLE: Final = 100
"""With fewer people to search than this, few claims about attackers can be made."""


class GalleryPoint(Strict):
    """How often the right person is named in a gallery of so many; null = not measured."""

    size: int
    """People, the right one included."""
    measured: float | None
    """Among the people that there are, others left out at random."""
    modelled: float | None
    """From the tail of the scores of strangers (`bench.core.stats.galleries`)."""
    low: float | None
    high: float | None
    """95 % of the model, widened by its misfit."""


class AttackRow(Strict):
    """What one attacker who knows a method reached, by one channel; null = not measured."""

    dataset: str
    method: str
    attacker: str
    channel: str
    """A recogniser, or ``fused``: all that the attacker can use."""
    explains: bool = False
    """Whether the attacker looks past the face: it explains what others reach, and is not ranked."""
    problem: str = ""
    """Why it could not be tried; '' = it was."""
    doubts: list[str] = Field(default_factory=list)
    """Why what it reached is not believed, a sentence each; then it has no number elsewhere."""
    lower_bound: bool = False
    """Whether more people to learn from would make it stronger."""
    named: float | None = None
    """Share of searches whose right person comes first. Of several trainings it is the one that names most of the
    people tested, which flatters it a little; so are ``cmc``, ``fmr``, ``fnmr`` and ``disclosed``."""
    floor: float | None = None
    """The same where nothing can be known: labels permuted."""
    ceiling: float | None = None
    """The same attack on photos that are not anonymized."""
    risk: float | None = None
    """(named - floor) / (ceiling - floor)"""
    trained: float | None = None
    """The same as ``named`` on the background people that it learned from."""
    shares: dict[str, float | None] = Field(default_factory=dict)
    """Share of the background people that it learned from -> ``named``."""
    trainings: list[float] = Field(default_factory=list)
    """Of several trainings each."""
    learned_people: int = 0
    learned_photos: int = 0
    """Background people that it learned from, and their photos; 0 = it learns nothing."""
    psnr_released: float | None = None
    psnr: float | None = None
    """Of an attacker who restores: mean over faces of the PSNR against the original, dB, of the release and of what is
    restored of it."""
    searches: int = 0
    people: int = 0
    """In the gallery."""
    thresholds: dict[str, float | None] = Field(default_factory=dict)
    """False match rate -> score at which pairs are accepted, of background people."""
    cmc: list[float] = Field(default_factory=list)
    """Share of searches whose right person is among the first 1, 2, ..."""
    fmr: list[float] = Field(default_factory=list)
    fnmr: list[float] = Field(default_factory=list)
    """Points of the DET curve."""
    disclosed: float | None = None
    """ZEBRA's worst case, log10 of a likelihood ratio: a maximum, so it has no interval."""
    disclosed_tag: str = ""
    disclosed_limit: float | None = None
    """The most that so many comparisons could show."""
    galleries: list[GalleryPoint] = Field(default_factory=list)
    """``named`` by the size of the gallery, ascending, of the strongest attack on the method that may be believed: up
    to the people that there are or, where the model holds, to the most that the scores support."""
    gallery_misfit: float | None = None
    """Largest difference between model and measurement, as a share; null = no model. Above 0.05 none is given."""


def few_people(rows: Iterable[AttackRow]) -> int:
    """How many people attackers search, where they are fewer than `FEW_PEOPLE`; else 0."""
    people = max((row.people for row in rows), default=0)
    return people if people < FEW_PEOPLE else 0


def made_elsewhere(method: PlannedMethod, part: Part) -> bool:
    """Whether a method is pictures that were made elsewhere, and they come with those of a part of an audit's photos
    (``background`` or ``enrolment``)."""
    return f"{part}_fingerprint" in method.card.params


def learnable(plan: Plan) -> list[str]:
    """Labels of the methods of which attackers have outputs of background people, the control left out."""
    again = plan.again
    return [
        each.label
        for each in plan.methods
        if each.origin == each.label
        and (made_elsewhere(each, "background") or (each.label in again and not made_elsewhere(each, "enrolment")))
    ]


def strongest_name(plan: Plan, label: str) -> str:
    """The instrument name of the strongest attack on a method: `WORST`, or another one where attackers lack something
    that they have of other methods, so that the two are never ranked together."""
    if any(method.label == label and method.card.name == CONTROL for method in plan.methods):
        return WORST
    learned, twice = plan.used_to("background") and label in learnable(plan), label in plan.again
    if twice and (learned or not plan.used_to("background")):
        return WORST
    return f"{WORST}{WITHOUT}{'enrolment' if learned else 'background' if twice else 'method'}"


def lacking(name: str) -> str:
    """What attackers lack, where the strongest attack has this instrument name; '' = nothing."""
    return {
        "method": NOT_POSSIBLE,
        "enrolment": "attackers who compare with anonymized photos: not possible, the tested photos were anonymized "
        "only once (outputs:enrolment=FOLDER)",
        "background": "attackers who learn: not possible, there are no anonymized photos of background people "
        "(outputs:background=FOLDER)",
    }.get(name.removeprefix(f"{WORST}{WITHOUT}"), "")
