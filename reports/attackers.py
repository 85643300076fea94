"""What the page of one attacker says: what it knows, how it was trained, where it may be believed, what it reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.views import ACTIVATIONS, OUTSIDE, PATCH, RELEASE, RESTORED
from unmask.bench.store.view import RunView
from unmask.reports.audit import Attempt, Audit, AuditLine
from unmask.reports.numbers import count, listed

_VIEWS: Final = {
    RELEASE: "the released faces as they are",
    RESTORED: "the released faces, restored first, and as they are",
    OUTSIDE: "the place of the face with the face itself blanked",
    PATCH: "the largest square of the picture without a face",
    ACTIVATIONS: "the released faces, by what a recogniser's last block is given",
}
_GALLERIES: Final = {
    "originals": "photos as they are",
    "released": "what the method makes of photos, under another seed than the release's",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """One attacker on one data set."""

    audit: Audit
    attempts: tuple[tuple[AuditLine, Attempt], ...]

    @property
    def believed(self) -> str:
        """``Believed in 12 of 14 attacks.``, and what became of the others."""
        rows = [each for _, each in self.attempts]
        doubted = sum(bool(each.row.doubts) for each in rows)
        impossible = sum(bool(each.row.problem) for each in rows)
        text = f"Believed in {sum(each.believed for each in rows):,} of {count(len(rows), 'attack')}"
        rest = [f"{doubted:,} not trustworthy"] * bool(doubted) + [f"{impossible:,} not possible"] * bool(impossible)
        return f"{text}; {listed(rest)}." if rest else f"{text}."

    @property
    def learns(self) -> bool:
        return any(each.row.trained is not None or each.row.shares for _, each in self.attempts)

    @property
    def restores(self) -> bool:
        return any(each.row.psnr is not None for _, each in self.attempts)


@dataclass(frozen=True, slots=True)
class AttackerPage:
    label: str
    card: AttackerCard
    facts: tuple[tuple[str, str], ...]
    """Name and text; '' where there is nothing to say."""
    tried: tuple[Tried, ...]


def attacker_pages(runs: Sequence[RunView], audits: Sequence[Audit]) -> list[AttackerPage]:
    """A page for everybody who was asked in any run, by label; the first run's card where versions differ."""
    cards: dict[str, AttackerCard] = {}
    for run in runs:
        cards = {**{planned.label: planned.card for planned in run.plan.attackers}, **cards}
    pages = []
    for label, card in cards.items():
        tried = tuple(each for audit in audits if (each := _tried(audit, label)).attempts)
        pages.append(AttackerPage(label, card, tuple(_facts(runs, label, card, tried)), tried))
    return pages


def _tried(audit: Audit, label: str) -> Tried:
    rows = ((line, each) for line in audit.lines for each in (*line.attempts, *line.outside))
    return Tried(audit, tuple((line, each) for line, each in rows if each.row.attacker == label))


def _facts(
    runs: Sequence[RunView], label: str, card: AttackerCard, tried: Sequence[Tried]
) -> Iterator[tuple[str, str]]:
    versions = {p.card.version: None for run in runs for p in run.plan.attackers if p.label == label}
    yield "Registered name", card.name
    yield "Version", listed(list(versions))
    yield "Parameters", ", ".join(f"{key} = {value}" for key, value in card.params.items())
    yield "Has", card.knows
    apart = "; this explains what others reach, and is not ranked" if card.explains else ""
    yield "Looks at", f"{_VIEWS.get(card.view, card.view)}{apart}"
    entries = "; one entry a person, the mean of their photos" if card.templates else ""
    yield "Compares with", f"{_GALLERIES.get(card.gallery, card.gallery)}{entries}"
    yield "Does", card.how.replace("`", "")
    yield "Learned from", _learned(runs, label, tried)
    yield "Trained", "several times under different seeds; the best training counts" if card.by_chance else ""
    yield "Asked", "in full audits only" if card.audit == "full" else "in quick and full audits"
    yield "Source", card.source
    yield "Limits", card.limits.replace("`", "")


def _learned(runs: Sequence[RunView], label: str, tried: Sequence[Tried]) -> str:
    """``149 other people, 300 photos (lfw:split=calibrate)``: the most that it learned from for any method."""
    rows = [attempt.row for each in tried for _, attempt in each.attempts]
    if all(row.problem for row in rows):
        return "nobody: it could not be tried"
    if not any(row.trained is not None or row.shares for row in rows):
        return "nobody: it learns nothing"
    audited = [run for run in runs if any(planned.label == label for planned in run.plan.attackers)]
    sets = list(dict.fromkeys(dataset.spec for run in audited for dataset in run.plan.used_to("background")))
    people = max((row.learned_people for row in rows), default=0)
    photos = max((row.learned_photos for row in rows), default=0)
    whom = "how many people was not recorded"
    if people:
        whom = f"{count(people, 'person', 'people')}, {count(photos, 'photo')}"
    return f"{whom} ({listed(sets)}); nobody of them is tested"
