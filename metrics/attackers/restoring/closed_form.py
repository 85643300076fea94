"""Which inverses, in which place and order, undo what a method does: tried on background people, judged on others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Box, FacePair, Float, Image
from unmask.bench.core.views import BEST_PSNR, RESTORED
from unmask.metrics.attackers.restoring.inverses import Filtered, Inverse, Recoloured, Toned, Turned, Unblocked
from unmask.metrics.attackers.restoring.pairs import (
    FEWEST_PAIRS,
    FEWEST_PEOPLE,
    MARGIN,
    Score,
    Scorer,
    released_of,
    small,
    split_by_person,
    usable_pairs,
)
from unmask.metrics.attackers.restoring.permutations import Tiled
from unmask.metrics.attackers.restoring.places import cut, places_of, put_back
from unmask.metrics.attackers.support import AsRead

MOST_FITTED: Final = 96
MOST_JUDGED: Final = 32
"""Pairs at most that inverses are fitted on, and that they are chosen and judged on: more than 192 change nothing."""
SHARES: Final = (0.5, 0.25, 0.25)
"""Of the people: fitted, chosen, judged."""
MOST_PIXELS: Final = 100_000_000
"""Of the photos that inverses are fitted on, unless there are fewer than a handful."""
MOST_TILED: Final = 32
"""Pairs at most that permutations are found from."""
MORE_ALIKE: Final = 0.05
"""By how much a turn or a permutation must raise the correlation with the originals to be tried further."""
PRICE: Final = 0.25
"""Decibels that each inverse must gain to be worth its place in a chain."""
NEAR: Final = 3.0
"""Decibels by which a restoration that is kept too may be worse than the best."""
KEPT: Final = 3
"""Restorations at most that are kept."""
TURNS: Final[tuple[Inverse, ...]] = (*(Turned(k) for k in (1, 2, 3)), *(Turned(k, True) for k in range(4)))
TILES_PX: Final = tuple(Tiled(side=side) for side in (64, 50, 32, 25, 20, 16, 10, 8, 5, 4, 2, 1))
TILES_ACROSS: Final = tuple(Tiled(across=n) for n in (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32))
COLOURS: Final[tuple[Inverse, ...]] = (Recoloured(), Toned())
SHARPENERS: Final[tuple[Inverse, ...]] = (Filtered(), Filtered(side=96), Unblocked())
INVERSES: Final[dict[str, Inverse]] = {
    each.name: each for each in (*TURNS, *TILES_PX, *TILES_ACROSS, *COLOURS, *SHARPENERS)
}


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Inverses in a place, in the order in which they are applied, with what they learned."""

    place: Float
    steps: tuple[tuple[str, Columns], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.steps)

    def restore(self, image: Image, box: Box) -> Image:
        return put_back(self.place, image, box, self.undo) if self.steps else image.copy()

    def undo(self, region: Image) -> Image:
        for name, state in self.steps:
            region = INVERSES[name].apply(state, region)
        return region

    def then(self, inverse: Inverse, originals: Sequence[Image], regions: Sequence[Image]) -> Chain | None:
        """The chain with one more inverse, fitted on what this one makes of the releases' ``regions``."""
        state = inverse.fit(originals, [self.undo(region) for region in regions])
        return None if state is None else replace(self, steps=(*self.steps, (inverse.name, state)))


class ClosedForm(AsRead):
    """Undoes what can be undone without training a network."""

    card = AttackerCard(
        name="closed-form",
        version="1",
        title="closed-form restoration",
        knows="photos of background people before and after the method, and the place of the face",
        how=f"Tries on background people, in the rectangle about the face that the method changes, or where it changes "
        f"more in the whole photo and in the square about the face: "
        f"turning by quarters and mirroring; putting back tiles of 1 to 64 pixels, or 2 to 32 "
        f"across, by assignment; an affine map of colours; a curve per channel; Wiener's filter in pixels and in face "
        f"sizes; a mosaic's blocks drawn anew by ridge regression; and these in this order, one of each kind. Fitted "
        f"on half of the people; up to {KEPT} are chosen on a quarter and judged on the last quarter, where PSNR and "
        f"the correlation with the person's own pixels must both gain {MARGIN:g} dB, the latter also over the same "
        f"pictures beside other people's originals, and from the changed pixels alone.",
        source="Inverses after Todt, Hanisch, Strufe, Fantômas: Understanding Face Anonymization Reversibility, PoPETs "
        "2024, arXiv:2210.10651; filter: Wiener 1949; assignment: scipy's linear_sum_assignment.",
        limits=f"Needs {FEWEST_PAIRS} background faces of {FEWEST_PEOPLE} people; of few people small gains are not "
        "told from chance. A permutation must be the same for "
        "all photos of one size, or for all faces. A rectangle that follows another detector's box is known only "
        "roughly, so that tiles and mirrored faces in it are not put back to the pixel; so are those of faces that "
        "nearly touch. Blur is sharpened by one filter for all faces. What is gone stays gone.",
        audit="full",
        view=RESTORED,
    )

    def learn(self, pairs: Sequence[FacePair], *, seed: int, folder: Path | None = None) -> Columns:
        """See `scores`. Raises `DataError` where there are too few pairs, `UnavailableError` where nothing helps."""
        usable = usable_pairs(pairs)
        fitted, chosen, judged = split_by_person(usable, seed, SHARES)
        fitted, chosen, judged = _capped(fitted, MOST_FITTED), _capped(chosen, MOST_JUDGED), judged[:MOST_JUDGED]
        kept, judge = [], Scorer(judged)
        for chain in _chains(fitted, chosen)[:KEPT]:
            judgement = judge.score(chain.restore)
            if judgement.works:
                kept.append((chain, judgement))
        if not kept:
            raise UnavailableError(
                f"none of {len(INVERSES)} inverses, nor several of them, shows more of {len(judged)} background faces "
                "than their releases do"
            )
        return _stored(kept)

    def choices(self, state: Columns) -> int:
        """1 to `KEPT`."""
        return int(state["kept"].item())

    def restore(self, state: Columns, image: Image, box: Box, choice: int = 0) -> Image:
        """See `Restorer`. ``choice``: 0 = the best, and so on below `choices`."""
        return _chain(state, choice).restore(image, box)


