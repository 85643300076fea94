"""Files of instruments and methods that tests need and do not fetch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from unmask.bench.core.cards import InstrumentCard, MethodCard
from unmask.bench.fetch.packages import cached


def files_of(card: InstrumentCard | MethodCard) -> dict[str, Path]:
    """The fetched files of a card; skips (in `make test`: fails) where they are not fetched."""
    found = {file.key: cached(file) for file in card.files}
    if None in found.values():
        message = f"{card.name} is not fetched; run `unmask instruments fetch`"
        if os.environ.get("UNMASK_REQUIRE_WEIGHTS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return {key: path for key, path in found.items() if path is not None}
