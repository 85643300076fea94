"""Training by additive-margin softmax to name background people, stopped by people who are left out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.protocols import Columns
from unmask.bench.core.stats.fusion import templates, templates_without
from unmask.bench.core.types import Bools, Floats32
from unmask.metrics.attackers.discriminant import Ints
from unmask.metrics.attackers.support import unit

if TYPE_CHECKING:
    import torch

MARGIN: Final = 0.2
SCALE: Final = 30.0
BATCH: Final = 128
EVERY: Final = 50
PATIENCE: Final = 6
FOLDS: Final = 5
Weights = dict[str, Floats32]
Training = Iterator[tuple[int, Weights]]
HOW: Final = (
    f"additive-margin softmax (scale {SCALE:g}, margin {MARGIN:g}; Adam, {BATCH} faces at a time). A first training, "
    f"without one person in {FOLDS}, tells how many steps to take, at most `steps`: after which of every {EVERY} these "
    f"people's faces are told from each other best; it ends after {PATIENCE} without a better one"
)
SOURCE: Final = (
    "Semi-informed: Srivastava et al.: Evaluating Voice Conversion-based Privacy Protection against Informed "
    "Attackers, ICASSP 2020; Tomashenko et al.: The VoicePrivacy 2020 Challenge: Results and findings, Computer Speech "
    "& Language 74, 2022; loss: Wang et al.: Additive Margin Softmax for Face Verification, IEEE Signal Processing "
    "Letters 25, 2018"
)


def trained(
    train: Callable[[Bools, int], Training],
    read: Callable[[Weights, Bools], NDArray[Any]],
    person: Ints,
    photo: Ints,
    steps: int,
    seed: int,
    settled: Columns | None = None,
) -> Weights:
    """The weights after the number of steps that serves people left out best, and that number as ``steps`` (1,); after
    as many as the weights ``settled`` were trained by, where there are such.

    ``train``: which of the N faces to learn from, and the most steps -> weights every `EVERY` steps and after the last;
    ``read``: weights, and which faces -> (M, E) their readings; ``person``, ``photo`` (N,) numbers.
    """
    people = np.random.default_rng(seed).permutation(int(person.max()) + 1)
    left_out = np.isin(person, people[: -(-len(people) // FOLDS)])
    best, chosen = -1.0, EVERY
    if settled is not None:
        chosen = int(settled["steps"].item())
    for step, weights in train(~left_out, steps) if settled is None else ():
        if step and (apart := told_apart(read(weights, left_out), person[left_out], photo[left_out])) > best:
            best, chosen = apart, step
        elif step >= chosen + PATIENCE * EVERY:
            break
    *_, (_, weights) = train(np.ones_like(left_out), chosen)
    return {**weights, "steps": np.array([chosen], np.float32)}


def told_apart(rows: NDArray[Any], person: Ints, photo: Ints) -> float:
    """The mean share of other people's templates that are less like a face than its own person's without that photo."""
    faces, person = unit(rows).astype(np.float64), np.unique(person, return_inverse=True)[1]
    own = templates_without(faces, person, photo).astype(np.float64)
    score = faces @ templates(faces, person).astype(np.float64).T
    less = (faces * own).sum(axis=1)[:, None] > score
    others = person[:, None] != np.arange(score.shape[1])
    return float(less[others].mean())


def training(
    embed: Callable[[torch.Tensor], torch.Tensor],
    weights: Mapping[str, torch.Tensor],
    faces: Callable[[Ints, np.random.Generator | None], torch.Tensor],
    person: Ints,
    *,
    rate: float,
    steps: int,
    seed: int,
) -> Training:
    """Trains ``weights`` in place; yields the number of steps and a copy before the first, after every `EVERY` ones and
    after ``steps``.

    ``embed``: what of (B, ...) faces makes (B, E) by the weights; ``faces``: numbers (B,) of faces -> the faces,
    changed by chance where there is a generator; ``person`` (N,) 0..P-1. Each person's class starts at the mean of
    that person's faces.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize, one_hot

    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(person)
    with torch.no_grad():
        parts = np.split(np.arange(len(person)), range(BATCH, len(person), BATCH))
        start = np.concatenate([unit(embed(faces(part, None)).numpy()) for part in parts])
    classes = torch.from_numpy(templates(start, person)).requires_grad_()
    optimiser = torch.optim.Adam([*weights.values(), classes], lr=rate)
    for step in range(steps + 1):
        if step % EVERY == 0 or step == steps:
            yield step, {name: values.detach().numpy().copy() for name, values in weights.items()}
        batch = rng.integers(0, len(person), BATCH)
        cosine = normalize(embed(faces(batch, rng))) @ normalize(classes).T
        loss = cross_entropy(SCALE * (cosine - MARGIN * one_hot(labels[batch], len(classes))), labels[batch])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
