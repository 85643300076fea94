"""What a plan lists: data sets, methods and their releases, attackers, metrics, parts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final, Literal

from pydantic import Field

from unmask.bench.core.cards import AttackerCard, DatasetCard, InstrumentCard, MethodCard, MetricCard
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.settings import Strict
from unmask.bench.core.views import RESTORED

CONTROL: Final = "none"
"""The method that changes nothing; every plan has it."""
LOSSLESS: Final = "lossless"
MATCHED: Final = "matched"
JPEG: Final = "jpeg"
"""Variants of a `Release`; the others are bitrates. ``jpeg`` is followed by a quality of 1 to 100."""
Kind = Literal["photos", "clips"]
Use = Literal["test", "calibrate", "background"]


class PlannedDataset(Strict):
    label: str
    """Name in results."""
    kind: Kind = "photos"
    use: Use = "test"
    """``test``: methods are run over it. What is not has no releases and no rows in results, and shows nobody who is in
    a test set: thresholds are measured on ``calibrate``, attackers learn from ``background``."""
    spec: str
    """As it was asked for, but without a path: where the data lie is no part of a plan."""
    card: DatasetCard
    samples: list[str]
    """Ids of the photos or clips in order."""
    wide: bool = False
    """Of photos: whether quality is also measured over wide crops about the faces."""
    digests: list[str] = Field(default=[])
    """Of clips: sha256 of each one's content."""
    groups: list[str] = Field(default=[])
    """Of clips: what the data set says of each, e.g. ``normal``; '' = nothing."""
    notes: list[str] = Field(default=[])
    """What was understood of the data set and what was passed over, a sentence each. Not part of the plan's name: the
    same samples are the same plan."""


class PlannedMethod(Strict):
    label: str
    spec: str
    """As it was asked for; over photos without the values that are paths."""
    card: MethodCard
    draw: int = Field(default=0, ge=0)
    """0 = the run's own seed; k = the k-th further draw of a method that chooses by chance."""
    draw_of: str = ""
    """The label whose results a further draw is averaged into; '' = a method with results of its own."""
    again_of: str = ""
    """The label of the method that this is, under another seed: for attackers who run it themselves, or with one draw a
    person; '' = a method with results of its own, or a draw of one."""
    code: str = ""
    """sha256 over the source of the method: a plug-in's package, of a built-in method its modules."""
    files: dict[str, str] = Field(default={})
    """Parameter that names a file or folder -> sha256 of the content."""

    @property
    def origin(self) -> str:
        """The label under which the method was asked for."""
        return self.draw_of or self.again_of or self.label

    @property
    def identity(self) -> list[Any]:
        """Everything that decides what the method makes of an image, but for the seed."""
        return [self.spec, asdict(self.card), self.code, self.files]

    def seed(self, run: int) -> int:
        """The seed of this draw where the run's is ``run``; the first draw's is the run's."""
        return derive_seed(run, "draw", str(self.draw)) if self.draw else run


class PlannedPart(Strict):
    """A person detector or a tracker, with its parameters."""

    label: str
    spec: str
    card: InstrumentCard


class PlannedAttacker(Strict):
    """Somebody who wants to know who is behind a released face, with parameters."""

    label: str
    spec: str
    card: AttackerCard

    @property
    def view(self) -> str:
        """What recognisers read for it (`bench.core.views`): of those who restore, each has its own."""
        return f"{RESTORED}{self.label}" if self.card.view == RESTORED else self.card.view


class Release(Strict):
    """What is scored: all that a method made of a data set, in one form."""

    label: str
    """Name in results: the method's, with ``@matched``, ``@56k`` or ``@jpeg75`` where it is not lossless."""
    method: str
    """Label of the method."""
    variant: str = LOSSLESS
    """``lossless``; of clips ``matched`` (the source's bitrate) or a bitrate such as ``56k``; of photos ``jpeg75``."""

    @property
    def kind(self) -> Kind | None:
        """What can have this variant; ``None`` = photos and clips."""
        if self.variant == LOSSLESS:
            return None
        return "clips" if self.jpeg_quality is None else "photos"

    @property
    def jpeg_quality(self) -> int | None:
        """1 to 100; ``None`` = it is no JPEG."""
        return int(self.variant.removeprefix(JPEG)) if self.variant.startswith(JPEG) else None


class PlannedMetric(Strict):
    name: str
    """Registered name; one plug-in may answer several cards."""
    kinds: list[Kind] = Field(default=["photos"])
    """What it is asked of."""
    cards: list[MetricCard]
    needs: list[str]
