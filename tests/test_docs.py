"""What the documents promise is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.core import registry

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "bench" / "design").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_metric_is_documented() -> None:
    text = (ROOT / "bench" / "design" / "results.md").read_text(encoding="utf-8").partition("## Metrics")[2]
    named = {card.name for _, metric in registry.all_metrics() for card in metric.cards}
    documented = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    assert named == documented
