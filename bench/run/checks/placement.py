"""Does an output show its input, and as it lies? Turned, mirrored, shifted and scaled outputs are told from pixels.

A picture *explains* an output as well as the two correlate, in grey and without what varies slowly (light, tone
curves). What lies outside the faces counts; where that is too little or plain, the whole picture does. An output is
misplaced only where its input explains it poorly as it lies, and well when it is changed. Nothing explains a constant
picture, strong noise or one that was repainted from edge to edge: those are not misplaced. Nor can it be told of a
picture that is all face, once that face is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from unmask.bench.core.types import Box, Image
from unmask.bench.run.checks.registration import best_move
from unmask.bench.run.checks.views import STRUCTURE, View, detail_of, fit, pearson, resized, view_of

WELL: Final = 0.8
"""An alternative must explain an output at least as well as this (correlation)."""
TIMES_BETTER: Final = 3.0
"""... and leave less unexplained (1 minus correlation) than the own place, by this factor, at each of `LEVELS`."""
IN_PLACE: Final = 0.9
"""Correlation from which on nothing else is tried."""
UNLIKE: Final = 0.4
"""Correlation below which an output shows nothing of its input; two photos chosen by chance seldom reach it."""
LEVELS: Final = (0.0, 1.5, 3.0)
"""Gaussian sigmas (pixels of ``FINE``) applied to both pictures: what an output that was blurred or made noisy has lost
must not speak against its own place alone."""
COLOUR: Final = 4.0
"""Standard deviation of red minus blue below which a picture has too little colour to tell whether they are swapped."""
BLOCKS: Final = 4
"""Parts, across and down, of which `AGREEING` must each be explained: a single strong edge explains only some."""
AGREEING: Final = 0.75
LEAST_SHIFT: Final = 0.02
LEAST_SCALING: Final = 0.03
"""Shifts (of the longer side) and scalings below these are not told from resampling."""

_TURNS: Final = {
    (1, False): "lies turned by 90 degrees anticlockwise",
    (2, False): "lies turned by 180 degrees",
    (3, False): "lies turned by 90 degrees clockwise",
    (0, True): "is the mirrored input",
    (1, True): "is the mirrored input, turned by 90 degrees anticlockwise",
    (2, True): "is the input mirrored top to bottom",
    (3, True): "is the mirrored input, turned by 90 degrees clockwise",
}
"""(quarter turns anticlockwise after, mirrored left to right) -> what an output that such a change explains does."""


Change = tuple[float, str]
"""The correlation by which a changed input explains an output far better than the input does as it lies, and what the
output does: ``lies turned by 180 degrees``."""


def misplacement(view: View, seen: View, width: int) -> Change | None:
    """What explains an output far better than its input as it lies, if a change of the input does. ``view``: of the
    input; ``seen``: of the output, reduced to the same size; ``width``: of both, in pixels. They have one size; for an
    output that a quarter turn has given another see `size_reason`."""
    if detail_of(seen.grey).std() < STRUCTURE:
        return None
    if fit(view, seen) >= IN_PLACE:
        return (1.0, "shows the input with red and blue swapped") if _swapped(view, seen) else None
    options = list(_turned(view, seen)) or list(_moved(view, seen, width))
    return max(options, key=lambda option: option[0], default=None)


def lies_in_place(view: View, seen: View) -> bool:
    """Whether the input explains the output as it lies, if need be after both were blurred. A negative does, too."""
    return max(abs(fit(view, seen, level)) for level in LEVELS) >= IN_PLACE


def is_unlike(view: View, seen: View) -> bool:
    """Whether an output shows nothing of its input outside the faces; False where that cannot be told."""
    return not view.whole and max(abs(fit(view, seen, level)) for level in LEVELS) < UNLIKE


def size_reason(image: Image, boxes: Sequence[Box], output: Image) -> str:
    """Why an output (H, W, 3) of another size than its input's cannot be used; a quarter turn is named."""
    (height, width), (h, w) = image.shape[:2], output.shape[:2]
    reason = f"output is {w}x{h}, the input is {width}x{height}"
    if (h, w) != (width, height):
        return reason
    view = view_of(image, boxes)
    seen = view_of(output, (), view.grey.shape[::-1])
    for mirrored, text in ((False, "turned"), (True, "mirrored and turned")):
        if any(fit(_changed(view, turns, mirrored), seen) >= WELL for turns in (1, 3)):
            return f"{reason}: it lies {text} by 90 degrees; apply the orientation tag"
    return reason


