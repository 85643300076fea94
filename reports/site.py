"""The folder being written: templates in, files out, and the promise not to overwrite what is not a report."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2

from unmask import __version__
from unmask.bench.core.errors import UsageError
from unmask.reports.numbers import (
    change_text,
    fmr_text,
    format_interval,
    format_p,
    format_value,
    interval_text,
    whole_text,
)

MARKER: Final = "report.json"
SCHEMA: Final = "unmask.report/1"


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("unmask.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "value": format_value,
        "interval": interval_text,
        "interval_of": format_interval,
        "fmr": fmr_text,
        "p_value": format_p,
        "whole": whole_text,
        "change": change_text,
    }
    return environment


def single_page(template: str, **values: Any) -> str:
    """A page that needs no other file: its style sheet is in it."""
    style = (Path(__file__).parent / "static" / "report.css").read_text("utf-8")
    return _templates().get_template(template).render(version=__version__, style=style, **values)


class Site:
    """Writes pages below ``out`` with what all of them need."""

    def __init__(self, out: Path, shared: dict[str, Any]) -> None:
        self.out = out
        self._shared = {"version": __version__, **shared}

    def page(self, template: str, path: str, here: str, **values: Any) -> None:
        """``path``: of the page inside the report. ``here``: the entry of the navigation it belongs to."""
        root = "../" * path.count("/")
        text = _templates().get_template(template).render(**self._shared, **values, root=root, here=here)
        self.text(path, text)

    def text(self, path: str, text: str) -> None:
        target = self.out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # Sample ids may hold lone surrogates (undecodable file names), which UTF-8 has no bytes for.
        target.write_bytes(text.encode("utf-8", "backslashreplace"))

    def assets(self) -> None:
        """The style sheet and the script."""
        static = Path(__file__).parent / "static"
        for name in ("report.css", "report.js"):
            self.text(f"assets/{name}", (static / name).read_text("utf-8"))

    def seal(self, runs: list[str]) -> None:
        """Lists what was written, so that a later report may replace this folder and nothing else."""
        files = sorted(p.relative_to(self.out).as_posix() for p in self.out.rglob("*") if p.is_file())
        body = {"schema": SCHEMA, "runs": runs, "files": files}
        self.text(MARKER, json.dumps(body, indent=1) + "\n")


def check_replaceable(out: Path) -> None:
    """Raises `UsageError` unless ``out`` is free, empty, or a report with nothing of anybody else's in it."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file; give --out a folder")
    files = {p.relative_to(out).as_posix() for p in out.rglob("*") if not p.is_dir()}
    if not files:
        return
    try:
        marker = json.loads((out / MARKER).read_text("utf-8"))
        own = {MARKER, *marker["files"]} if marker["schema"] == SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        own = None
    if own is None:
        raise UsageError(f"{out} is not empty and is not a report; choose another --out")
    if files - own:
        raise UsageError(f"{out} holds files that are not of the report ({min(files - own)}); choose another --out")


def slugs(labels: Iterable[str]) -> dict[str, str]:
    """Label -> a distinct file name of lower-case letters, digits, ``.``, ``_`` and ``-``.

    A label that had to be changed gets some digits of its hash, so that two labels never share a file and the
    name of one page does not depend on which others there are. ``index`` is kept free for lists.
    """
    return {label: _slug(label) for label in labels}


def _slug(label: str) -> str:
    plain = re.sub(r"[^a-z0-9._-]+", "-", label.lower()).strip("-._")[:60] or "x"
    if plain == label and plain != "index":
        return plain
    return f"{plain}-{hashlib.sha256(label.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"
