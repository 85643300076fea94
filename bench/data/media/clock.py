"""The times of frames, made strictly ascending.

Times that the file gives are kept, so a variable frame rate stays one. Three things are corrected, and counted:

- a frame without a time is shown one usual interval after the one before;
- a frame that is not later than the one before, by up to a second (swapped or doubled), one unit of time after it;
- where the clock jumps back by more (clips joined) or ahead by more than a day (damage), this frame is shown one usual
  interval after the one before, and all later ones are moved with it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

USUAL_RATE: Final = Fraction(25)
"""Frames per second where a file says nothing."""
_BACK: Final = 1
_AHEAD: Final = 86_400
"""Seconds."""


class Clock:
    """Hands out times; one for each reading of a clip."""

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        self.mended = 0
        """Frames whose time is not the file's."""
        self._step = step(time_base, rate)
        self._back, self._ahead = int(_BACK / time_base), int(_AHEAD / time_base)
        self._shift = 0
        self._last: int | None = None

    def tell(self, pts: int | None) -> int:
        """The time of the next frame, in units of the time base; ``pts``: what the file says."""
        time = self._mended(None if pts is None else pts + self._shift, pts)
        self.mended += time != pts
        self._last = time
        return time

    def _mended(self, time: int | None, stated: int | None) -> int:
        last = self._last
        if last is None:
            return time or 0
        if time is None or stated is None:
            return last + self._step
        if last < time <= last + self._ahead:
            return time
        if last - self._back <= time <= last:
            return last + 1
        time = last + self._step
        self._shift = time - stated
        return time


def step(time_base: Fraction, rate: Fraction | None) -> int:
    """The usual interval between two frames, in units of ``time_base``; at least 1."""
    return max(1, round(1 / ((rate or USUAL_RATE) * time_base)))
