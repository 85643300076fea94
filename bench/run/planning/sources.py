"""What a method is made of: the hash of its code, and of every file or folder that a parameter of it names."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.errors import DataError
from unmask.bench.core.files import canonical_json, digest, sha256_of
from unmask.bench.core.plugins import FILE_MODULES, source_of
from unmask.bench.core.registry import TABLES
from unmask.bench.core.spec import Spec, file_target
from unmask.bench.data.stores import DigestCache
from unmask.bench.store.provenance import packages

OWN: Final = "unmask.methods"
"""The package of our own methods."""
_PATH_NAMES: Final = ("dir", "path", "file", "folder", "weights", "checkpoint", "model", "gallery")
"""Parameters of these names, or names that end in one of them, hold paths."""
_FINGERPRINTED: Final = frozenset({("outputs", "dir"), ("outputs", "background"), ("outputs", "enrolment")})
"""Parameters of built-in methods that are folders of whose content the card holds a hash already."""


def path_parameters(spec: Spec) -> dict[str, Path]:
    """The parameters of a method's SPEC that name a file or a folder which is there, as absolute paths. Of a plug-in
    any value that names one counts: nothing else tells what the value means."""
    paths = {}
    for name, value in spec.params.items():
        if isinstance(value, str):
            says_so = name.endswith(_PATH_NAMES) or "/" in value or os.sep in value or "." in value
            says_so |= (spec.name, name) in _FINGERPRINTED
            if (_is_plug_in(spec.name) or says_so) and (path := Path(value).expanduser()).exists():
                paths[name] = path.absolute()
    return paths


def located_parameters(spec: Spec) -> dict[str, str]:
    """The parameters that hold no path alone and yet say where files lie, as a method's class says by ``located``."""
    located = getattr(registry.method_class(spec.name), "located", None)
    return {} if located is None or not spec.params else dict(located(spec.params))


def method_file(spec: Spec) -> dict[str, Path]:
    """The name of the file that a method's class is in -> its absolute path; {} where the SPEC names none."""
    target = file_target(spec.name)
    return {} if target is None else {target[0].name: target[0].expanduser().absolute()}


def hashed_parameters(spec: Spec) -> dict[str, str]:
    """Parameter -> sha256 of the content of the file or folder that it names; the same of further files, as a method's
    class names them by ``named_files``. Raises `DataError`."""
    wanted = {k: path for k, path in path_parameters(spec).items() if (spec.name, k) not in _FINGERPRINTED}
    named_files = getattr(registry.method_class(spec.name), "named_files", None)
    wanted |= {} if named_files is None else named_files(spec.params)
    return {name: hash_content(path) for name, path in sorted(wanted.items())}


def hash_code(name: str) -> str:
    """sha256 over the code of a method.

    A built-in method: its module and every module below `unmask.methods` that this one imports, directly or not. A
    plug-in: every file of the package that its class lies in; a namespace package is no one's own, so there the regular
    package below it counts; for a class in a single module, that file. A file that a SPEC names: its own sha256. Other
    distributions, and other files, that a plug-in imports are not part of it.
    """
    module = registry.method_class(name).__module__
    if file_target(name) is not None:
        own = hashlib.sha256(source_of(name)).hexdigest()
        if module.startswith(FILE_MODULES):
            return own
        # The file has the class from a package.
        return digest([own, _digest((file, relative.as_posix()) for relative, file in _plug_in_files(module))])
    if _is_plug_in(name):
        # The name may lead to a class that another package made.
        modules = dict.fromkeys((registry.targets("method")[name].partition(":")[0], module))
        files = [item for each in modules for item in _plug_in_files(each)]
        return _digest((file, relative.as_posix()) for relative, file in files)
    return _digest((file, dotted) for dotted, file in sorted(_imported(module).items()))


