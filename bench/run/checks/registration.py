"""Finds the shift and the scale under which one picture explains another best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from unmask.bench.core.types import Bools, Floats32
from unmask.bench.run.checks.views import BLUR, STRUCTURE, View, detail_of, fit, reduced_size, resized

COARSE: Final = 40
"""Pixels of the longer side at which shifts and scales are sought."""
OVERLAP: Final = 0.3
"""Part of what is compared that a moved picture must still show."""
VISIBLE: Final = 0.05
"""Part of an output that a moved picture must explain."""
PROMISING: Final = 0.4
"""Correlation on coarse pictures below which the search ends."""
LARGER: Final = 0.1
"""What explaining all of an output rather than nothing is worth, as correlation."""
LEAST_HELD: Final = 8
"""Rows and columns that a framed picture must have."""
SCALES: Final = tuple(float(s) for s in np.geomspace(0.5, 1.6, 21))


@dataclass(frozen=True, slots=True)
class Move:
    """A picture as a shift and a scale lay it out."""

    view: View
    seen: View
    """What it is to explain: the output, with what it shows beside the picture filled up."""
    scale: float
    right: float
    """Reduced pixels by which the middle moved."""
    down: float


def best_move(view: View, seen: View) -> Move | None:
    """The shift and scale of ``view`` that explain ``seen`` best: sought coarsely, then settled below a pixel. A plain
    frame about the output (a padded picture) is filled up too, and tells one more place to start from. ``None`` where
    no start is promising, or too little of the picture would still be seen."""
    moves = _moves(view, seen, None)
    held, frame = _without_frame(seen)
    if frame is not None:
        moves += _moves(view, held, _between(frame, (0, 0, *view.grey.shape)))
        inner, own = _without_frame(view)
        moves += _moves(inner, held, _between(frame, own)) if own is not None else []
    return max(moves, key=lambda move: fit(move.view, move.seen), default=None)


def _moves(view: View, seen: View, start: list[list[float]] | None) -> list[Move]:
    """What the search finds, and what ``start`` leads to, where enough of the picture is seen then."""
    edge = max(round(max(seen.grey.shape) * BLUR), 1)
    inner = np.zeros_like(view.mask)
    # What a padded or rolled picture shows beyond the input's edges reaches this far into it.
    inner[edge:-edge, edge:-edge] = view.mask[edge:-edge, edge:-edge]
    eroded = View(view.grey, inner)
    details = detail_of(view.grey), inner, detail_of(seen.grey)
    score, best = max((_search(*details, scale) for scale in SCALES), key=lambda pair: pair[0])
    starts = [best] * (score >= PROMISING) + ([] if start is None else [start])
    warps = [_refine(eroded, seen, warp) for warp in starts]
    moves = [Move(_warped(eroded, warp), seen, *_movement(warp, seen.grey.shape)) for warp in warps]
    return [move for move in moves if move.view.mask.mean() >= VISIBLE]


def _without_frame(view: View) -> tuple[View, tuple[int, int, int, int] | None]:
    """A picture whose plain frame is filled up with the edges of what it holds (an edge as strong as a frame's would
    drown what is next to it), and where that lies: top, left, bottom, right; ``None`` = there is no frame."""
    h, w = view.grey.shape
    rows = np.flatnonzero(view.grey.std(axis=1) >= STRUCTURE)
    columns = np.flatnonzero(view.grey[rows].std(axis=0) >= STRUCTURE) if len(rows) else rows
    if len(rows) < LEAST_HELD or len(columns) < LEAST_HELD:
        return view, None
    box = top, left, bottom, right = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    if box == (0, 0, h, w):
        return view, None
    # The outermost pixels are partly the frame's.
    top, left, bottom, right = top + (top > 0), left + (left > 0), bottom - (bottom < h), right - (right < w)
    held = view.grey[top:bottom, left:right]
    grey: Any = cv2.copyMakeBorder(held, top, h - bottom, left, w - right, cv2.BORDER_REPLICATE)
    return View(grey, view.mask), box


def _between(output: Sequence[int], view: Sequence[int]) -> list[list[float]]:
    """The warp (2, 3) that takes one box (top, left, bottom, right) of an output to one of its input."""
    top, left, bottom, right = view
    y, x = (bottom - top) / (output[2] - output[0]), (right - left) / (output[3] - output[1])
    return [[x, 0, (0.5 - output[1]) * x + left - 0.5], [0, y, (0.5 - output[0]) * y + top - 0.5]]


def _movement(warp: Floats32, shape: tuple[int, int]) -> tuple[float, float, float]:
    """The scale of a warp (output to input), and how far it takes the input's middle: pixels right, down."""
    turned, offset = np.linalg.inv(warp[:, :2].astype(np.float64)), warp[:, 2].astype(np.float64)
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    right, down = turned @ (middle - offset) - middle
    return float(np.sqrt(abs(np.linalg.det(turned)))), float(right), float(down)