def is_better(view: View, other: View, seen: View) -> float:
    """The correlation with which ``other`` explains an output, where it does so far better than ``view``; else 0."""
    score = fit(other, seen)
    if score < WELL:
        return 0.0
    for level in LEVELS:
        own, alternative = abs(fit(view, seen, level)), fit(other, seen, level)
        if (1 - own) < TIMES_BETTER * (1 - alternative):
            return 0.0
    return score


def _swapped(view: View, seen: View) -> bool:
    """Whether red and blue have changed places: nothing but that explains colours which are the input's, negated."""
    before, after = view.warmth[view.mask], seen.warmth[view.mask]
    if before.std() < COLOUR or pearson(before, -after) < IN_PLACE:
        return False
    return bool(np.abs(after + before).mean() * TIMES_BETTER <= np.abs(after - before).mean())


def _turned(view: View, seen: View) -> Iterator[Change]:
    """Quarter turns and mirrors. A turned picture of another shape has been stretched to fit."""
    h, w = seen.grey.shape
    for (turns, mirrored), text in _TURNS.items():
        other = _changed(view, turns, mirrored)
        if other.grey.shape != (h, w):
            mask = resized(other.mask.astype(np.float32), (h, w)) > 0.99
            other = View(resized(other.grey, (h, w)), mask)
        score = is_better(view, other, seen)
        if score:
            yield score, text


def _changed(view: View, turns: int, mirrored: bool) -> View:
    step = -1 if mirrored else 1
    grey, mask = view.grey[:, ::step], view.mask[:, ::step]
    return View(np.ascontiguousarray(np.rot90(grey, turns)), np.ascontiguousarray(np.rot90(mask, turns)))


def _moved(view: View, seen: View, width: int) -> Iterator[Change]:
    """The best shift and scale. ``width``: of the output."""
    move = None if lies_in_place(view, seen) else best_move(view, seen)
    score = is_better(view, move.view, move.seen) if move is not None and _agrees(move.view, move.seen) else 0.0
    if move is None or not score:
        return
    if abs(move.scale - 1) >= LEAST_SCALING:
        yield score, f"shows the input at {100 * move.scale:.0f} % of its size"
    elif max(abs(move.down), abs(move.right)) >= LEAST_SHIFT * max(seen.grey.shape):
        yield score, f"is shifted by {_directions(move.right, move.down, width / seen.grey.shape[1])}"


def _directions(right: float, down: float, factor: float) -> str:
    """``155 pixels to the right``, for a shift in reduced pixels."""
    pairs = ((right, "to the right", "to the left"), (down, "downwards", "upwards"))
    steps = [(round(abs(by) * factor), forth if by > 0 else back) for by, forth, back in pairs]
    least = max(pixels for pixels, _ in steps) / 10
    return " and ".join(f"{pixels} pixels {way}" for pixels, way in steps if pixels > least)


def _agrees(view: View, seen: View) -> bool:
    """Whether a picture explains an output in most parts of it."""
    a, b = detail_of(view.grey), detail_of(seen.grey)
    scores = []
    for rows in np.array_split(np.arange(a.shape[0]), BLOCKS):
        for columns in np.array_split(np.arange(a.shape[1]), BLOCKS):
            at = np.ix_(rows, columns)
            x, y = a[at][view.mask[at]], b[at][view.mask[at]]
            if len(x) >= 16 and x.std() >= STRUCTURE:
                scores.append(pearson(x, y))
    return len(scores) > 1 and float(np.mean(np.array(scores) >= 0.5)) >= AGREEING