def steps(state: Columns, choice: int = 0) -> tuple[str, ...]:
    """The inverses of a restoration, in order, by name."""
    return tuple(state[f"{choice}/steps"].tobytes().decode().split("\n"))


def scores(state: Columns, choice: int = 0) -> Score:
    """On people that were neither fitted on nor chosen by."""
    values = [float(v) for v in state[f"{choice}/score"]]
    return Score(int(values[0]), *values[1:])


def _capped(pairs: list[FacePair], most: int) -> list[FacePair]:
    """The first ``most``, fewer of large photos: all regions are held in memory at once."""
    pixels = np.cumsum([pair.original.shape[0] * pair.original.shape[1] for pair in pairs])
    return pairs[: min(most, max(int((pixels <= MOST_PIXELS).sum()), FEWEST_PEOPLE // 2))]


def _chains(fitted: Sequence[FacePair], chosen: Sequence[FacePair]) -> list[Chain]:
    """Those that work on the pairs chosen by, the best first; of equally good ones the shorter."""
    tried: list[tuple[Chain, Score]] = []
    chooser = Scorer(chosen)
    for place in places_of(fitted):
        inside = [pair for pair in fitted if cut(place, pair.original, pair.box).size]
        if not inside:
            continue
        originals = [cut(place, pair.original, pair.box) for pair in inside]
        regions = [cut(place, released_of(pair), pair.box) for pair in inside]
        bases = _geometries(Chain(place), originals, regions)
        bases += _extended(bases, COLOURS, originals, regions)
        scored = sorted(((chain, chooser.score(chain.restore)) for chain in bases), key=_rank)
        best = [] if scored[0][1].restored_psnr == BEST_PSNR else [bases[0], *(c for c, _ in scored[:1] if c.steps)]
        sharpened = _extended(best, SHARPENERS, originals, regions)
        tried += [*scored, *((chain, chooser.score(chain.restore)) for chain in sharpened)]
    working = sorted((each for each in tried if each[0].steps and each[1].works), key=_rank)
    kept: list[Chain] = []
    for chain, result in working:
        near = _gain(working[0][1]) - _gain(result) <= NEAR
        if near and not any(chain.names[: len(other.names)] == other.names for other in kept):
            kept.append(chain)
    return kept


def _geometries(start: Chain, originals: Sequence[Image], regions: Sequence[Image]) -> list[Chain]:
    """The place as it is, and up to two of the turns and permutations after which regions are more alike."""
    turned = _extended([start], TURNS, originals, regions)
    for kind in (TILES_PX, TILES_ACROSS):
        # The coarsest tiles that fit: finer ones fit too, and are found less surely.
        fitting = (chain for step in kind if (chain := start.then(step, originals[:MOST_TILED], regions[:MOST_TILED])))
        turned += [chain for chain in [next(fitting, None)] if chain is not None]
    likeness = {id(chain): _likeness(chain, originals, regions) for chain in (start, *turned)}
    better = [chain for chain in turned if likeness[id(chain)] > likeness[id(start)] + MORE_ALIKE]
    return [start, *sorted(better, key=lambda chain: -likeness[id(chain)])[:2]]


def _extended(
    chains: Sequence[Chain], inverses: Sequence[Inverse], originals: Sequence[Image], regions: Sequence[Image]
) -> list[Chain]:
    longer = (chain.then(step, originals, regions) for chain in chains for step in inverses)
    return [chain for chain in longer if chain is not None]


def _likeness(chain: Chain, originals: Sequence[Image], regions: Sequence[Image]) -> float:
    """|r| of grey levels about their means over pairs, 0..1: blind to inverted colours."""
    before, after = (
        np.stack([small(region).mean(axis=2) for region in each])
        for each in (originals, [chain.undo(region) for region in regions])
    )
    before, after = before - before.mean(axis=0), after - after.mean(axis=0)
    power = float((before**2).sum() * (after**2).sum())
    return abs(float((before * after).sum())) / power**0.5 if power > 0 else 0.0


def _gain(result: Score) -> float:
    return result.restored_psnr - result.released_psnr + result.restored_own - result.released_own


def _rank(each: tuple[Chain, Score]) -> float:
    """The largest gain first, each step at its price."""
    return PRICE * len(each[0].steps) - _gain(each[1])


def _stored(kept: Sequence[tuple[Chain, Score]]) -> Columns:
    state: dict[str, NDArray[Any]] = {"kept": np.array(len(kept))}
    for k, (chain, result) in enumerate(kept):
        state[f"{k}/place"] = chain.place
        state[f"{k}/steps"] = np.frombuffer("\n".join(chain.names).encode(), np.uint8)
        state[f"{k}/score"] = np.array(list(asdict(result).values()), np.float64)
        for number, (_, learned) in enumerate(chain.steps):
            state.update({f"{k}/{number}/{name}": values for name, values in learned.items()})
    return state


def _chain(state: Columns, choice: int) -> Chain:
    learned: list[tuple[str, Columns]] = []
    for number, name in enumerate(steps(state, choice)):
        start = f"{choice}/{number}/"
        learned.append((name, {key[len(start) :]: v for key, v in state.items() if key.startswith(start)}))
    return Chain(np.asarray(state[f"{choice}/place"]), tuple(learned))