def _search(detail: Floats32, mask: Bools, seen: Floats32, scale: float) -> tuple[float, list[list[float]]]:
    """The highest correlation of the scaled input over all shifts, on coarse pictures, and its warp: (2, 3), from
    pixels of the output to pixels of the input.

    Masked normalised cross-correlation (Padfield, Masked object registration in the Fourier domain, IEEE Trans. Image
    Processing 21(5), 2012); the larger of the two is reduced, so that no picture grows.
    """
    shape = reduced_size(seen.shape[0], seen.shape[1], COARSE)
    first = _times(shape, min(scale, 1.0))
    second = _times(shape, min(1.0 / scale, 1.0))
    a, b = resized(detail, first), resized(seen, second)
    m = (resized(mask.astype(np.float32), first) > 0.99).astype(np.float32)
    score, down, right = _correlate(a, m, b)
    sy, sx = second[0] / seen.shape[0], second[1] / seen.shape[1]
    fy, fx = detail.shape[0] / first[0], detail.shape[1] / first[1]
    # Half pixels: scales act on the corners of pixels, warps on their middles.
    return score, [[sx * fx, 0, (0.5 * sx - right) * fx - 0.5], [0, sy * fy, (0.5 * sy - down) * fy - 0.5]]


def _times(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(round(shape[0] * factor), 4), max(round(shape[1] * factor), 4)


def _correlate(a: Floats32, m: Floats32, b: Floats32) -> tuple[float, int, int]:
    """The highest correlation over all shifts of ``a`` (where its mask ``m`` holds) over ``b``, and that shift (down,
    right)."""
    full = [cv2.getOptimalDFTSize(x + y - 1) for x, y in zip(a.shape, b.shape, strict=True)]
    m_, ma, maa = np.conj(np.fft.rfft2(np.stack([m, a * m, a * a * m]), full))
    one, b_, bb = np.fft.rfft2(np.stack([np.ones_like(b), b, b * b]), full)
    products = np.stack([m_ * one, ma * one, maa * one, m_ * b_, ma * b_, m_ * bb])
    n, sum_a, sum_aa, sum_b, sum_ab, sum_bb = np.fft.irfft2(products, full)
    n = np.maximum(n, 1)
    var_a, var_b = sum_aa - sum_a**2 / n, sum_bb - sum_b**2 / n
    least = n * (STRUCTURE / 2) ** 2
    valid = (n >= max(OVERLAP * m.sum(), VISIBLE * b.size)) & (var_a > least) & (var_b > least)
    score = np.where(valid, (sum_ab - sum_a * sum_b / n) / np.sqrt(np.where(valid, var_a * var_b, 1)), -1)
    # Of two shifts of a rolled picture that explain it equally well, the one that shows more of it.
    down, right = np.unravel_index(int((score + LARGER * n / n.max()).argmax()), score.shape)
    # Behind the last row and column come the shifts up and to the left.
    up, left = (full[0] if down >= b.shape[0] else 0), (full[1] if right >= b.shape[1] else 0)
    return float(score[down, right]), int(down) - up, int(right) - left


def _refine(view: View, seen: View, warp: Sequence[Sequence[float]]) -> Floats32:
    """A warp improved below a pixel (enhanced correlation; Evangelidis and Psarakis, IEEE PAMI 30(10), 2008)."""
    start = np.array(warp, np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        a, b = detail_of(seen.grey), detail_of(view.grey)
        mask = view.mask.astype(np.uint8)
        _, refined = cv2.findTransformECC(a, b, start.copy(), cv2.MOTION_AFFINE, criteria, mask, 3)
    except cv2.error:  # it did not converge: then the start is as good as anything
        return start
    return np.asarray(refined, np.float32)


def _warped(view: View, warp: Floats32) -> View:
    """The input laid out as the output shows it; the mask holds where it is seen."""
    h, w = view.grey.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    grey: Any = cv2.warpAffine(view.grey, warp, (w, h), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return View(grey, cv2.warpAffine(view.mask.astype(np.float32), warp, (w, h), flags=flags) > 0.99)
