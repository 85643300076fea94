"""The published networks, layer for layer, so that other people's checkpoints load with strict keys.

Attribute names follow the published state dicts (that is what a key is made of); everything else is ours.
"""

from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]
"""Key of a state dict -> shape."""
