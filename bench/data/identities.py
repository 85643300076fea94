"""Order and splits that depend on names alone, so that every machine and every subset agrees on them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Set
from typing import Literal

from unmask.bench.core.names import folded
from unmask.bench.core.types import SampleRef

_NUMBER = re.compile(r"(\d+)")
SUBSETS = (("train", 0.8), ("val", 0.9), ("test", 1.0))
"""Split name and upper bound of its share, for data sets without identities and without an official split."""


def identity_half(identity: str, probe_only: Set[str] = frozenset()) -> Literal["calibrate", "probe"]:
    """The half of the people that someone belongs to, by one bit of sha256(identity).

    ``probe_only``: people who also appear in another test set (`demo`); thresholds must not be calibrated on them.
    """
    return "calibrate" if identity not in probe_only and _hash("half", identity)[0] & 1 else "probe"


def file_subset(file: str) -> str:
    """``train``, ``val`` or ``test`` (80/10/10) by sha256 of the file's name."""
    position = int.from_bytes(_hash("subset", file)[:8], "big") / 2**64
    return next(name for name, bound in SUBSETS if position < bound)


def in_order(refs: Iterable[SampleRef]) -> tuple[SampleRef, ...]:
    """People in the order of sha256(identity), each one's photos together and by id; so a limit keeps people whole.

    A photo of several people goes with the first one labelled; a photo without labelled people is placed by sha256(id).
    """

    def owner(ref: SampleRef) -> str:
        person = next((label.identity for label in ref.labels if label.identity), None)
        return f"file\x1f{ref.id}" if person is None else f"person\x1f{person}"

    return tuple(sorted(refs, key=lambda ref: (_hash("order", owner(ref)), ref.id)))


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key by which ``clip2`` comes before ``clip10``; equal on every machine."""
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(name) if part]
    return parts, name


def people(refs: Iterable[SampleRef]) -> Counter[str]:
    """Identity -> number of photos that show the person."""
    return Counter(name for ref in refs for name in {label.identity for label in ref.labels if label.identity})


def person_hash(identity: str) -> str:
    """Stands for a person without naming them; spelling variants (``Tom Hanks``, ``tom_hanks``) give one hash."""
    return hashlib.sha256(person_key(identity).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def person_hashes(refs: Iterable[SampleRef]) -> set[str]:
    """The hashes of all people whom samples name."""
    return {person_hash(label.identity) for ref in refs for label in ref.labels if label.identity}


def person_key(identity: str) -> str:
    """Equal for spellings of one name: capitals, blanks, underscores and the form of accents do not count."""
    return " ".join(folded(identity).replace("_", " ").split())


def _hash(purpose: str, text: str) -> bytes:
    # A purpose of its own each: half, subset and order must not depend on one another.
    return hashlib.sha256(f"unmask\x1f{purpose}\x1f{text}".encode()).digest()
