"""What an audit adds to a plan: attackers, people whom they learn from, and each method once more with another seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.errors import ConfigError
from unmask.bench.core.settings import Audit
from unmask.bench.core.spec import Spec, parse_spec
from unmask.bench.data.opening import other_half, parse_dataset
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.schemas import CONTROL, PlannedAttacker, PlannedMethod

QUICK_PHOTOS: Final = 600
"""Photos of the background that a quick audit learns from, at most."""
AGAIN: Final = 101
"""The draw of an attacker who runs the method: beyond all that are averaged."""


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
    """Whether somebody who knows the method can run it: not the control, which needs no run, nor pictures that were
    made elsewhere, nor further draws."""
    stored = getattr(registry.method_class(registry.method_spec(method.spec).name), "needs_names", False)
    return method.card.name != CONTROL and not stored and not method.draw_of


def again(method: PlannedMethod) -> PlannedMethod:
    return method.model_copy(update={"label": f"{method.label}+again", "draw": AGAIN, "again_of": method.label})
