"""An attacker who trains a recogniser's last step on other people's released faces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.errors import SpecError
from unmask.bench.core.protocols import Background, Columns
from unmask.bench.core.stats.fusion import templates, templates_without
from unmask.bench.core.types import Float, Floats32
from unmask.metrics.attackers.discriminant import KNOWS, READS, Ints, deviations, person_means, released_faces
from unmask.metrics.attackers.support import learned, unit

MARGIN: Final = 0.2
SCALE: Final = 30.0
RATE: Final = 1e-3
BATCH: Final = 128
EVERY: Final = 50
PATIENCE: Final = 6
FOLDS: Final = 5
SOURCE: Final = (
    "Semi-informed: Srivastava et al.: Evaluating Voice Conversion-based Privacy Protection against Informed "
    "Attackers, ICASSP 2020; Tomashenko et al.: The VoicePrivacy 2020 Challenge: Results and findings, Computer Speech "
    "& Language 74, 2022; loss: Wang et al.: Additive Margin Softmax for Face Verification, IEEE Signal Processing "
    "Letters 25, 2018"
)


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
            "layer of `hidden` rectified units where asked, to name background people by additive-margin softmax "
            f"(scale {SCALE:g}, margin {MARGIN:g}): Adam at {RATE:g}, {BATCH} faces at a time, to each of which the "
            "deviation of another person's face from that person's mean is added. A first training, without one person "
            f"in {FOLDS}, tells how many steps to take, at most `steps`: after which of every {EVERY} these people's "
            f"faces are told from each other best; it ends after {PATIENCE} without a better one. {READS} One template "
            "a person, the mean of what is read of that person's photos.",
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
        people = int(person.max()) + 1
        left_out = np.isin(person, np.random.default_rng(seed).permutation(people)[: -(-people // FOLDS)])
        best, steps = -1.0, EVERY
        for step, head in training(rows[~left_out], person[~left_out], self.hidden, self.steps, seed):
            if step and (apart := told_apart(project(head, rows[left_out]), person[left_out], photo[left_out])) > best:
                best, steps = apart, step
            elif step >= steps + PATIENCE * EVERY:
                break
        *_, (_, head) = training(rows, person, self.hidden, steps, seed)
        return {
            **middles,
            **{name: values * np.float32(scale) if name in ("map", "in") else values for name, values in head.items()},
            "steps": np.array([steps], np.float32),
        }

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        middle = learned(state, "released|from" if released else "original|from", self.card.name)
        layers = ("map", "in", "bias", "out") if self.hidden else ("map",)
        head = {name: learned(state, name, self.card.name) for name in layers}
        return {name: unit(project(head, rows - middle)) for name, rows in readings.items()}


def project(head: Columns, rows: NDArray[Any]) -> Float:
    """(N, D) rows through a head, see `SemiInformed.fit`; not scaled."""
    y: Float = rows @ head["map"]
    return y + np.maximum(rows @ head["in"] + head["bias"], 0) @ head["out"] if "in" in head else y


def told_apart(rows: Float, person: Ints, photo: Ints) -> float:
    """The mean share of other people's templates that are less like a face than its own person's without that photo."""
    faces, person = unit(rows).astype(np.float64), np.unique(person, return_inverse=True)[1]
    own = templates_without(faces, person, photo).astype(np.float64)
    score = faces @ templates(faces, person).astype(np.float64).T
    less = (faces * own).sum(axis=1)[:, None] > score
    others = person[:, None] != np.arange(score.shape[1])
    return float(less[others].mean())


def training(
    rows: Float, person: Ints, hidden: int, steps: int, seed: int
) -> Iterator[tuple[int, dict[str, Floats32]]]:
    """The number of steps and the head's arrays before the first and after every `EVERY` ones and the last of
    ``steps``, trained on rows (N, D) of length about 1 and their person (N,), any numbers."""
    import torch
    from torch.nn.functional import cross_entropy, normalize, one_hot

    def tensor(values: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))

    rng = np.random.default_rng(seed)
    person = np.unique(person, return_inverse=True)[1]
    dim = rows.shape[1]
    parts: dict[str, NDArray[Any]] = {"map": np.eye(dim)}
    if hidden:
        parts["in"] = rng.normal(0, np.sqrt(2), (dim, hidden))
        parts |= {"bias": np.zeros(hidden), "out": np.zeros((hidden, dim))}
    head = {name: tensor(values).requires_grad_() for name, values in parts.items()}
    classes = tensor(unit(person_means(rows, person))).requires_grad_()
    optimiser = torch.optim.Adam([*head.values(), classes], lr=RATE)
    faces, shifts, labels = tensor(rows), tensor(deviations(rows, person)), torch.from_numpy(person)
    for step in range(steps + 1):
        if step % EVERY == 0 or step == steps:
            yield step, {name: values.detach().numpy().copy() for name, values in head.items()}
        batch, others = rng.integers(0, len(rows), (2, BATCH))
        x = faces[batch] + shifts[others]
        y = x @ head["map"]
        if hidden:
            y = y + torch.relu(x @ head["in"] + head["bias"]) @ head["out"]
        cosine = normalize(y) @ normalize(classes).T
        loss = cross_entropy(SCALE * (cosine - MARGIN * one_hot(labels[batch], len(classes))), labels[batch])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
