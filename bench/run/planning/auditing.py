"""What an audit adds to a plan: attackers, people whom they learn from, and each method under other seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.errors import ConfigError
from unmask.bench.core.seeds import AGAIN, ONE_DRAW
from unmask.bench.core.settings import Audit
from unmask.bench.core.spec import Spec, parse_spec
from unmask.bench.core.types import SampleRef
from unmask.bench.data.opening import other_half, parse_dataset
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.attack_rows import made_elsewhere
from unmask.bench.store.planned import CONTROL, PlannedAttacker, PlannedMethod

QUICK_PHOTOS: Final = 600
"""Photos of the background that a quick audit learns from, at most."""


def background_of(config: RunConfig) -> list[str]:
    """SPECs of what attackers learn from: those that were asked for, or the other halves of the data sets that have
    halves. Raises `ConfigError` where nobody would learn from it."""
    if config.audit == "none":
        if config.background:
            raise ConfigError("--background is what attackers of an audit learn from; add --audit quick or full")
        return []
    if all(parse_dataset(text)[1].clips for text in config.datasets):
        raise ConfigError(f"--audit {config.audit} is about photos, and there are none; leave it out")
    halves = [half for text in config.datasets if (half := other_half(text))]
    return list(dict.fromkeys(config.background or halves))


def planned_attackers(audit: Audit, requested: Sequence[str] = ()) -> list[PlannedAttacker]:
    """The plan's entries for everybody who is registered and tried in an ``audit``, and for those of the ``requested``
    SPECs. Raises `ConfigError` where two have one label, or attackers are requested without an audit."""
    if audit == "none":
        if requested:
            raise ConfigError("--attacker is part of an audit; add --audit quick or full")
        return []
    specs = [parse_spec(text) for text in requested]
    levels = ("quick", "full") if audit == "full" else ("quick",)
    usual = [Spec(name, {}, name) for name in registry.names("attacker") if name not in {spec.label for spec in specs}]
    entries = []
    for spec in (*usual, *specs):
        card = registry.create_attacker(spec).card
        if spec in specs or card.audit in levels:
            entries.append(PlannedAttacker(label=spec.label, spec=spec.text, card=card))
    labels = [entry.label for entry in entries]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(f"attacker {label!r} is named twice; write a label before one SPEC: mylabel=SPEC")
    return entries


def can_run(method: PlannedMethod) -> bool:
    """Whether an attacker has what the method makes of the tested photos a second time: not of the control, which needs
    no run, nor of further draws; of pictures that were made elsewhere where those were made twice."""
    second = not _is_stored(method) or made_elsewhere(method, "enrolment")
    return method.card.name != CONTROL and second and not method.draw_of


def _is_stored(method: PlannedMethod) -> bool:
    """Whether it is pictures that were made elsewhere, which nobody here can have made anew."""
    return bool(getattr(registry.method_class(registry.method_spec(method.spec).name), "needs_names", False))


def _draws_by_sample(method: PlannedMethod) -> bool:
    """Whether it can be told by whom to draw: a program that is run on a folder cannot."""
    return bool(getattr(registry.method_class(registry.method_spec(method.spec).name), "draws_by_sample", True))


def further_runs(methods: Sequence[PlannedMethod], refs: Sequence[SampleRef]) -> list[PlannedMethod]:
    """The plan's entries for ``methods`` under other seeds: as somebody runs them who knows them, and, where ``refs``
    can be linked, with one draw a person."""
    runs = []
    for method in filter(can_run, methods):
        runs.append(_under(method, "again", AGAIN))
        if can_be_linked(refs) and not _is_stored(method) and _draws_by_sample(method):
            runs.append(_under(method, "one-draw", ONE_DRAW))
    return runs


def _under(method: PlannedMethod, name: str, draw: int) -> PlannedMethod:
    return method.model_copy(update={"label": f"{method.label}+{name}", "draw": draw, "again_of": method.label})


def can_be_linked(refs: Sequence[SampleRef]) -> bool:
    """Whether at least two people are labelled in two photos each."""
    photos = Counter(name for ref in refs for name in {label.identity for label in ref.labels if label.identity})
    return sum(many > 1 for many in photos.values()) > 1
