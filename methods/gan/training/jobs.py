"""`unmask train`: which loop a config asks for, its settings, its data, and where everything goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from unmask.bench.core.errors import ConfigError, UnavailableError, UnknownNameError
from unmask.bench.core.training import TrainingInputs, TrainingJob
from unmask.methods.gan.training.attgan import AttGanTraining, train_attgan
from unmask.methods.gan.training.compact import PERCEPTUAL, CompactEditing, CompactInpainting, train_compact
from unmask.methods.gan.training.outputs import TrainingFolder
from unmask.methods.gan.training.sets import TrainingSet, read_training_set
from unmask.methods.gan.training.settings import read_config, settings_from
from unmask.methods.gan.training.stargan import StarGanTraining, train_stargan

Report = Callable[[str], None]
PUBLISHED: Final[Mapping[str, tuple[type[Any], Callable[..., Path]]]] = {
    "attgan": (AttGanTraining, train_attgan),
    "stargan": (StarGanTraining, train_stargan),
}
COMPACT: Final[Mapping[str, type[Any]]] = {"deepprivacy": CompactInpainting, "attgan": CompactEditing}
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "deepprivacy": ("compact",),
    "attgan": ("published", "compact"),
    "stargan": ("published",),
}
"""Network -> what it can be trained as; the first where a config names no kind."""


@dataclass(frozen=True, slots=True)
class Job:
    """See `bench.core.training.TrainingJob`."""

    name: str
    network: str
    kind: str
    settings: Any
    instruments: tuple[str, ...] = field(default=())

    def run(self, inputs: TrainingInputs, report: Report = print) -> Path:
        """Reads the faces, claims ``inputs.out`` and trains. Raises UnmaskError for what a user can mend."""
        device = _device(inputs.device)
        if inputs.threads is not None:
            torch.set_num_threads(inputs.threads)
        attributes = self.settings.attributes
        found = read_training_set(inputs.data, inputs.held_out, self.settings.held_out_share, attributes)
        report(f"{len(found.faces)} faces to train on, {len(found.held_out)} held out")
        folder = TrainingFolder(inputs.out, self._facts(found, inputs.device))
        folder.claim()
        if self.kind == "compact":
            return train_compact(self.settings, found.faces, found.held_out, folder, device, inputs.files, report)
        _, train = PUBLISHED[self.network]
        return train(self.settings, found.faces, found.held_out, folder, device, report)

    def _facts(self, found: TrainingSet, device: str) -> dict[str, Any]:
        settings = asdict(self.settings)
        licence = settings.pop("licence")
        weights = self.settings.needs if self.kind == "compact" else {}
        for name in weights:  # told by what is in them, not by where they lie on this machine
            del settings[name]
        return {
            "network": self.network,
            "kind": self.kind,
            "config": self.name,
            "licence": licence or found.licence or "not stated",
            "seed": self.settings.seed,
            "device": device,
            "data": found.card,
            "weights": weights,
            "settings": settings,
        }


def open_training(network: str, config: str, overrides: Sequence[str] = ()) -> TrainingJob:
    """The training of ``network`` (``deepprivacy``, ``attgan``, ``stargan``) that a config describes.

    ``config`` is a TOML file or a shipped config's name; ``overrides`` are lines such as ``epochs=3``.
    """
    if network not in KINDS:
        raise UnknownNameError("network to train", network, KINDS)
    name, table = read_config(config, overrides)
    meant = table.pop("network", network)
    if meant != network:
        raise ConfigError(f"{name} trains {meant}, not {network}; run: unmask train {meant} {config}")
    kind = table.pop("kind", KINDS[network][0])
    if kind not in KINDS[network]:
        raise ConfigError(f"{name}: kind = {kind!r} is none of {', '.join(KINDS[network])}, which {network} has here")
    cls = COMPACT[network] if kind == "compact" else PUBLISHED[network][0]
    settings = settings_from(cls, table, name)
    return Job(name, network, kind, settings, (PERCEPTUAL,) if kind == "compact" else ())


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UnavailableError(f"cannot train on {name!r}: torch has no such device here; use --device cpu") from error
    return device
