"""Made-up people, what methods release of them, and how often an attacker names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from unmask.bench.core.protocols import Attacker, Background
from unmask.bench.core.stats.fusion import templates
from unmask.bench.core.types import Float, Floats32
from unmask.metrics.attackers.support import unit

DIM = 48
BACKGROUND_PEOPLE, TESTED_PEOPLE = 200, 100
_FIXED = np.random.default_rng(11)
ROTATION = np.linalg.qr(_FIXED.normal(size=(DIM, DIM)))[0]
ORDER = _FIXED.permutation(DIM)
DIRECTION = unit(_FIXED.normal(size=(1, DIM)))[0]
POOL = unit(_FIXED.normal(size=(400, DIM)))
Release = Callable[[Floats32, np.ndarray, np.random.Generator], Float]
"""Originals (N, D), the person of each, and what a draw depends on -> released rows (N, D)."""


def rotated(rows: Floats32, person: np.ndarray, rng: np.random.Generator) -> Float:
    return rows @ ROTATION


def permuted(rows: Floats32, person: np.ndarray, rng: np.random.Generator) -> Float:
    return rows[:, ORDER]


def shifted(rows: Floats32, person: np.ndarray, rng: np.random.Generator) -> Float:
    return rows + 12 * DIRECTION


def stretched(rows: Floats32, person: np.ndarray, rng: np.random.Generator) -> Float:
    """Turned, some directions drowned in noise of the method's own."""
    return rows @ ROTATION + rng.normal(0, 1, rows.shape) * (np.arange(DIM) < DIM // 3)


def averaged(rows: Floats32, person: np.ndarray, rng: np.random.Generator) -> Float:
    """The mean of the three nearest of a pool of strangers, turned."""
    nearest = np.argsort(-rows @ POOL.T, axis=1)[:, :3]
    return np.asarray(POOL[nearest].mean(axis=1) @ ROTATION, np.float64)


def pseudonymous(rows: Floats32, person: np.ndarray, rng: np.random.Generator) -> Float:
    """A code of each person's that has nothing to do with the original, in a few directions; strong noise in others."""
    code = np.stack([np.random.default_rng([7, p]).normal(0, 1, 12) for p in person])
    noise = rng.normal(0, 2, (len(rows), DIM - 12))
    return np.concatenate([code + rng.normal(0, 0.15, code.shape), noise], axis=1) @ ROTATION


def unrelated(rows: Floats32, person: np.ndarray, rng: np.random.Generator) -> Float:
    return rng.normal(0, 1, rows.shape)


def constant(rows: Floats32, person: np.ndarray, rng: np.random.Generator) -> Float:
    return np.tile(DIRECTION, (len(rows), 1)).astype(np.float64)


class World(NamedTuple):
    """A photo in the gallery and one more, the probe, of each tested person; other people are background."""

    background: Background
    probes: Floats32
    originals: Floats32
    gallery: Floats32
    """The originals' photos, released with another seed."""


@cache
def make_world(release: Release, seed: int = 1) -> World:
    rng = np.random.default_rng(seed)
    photos = 3
    person = np.concatenate(
        [np.repeat(np.arange(BACKGROUND_PEOPLE), photos), np.tile(np.arange(TESTED_PEOPLE), 2) + BACKGROUND_PEOPLE]
    )
    faces = rng.normal(0, 1, (BACKGROUND_PEOPLE + TESTED_PEOPLE, DIM))[person]
    originals = unit(faces + 0.35 * rng.normal(0, 1, faces.shape))
    released, again = (unit(release(originals, person, rng)) for _ in range(2))
    taught = person < BACKGROUND_PEOPLE
    names = np.array([f"p{p}" for p in person[taught]])
    first, second = BACKGROUND_PEOPLE * photos, BACKGROUND_PEOPLE * photos + TESTED_PEOPLE
    return World(
        Background({"embedding": originals[taught]}, {"embedding": released[taught]}, names),
        released[first:second],
        originals[second:],
        again[second:],
    )


def named(attacker: Attacker, world: World, background: Background | None = None) -> float:
    """The share of tested people who are named; of several entries equally near, one is taken by chance."""
    state = attacker.fit(background or world.background, seed=5)
    released = attacker.card.gallery == "released"
    gallery = {"embedding": world.gallery if released else world.originals}
    entries = attacker.read(state, gallery, released=released)["embedding"]
    if attacker.card.templates:
        entries = templates(entries, np.arange(len(entries)))
    probes = attacker.read(state, {"embedding": world.probes}, released=True)["embedding"]
    score = np.round(probes.astype(np.float64) @ entries.T, 6)
    best = score == score.max(axis=1, keepdims=True)
    return float(np.mean(np.diag(best) / best.sum(axis=1)))


def shuffled(background: Background) -> Background:
    """The same faces under other names, and each output beside somebody else's original."""
    order = np.random.default_rng(2).permutation(len(background.identity))
    released = {name: rows[order] for name, rows in background.released.items()}
    return replace(background, released=released)
