"""A method for unmask: fills each face with noise. Written by ``unmask new method``.

Try it:   unmask check example_file.py:Example
Run it:   unmask run --method example_file.py:Example --method strong=example_file.py:Example:margin=0.5

To be run as --method example, it needs a distribution of its own with these lines in pyproject.toml:

    [project.entry-points."unmask.methods"]
    example = "mypackage.example_file:Example"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from unmask import Box, Image, MethodCard, MethodFailure, Sample, sample_rng


class Example:
    # CHANGE: parameters are keyword-only, have defaults, and stand in `params` of the card.
    def __init__(self, *, margin: float = 0.1) -> None:
        if not 0 <= margin <= 2:
            raise ValueError(f"margin is {margin}; it must be 0 to 2")
        self._margin = margin
        self.card = MethodCard(
            name="example",
            version="1",  # raise it whenever outputs could change
            description="Fills the box of each face with noise.",  # CHANGE
            licence="MIT",  # CHANGE: the method's, and its weights'
            source="a template of unmask",  # CHANGE: paper, repository
            params={"margin": margin},
            # CHANGE: "none" where the method finds faces by itself; sample.boxes is then None.
            detector="harness",
            limits="",  # CHANGE: what a reader must know before trusting it
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        # CHANGE: load networks here, onto `device` ("cpu", "cuda", "cuda:1"); called once, before `anonymize`.
        pass

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        return [self._edited(sample, seed) for sample in batch]

    def _edited(self, sample: Sample, seed: int) -> Image:
        output = sample.image.copy()  # (H, W, 3) uint8 RGB; the input must stay as it is
        rng = sample_rng(seed, sample.draw)  # the only source of chance
        for face in sample.boxes or ():
            self._hide(output, face, rng.integers(0, 256, output.shape).astype(output.dtype))
        return output

    def _hide(self, output: Image, face: Box, noise: Image) -> None:
        # CHANGE: this is the anonymizer. For a photo that it cannot do, return MethodFailure("why") in its place.
        height, width = output.shape[:2]
        left, top, right, bottom = face.scaled(1 + 2 * self._margin).clipped(height, width)
        output[top:bottom, left:right] = noise[top:bottom, left:right]
