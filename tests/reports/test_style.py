"""The style sheet: contrast in both themes, and nothing from outside."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

CSS = files("reports").joinpath("static", "report.css").read_text("utf-8")


def variables(block: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+):\s*(#[0-9a-f]{6})", block))


LIGHT = variables(CSS[CSS.index(":root") : CSS.index("@media")])
DARK = LIGHT | variables(CSS[CSS.index("prefers-color-scheme: dark") : CSS.index("* { box-sizing")])


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out(theme: dict[str, str]) -> None:
    """WCAG 2.2, 1.4.3 (text, 4.5) and 1.4.11 (graphics, 3)."""
    for text in ("ink", "muted", "link", "warm", "good", "accent"):
        for ground in ("paper", "soft", "raised"):
            assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
    for mark in ("anonymized", "destroyed", "missed", "error", "focus"):
        assert contrast(theme[mark], theme["paper"]) >= 3, mark


def test_print_and_phone_are_provided_for() -> None:
    assert "@media print" in CSS
    assert "@media (max-width: 640px)" in CSS
    assert not re.search(r"@import|@font-face|url\(", CSS)
