"""Rows of ``estimates.json`` about attackers who know a method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic import Field

from unmask.bench.core.settings import Strict

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
    explains: bool = False
    """Whether the attacker looks past the face: it explains what others reach, and is not ranked."""
    problem: str = ""
    """Why it could not be tried; '' = it was."""
    doubts: list[str] = Field(default_factory=list)
    """Why what it reached is not believed, a sentence each; then it has no number elsewhere."""
    lower_bound: bool = False
    """Whether more people to learn from would make it stronger."""
    named: float | None = None
    """Share of searches whose right person comes first."""
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
    """Of several trainings each; the best one counts."""
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
    """By the size of the gallery, ascending."""
    gallery_misfit: float | None = None
    """Largest difference between model and measurement, as a share; null = no model."""


def few_people(rows: Iterable[AttackRow]) -> int:
    """How many people attackers search, where they are fewer than `FEW_PEOPLE`; else 0."""
    people = max((row.people for row in rows), default=0)
    return people if people < FEW_PEOPLE else 0
