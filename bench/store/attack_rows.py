"""Rows of ``estimates.json`` about attackers who know a method."""

from __future__ import annotations

from pydantic import Field

from unmask.bench.core.settings import Strict


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
    """``named`` by the number of people searched, of the strongest attack on the method that may be believed; up to the
    people that there are or, where the model holds, to the most that the scores support."""
    gallery_misfit: float | None = None
    """The largest difference between model and measurement; above 0.05 nothing is modelled."""
