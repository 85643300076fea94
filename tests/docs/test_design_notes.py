"""The notes say what is so: every link leads somewhere, and the format of results names all that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.registry import all_metrics
from unmask.bench.store.results import (
    ComparisonRow,
    EstimateRow,
    Estimates,
    GapRow,
    HistogramRow,
    InputRow,
    MethodProblem,
    RankRow,
)

REPO = Path(__file__).resolve().parents[2]
RESULTS = (REPO / "bench" / "design" / "results.md").read_text("utf-8")
PAGES = [
    REPO / "README.md",
    *sorted((REPO / "bench" / "design").glob("*.md")),
    *sorted((REPO / ".github").glob("*.md")),
]
ROW = re.compile(r"^\| (`[^|]+`) \| ([^|]+) \| (\S+) \| (higher|lower|none) \|", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", link) and not link.startswith("#"):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"


def described() -> dict[str, tuple[str, str]]:
    """Metric name -> bounds and direction, as the tables have them."""
    return {
        name: (bounds, better)
        for names, _, bounds, better in ROW.findall(RESULTS)
        for name in re.findall(r"`([^`]+)`", names)
    }


def bounds_text(card: MetricCard) -> str:
    low, high = ("" if bound is None else f"{bound:g}" for bound in card.bounds)
    return f"{low}..{high}" if low or high else "any"


def test_every_metric_is_described_as_its_card_has_it() -> None:
    cards = {card.name: card for _, metric in all_metrics(clips=False) for card in metric.cards}
    assert described() == {name: (bounds_text(card), card.direction) for name, card in cards.items()}


ROWS = (EstimateRow, GapRow, RankRow, ComparisonRow, InputRow, MethodProblem, HistogramRow, Estimates)


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_every_field_of_estimates_json_is_described(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert f"`{field.alias or name}`" in RESULTS, name
