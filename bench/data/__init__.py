"""datasets.toml: open, fetch, verify."""

from unmask.bench.data.dataset import Dataset
from unmask.bench.data.opening import open_dataset

__all__ = ["Dataset", "open_dataset"]
