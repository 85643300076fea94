"""datasets.toml: open, fetch, verify."""

from bench.data.dataset import Dataset
from bench.data.opening import open_dataset

__all__ = ["Dataset", "open_dataset"]
