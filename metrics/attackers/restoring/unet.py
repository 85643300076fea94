"""A small U-Net that is trained on background pairs to undo what a method does to faces.

torch is imported where it is needed: cards are read where nothing is restored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Box, FacePair, Floats32, Image
from unmask.bench.core.views import RESTORED
from unmask.metrics.attackers.restoring.inverses import rounded
from unmask.metrics.attackers.restoring.pairs import (
    Score,
    Scorer,
    split_by_person,
    usable_pairs,
)
from unmask.metrics.attackers.restoring.places import SQUARE, places_of, put_back
from unmask.metrics.attackers.restoring.training import STRUCTURE, WIDTHS, Report, Training, build_network, scaled
from unmask.metrics.attackers.support import AsRead

MOST_JUDGED: Final = 48
"""Faces at most that the best weights are chosen on, and that they are judged on."""
SHARES: Final = (0.7, 0.15, 0.15)
"""Of the people: trained on, chosen, judged."""
FEWEST_TRAINED: Final = 24
"""People."""


@dataclass(frozen=True, kw_only=True)
class UNet(AsRead):
    """See the card. ``device``: ``cpu``, ``cuda``, ``cuda:1``...

    It restores the rectangle that the method changes, or the square about the face where it changes more than that.
    """

    side: int = 96
    """Pixels that the place of a face is scaled to, each way; a multiple of 8."""
    steps: int = 2000
    batch: int = 16
    rate: float = 2e-3
    save_every: int = 100
    """Steps between two saved states, at each of which the weights are tried on the people chosen by."""
    device: str = "cpu"

    @property
    def card(self) -> AttackerCard:
        return AttackerCard(
            name="u-net",
            version="1",
            title="trained restoration",
            knows="photos of background people before and after the method, and the place of the face",
            how=f"A residual U-Net of {'-'.join(map(str, WIDTHS))} channels on faces of {self.side} x {self.side} px, "
            f"trained on {100 * SHARES[0]:g} % of the background people for {self.steps} steps of {self.batch} faces "
            f"with L1 + {STRUCTURE:g} (1 - SSIM), Adam from {self.rate:g} down to 0 by half a cosine; "
            f"no recogniser takes part. "
            f"The weights are those that restore {100 * SHARES[1]:g} % of the people best, judged on the rest as "
            f"closed-form restoration is.",
            source="After McPherson, Shokri, Shmatikov, Defeating Image Obfuscation with Deep Learning, 2016, "
            "arXiv:1609.00408, and the reconstruction attack of Hao et al., Robustness Analysis of Face Obscuration, "
            "FG 2020, arXiv:1905.05243; network: Ronneberger, Fischer, Brox, U-Net, MICCAI 2015.",
            limits=f"Small and trained in minutes on a few hundred faces: what it cannot restore a larger one may. "
            f"Needs background faces of {FEWEST_TRAINED} people, hundreds to be any good. Does not find "
            "pixels that were moved far.",
            params={key: value for key, value in asdict(self).items() if key != "device"},
            audit="request",
            view=RESTORED,
        )

    def learn(
        self,
        pairs: Sequence[FacePair],
        *,
        seed: int,
        folder: Path | None = None,
        stop_at: float | None = None,
        report: Report = lambda line: None,
    ) -> Columns:
        """The weights and what they are worth, see `unet_score`; trained on from the state in ``folder``, if any.

        ``stop_at``: seconds since 1970 at which training stops early, to be resumed by the same call. Raises DataError
        where there are too few pairs, CheckpointError for another training's folder, UnavailableError for a device that
        is not there and UnmaskError where training diverges.
        """
        usable = usable_pairs(pairs, FEWEST_TRAINED)
        trained, chosen, judged = split_by_person(usable, seed, SHARES)
        place = places_of(trained)[0]
        place = SQUARE if np.isnan(place).any() else place
        training = Training(self, seed, place, trained, chosen[:MOST_JUDGED], folder)
        complete = training.run(stop_at, report)
        state: dict[str, Any] = {
            "place": place,
            "side": np.array(self.side),
            "steps": np.array(training.step),
            "complete": np.array(complete),
        }
        state |= {f"weights/{name}": value.cpu().numpy() for name, value in training.best.items()}
        judgement = Scorer(judged[:MOST_JUDGED]).score(lambda image, box: self.restore(state, image, box))
        return {**state, "score": np.array(list(asdict(judgement).values()), np.float64)}

    def choices(self, state: Columns) -> int:
        """Always 1."""
        return 1

    def restore(self, state: Columns, image: Image, box: Box, choice: int = 0) -> Image:
        """See `Restorer`."""
        import torch

        network = build_network().to(self.device).eval()
        start, side = "weights/", int(state["side"].item())
        weights = {
            key[len(start) :]: torch.from_numpy(np.array(v)) for key, v in state.items() if key.startswith(start)
        }
        network.load_state_dict(weights)

        def edit(region: Image) -> Image:
            with torch.inference_mode():
                inputs = torch.from_numpy(scaled(region, side)[None]).to(self.device)
                output = network(inputs)[0].cpu().numpy()
            return _drawn(region, output)

        return put_back(np.asarray(state["place"]), image, box, edit)


def unet_score(state: Columns) -> Score:
    """On people that were neither trained on nor chosen by."""
    values = [float(v) for v in state["score"]]
    return Score(int(values[0]), *values[1:])


def _drawn(region: Image, output: Floats32) -> Image:
    """What the network made of a region, at the region's size."""
    size = (region.shape[1], region.shape[0])
    return rounded(255 * cv2.resize(output.transpose(1, 2, 0), size, interpolation=cv2.INTER_CUBIC))
