"""``make bench-gate``: how often a gate stops an unchanged method, and the smallest loss that it finds.

Rows come from one run of a method under five seeds (``UNMASK_GATE_RUN``; without it DeepPrivacy is run first over the
200 faces that the preset ``ci`` chooses of ``UNMASK_BENCH_DATASET``, the demo unless it is set). In each draw people
are drawn anew with replacement until there are so many faces, each time as another person; of each person baseline and
candidate have two different seeds. A candidate is weakened by a known amount: a share of its faces is left as it was,
with the control's rows in place of its own, so that it loses that share of its rate.

A false alarm is a decision of *worse* on an unweakened candidate, over all metrics and subgroups. The figures are
printed, and nothing is asserted; `bench/design/gate.md` has those of the last release. ``UNMASK_BENCH_DRAWS`` (2000)
is how often people are drawn for false alarms, and ``UNMASK_BENCH_POWER_DRAWS`` (as often) for each share; a share that
the first tenth of them hardly finds is left there. Sizes other than 200, 1,000 and 5,000 are arguments.

``times`` as the only argument measures by the clock, in place of all that, how long a gate of the preset takes where
the originals' readings are there, and how long with nothing changed. That needs a machine to itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.printing import print_claims
from unmask.bench.cli.progress import show_progress
from unmask.bench.core.headlines import WORST, Key
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.intervals import clopper_pearson
from unmask.bench.core.types import Bools
from unmask.bench.core.values import UnitValues
from unmask.bench.gate.gate import decide
from unmask.bench.gate.judging import Judge, Pair
from unmask.bench.gate.policy import Policy
from unmask.bench.gate.running import run_candidate
from unmask.bench.gate.sides import Side, columns_of_faces, side_of_run
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.view import RunView

Ints = NDArray[np.int64]
METHOD = "me"
SEEDS = 5
SIZES = (200, 1000, 5000)
DRAWS = int(os.environ.get("UNMASK_BENCH_DRAWS", "2000"))
POWER_DRAWS = int(os.environ.get("UNMASK_BENCH_POWER_DRAWS", str(DRAWS)))
SHARES = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.10, 0.12, 0.15, 0.20)
"""Of faces that a weakened candidate leaves as they are."""
HARDLY = 0.3
"""Share of draws below which a loss is not looked at further."""
FOUND = 0.8
"""Share of draws in which a loss must be found to count as one that is."""
REPLICATES = 200
MOST_S: Final = 180.0
"""Seconds that a gate of the preset may take with one new checkpoint, and that it may take again (`AGAIN_S`)."""
AGAIN_S: Final = 2.0
RATE: Key = ("deid_rate@1e-3", WORST, "face")


def dataset() -> str:
    return os.environ.get("UNMASK_BENCH_DATASET", "demo")


def five_seeds() -> Path:
    """The run folder."""
    if os.environ.get("UNMASK_GATE_RUN"):
        return Path(os.environ["UNMASK_GATE_RUN"])
    out = Path("runs/bench-gate")
    run_candidate(
        f"{METHOD}=deepprivacy:truncation=1,seeds={SEEDS}",
        [dataset()],
        out,
        "ci",
        out,
        root=Path(os.environ["UNMASK_DATA"]) if os.environ.get("UNMASK_DATA") else None,
        workers=os.cpu_count() or 1,
        progress=show_progress(),
    )
    return out


def sides(path: Path) -> tuple[list[Side], Side]:
    """Of the five seeds, and of the control."""
    view = RunView(RunFolder.open(path))
    (dataset,) = view.datasets
    first = side_of_run(view, dataset, METHOD, Policy())
    labels = [METHOD, *(f"{METHOD}+draw{k}" for k in range(1, SEEDS))]
    every = []
    for label in labels:
        outcome, values = columns_of_faces(view.folder.faces(dataset, label))
        every.append(replace(first, outcome=outcome, values=values, outputs="", statistics=None))
    return every, replace(side_of_run(view, dataset, "none", Policy()), outputs="", statistics=None)


class Draws:
    """Pairs of sides of so many faces, of people drawn anew."""

    def __init__(self, seeds: list[Side], control: Side, faces: int) -> None:
        self._first, self._control, self._faces, self._seeds = seeds[0], control, faces, len(seeds)
        people = seeds[0].person
        self._of = [np.flatnonzero(people == person) for person in dict.fromkeys(people.tolist())]
        self._names = np.array([f"{k}#0" for k in range(faces)])
        self._outcomes = np.stack([side.outcome for side in seeds])
        self._values = {key: np.stack([side.values[key] for side in seeds]) for key in seeds[0].values}

    def pair(self, number: int, share: float) -> Pair:
        """``share``: of the candidate's faces that are left as they were."""
        rng = np.random.default_rng(derive_seed(number, "bench-gate", str(self._faces), str(share)))
        drawn = [self._of[k] for k in rng.integers(len(self._of), size=self._faces).tolist()]  # at least a face each
        rows = np.concatenate(drawn)[: self._faces]
        people = np.repeat(np.arange(len(drawn)), [len(own) for own in drawn])[: self._faces]
        # Two seeds for each person: between two whole sets of rows there is a difference, that of these photos.
        seeds = rng.permuted(np.tile(np.arange(self._seeds), (people[-1] + 1, 1)), axis=1)[people]
        left = rng.random(self._faces) < share
        baseline = self._taken(rows, people, seeds[:, 0], np.zeros(self._faces, np.bool_))
        candidate = self._taken(rows, people, seeds[:, 1], left)
        return Pair(baseline, candidate, np.arange(self._faces), "")

    def _taken(self, rows: Ints, people: Ints, seeds: Ints, left: Bools) -> Side:
        return replace(
            self._first,
            face=self._names,
            shown=self._names,
            person=people.astype(np.str_),
            groups={name: members[rows] for name, members in self._first.groups.items()},
            outcome=np.where(left, self._control.outcome[rows], self._outcomes[seeds, rows]),
            values={
                key: np.where(left, self._control.values[key][rows], stacked[seeds, rows])
                for key, stacked in self._values.items()
            },
        )


