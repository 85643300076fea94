"""ORL / AT&T faces: ``s1/1.pgm`` ... ``s40/10.pgm``; the folder is the person."""

from __future__ import annotations

from unmask.bench.data.readers.base import Found, Place
from unmask.bench.data.readers.lfw import read_lfw


def read_orl(place: Place) -> Found:
    """As in LFW, the folder is the identity."""
    return read_lfw(Place(place.path))
