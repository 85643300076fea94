"""From a file to a network that runs: strict about keys, shapes and types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from unmask.bench.core.cards import WeightsReport
from unmask.bench.core.errors import CheckpointError
from unmask.methods.gan.checkpoints.architectures import Identified, identify
from unmask.methods.gan.checkpoints.reading import FLOATS, Checkpoint, open_checkpoint, settings_beside, shown

COUNTER = "num_batches_tracked"
"""torch before 0.4.1 saved norms without it; as torch itself does, we count from 0 then."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A generator out of a file."""

    module: nn.Module
    """In evaluation mode, float32, without gradients."""
    identified: Identified
    checkpoint: Checkpoint


def load_generator(path: Path, device: str = "cpu") -> Loaded:
    """The generator in a checkpoint, on ``device``. Raises CheckpointError if the file is unsafe or does not fit."""
    checkpoint = open_checkpoint(path)
    try:
        found = identify(checkpoint.tensors, checkpoint.metadata)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    if found.architecture.role != "generator":
        raise CheckpointError(f"{path.name} is a {found.architecture.title}; give the file of its generator")
    module = fitted(found, found.architecture.rename(checkpoint.tensors), path.name)
    return Loaded(module.to(device), found, checkpoint)


def fitted(found: Identified, tensors: Mapping[str, torch.Tensor], file: str) -> nn.Module:
    """The network with copies of ``tensors`` as its weights. Raises CheckpointError that names what does not fit."""
    try:
        with torch.device("meta"):  # shapes only: nothing is reserved before it is known to be needed
            module = found.architecture.build(found.config)
    except (RuntimeError, ValueError) as error:  # sizes that no network can have
        raise CheckpointError(f"{file} has the names of the {found}, which cannot be built") from error
    wanted = module.state_dict()
    missing = [key for key in wanted if key not in tensors and not key.endswith(COUNTER)]
    unexpected = [key for key in tensors if key not in wanted]
    both = [key for key in wanted if key in tensors]
    reshaped = [key for key in both if tensors[key].shape != wanted[key].shape]
    retyped = [key for key in both if (tensors[key].dtype in FLOATS) != wanted[key].is_floating_point()]
    faults = [f"missing {shown(missing)}"] * bool(missing) + [f"unexpected {shown(unexpected)}"] * bool(unexpected)
    if reshaped:
        key = reshaped[0]
        more = f" and {len(reshaped) - 1} more" if len(reshaped) > 1 else ""
        faults.append(f"wrong shape {shown([key])} {tuple(tensors[key].shape)}, not {tuple(wanted[key].shape)}{more}")
    if retyped:
        faults.append(f"wrong type {shown(retyped)}")
    if faults:
        raise CheckpointError(f"{file} does not fit the {found}: {'; '.join(faults)}")
    weights = {
        # Copies: a mapped file that changes later must not change the network.
        key: torch.zeros((), dtype=torch.int64)
        if key not in tensors
        else tensors[key]
        .detach()
        .to(torch.float32 if empty.is_floating_point() else empty.dtype, copy=True)
        .contiguous()
        for key, empty in wanted.items()
    }
    module.load_state_dict(weights, strict=True, assign=True)
    return module.eval().requires_grad_(False)


def inspect_checkpoint(path: Path) -> WeightsReport:
    """All that ``unmask weights inspect`` says. Raises CheckpointError as `load_generator` does."""
    loaded = load_generator(path)
    checkpoint, found = loaded.checkpoint, loaded.identified
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
        architecture=found.architecture.name,
        title=found.architecture.title,
        settings=found.settings,
        parameters=sum(parameter.numel() for parameter in loaded.module.parameters()),
        stored_as=tuple(sorted(kinds)),
        metadata=dict(checkpoint.metadata),
        training_file=training[0] if training else "",
        training=dict(training[1]) if training else {},
        methods=found.architecture.methods(found.config),
    )
