"""Methods that each break one rule of the contract, as somebody might by mistake; `GOOD` breaks none."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.seeds import sample_rng
from unmask.bench.core.types import Image, MethodFailure, Sample


class Good:
    """Fills every face with noise drawn by the sample's draw."""

    def __init__(self, *, strength: int = 3) -> None:
        self.card = MethodCard("good", "1", "noise", "MIT", "a test", {"strength": strength}, detector="harness")

    def load(self, files: Any, device: str) -> None: ...

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Any:
        return [self.edit(sample, sample_rng(seed, sample.draw)) for sample in batch]

    def edit(self, sample: Sample, rng: np.random.Generator) -> Any:
        output = sample.image.copy()
        for box in sample.boxes or ():
            fill(output, box.clipped(*output.shape[:2]), rng)
        return output


def fill(output: Image, place: tuple[int, int, int, int], rng: Any) -> None:
    left, top, right, bottom = place
    output[top:bottom, left:right] = rng.integers(0, 256, (bottom - top, right - left, 3))


def changed(change: Callable[[Any], Any]) -> type[Good]:
    """A method whose images are good ones with a change."""

    class Changed(Good):
        def edit(self, sample: Sample, rng: np.random.Generator) -> Any:
            return change(super().edit(sample, rng))

    return Changed


class Shape(changed(lambda output: output[:-1])): ...  # type: ignore[misc]


class Alpha(changed(lambda output: np.dstack([output, output[..., :1]]))): ...  # type: ignore[misc]


class Grey(changed(lambda output: output.mean(axis=2).astype(np.uint8))): ...  # type: ignore[misc]


class Dtype(changed(lambda output: output / 255.0)): ...  # type: ignore[misc]


class ValueRange(changed(lambda output: (output / 255.0).astype(np.uint8))): ...  # type: ignore[misc]


class Signed(changed(lambda output: (output / 127.5 - 1).astype(np.int8).astype(np.uint8))): ...  # type: ignore[misc]


class Channels(changed(lambda output: output[..., ::-1].copy())): ...  # type: ignore[misc]


class Nothing(changed(lambda output: None)): ...  # type: ignore[misc]


class FacesInBgr(Good):
    """Only the faces: somebody's generator works on BGR and nobody converts back."""

    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        output = sample.image.copy()
        for box in sample.boxes or ():
            left, top, right, bottom = box.clipped(*output.shape[:2])
            face = output[top:bottom, left:right, ::-1].astype(np.float64)
            output[top:bottom, left:right] = np.clip(face * 0.9 + rng.normal(0, 12, face.shape), 0, 255)
        return output


class Unchanged(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        return sample.image.copy()


class Count(Good):
    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Any:
        return super().anonymize(batch, seed=seed)[:-1]


class NoList(Good):
    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Any:
        return super().anonymize(batch, seed=seed)[0]


class Failing(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> MethodFailure:
        return MethodFailure("not today")


class Raising(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        raise ValueError("cannot do this")


class GlobalChance(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        return super().edit(sample, np.random.default_rng(np.random.randint(2**31)))


class Clock(Good):
    """The same within a process, another in the next one."""

    def load(self, files: Any, device: str) -> None:
        self.at = time.time_ns()

    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        return super().edit(sample, np.random.default_rng(self.at))


class Order(Good):
    """Draws by the place in the batch."""

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Any:
        return [self.edit(sample, np.random.default_rng([seed, place])) for place, sample in enumerate(batch)]


class Batch(Good):
    """Brightens by the mean of the whole batch."""

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Any:
        mean = np.mean([sample.image.mean() for sample in batch]) * 5 % 100
        return [
            np.clip(output.astype(float) + mean, 0, 255).astype(np.uint8)
            for output in super().anonymize(batch, seed=seed)
        ]


class Stacks(Good):
    """Fails where the photos of a batch differ in size."""

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Any:
        np.stack([sample.image for sample in batch])
        return super().anonymize(batch, seed=seed)


class BatchOfOne(Good):
    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Any:
        means = np.array([sample.image.mean() for sample in batch]).squeeze()
        assert len(means) == len(batch)
        return super().anonymize(batch, seed=seed)


class ById(Good):
    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Any:
        return [self.edit(sample, sample_rng(seed, sample.id)) for sample in batch]


class SaysItDrawsNothing(Good):
    by_chance = False


class OfAProgram(ById):
    """Is allowed: it says that it cannot do otherwise."""

    draws_by_sample = False


class NoFace(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        if max(sample.image.shape) > 64:
            _ = (sample.boxes or ())[0]
        return super().edit(sample, rng)


class ManyFaces(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        output = sample.image.copy()
        for box in (sample.boxes or ())[:1]:
            fill(output, box.clipped(*output.shape[:2]), rng)
        return output


class AnySize(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        if min(sample.image.shape[:2]) < 20:
            raise ValueError("kernel larger than the image")
        return super().edit(sample, rng)


class Frames(Good):
    """Keeps the last frame, and hands it on to photos."""

    last: Any = None

    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        output = super().edit(sample, rng)
        if sample.sequence:
            self.last = output
        elif self.last is not None:
            output[:20, :20] = self.last[:20, :20] ^ 255
        return output


class Inputs(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        for box in sample.boxes or ():
            fill(sample.image, box.clipped(*sample.image.shape[:2]), rng)
        return sample.image


class Memory(Good):
    def load(self, files: Any, device: str) -> None:
        self.seen: list[Image] = []

    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        self.seen.append(sample.image)
        return super().edit(sample, rng)


class Quiet(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        print("processing", len(sample.boxes or ()), "faces ...")
        return super().edit(sample, rng)


class Floods(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        print(("x" * 99 + "\n") * 10_000)
        return super().edit(sample, rng)


class Slow(Good):
    """Allowed, but there is no time for all rules."""

    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        time.sleep(0.4)
        return super().edit(sample, rng)


class PrintsOnLoad(Good):
    """Is allowed."""

    def __init__(self) -> None:
        print("a method")
        self.card = MethodCard("good", "1", "noise", "MIT", "a test", detector="harness")

    def load(self, files: Any, device: str) -> None:
        print("loading weights")


class Hangs(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        while True:
            time.sleep(1)


class Crashes(Good):
    def edit(self, sample: Sample, rng: np.random.Generator) -> Image:
        os._exit(11)


class CannotLoad(Good):
    def load(self, files: Any, device: str) -> None:
        raise FileNotFoundError("weights.pt")


class DiesOnLoad(Good):
    def load(self, files: Any, device: str) -> None:
        os._exit(7)


class HangsOnLoad(Good):
    def load(self, files: Any, device: str) -> None:
        time.sleep(600)


class NoLicence(Good):
    def __init__(self) -> None:
        self.card = MethodCard("good", "1", "noise", "", "a test", detector="harness")


class HiddenParameter(Good):
    def __init__(self, *, strength: int = 3) -> None:
        self.card = MethodCard("good", "1", "noise", "MIT", "a test", detector="harness")


class HiddenNames(Good):
    """Takes any parameter, and its card tells of none."""

    def __init__(self, **parameters: float) -> None:
        self.card = MethodCard("good", "1", "noise", "MIT", "a test", detector="harness")


class Positional(Good):
    def __init__(self, strength: int = 3) -> None:
        super().__init__(strength=strength)


class UsesBoxesUnasked(Good):
    """Takes the harness's boxes, which its card does not ask for."""

    def __init__(self) -> None:
        self.card = MethodCard("good", "1", "noise", "MIT", "a test")
