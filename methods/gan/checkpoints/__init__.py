"""Other people's checkpoints: opened as untrusted input, recognised, loaded with strict keys."""

from unmask.methods.gan.checkpoints.architectures import ARCHITECTURES, Architecture, Identified, identify
from unmask.methods.gan.checkpoints.loading import Loaded, inspect_checkpoint, load_generator
from unmask.methods.gan.checkpoints.reading import Checkpoint, open_checkpoint

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Checkpoint",
    "Identified",
    "Loaded",
    "identify",
    "inspect_checkpoint",
    "load_generator",
    "open_checkpoint",
]
