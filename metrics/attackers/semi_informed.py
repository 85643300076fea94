"""An attacker who trains a head on a recogniser's embeddings of other people's released faces."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.errors import SpecError
from unmask.bench.core.protocols import Background, Columns
from unmask.bench.core.types import Float
from unmask.metrics.attackers.discriminant import KNOWS, READS, Ints, deviations, released_faces
from unmask.metrics.attackers.margin import EVERY, HOW, SOURCE, Training, trained, training
from unmask.metrics.attackers.support import learned, unit

RATE: Final = 1e-3


class SemiInformed:
    imports: ClassVar[tuple[str, ...]] = ("torch",)

    def __init__(self, *, hidden: int = 0, steps: int = 2000) -> None:
        """``hidden``: units of a hidden layer beside the linear one, 0..4096, 0 = none; ``steps`` of training at most,
        50..100000. Raises `SpecError` for other values."""
        for name, value, least, most in (("hidden", hidden, 0, 4096), ("steps", steps, EVERY, 100_000)):
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise SpecError(f"attacker 'semi-informed': {name}={value} is no whole number in {least}..{most}")
        self.hidden, self.steps = hidden, steps
        self.card = AttackerCard(
            name="semi-informed",
            version="1",
            title="semi-informed",
            knows=KNOWS,
            how="Trains a linear layer on a recogniser's embeddings, starting at the identity, and beside it a hidden "
            f"layer of `hidden` rectified units where asked, to name background people by {HOW}. Steps of {RATE:g}; to "
            "each face the deviation of another person's face from that person's mean is added. "
            f"{READS} One template a person, the mean of what is read of that person's photos.",
            source=SOURCE,
            limits="The recogniser under the head stays as it is: what its embedding lost is lost. A few hundred "
            "people with a few photos each are little to train on; a real attacker may have more.",
            params={"hidden": hidden, "steps": steps},
            gallery="released",
            templates=True,
            audit="full",
            by_chance=True,
        )

    def fit(self, background: Background, *, seed: int) -> Columns:
        """``released|from``, ``original|from`` (D,), ``map`` (D, D), ``steps`` (1,) and, with a hidden layer of H,
        ``in`` (D, H), ``bias`` (H,), ``out`` (H, D); float32. Raises `UnavailableError` where too few people have
        released faces of two photos."""
        rows, person, photo, middles = released_faces(background, self.card.name)
        scale = 1 / max(float(np.sqrt(np.square(rows).sum(axis=1).mean())), 1e-9)
        rows = rows * scale
        weights = trained(
            lambda faces, steps: head_training(rows[faces], person[faces], self.hidden, steps, seed),
            lambda head, faces: project(head, rows[faces]),
            *(person, photo, self.steps, seed),
        )
        for name in weights.keys() & {"map", "in"}:
            weights[name] *= np.float32(scale)
        return {**middles, **weights}

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        middle = learned(state, "released|from" if released else "original|from", self.card.name)
        layers = ("map", "in", "bias", "out") if self.hidden else ("map",)
        head = {name: learned(state, name, self.card.name) for name in layers}
        return {name: unit(project(head, rows - middle)) for name, rows in readings.items()}


def project(head: Columns, rows: NDArray[Any]) -> Float:
    """(N, D) rows through a head, see `SemiInformed.fit`; not scaled."""
    y: Float = rows @ head["map"]
    return y + np.maximum(rows @ head["in"] + head["bias"], 0) @ head["out"] if "in" in head else y


def head_training(rows: Float, person: Ints, hidden: int, steps: int, seed: int) -> Training:
    """Of a head on rows (N, D) of length about 1 and their person (N,)."""
    import torch

    def tensor(values: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))

    def embed(x: torch.Tensor) -> torch.Tensor:
        y = x @ head["map"]
        return y + torch.relu(x @ head["in"] + head["bias"]) @ head["out"] if hidden else y

    def some(batch: Ints, rng: np.random.Generator | None) -> torch.Tensor:
        return faces[batch] if rng is None else faces[batch] + shifts[rng.integers(0, len(rows), len(batch))]

    dim, person = rows.shape[1], np.unique(person, return_inverse=True)[1]
    parts: dict[str, NDArray[Any]] = {"map": np.eye(dim)}
    if hidden:
        parts["in"] = np.random.default_rng(seed).normal(0, np.sqrt(2), (dim, hidden))
        parts |= {"bias": np.zeros(hidden), "out": np.zeros((hidden, dim))}
    head = {name: tensor(values).requires_grad_() for name, values in parts.items()}
    faces, shifts = tensor(rows), tensor(deviations(rows, person))
    return training(embed, head, some, person, rate=RATE, steps=steps, seed=seed)
