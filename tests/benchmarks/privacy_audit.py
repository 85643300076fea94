"""``make bench-audit``: how far attackers who know a method come with each, on lfw, each person by another photo.

Methods of ours, and contestants (`tests.benchmarks.exposed`) that some attacker must see through. Prints a Markdown
table (`bench/design/privacy-audit.md` holds one) and whether the claims about it hold. Everything is run under two
seeds, with two attackers beside ours that are broken. Needs lfw (set UNMASK_DATA) and a machine to itself for the
times. All environment variables are optional, lists are separated by ``;``:

- UNMASK_BENCH_OUT keeps the runs, which go on where they were stopped;
- UNMASK_BENCH_LIMIT takes the first so many photos of either half;
- UNMASK_BENCH_METHODS, UNMASK_BENCH_INSTRUMENTS: others; of a contestant the label is enough;
- UNMASK_BENCH_AUDIT: ``quick`` in place of full; ``time`` = only the share of a run's time that a quick audit takes;
- UNMASK_BENCH_SEED (0) is the first run's seed; UNMASK_BENCH_RUNS=1 leaves out the second.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.audit_time import QUICK_METHODS, QUICK_PHOTOS, TimedProgress, added_by_quick, minutes_each
from tests.benchmarks.exposed import CONTESTANTS
from tests.benchmarks.printing import print_claims
from tests.support.broken_attackers import BROKEN, installed
from unmask.bench.core.headlines import WORST
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_means
from unmask.bench.core.values import UnitValues
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.readings import VARIABLE
from unmask.bench.store.results import AttackRow, EstimateRow, Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.searches import StoredAttack

METHODS: Final = (
    "none", "blackout", "blur:sigma=0.05", "blur:sigma=0.15", "pixelate:blocks=8", "pixelate:blocks=16", "k-same",
    "deepprivacy", "dp-att", "dp-att-s:tone=dark", *CONTESTANTS,
)  # fmt: skip
DATASET: Final = "lfw:each=2"
"""Everybody of the probe half, by two photos at most: more photos of few people would cost most of the time."""
RECOGNISERS: Final = ("mobilefacenet", "sface", "facenet", "dlib")
IGNORANT: Final = "ignorant"
ON_REQUEST: Final = ("u-net=u-net:steps=800",)
"""Attackers whom a full audit does not ask by itself."""
PEOPLE: Final = 385
"""Of the probe half with two photos or more, all of whom are searched."""
EXPOSED: Final = 0.9
GUESSED: Final = 0.03
"""Of the searches: the floor of an attack may lie so far above guessing who of the people with two photos it is, since
some of them are searched more often than others."""
MOST_ADDED: Final = 0.5
MOST_MINUTES: Final = 10.0
Claim = tuple[str, bool | None]
"""And whether it holds; ``None`` = not measured."""


def main() -> int:
    limit = int(os.environ.get("UNMASK_BENCH_LIMIT", "0")) or None
    audit = os.environ.get("UNMASK_BENCH_AUDIT", "full")
    with tempfile.TemporaryDirectory() as scratch, installed():
        out = Path(os.environ.get("UNMASK_BENCH_OUT") or scratch)
        if audit == "time":
            share = added_by_quick(out, limit or QUICK_PHOTOS, _listed("METHODS") or QUICK_METHODS, _instruments())
            return print_claims([_added(share)])
        config = RunConfig(
            datasets=(DATASET,),
            methods=tuple(_spec(text) for text in _listed("METHODS") or METHODS),
            metrics=("audit", "rank1_cross_photo"),
            instruments=("yunet", *(_listed("INSTRUMENTS") or RECOGNISERS)),
            limit=limit,
            audit="quick" if audit == "quick" else "full",
            attackers=() if audit == "quick" else ON_REQUEST,
        )
        first = int(os.environ.get("UNMASK_BENCH_SEED", "0"))
        os.environ.setdefault(VARIABLE, str(out / "readings"))  # the runs read the same originals
        seeds = range(first, first + int(os.environ.get("UNMASK_BENCH_RUNS", "2")))
        folders = [_run(config.model_copy(update={"seed": seed}), out / f"seed-{seed}") for seed in seeds]
        times: list[Claim] = []
        if audit == "full":
            spent = out / f"seed-{first}-times"
            times = [_took(minutes_each(spent)), _added(None if limit else added_by_quick(out))]
            print(f"Learning to restore took {_cell(minutes_each(spent, ('restore',)))} minutes a method.\n")
        return report(folders, times, whole=limit is None)


def _run(config: RunConfig, out: Path) -> RunFolder:
    return run(
        get_ready(config, root=None),
        out,
        locations=locations_for(config),
        root=None,
        workers=os.cpu_count() or 1,
        progress=TimedProgress(out.with_name(f"{out.name}-times")),
    )


def _listed(what: str) -> tuple[str, ...]:
    return tuple(filter(None, os.environ.get(f"UNMASK_BENCH_{what}", "").split(";")))


def _instruments() -> list[str]:
    return [part for name in _listed("INSTRUMENTS") for part in ("--instrument", name)]


def _spec(method: str) -> str:
    return f"{method}={CONTESTANTS[method]}" if method in CONTESTANTS else method


@dataclass(frozen=True)
class Figures:
    """What a run says of attackers."""

    estimates: Estimates

    def attacks(self, label: str, attacker: str = "") -> list[AttackRow]:
        """On a method, of one attacker or all but the broken ones."""
        rows = (row for row in self.estimates.attacks if row.method == label)
        return [row for row in rows if (row.attacker == attacker if attacker else row.attacker not in BROKEN)]

    def named(self, label: str, attacker: str) -> float | None:
        """The share that an attacker names by what serves it best, of what may be believed."""
        return max((r.named for r in self.attacks(label, attacker) if r.named is not None), default=None)

    def strongest(self, label: str, metric: str) -> EstimateRow | None:
        wanted = (label, metric, WORST, "all")
        rows = self.estimates.estimates
        return next((r for r in rows if (r.method, r.metric, r.instrument, r.group) == wanted), None)

    def exposing(self, label: str) -> AttackRow | None:
        """The attack that comes nearest to its ceiling, of those that look at the face."""
        believed = [row for row in self.attacks(label) if row.risk is not None and not row.explains]
        return max(believed, key=lambda row: row.risk or 0.0, default=None)


def report(folders: Sequence[RunFolder], times: Sequence[Claim], *, whole: bool) -> int:
    """Prints the table of the first run, with the residual risk of the others beside it, and the claims; 0 if none of
    them fails. ``whole``: whether all of lfw was taken."""
    runs = [Figures(folder.estimates) for folder in folders]
    labels = [method.label for method in folders[0].plan.methods if method.origin == method.label]
    planned = [entry.label for entry in folders[0].plan.attackers]
    rows = runs[0].estimates.attacks
    attackers = [name for name in dict.fromkeys([*planned, *(row.attacker for row in rows)]) if name not in BROKEN]
    searched = _people_with_two(folders[0])
    searches, people = max(((row.searches, row.people) for row in rows), default=(0, 0))
    print(f"lfw: {searches} released faces of {searched} people with two photos, each searched among {people} people\n")
    ends = ["strongest", "among 5", *(f"residual risk, seed {folder.plan.settings.seed}" for folder in folders)]
    print(f"| method | {' | '.join([*attackers, *ends])} |")
    print("|---" * (1 + len(attackers) + len(ends)) + "|")
    for label in labels:
        cells = [_cell(runs[0].named(label, attacker)) for attacker in attackers]
        cells += [_interval(runs[0].strongest(label, metric)) for metric in ("attack_rank1", "attack_rank5")]
        cells += [_interval(each.strongest(label, "residual_risk")) for each in runs]
        print(f"| {label} | {' | '.join(cells)} |")
    checks = [
        *claims(runs[0], labels),
        *[against_parrot(folders[0], label) for label in labels if label == "k-same"],
        *of_contestants(runs[0], labels),
        *of_broken(runs[0], searched),
        *agreement(runs, labels),
        (f"the {PEOPLE} people with two photos are searched", searched == PEOPLE if whole else None),
        *times,
    ]
    return print_claims(checks)


def claims(figures: Figures, labels: Sequence[str]) -> list[Claim]:
    """What is known of our methods."""
    risk = {label: figures.strongest(label, "residual_risk") for label in labels}
    checks: list[Claim] = [("photos that are not anonymized are at the ceiling", _value(risk, "none") > 0.95)]
    for label in labels:
        row = risk[label]
        if label.startswith(("blur", "pixelate")) and (figures.named(label, IGNORANT) or 0.0) < 0.1:
            falls = row is not None and row.low is not None and row.low > 0.05
            checks.append((f"{label}, hidden from the ignorant attacker, falls to those who know it", falls))
        if label == "blackout":
            checks.append(("blackout leaves little more than what lies outside the face", _value(risk, label) < 0.25))
    return checks


def against_parrot(folder: RunFolder, label: str) -> Claim:
    """Whether the parrot names more people than whoever does not know the method, each by the recogniser that serves it
    best: the difference on the same searches, with its interval over people."""
    attacks = folder.searches(folder.plan.datasets[0].label, label)
    named = {
        name: max((_first(attack) for attack in attacks if attack.attacker == name), key=np.nanmean)
        for name in (IGNORANT, "parrot")
    }
    more = named["parrot"] - named[IGNORANT]
    values = UnitValues("named", "parrot", more, eligible=np.isfinite(more), share=True)
    (difference,) = estimates(replicate_means(values, ClusterResamples(attacks[0].scores.person)))
    rates = " and ".join(f"{100 * np.nanmean(named[name]):.1f}" for name in ("parrot", IGNORANT))
    text = f"{label} is weaker against the parrot ({rates} of 100 named, a difference of {100 * difference.value:.1f}"
    return f"{text} [{100 * difference.low:.1f}, {100 * difference.high:.1f}])", difference.low > 0


def _first(attack: StoredAttack) -> NDArray[np.float64]:
    """(N,) 1 where the right person came first, else 0; NaN = not searched."""
    rank = attack.scores.searches.rank
    return np.where(np.isnan(rank), np.nan, rank == 1).astype(np.float64)


def of_contestants(figures: Figures, labels: Sequence[str]) -> list[Claim]:
    checks: list[Claim] = []
    for label in (label for label in labels if label in CONTESTANTS):
        best = figures.exposing(label)
        by = "no attack is believed" if best is None else f"{best.attacker} by {best.channel}: {best.risk:.2f}"
        exposed = best is not None and best.risk is not None and best.risk > EXPOSED
        checks.append((f"{label} is exposed: an attack has a residual risk above {EXPOSED:g} ({by})", exposed))
    return checks


def of_broken(figures: Figures, people: int) -> list[Claim]:
    """Broken attackers are seen through on every method, and permuted labels leave guessing which of ``people``."""
    rows = figures.estimates.attacks
    checks: list[Claim] = []
    for name in BROKEN:
        own = [row for row in rows if row.attacker == name]
        doubted = [row for row in own if row.named is None and (row.doubts or row.problem)]
        tried = f"{len(doubted)} of {len(own)} attacks"
        checks.append((f"{name}, a broken attacker, is never believed ({tried})", 0 < len(own) == len(doubted)))
    floors = [row.floor for row in rows if row.floor is not None]
    highest, guess = max(floors, default=float("nan")), 1 / max(people, 1)
    fallen = f"permuted labels fall to guessing (at most {highest:.4f} named; guessing {guess:.4f})"
    return [*checks, (fallen, highest < guess + GUESSED if floors else None)]


def agreement(runs: Sequence[Figures], labels: Sequence[str]) -> list[Claim]:
    """Residual risks of two runs have intervals that overlap."""
    checks: list[Claim] = []
    for label in labels:
        rows = [each.strongest(label, "residual_risk") for each in runs]
        bounds = [(r.low, r.high) for r in rows if r is not None and r.low is not None and r.high is not None]
        both = len(runs) > 1 and len(bounds) == len(runs)
        agree = max(low for low, _ in bounds) <= min(high for _, high in bounds) if both else None
        checks.append((f"{label}: the runs' intervals of residual risk overlap", agree))
    return checks


def _added(share: float | None) -> Claim:
    figure = "" if share is None else f" ({share:.2f})"
    return f"a quick audit adds at most half of a run's time{figure}", None if share is None else share <= MOST_ADDED


def _took(minutes: float | None) -> Claim:
    figure = "" if minutes is None else f" ({minutes:.1f})"
    text = f"a full audit takes at most {MOST_MINUTES:g} minutes a method where the readings are there{figure}"
    return text, None if minutes is None else minutes <= MOST_MINUTES


def _people_with_two(folder: RunFolder) -> int:
    """People of whom the run has two photos or more."""
    table: Any = folder.faces(folder.plan.datasets[0].label, "none")
    photos: dict[str, set[str]] = {}
    for person, photo in zip(table.column("identity").to_pylist(), table.column("sample").to_pylist(), strict=True):
        photos.setdefault(person or "", set()).add(photo)
    return sum(len(each) > 1 for person, each in photos.items() if person)


def _value(rows: Mapping[str, EstimateRow | None], label: str) -> float:
    row = rows.get(label)
    return float("nan") if row is None or row.value is None else row.value


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(row: EstimateRow | None) -> str:
    if row is None or row.value is None:
        return "not measured"
    return f"{row.value:.2f}" + ("" if row.low is None or row.high is None else f" ({row.low:.2f} to {row.high:.2f})")


if __name__ == "__main__":
    sys.exit(main())
