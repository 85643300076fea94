"""File names for labels that people chose."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable


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
