"""SPECs: ``name``, ``name:param=value,param=value``, ``label=name:...``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from unmask.bench.core.cards import Scalar
from unmask.bench.core.errors import SpecError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+@-]{0,79}\Z")


@dataclass(frozen=True, slots=True)
class Spec:
    """A name with parameters, and the label that results carry."""

    name: str
    params: dict[str, Scalar] = field(default_factory=dict)
    label: str = ""

    @property
    def text(self) -> str:
        """The SPEC written out in full, parameters sorted."""
        params = ",".join(f"{key}={_show(value)}" for key, value in sorted(self.params.items()))
        return f"{self.name}:{params}" if params else self.name


def parse_spec(text: str, *, positional: str | None = None) -> Spec:
    """Reads a SPEC. With ``positional`` set, a bare value after the colon is that parameter (``folder:/photos``).

    Values become int, float or bool where they look like one. The label defaults to the SPEC itself with
    characters that file names do not like replaced, and of paths only the last name.
    Raises `SpecError` with an example when the text cannot be read.
    """
    label, body = "", text.strip()
    head = body.split(":", 1)[0]
    if "=" in head:
        label, body = body.split("=", 1)
        label = label.strip()
        if not _LABEL.match(label):
            raise SpecError(f"label {label!r} in {text!r} must be letters, digits and _.+@- (at most 80)")
    name, colon, rest = body.partition(":")
    name = name.strip()
    if not _NAME.match(name):
        raise SpecError(f"cannot read {text!r}; write name, name:param=value,... or label=name:param=value")
    params: dict[str, Scalar] = {}
    if colon and not rest.strip():
        raise SpecError(f"{text!r} ends in a colon; write name:param=value or leave the colon out")
    if rest and positional is not None and not re.match(r"\s*[A-Za-z_]+\s*=", rest):
        params[positional] = rest
    elif rest:
        for part in rest.split(","):
            key, equals, value = part.partition("=")
            key = key.strip()
            if not equals or not key.isidentifier() or not value.strip():
                raise SpecError(f"cannot read {part!r} in {text!r}; write param=value, separated by commas")
            if key in params:
                raise SpecError(f"{key!r} is given twice in {text!r}")
            params[key] = _scalar(value.strip())
    short = Spec(name, {key: _last_name(value) for key, value in params.items()})
    return Spec(name, params, label or default_label(short.text))


def written(spec: Spec, *, positional: str) -> str:
    """A SPEC as text that `parse_spec` reads back, also where its only value is a path with commas in it."""
    if list(spec.params) == [positional]:
        return f"{spec.name}:{spec.params[positional]}"
    return spec.text


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
    return str(value).lower() if isinstance(value, bool) else str(value)
