"""Results with the photos' own names in place of pseudonyms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unmask.bench.store.run_folder import RunFolder


def named_results(run: Path) -> dict[str, Any]:
    """``estimates.json`` as `unmask report --show-names` reads it."""
    return RunFolder.open(run, show_names=True).estimates.model_dump(mode="json", by_alias=True)
