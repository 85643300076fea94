"""Replacing a run's results as one: plan, numbers and per-face tables change together or not at all.

The new files are gathered in a temporary folder. Renaming it to ``RUN/publishing`` is the moment that decides; what
remains is moving each file to its place, which anybody who opens the run after a crash can finish.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import make_private_folder, temp_prefix

PUBLISHING: Final = "publishing"
PURGED: Final = "purged.json"
"""Says that a run's pictures, readings and names were removed; its results stay."""
PLAN: Final = "plan.json"
NEXT_PLAN: Final = "next-plan.json"
ESTIMATES: Final = "estimates.json"
PROVENANCE: Final = "provenance.json"
FACES: Final = "faces"
TIMELINES: Final = "timelines"
OWN_CARD: Final = "calibration/operating_points.json"
RESULTS: Final = (FACES, TIMELINES, OWN_CARD, PROVENANCE, PLAN, ESTIMATES)
"""What is replaced together."""


@contextmanager
def replacing_results(run: Path) -> Iterator[Path]:
    """Yields a temporary folder for new `RESULTS`; they take the place of the old ones on success, else they are
    removed."""
    temp = Path(tempfile.mkdtemp(prefix=temp_prefix(), dir=run))
    try:
        yield temp
        finish_publication(run)
        temp.rename(run / PUBLISHING)
        finish_publication(run)
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def finish_publication(run: Path) -> None:
    """Moves what lies in ``RUN/publishing`` to its place, if there is anything. Raises `StoreError`."""
    source = run / PUBLISHING
    if not source.is_dir():
        return
    try:
        for name in RESULTS:
            new, old = source / name, run / name
            if not new.exists():
                continue
            if new.is_dir() and old.exists() and not old.is_dir():
                raise StoreError(f"{old} is a file where a folder belongs; remove it and run the same command again")
            if old.is_dir():
                shutil.rmtree(old)
            make_private_folder(old.parent)
            new.replace(old)
        shutil.rmtree(source)
    except OSError as error:
        raise StoreError(
            f"{source}: new results wait there to be moved to their places ({error.strerror}); open the run from where "
            "it can be written to"
        ) from error