def decisions(draws: Draws, share: float, count: int, first: int = 0) -> list[str]:
    """What the gate decides in each draw; ``first``: the number of the first."""
    policy = Policy()
    out: list[str] = []
    for number in range(first, count):
        rows = Judge(policy, replicates=REPLICATES, seed=number).rows([draws.pair(number, share)])
        out.append(decide(rows, [], policy)[0])
    return out


def rate_of(side: Side) -> float:
    """De-identified by the worst attack."""
    items = [item for item in side.items(RATE).values() if isinstance(item, UnitValues)]
    return min(float(np.nanmean(item.values)) for item in items)


def gate_times() -> int:
    """Prints how long gates take; 0 where none takes longer than it may."""
    workers = str(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        baseline = str(Path(folder, "baseline.json"))
        chosen = ("--dataset", dataset(), "--preset", "ci", "--workers", workers)

        def seconds(*command: str) -> float:
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "unmask", *command, *chosen],
                env={**os.environ, "UNMASK_READINGS": str(Path(folder, "readings"))},
                capture_output=True,
                text=True,
            )
            if done.returncode not in (0, 3, 6):
                raise SystemExit(done.stderr)
            return time.perf_counter() - start

        seconds("baseline", "accept", str(Path(folder, "old")), "--method", "old=deepprivacy", "--out", baseline)
        new = ("--method", "new=deepprivacy:truncation=1", "--candidate", str(Path(folder, "new")))
        first, again = (seconds("gate", "--baseline", baseline, *new) for _ in range(2))
    return print_claims(
        [
            (f"a gate with one new checkpoint takes at most {MOST_S:g} s ({first:.0f})", first <= MOST_S),
            (f"the same again, with nothing changed, at most {AGAIN_S:g} s ({again:.1f})", again <= AGAIN_S),
        ]
    )


def main() -> int:
    if sys.argv[1:] == ["times"]:
        return gate_times()
    every, control = sides(five_seeds())
    rates = [rate_of(side) for side in every]
    people = len(set(every[0].person.tolist()))
    print(f"{len(every[0].face)} faces of {people} people; de-identified: {', '.join(f'{rate:.3f}' for rate in rates)}")
    for size in [int(each) for each in sys.argv[1:]] or SIZES:
        start = time.process_time()
        draws = Draws(every, control, size)
        print_alarms(draws, size)
        print_power(draws, float(np.mean(rates)))
        print(f"  {time.process_time() - start:.0f} s of CPU", flush=True)
    return 0


def print_alarms(draws: Draws, size: int) -> None:
    if not DRAWS:
        return
    unchanged = decisions(draws, 0.0, DRAWS)
    alarms, passed = unchanged.count("worse"), unchanged.count("pass") / DRAWS
    low, high = clopper_pearson(alarms, DRAWS)
    rate = f"{alarms / DRAWS:.2%} [{low:.2%}, {high:.2%}]"
    print(f"{size} faces, {DRAWS} draws: false alarms {rate}, passed {passed:.0%}", flush=True)


def print_power(draws: Draws, rate: float) -> None:
    """``rate``: of the method, of which a weakened candidate loses a share."""
    smallest, few = "", POWER_DRAWS // 10
    for share in SHARES if POWER_DRAWS else ():
        out = decisions(draws, share, few)
        if out.count("worse") >= HARDLY * few:
            out += decisions(draws, share, POWER_DRAWS, few)
        power = out.count("worse") / len(out)
        print(f"  loss {share * rate:.1%}: worse in {power:.0%} of {len(out)} draws", flush=True)
        if power >= FOUND and not smallest:
            smallest = f"{share * rate:.1%}"
        if power >= 0.95:
            break
    print(f"  smallest loss found in {FOUND:.0%}: {smallest or 'none of these'}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