def hash_arithmetic(metrics: Iterable[str]) -> str:
    """sha256 over all code that makes numbers of readings: the harness, our metrics, those packages of ``metrics`` that
    are plug-ins; and the versions of the packages that they use."""
    files = []
    for top in ("bench", "metrics"):
        root = Path(str(import_module(f"unmask.{top}").__file__)).parent
        files += [(file, f"{top}/{name.as_posix()}") for name, file in _files_below(root) if file.suffix == ".py"]
    for name in (name for name in metrics if name not in TABLES["metric"]):
        module = registry.targets("metric")[name].partition(":")[0]
        files += [(file, f"{module}/{relative.as_posix()}") for relative, file in _plug_in_files(module)]
    return hashlib.sha256(f"{canonical_json(packages())}{_digest(iter(files))}".encode()).hexdigest()


def hash_content(path: Path) -> str:
    """sha256 of a file's bytes, or over the names and contents of a folder's files (hidden ones left out). What was
    hashed before is remembered while a file's size and time stay the same. Raises `DataError`."""
    hashes = DigestCache(path if path.is_dir() else path.parent)
    try:
        if not path.is_dir():
            return hashes.sha256(path)
        total = hashlib.sha256()
        for name, file in _files_below(path):
            total.update(f"{name.as_posix()}\0{hashes.sha256(file)}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read ({error.strerror}); a method needs it") from error
    finally:
        hashes.save()


def _is_plug_in(name: str) -> bool:
    return name not in TABLES["method"]


def _digest(files: Iterator[tuple[Path, str]]) -> str:
    total = hashlib.sha256()
    for file, name in files:
        total.update(f"{name}\0{sha256_of(file)}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _files_below(folder: Path) -> list[tuple[Path, Path]]:
    """(relative path, file) of everything below a folder but hidden and compiled files, in a fixed order."""
    below = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        inner = Path(here).relative_to(folder)
        shown = (name for name in names if not name.startswith(".") and not name.endswith(".pyc"))
        below += [(inner / name, file) for name in shown if (file := Path(here, name)).is_file()]
    return sorted(below, key=lambda item: item[0].as_posix())


def _plug_in_files(module: str) -> list[tuple[Path, Path]]:
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        package = sys.modules.get(".".join(parts[:depth]))
        file = getattr(package, "__file__", None)
        if file is None:
            continue  # a namespace package
        if hasattr(package, "__path__"):
            return _files_below(Path(file).parent)
        # The file, or the archive that it lies in.
        there = next((each for each in (Path(file), *Path(file).parents) if each.is_file()), Path(file))
        return [(Path(Path(file).name), there)]
    return []


def _imported(module: str) -> Mapping[str, Path]:
    """``module`` and everything below `OWN` that it imports, directly or not -> source file."""
    sources: dict[str, Path] = {}
    todo = [module]
    while todo:
        name = todo.pop()
        file = _source(name)
        if name in sources or file is None:
            continue
        sources[name] = file
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        todo += _imports(package, file.read_bytes())
    return sources


def _source(module: str) -> Path | None:
    """The file of a module of ours; ``None`` for others, and for names such as ``unmask.methods.blur.Blur``."""
    if not f"{module}.".startswith(f"{OWN}.") or OWN not in sys.modules:
        return None
    # Not importlib: to find a module it imports the packages above it, torch among what they need.
    base = Path(str(sys.modules[OWN].__file__)).parent.joinpath(*module.split(".")[len(OWN.split(".")) :])
    return next((file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()), None)


@cache
def _imports(package: str, source: bytes) -> tuple[str, ...]:
    """What a module in ``package`` may import, by absolute name; names that are no modules among them. Kept, since
    methods share modules and each run asks anew."""
    return tuple(_imported_names(package, ast.parse(source)))


def _imported_names(package: str, module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}" if base else above
            yield from _with_parents(base)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _with_parents(module: str) -> Iterator[str]:
    """Importing ``a.b.c`` runs ``a`` and ``a.b`` too."""
    parts = module.split(".")
    yield from (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
