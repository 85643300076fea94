"""SPECs: ``name``, ``name:param=value,param="a,b"``, ``label=name:...``; for a name also ``path/to/my.py:Class``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from unmask.bench.core.cards import Scalar
from unmask.bench.core.errors import SpecError

SEEDS: Final = "seeds"
"""The parameter of every SPEC of a method that the harness keeps to itself: ``dp-att:seeds=5``."""
_MOST_DRAWS: Final = 100
_PARAM = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*")
_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")\s*(?=,|\Z)', re.DOTALL)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
_ROOTED = r"[/~.\\].*?|[A-Za-z]:[\\/].*?" if os.name == "nt" else r"[/~.].*?"
"""How a path begins that no name looks like: it may hold colons."""
_FILE = re.compile(
    rf"(?P<path>(?:{_ROOTED}|[^:]+?)\.py)(?::(?P<cls>[^\W\d]\w*)(?=:|\Z))?(?P<colon>:(?P<rest>.*))?\Z", re.DOTALL
)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+@-]{0,79}\Z")


@dataclass(frozen=True, slots=True)
class Spec:
    """A name with parameters, and the label that results carry."""

    name: str
    params: dict[str, Scalar] = field(default_factory=dict)
    label: str = ""

    @property
    def text(self) -> str:
        """The SPEC written out in full, parameters sorted, as `parse_spec` reads it back."""
        return self._written(_show)

    @property
    def default_label(self) -> str:
        """The label without a chosen one: the SPEC itself, of paths only the last name, safe as a folder's name."""
        target = file_target(self.name)
        name = self.name if target is None else ":".join(filter(None, (target[0].stem, target[1])))
        short = Spec(name, {key: _last_name(value) for key, value in self.params.items()})
        return default_label(short._written(_plain))

    def _written(self, show: Callable[[Scalar], str]) -> str:
        params = ",".join(f"{key}={show(value)}" for key, value in sorted(self.params.items()))
        return f"{self.name}:{params}" if params else self.name


def parse_spec(text: str, *, positional: str | None = None) -> Spec:
    """Reads a SPEC. With ``positional`` set, a bare value after the colon is that parameter (``folder:/photos``), up to
    the end or, where it stands in quotes, up to the next comma.

    Values become int, float or bool where they look like one and do not stand in double quotes. Quotes keep commas
    (``outputs:dir="a,b"``), and are written as in JSON: ``\\"`` for a quote, two backslashes for one.
    Raises `SpecError` with an example when the text cannot be read.
    """
    label, name, rest = _split(text)
    params: dict[str, Scalar] = {}
    if rest and positional is not None and not _PARAM.match(rest):
        if rest.lstrip().startswith('"'):
            rest = f"{positional}={rest}"
        else:
            params, rest = {positional: rest}, ""
    while rest:
        part = _PARAM.match(rest)
        quoted = _QUOTED.match(rest, part.end()) if part is not None else None
        end = quoted.end() if quoted is not None else (rest.find(",") if "," in rest else len(rest))
        value = rest[part.end() : end].strip() if part is not None else ""
        if part is None or not part[1].isidentifier() or not value or (value[0] == '"' and quoted is None):
            raise SpecError(
                f"cannot read {rest[:end]!r} in {text!r}; write param=value, separated by commas, and values with "
                'commas in them as param="a,b"'
            )
        if part[1] in params:
            raise SpecError(f"{part[1]!r} is given twice in {text!r}")
        params[part[1]] = _unquoted(quoted[1], text) if quoted is not None else _scalar(value)
        rest, comma = rest[end + 1 :], rest[end : end + 1]
        if comma and not rest.strip():
            raise SpecError(f"{text!r} ends in a comma; write param=value behind it, or leave it out")
    return Spec(name, params, label or Spec(name, params).default_label)


def without_seeds(spec: Spec) -> tuple[Spec, int]:
    """The SPEC that the method sees, and how many draws are averaged. Raises `SpecError` where that is no number."""
    params = dict(spec.params)
    many = params.pop(SEEDS, 1)
    if isinstance(many, bool) or not isinstance(many, int) or not 1 <= many <= _MOST_DRAWS:
        raise SpecError(
            f"{spec.text}: {SEEDS} is how many draws are averaged, 1 to {_MOST_DRAWS}, e.g. {spec.name}:{SEEDS}=5"
        )
    return Spec(spec.name, params, spec.label), many


def bare_name(text: str) -> str:
    """The name in a SPEC whose value has no parameter in front of it (``outputs:/photos``); '' for any other SPEC."""
    _, name, rest = _split(text)
    return name if rest and not _PARAM.match(rest) else ""


def file_target(name: str) -> tuple[Path, str] | None:
    """The Python file and the class, or '', that a SPEC's name leads to; ``None`` for a registered name."""
    match = _FILE.match(name)
    return None if match is None else (Path(match["path"]), match["cls"] or "")


def without_folder(name: str) -> str:
    """A SPEC's name; of a file and class without the file's folder, which can name people."""
    target = file_target(name)
    return name if target is None else ":".join(filter(None, (target[0].name, target[1])))


def _split(text: str) -> tuple[str, str, str]:
    """The label, or ''; the name; and what stands behind the colon."""
    label, body = "", text.strip()
    before, equals, _ = body.split(":", 1)[0].partition("=")
    if equals and not ({"/", os.sep} & set(before) and _FILE.match(body)):
        label, body = before.strip(), body.split("=", 1)[1]
        if not _LABEL.match(label):
            raise SpecError(f"label {label!r} in {text!r} must be letters, digits and _.+@- (at most 80)")
    if file := _FILE.match(body.strip()):
        name, colon, rest = ":".join(filter(None, (file["path"], file["cls"]))), file["colon"] or "", file["rest"] or ""
    else:
        name, colon, rest = body.partition(":")
        name = name.strip()
        if not _NAME.match(name):
            raise SpecError(
                f"cannot read {text!r}; write name, name:param=value,... or label=name:param=value, of a method in a "
                "file of your own path/to/my.py:MyMethod"
            )
    if colon and not rest.strip():
        raise SpecError(f"{text!r} ends in a colon; write name:param=value or leave the colon out")
    return label, name, rest


def _unquoted(value: str, text: str) -> str:
    try:
        return str(json.loads(value, strict=False))
    except ValueError as error:
        raise SpecError(f"cannot read {value} in {text!r}; in quotes a backslash is written twice") from error


def default_label(text: str) -> str:
    """``blur:sigma=0.1`` -> ``blur-sigma0.1``: short, readable, safe as a folder name."""
    label = text.replace(":", "-").replace("=", "").replace(",", "-")
    return re.sub(r"[^A-Za-z0-9_.+@-]+", "_", label)[:80].strip("_") or "method"


def _last_name(value: Scalar) -> Scalar:
    """Of a path only the last name: labels end up in results, and folders can name people."""
    if isinstance(value, str) and ("/" in value or value in (".", "..", "~")):
        return Path(value).expanduser().resolve().name or "root"
    return value


def _scalar(text: str) -> Scalar:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _show(value: Scalar) -> str:
    text = _plain(value)
    is_plain = not isinstance(value, str) or (
        isinstance(_scalar(value), str) and value == value.strip() and "," not in value and value.isprintable()
    )
    return text if is_plain and text and text[0] != '"' else json.dumps(text, ensure_ascii=not text.isprintable())


def _plain(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
