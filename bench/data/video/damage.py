"""What goes wrong while a clip is decoded, counted and put into words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Damage:
    """Of one reading of a clip."""

    lost: int = 0
    """Packets of which nothing could be decoded."""
    concealed: int = 0
    """Frames that the decoder patched up; they are given all the same."""
    broken_off: bool = False
    """Whether the file could not be read further."""

    def told(self, decoded: int, claimed: int | None) -> str:
        """In words; '' = nothing is wrong. ``claimed``: frames that the container promises."""
        parts = []
        missing = claimed is not None and decoded + self.lost < claimed
        if missing or self.broken_off:
            parts.append(f"breaks off after {decoded} frames" + (f" of {claimed}" if claimed is not None else ""))
        if self.lost:
            parts.append(f"{self.lost} frames cannot be decoded")
        if self.concealed:
            parts.append(f"{self.concealed} frames are damaged")
        return "; ".join(parts)
