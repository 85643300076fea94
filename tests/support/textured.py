"""Photos of nobody with the spectrum of natural images, and pairs of such photos before and after a contestant."""

from __future__ import annotations

import numpy as np

from tests.support.fooling import Contestant
from unmask.bench.core.types import Box, FacePair, Image, Sample

SIZE = (96, 120)
"""Height and width of a photo."""


def photo(person: int, size: tuple[int, int] = SIZE) -> tuple[Image, Box]:
    """Colours whose amplitudes fall with frequency, and where the face would be."""
    rng = np.random.default_rng([5, person])
    height, width = size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    white = rng.normal(size=(3, *frequency.shape)) + 1j * rng.normal(size=(3, *frequency.shape))
    waves = np.fft.irfft2(white / (frequency + 0.02) ** 1.2, size).transpose(1, 2, 0)
    mixed = waves @ np.array([[1, 0.8, 0.6], [0.2, 0.6, 0.3], [0, 0.2, 0.5]])
    image = np.clip(125 + 45 * (mixed - mixed.mean()) / mixed.std(), 0, 255).astype(np.uint8)
    side = rng.uniform(0.4, 0.5) * min(size)
    x, y = rng.uniform(0.1 * width, 0.9 * width - side), rng.uniform(0.1 * height, 0.9 * height - 1.2 * side)
    return image, Box(float(x), float(y), float(side), float(1.2 * side))


def pairs_of(contestant: Contestant, people: int, first: int = 0, size: tuple[int, int] = SIZE) -> list[FacePair]:
    """One photo each of ``people`` people from number ``first`` on."""
    photos = {number: photo(number, size) for number in range(first, first + people)}
    samples = [Sample(str(number), image, (box,)) for number, (image, box) in photos.items()]
    released = contestant.anonymize(samples, seed=0)
    return [
        FacePair(image, output, box, str(number))
        for (number, (image, box)), output in zip(photos.items(), released, strict=True)
    ]
