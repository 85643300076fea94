"""The published state dicts as documented: key -> shape, written down without looking at our networks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch

Shape = tuple[int, ...]
Table = dict[str, Shape]


def norm(key: str, channels: int, *, running: bool) -> Iterator[tuple[str, Shape]]:
    yield f"{key}.weight", (channels,)
    yield f"{key}.bias", (channels,)
    if running:
        yield f"{key}.running_mean", (channels,)
        yield f"{key}.running_var", (channels,)
        yield f"{key}.num_batches_tracked", ()


def attgan(n: int, *, inject: int = 0, batch_norm: bool = True) -> Table:
    table: Table = {}
    for i, (before, after) in enumerate([(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]):
        table[f"enc_layers.{i}.layers.0.weight"] = (after, before, 4, 4)
        table.update(norm(f"enc_layers.{i}.layers.1", after, running=batch_norm))
    second = 1536 + (n if inject else 0)
    for i, (before, after) in enumerate([(1024 + n, 1024), (second, 512), (512, 256), (256, 128)]):
        table[f"dec_layers.{i}.layers.0.weight"] = (before, after, 4, 4)
        table.update(norm(f"dec_layers.{i}.layers.1", after, running=batch_norm))
    table["dec_layers.4.layers.0.weight"] = (128, 3, 4, 4)
    table["dec_layers.4.layers.0.bias"] = (3,)
    return table


def attgan_discriminator(n: int) -> Table:
    table: Table = {}
    for i, (before, after) in enumerate([(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]):
        table[f"conv.{i}.layers.0.weight"] = (after, before, 4, 4)
        table.update(norm(f"conv.{i}.layers.1", after, running=False))
    for head, outputs in (("fc_adv", 1), ("fc_cls", n)):
        table |= {f"{head}.0.layers.0.weight": (1024, 16384), f"{head}.0.layers.0.bias": (1024,)}
        table |= {f"{head}.1.layers.0.weight": (outputs, 1024), f"{head}.1.layers.0.bias": (outputs,)}
    return table


def dcgan(nz: int = 100, ngf: int = 64) -> Table:
    table: Table = {}
    channels = [nz, 8 * ngf, 4 * ngf, 2 * ngf, ngf]
    for i, (before, after) in enumerate(pairwise(channels)):
        table[f"main.{3 * i}.weight"] = (before, after, 4, 4)
        table.update(norm(f"main.{3 * i + 1}", after, running=True))
    return table | {"main.12.weight": (ngf, 3, 4, 4)}


def dcgan_discriminator(ndf: int = 64) -> Table:
    table: Table = {"main.0.weight": (ndf, 3, 4, 4)}
    for i, scale in ((2, 1), (5, 2), (8, 4)):
        table[f"main.{i}.weight"] = (2 * scale * ndf, scale * ndf, 4, 4)
        table.update(norm(f"main.{i + 1}", 2 * scale * ndf, running=True))
    return table | {"main.11.weight": (1, 8 * ndf, 4, 4)}


def stargan(c: int) -> Table:
    table: Table = {
        "main.0.weight": (64, 3 + c, 7, 7),
        "main.3.weight": (128, 64, 4, 4),
        "main.6.weight": (256, 128, 4, 4),
    }
    for i, channels in ((1, 64), (4, 128), (7, 256), (16, 128), (19, 64)):
        table.update(norm(f"main.{i}", channels, running=True))
    for i in range(9, 15):
        for conv in (0, 3):
            table[f"main.{i}.main.{conv}.weight"] = (256, 256, 3, 3)
            table.update(norm(f"main.{i}.main.{conv + 1}", 256, running=True))
    table |= {"main.15.weight": (256, 128, 4, 4), "main.18.weight": (128, 64, 4, 4), "main.21.weight": (3, 64, 7, 7)}
    return table


def stargan_discriminator(c: int) -> Table:
    table: Table = {}
    for i, (before, after) in enumerate([(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024), (1024, 2048)]):
        table[f"main.{2 * i}.weight"] = (after, before, 4, 4)
        table[f"main.{2 * i}.bias"] = (after,)
    return {**table, "conv1.weight": (1, 2048, 3, 3), "conv2.weight": (c, 2048, 2, 2)}


def conv(key: str, before: int, after: int, kernel: int) -> Table:
    return {f"{key}.weight": (after, before, kernel, kernel), f"{key}.bias": (after,)}


def block(key: str, before: int, middle: int, after: int) -> Table:
    return conv(f"{key}.layers.0", before, middle, 3) | conv(f"{key}.layers.3", middle, after, 3)


def deepprivacy_msg() -> Table:
    table = conv("from_rgb.0", 5, 128, 1)
    for side, here, below in (
        (128, 128, 256),
        (64, 256, 512),
        (32, 512, 512),
        (16, 512, 512),
        (8, 512, 512),
        (4, 512, 512),
    ):
        table |= block(f"encoder.basic_block{side}", here, here, below)
    for i, (before, after) in {1: (14, 128), 3: (128, 256)}.items():
        key = f"decoder.pose_fcnn.pose_preprocessor.{i}"
        for unused in ("", ".linear"):
            table |= {f"{key}{unused}.weight": (after, before), f"{key}{unused}.bias": (after,)}
    table |= block("decoder.basic_block4", 560, 560, 512)
    for side, below, here in ((8, 512, 512), (16, 512, 512), (32, 512, 512), (64, 512, 256), (128, 256, 128)):
        table |= conv(f"decoder.skip_connection{side}.conv.layers.0", 2 * below, below, 1)
        table |= block(f"decoder.basic_block{side}", below, below, here)
    for side, here in ((4, 512), (8, 512), (16, 512), (32, 512), (64, 256), (128, 128)):
        table |= conv(f"rgb_convolutions.{side}", here, 3, 1)
    return table


def deepprivacy_msg_older() -> Table:
    """The same under the older names, with the leftovers that its files have."""
    table: Table = {}
    for key, shape in deepprivacy_msg().items():
        for i, side in enumerate((4, 8, 16, 32, 64, 128)):
            for kind in ("basic_block", "skip_connection"):
                if f".{kind}{side}." in key:
                    key = key.replace(f".{kind}{side}.", f".{kind}{i}.")
                    break
            else:
                continue
            break
        table[key.replace("from_rgb.0", "encoder.from_rgb.conv.layers.0")] = shape
    return table | conv("decoder.to_rgb.conv", 128, 3, 1)


def deepprivacy_v1() -> Table:
    table = conv("encoder.from_rgb.conv.0", 3, 128, 1)
    for i, before, after in ((5, 128, 256), (4, 256, 512), (3, 512, 512), (2, 512, 512), (1, 512, 512), (0, 512, 512)):
        table |= block(f"encoder.basic_block{i}", before, after, after)
    table |= conv("decoder.conv1x1.conv.0", 551, 512, 1)
    for i, before, after in ((0, 512, 512), (1, 512, 512), (2, 512, 512), (3, 512, 512), (4, 512, 256), (5, 256, 128)):
        table |= block(f"decoder.basic_block{i}", before, after, after)
        if i:
            table |= conv(f"decoder.skip_connection{i}.conv.layers.0", 2 * before + 7, before, 1)
    return table | conv("to_rgb", 128, 3, 1)


def state_dict(table: Table, *, dtype: torch.dtype = torch.float16) -> dict[str, torch.Tensor]:
    """Tensors of a table's names and shapes; small numbers, variances of 1."""
    return {
        key: torch.tensor(7)
        if key.endswith("num_batches_tracked")
        else torch.full(shape, 1.0 if key.endswith("running_var") else 0.01, dtype=dtype)
        for key, shape in table.items()
    }
