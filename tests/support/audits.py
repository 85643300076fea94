"""Made-up audits: what attackers who know a method have, for methods that do something to embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from unmask.bench.core import registry
from unmask.bench.core.evidence import KNOWN_PLACE, Audit, Background, Evidence
from unmask.bench.core.protocols import Attacker
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import Floats32
from unmask.bench.core.views import RELEASE
from unmask.bench.run.contracts.made_up import RECOGNISERS, make_evidence
from unmask.bench.run.figures.attacking import Learned, folds_of, learned_of

Release = Callable[[Floats32, int], Floats32]
"""What a method makes of (N, D) embeddings under a seed."""
DIM = 24


class Named(Learned):
    """What `Learned` is, with an attacker that is not registered."""

    def __init__(self, attacker: Attacker, states: object) -> None:
        super().__init__(attacker.card.name, attacker.card.name, states)  # type: ignore[arg-type]
        object.__setattr__(self, "_attacker", attacker)

    @property
    def attacker(self) -> Attacker:  # type: ignore[override]
        chosen: Attacker = object.__getattribute__(self, "_attacker")
        return chosen


def audited(
    release: Release | Mapping[str, Release],
    attackers: Sequence[str | Attacker],
    *,
    people: int = 60,
    background: int = 150,
    runnable: bool = True,
    seed: int = 3,
) -> tuple[Evidence, Evidence]:
    """Evidence on a method and on the control, each with its audit; three photos of everybody.

    ``release``: of the embeddings of all recognisers, or of each.
    ``runnable``: whether the attackers can run the method.
    """
    shape = {"photos_each": 3, "dim": DIM, "known_place": 0.0, "photo_noise": 0.35, "noise": 0.0}
    plain = make_evidence(people, seed=seed, **shape)  # type: ignore[arg-type]
    others = make_evidence(background, seed=seed + 1, **shape)  # type: ignore[arg-type]
    releases = release if isinstance(release, Mapping) else dict.fromkeys(RECOGNISERS, release)
    chosen = [registry.create_attacker(parse_spec(a)) if isinstance(a, str) else a for a in attackers]
    unchanged: Mapping[str, Release] = dict.fromkeys(RECOGNISERS, lambda rows, _: rows)
    control = replace(plain, audit=_audit(plain, others, unchanged, chosen, runnable=True))
    anonymized = {
        **plain.anonymized,
        **{
            name: dict.fromkeys(("embedding", KNOWN_PLACE), releases[name](plain.original[name]["embedding"], 0))
            for name in RECOGNISERS
        },
    }
    tested = replace(plain, anonymized=anonymized, control=control)
    return replace(tested, audit=_audit(plain, others, releases, chosen, runnable=runnable)), control


def _audit(
    plain: Evidence,
    others: Evidence,
    releases: Mapping[str, Release],
    attackers: Sequence[Attacker],
    *,
    runnable: bool,
) -> Audit:
    backgrounds = {}
    for name in RECOGNISERS:
        original = others.original[name]["embedding"]
        released = dict.fromkeys(("embedding", KNOWN_PLACE), releases[name](original, 0))
        nobody = Background(
            {"embedding": original[:0]}, {k: v[:0] for k, v in released.items()}, others.truth.identity[:0]
        )
        somebody = Background({"embedding": original}, released, others.truth.identity)
        backgrounds[name] = somebody if runnable else nobody
    fold = folds_of(others.truth.identity, 0) if runnable else np.zeros(0, np.int64)
    attacks = [Named(a, {n: learned_of(a, backgrounds[n], fold, 0) for n in RECOGNISERS}) for a in attackers]
    again = {name: {"embedding": releases[name](plain.original[name]["embedding"], 1)} for name in RECOGNISERS}
    by_view = {(name, RELEASE): each for name, each in backgrounds.items()} if runnable else {}
    return Audit(attacks, by_view, fold, again if runnable else {})


def unit(rows: Floats32) -> Floats32:
    length: Floats32 = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / length, np.float32)
