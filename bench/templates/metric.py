"""A metric for unmask: how far outputs lie from their originals. Written by ``unmask new metric``.

Try it:   unmask check --kind metric example_file.py:Example
Run it:   it needs a distribution of its own with these lines in pyproject.toml, and is then asked in every run:

    [project.entry-points."unmask.metrics"]
    example = "mypackage.example_file:Example"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from unmask import Evidence, Finding, MetricCard, SetStatistic, UnitValues


class Example:
    # CHANGE: instruments by name, or all of a role; runs read what is named here.
    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    # CHANGE: a card for each name that `ask` yields.
    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard(
            name="example",
            version="1",  # raise it whenever values could change
            family="privacy",
            direction="higher",  # which way is better: "higher", "lower" or "none"
            unit="distance",  # "share" for 0..1
            bounds=(0.0, 2.0),  # None = open
            title="Distance to the original",
            question="How far does an output lie from its own original?",
            how="1 minus the cosine similarity of the readings of original and release; mean over faces.",
            source="a template of unmask",
            limits="A distance is no decision: it says nothing of strangers.",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Finding]:
        # CHANGE: arithmetic on stored readings; yield nothing where what it needs is not there.
        for name in evidence.recognisers:
            if name not in evidence.anonymized:
                continue
            original = np.asarray(evidence.original[name]["embedding"], np.float64)
            # Of a failed face the original is what was released: failures must not look like privacy.
            released = np.asarray(evidence.released(name, "embedding"), np.float64)
            # NaN where either cannot be read: counted as unscored, never as 0.
            values = np.clip(1 - (original * released).sum(axis=1), 0, 2)
            yield UnitValues("example", name, values)
