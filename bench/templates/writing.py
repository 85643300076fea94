"""Writing a template under a name of the user's."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.errors import UsageError

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*\Z")
_MOST: Final = 60
"""Characters of a name."""


def write_template(kind: str, name: str, folder: Path) -> tuple[Path, str]:
    """Writes the template of a ``kind`` (``method``, ``metric``, ``instrument``, ``attacker``) to ``folder``, which is
    made where it is missing. Returns the file and the name of its class.

    Raises `UsageError` for a name that cannot be one or is taken, and where the file is there already.
    """
    stem = name.replace("-", "_")
    if not _NAME.match(name) or len(name) > _MOST or keyword.iskeyword(stem):
        raise UsageError(f"{name!r} cannot be a name; write small letters, digits and hyphens, such as my-{kind}")
    if name in registry.targets(kind):
        raise UsageError(f"there is a {kind} {name!r} already; choose another name")
    file = folder / f"{stem}.py"
    cls = "".join(part.capitalize() for part in stem.split("_"))
    text = Path(__file__).with_name(f"{kind}.py").read_text("utf-8")
    for word, new in (("example_file", stem), ("example", name), ("Example", cls)):
        text = re.sub(rf"\b{word}\b", new, text)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already; choose another NAME or --out") from error
    return file, cls
