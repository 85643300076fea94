"""Compact networks as files: safetensors, with the architecture and its settings in the metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final, TypeVar

import torch
from safetensors.torch import save_file
from torch import nn

from unmask.bench.core.errors import CheckpointError
from unmask.methods.gan.compact.editor import EditorConfig
from unmask.methods.gan.compact.inpainter import InpainterConfig

Config = TypeVar("Config", InpainterConfig, EditorConfig)
LARGEST: Final = {"width": 512, "fine": 512, "blocks": 16, "latent": 256}
"""A file's metadata is untrusted: nothing larger is built."""
MOST_ATTRIBUTES: Final = 100


def config_from(metadata: Mapping[str, str], name: str, kind: type[Config]) -> Config | None:
    """The settings in a file's metadata; None if it is another architecture's or they make no sense."""
    if metadata.get("architecture") != name:
        return None
    try:
        values = json.loads(metadata.get("config", ""))
        if not isinstance(values, dict) or set(values) != {field.name for field in fields(kind)}:
            return None
        for key, most in LARGEST.items():
            if key in values and (type(values[key]) is not int or not 1 <= values[key] <= most):
                return None
        if "attributes" in values:
            names = values["attributes"]
            if not isinstance(names, list) or not 1 <= len(names) <= MOST_ATTRIBUTES:
                return None
            values["attributes"] = tuple(str(name)[:40] for name in names)
        return kind(**values)
    except (ValueError, TypeError):
        return None


def save_compact(path: Path, name: str, network: nn.Module, config: InpainterConfig | EditorConfig) -> None:
    """Writes a network in half precision. Raises CheckpointError for a weight that has no finite number there."""
    tensors = {key: value.detach().to(torch.float16).contiguous() for key, value in network.state_dict().items()}
    lost = [key for key, value in tensors.items() if not value.isfinite().all()]
    if lost:
        raise CheckpointError(f"{lost[0]} has weights beyond half precision; train again with a lower rate")
    save_file(tensors, path, {"architecture": name, "config": json.dumps(asdict(config))})
