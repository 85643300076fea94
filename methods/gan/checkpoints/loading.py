"""From a file to a network that runs: recognised by names and shapes, loaded strictly as to keys, shapes and types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import nn

from unmask.bench.core.cards import Scalar, WeightsReport
from unmask.bench.core.errors import CheckpointError
from unmask.methods.gan.checkpoints.reading import FLOATS, Checkpoint, listed, open_checkpoint, settings_beside
from unmask.methods.gan.networks import attgan as att
from unmask.methods.gan.networks import compact, stochastic
from unmask.methods.gan.networks import dcgan as dc
from unmask.methods.gan.networks import deepprivacy as dp
from unmask.methods.gan.networks import stargan as star

COUNTER: Final = "num_batches_tracked"
"""torch before 0.4.1 saved norms without it; as torch itself does, we count from 0 then."""
DISCRIMINATORS: Final = {
    "an AttGAN discriminator": {"conv.0.layers.0.weight", "fc_cls.0.layers.0.weight"},
    "a DCGAN discriminator": {"main.2.weight", "main.11.weight"},
    "a StarGAN v1 discriminator": {"main.0.weight", "conv1.weight", "conv2.weight"},
}
"""Networks that nobody can run here -> keys by which they are known."""


class Architecture(NamedTuple):
    """A generator that a file may hold."""

    name: str
    title: str
    """For a person: whose network it is."""
    config: Any
    """The dataclass of its settings; ``from_shapes`` of a published network's reads them off names and shapes."""
    build: Callable[[Any], nn.Module]
    """Settings -> the network."""
    methods: Callable[[Any], tuple[str, ...]] = lambda _: ()
    """Settings -> the registered methods that take such a file as ``checkpoint=``."""
    rename: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
    """Older spellings of the keys -> the present ones."""

    def recognise(self, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> Any:
        """The settings of a state dict of this network, else None. Names decide, not shapes."""
        if not hasattr(self.config, "from_shapes"):
            return compact.config_from(metadata, self.name, self.config)
        return self.config.from_shapes({key: tuple(tensor.shape) for key, tensor in self.rename(tensors).items()})


@dataclass(frozen=True, slots=True)
class Identified:
    """What a state dict is."""

    architecture: Architecture
    config: Any
    """Of the architecture's dataclass."""

    @property
    def settings(self) -> dict[str, Scalar]:
        """Name -> value of every setting."""
        return asdict(self.config)

    def __str__(self) -> str:
        return f"{self.architecture.title} ({', '.join(f'{key}={value}' for key, value in self.settings.items())})"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A generator out of a file."""

    module: nn.Module
    """In evaluation mode, float32, without gradients."""
    identified: Identified
    checkpoint: Checkpoint


def _attgan_methods(config: att.AttGanConfig) -> tuple[str, ...]:
    # The thesis's label vectors: female and four age groups; with skin tone, one more.
    cascades = {5: ("dp-att",), 6: ("dp-att-s",)}
    return (*cascades.get(config.n_attrs, ()), "attgan")


def _editor_methods(config: compact.EditorConfig) -> tuple[str, ...]:
    return ("dp-att-s",) if "tone_r" in config.attributes else ("dp-att", "attgan", "dp-stargan", "stargan", "chen")


def _deepprivacy(_: Any) -> tuple[str, ...]:
    return ("deepprivacy",)


ARCHITECTURES: list[Architecture] = [
    Architecture("attgan", "AttGAN generator", att.AttGanConfig, att.AttGanGenerator, _attgan_methods),
    Architecture(
        "stargan",
        "StarGAN v1 generator",
        star.StarGanConfig,
        star.StarGanGenerator,
        lambda _: ("dp-stargan", "stargan", "chen"),
    ),
    Architecture("dcgan", "DCGAN generator", dc.DcganConfig, dc.DcganGenerator, lambda _: ("chen",)),
    Architecture(
        "deepprivacy-msg",
        "DeepPrivacy multi-scale generator",
        dp.MsgConfig,
        dp.MsgGenerator,
        _deepprivacy,
        rename=dp.renamed,
    ),
    Architecture("deepprivacy-v1", "DeepPrivacy V1 generator", dp.V1Config, dp.V1Generator, _deepprivacy),
    Architecture(compact.INPAINTER, "compact DeepPrivacy", compact.InpainterConfig, compact.Inpainter, _deepprivacy),
    Architecture(compact.EDITOR, "compact AttGAN or StarGAN", compact.EditorConfig, compact.Editor, _editor_methods),
    Architecture(
        compact.STOCHASTIC,
        "compact stochastic AttGAN",
        stochastic.StochasticConfig,
        stochastic.StochasticEditor,
        lambda _: ("croft",),
    ),
]
"""The first that recognises a state dict is taken."""


def identify(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> Identified:
    """Which generator a state dict belongs to, and with which settings. Raises `CheckpointError` if to none."""
    for architecture in ARCHITECTURES:
        config = architecture.recognise(tensors, metadata or {})
        if config is not None:
            return Identified(architecture, config)
    for title, keys in DISCRIMINATORS.items():
        if keys <= set(tensors):
            raise CheckpointError(f"this is {title}; give the file of its generator")
    titles = ", ".join(architecture.title for architecture in ARCHITECTURES)
    raise CheckpointError(f"not a network that is known here ({listed(list(tensors))}); known: {titles}")


def load_generator(path: Path, device: str = "cpu", kinds: tuple[type, ...] = (nn.Module,), user: str = "") -> Loaded:
    """The generator in a checkpoint, on ``device``.

    Raises CheckpointError if the file is unsafe or does not fit, or if its network is none of ``kinds``, which alone
    ``user`` (a method, a setting) can use.
    """
    checkpoint = open_checkpoint(path)
    try:
        network = identify(checkpoint.tensors, checkpoint.metadata)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    module = fitted(network, network.architecture.rename(checkpoint.tensors), path.name)
    if not isinstance(module, kinds):
        raise CheckpointError(f"{user} cannot use {path.name}: it holds a {network.architecture.title}")
    return Loaded(module.to(device), network, checkpoint)


def fitted(network: Identified, tensors: Mapping[str, torch.Tensor], file: str) -> nn.Module:
    """The network with copies of ``tensors`` as its weights. Raises CheckpointError that names what does not fit."""
    try:
        with torch.device("meta"):  # shapes only: nothing is reserved before all fits
            module = network.architecture.build(network.config)
    except (RuntimeError, ValueError) as error:  # sizes that no network can have
        raise CheckpointError(f"{file} has the names of the {network}, which cannot be built") from error
    expected = module.state_dict()
    missing = [key for key in expected if key not in tensors and not key.endswith(COUNTER)]
    unexpected = [key for key in tensors if key not in expected]
    both = [key for key in expected if key in tensors]
    reshaped = [key for key in both if tensors[key].shape != expected[key].shape]
    retyped = [key for key in both if (tensors[key].dtype in FLOATS) != expected[key].is_floating_point()]
    faults = [f"missing {listed(missing)}"] * bool(missing) + [f"unexpected {listed(unexpected)}"] * bool(unexpected)
    if reshaped:
        key = reshaped[0]
        more = f" and {len(reshaped) - 1} more" if len(reshaped) > 1 else ""
        faults.append(
            f"wrong shape {listed([key])} {tuple(tensors[key].shape)}, not {tuple(expected[key].shape)}{more}"
        )
    if retyped:
        faults.append(f"wrong type {listed(retyped)}")
    if faults:
        raise CheckpointError(f"{file} does not fit the {network}: {'; '.join(faults)}")
    weights = {
        # Copies: a mapped file that changes later must not change the network.
        key: torch.zeros((), dtype=torch.int64)
        if key not in tensors
        else tensors[key]
        .detach()
        .to(torch.float32 if empty.is_floating_point() else empty.dtype, copy=True)
        .contiguous()
        for key, empty in expected.items()
    }
    module.load_state_dict(weights, strict=True, assign=True)
    return module.eval().requires_grad_(False)


def inspect_checkpoint(path: Path) -> WeightsReport:
    """All that ``unmask weights inspect`` says. Raises `CheckpointError` as `load_generator` does."""
    loaded = load_generator(path)
    checkpoint, network = loaded.checkpoint, loaded.identified
    kinds = {
        str(tensor.dtype).removeprefix("torch.") for tensor in checkpoint.tensors.values() if tensor.dtype in FLOATS
    }
    training = settings_beside(path)
    return WeightsReport(
        path=str(path),
        format=checkpoint.format,
        sha256=checkpoint.sha256,
        size=checkpoint.size,
        wrapping=checkpoint.wrapping,
        beside=checkpoint.beside,
        architecture=network.architecture.name,
        title=network.architecture.title,
        settings=network.settings,
        parameters=sum(parameter.numel() for parameter in loaded.module.parameters()),
        stored_as=tuple(sorted(kinds)),
        metadata=dict(checkpoint.metadata),
        training_file=training[0] if training else "",
        training=dict(training[1]) if training else {},
        methods=network.architecture.methods(network.config),
    )
