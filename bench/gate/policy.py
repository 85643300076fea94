"""What stops a candidate: ``gate.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from unmask.bench.core import registry
from unmask.bench.core.cards import Family, MetricCard
from unmask.bench.core.errors import ConfigError, UnknownNameError
from unmask.bench.core.settings import Strict, validated
from unmask.bench.gate.verdicts import Margin, default_margin


def _unique(families: tuple[Family, ...]) -> tuple[Family, ...]:
    if not families:
        raise ValueError("name one family at least; a gate that nothing can stop at is none")
    return tuple(dict.fromkeys(families))


class Policy(Strict):
    """``gate.toml``; every key may be left out."""

    blocking: Annotated[tuple[Family, ...], AfterValidator(_unique)] = ("privacy", "outcome")
    """Families of metrics that can stop a candidate: what attackers learn, and faces that were missed or failed."""
    allow_inconclusive: bool = False
    """Whether a candidate passes of which too few faces tell."""
    margins: dict[str, Annotated[float, Field(gt=0)]] = Field(default={})
    """Metric or family -> the smallest loss that matters, in the metric's unit."""
    metrics: tuple[str, ...] = ()
    """Metrics that are judged, in place of the usual ones."""
    anchor: Path | None = None
    """A baseline that somebody pinned, e.g. of a release: many small losses must not add up. Relative to this file."""

    def margin(self, card: MetricCard, baseline: float) -> float:
        """The margin of a metric where the baseline has this value."""
        stated = self.margins.get(card.name, self.margins.get(card.family))
        return (default_margin(card) if stated is None else Margin(stated)).of(baseline)

    def check(self, more: Mapping[str, MetricCard]) -> None:
        """Raises `UnknownNameError` for a metric or family that there is not, here or among the ``more`` metrics of a
        run: a typo must not pass for a margin."""
        if not self.margins and not self.metrics:
            return
        cards = {card.name: card for _, metric in registry.all_metrics() for card in metric.cards} | dict(more)
        names = {*cards, *(card.family for card in cards.values())}
        for name in (*self.margins, *self.metrics):
            if name not in (cards if name in self.metrics else names):
                raise UnknownNameError("metric of a policy", name, names)


def read_policy(path: Path | None) -> Policy:
    """Of a file; without one the default. Raises `ConfigError`: one line that names the key."""
    if path is None:
        return Policy()
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    policy = validated(Policy, content, set(content), path)
    if policy.anchor is None or policy.anchor.is_absolute():
        return policy
    return policy.model_copy(update={"anchor": path.parent / policy.anchor})
