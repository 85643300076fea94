"""Places labels beside points so that they cover neither each other nor the points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rect:
    """Left, bottom, right, top in one unit of length."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Rect) -> float:
        """Area in common."""
        w = min(self.right, other.right) - max(self.left, other.left)
        h = min(self.top, other.top) - max(self.bottom, other.bottom)
        return w * h if w > 0 and h > 0 else 0.0

    def outside(self, frame: Rect) -> float:
        """How far it reaches out of ``frame``, summed over the sides."""
        return (
            max(frame.left - self.left, 0.0)
            + max(self.right - frame.right, 0.0)
            + max(frame.bottom - self.bottom, 0.0)
            + max(self.top - frame.top, 0.0)
        )


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Rect,
    obstacles: Sequence[Rect],
) -> list[Rect]:
    """A box of each size near its point, inside ``frame``; greedy, the same for the same input.

    Tries rings of growing distance around the point and takes the first spot that covers nothing, else the one
    that covers least.
    """
    boxes = list(obstacles)
    labels: list[Rect] = []
    for (x, y), (w, h) in zip(points, sizes, strict=True):
        best = min((_cost(box, d, boxes, frame), i, box) for i, (box, d) in enumerate(_candidates(x, y, w, h)))[2]
        labels.append(best)
        boxes.append(best)
    return labels


def _candidates(x: float, y: float, w: float, h: float) -> list[tuple[Rect, float]]:
    candidates = []
    for distance in (8, 14, 22, 32, 44, 58, 74, 92, 112, 134):
        for step in range(24):
            angle = 2 * math.pi * step / 24
            dx, dy = math.cos(angle), math.sin(angle)
            # The box touches the ring with the side that faces the point.
            cx = x + dx * (distance + w / 2)
            cy = y + dy * (distance + h / 2)
            candidates.append((Rect(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), float(distance)))
    return candidates


def _cost(box: Rect, distance: float, boxes: Sequence[Rect], frame: Rect) -> float:
    overlap = sum(box.overlap(other) for other in boxes)
    # Rounded: equal spots must not be told apart by the last bit, which differs between machines.
    return round(distance + 20.0 * overlap + 1000.0 * box.outside(frame), 3)
