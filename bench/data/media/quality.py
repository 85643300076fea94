"""How well a written clip keeps its pixels: ``lossless``, ``matched`` (the source's bitrate) or ``800k``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from unmask.bench.core.errors import SpecError, VideoError
from unmask.bench.core.video import VideoInfo

MAX_KBPS: Final = 1_000_000
_RATE = re.compile(r"([1-9][0-9]{0,6})k\Z")


@dataclass(frozen=True, slots=True)
class Quality:
    """A choice of quality."""

    kind: Literal["lossless", "matched", "rate"]
    kbps: int | None = None
    """For ``rate``."""

    def target(self, info: VideoInfo) -> int | None:
        """Bits per second to aim at; ``None`` = lossless. Raises `VideoError` where the source's is not known."""
        if self.kind == "lossless":
            return None
        kbps = self.kbps if self.kind == "rate" else info.kbps
        if kbps is None:
            raise VideoError("its bitrate is not known, so none can be matched; state one, such as 800k")
        return max(1000, round(kbps * 1000))


def parse_quality(text: str) -> Quality:
    """Raises `SpecError` with the choices."""
    if text == "lossless":
        return Quality("lossless")
    if text == "matched":
        return Quality("matched")
    match = _RATE.match(text)
    if match and int(match[1]) <= MAX_KBPS:
        return Quality("rate", int(match[1]))
    raise SpecError(f"cannot read the quality {text!r}; write lossless, matched, or a bitrate such as 800k")
