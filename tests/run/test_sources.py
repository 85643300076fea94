"""A method is another method when its code, or a file that it was told to use, is another one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from unmask.bench.core import registry
from unmask.bench.core.registry import TABLES
from unmask.bench.core.spec import parse_spec
from unmask.bench.run.planning.sources import hash_code, hash_content, hashed_parameters, path_parameters

CLASS = "class Mine:\n    def __init__(self, *, net: str = '', tone: str = ''): ...\n"


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, str]], Path]:
    """Registers ``mine`` as ``TARGET``, with the given files on the path."""

    def install(target: str, files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(registry, "targets", lambda kind: {"mine": target, **TABLES["method"]})
        return tmp_path

    before = set(sys.modules)
    yield install
    for name in set(sys.modules) - before:
        if name.startswith("plug_"):
            del sys.modules[name]


PACKAGE = {"plug_a/__init__.py": "", "plug_a/deep/__init__.py": "", "plug_a/deep/m.py": CLASS, "plug_a/table.csv": "1"}


@pytest.mark.parametrize("edited", ["plug_a/deep/m.py", "plug_a/__init__.py", "plug_a/table.csv", "plug_a/new.py"])
def test_any_file_of_a_plug_ins_package_counts(plug_in: Callable[..., Path], edited: str) -> None:
    site = plug_in("plug_a.deep.m:Mine", PACKAGE)
    before = hash_code("mine")
    assert hash_code("mine") == before
    (site / edited).write_text("# edited\n" + CLASS)
    assert hash_code("mine") != before


def test_what_python_leaves_behind_does_not_count(plug_in: Callable[..., Path]) -> None:
    site = plug_in("plug_a.deep.m:Mine", PACKAGE)
    before = hash_code("mine")
    (site / "plug_a" / "__pycache__").mkdir(exist_ok=True)
    (site / "plug_a" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (site / "plug_a" / ".hidden").write_text("x")
    (site / "plug_other.py").write_text("x")
    assert hash_code("mine") == before


def test_a_single_module_and_a_namespace_package(plug_in: Callable[..., Path]) -> None:
    site = plug_in("plug_b:Mine", {"plug_b.py": CLASS})
    before = hash_code("mine")
    (site / "plug_b.py").write_text(CLASS + "# edited")
    assert hash_code("mine") != before
    plug_in("plug_c.own.m:Mine", {"plug_c/own/__init__.py": "", "plug_c/own/m.py": CLASS, "plug_c/other/m.py": CLASS})
    before = hash_code("mine")
    (site / "plug_c" / "other" / "m.py").write_text("# another distribution's")
    assert hash_code("mine") == before
    (site / "plug_c" / "own" / "m.py").write_text("# edited")
    assert hash_code("mine") != before


def test_a_name_that_leads_to_another_packages_class_counts_both(plug_in: Callable[..., Path]) -> None:
    site = plug_in("plug_d:Mine", {"plug_d/__init__.py": "from plug_e import Mine", "plug_e.py": CLASS})
    before = hash_code("mine")
    (site / "plug_e.py").write_text(CLASS + "# edited")
    changed = hash_code("mine")
    (site / "plug_d" / "__init__.py").write_text("from plug_e import Mine  # edited")
    assert len({before, changed, hash_code("mine")}) == 3


def test_of_ours_the_module_and_what_it_imports_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "one": "from unmask.methods import shared\nclass One: ...",
        "two": "import unmask.methods.deep.layers",
        "shared": "from .deep.base import X",
        "deep/__init__": "",
        "deep/base": "X = 1",
        "deep/layers": "from .. import late",
        "late": "",
        "__init__": "",
    }
    (tmp_path / "deep").mkdir()
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    package = ModuleType("unmask.methods")
    package.__file__ = str(tmp_path / "__init__.py")
    monkeypatch.setitem(sys.modules, "unmask.methods", package)
    monkeypatch.setattr(registry, "method_class", lambda name: type(name, (), {"__module__": f"unmask.methods.{name}"}))
    monkeypatch.setattr("unmask.bench.run.planning.sources.TABLES", {"method": {"one": "", "two": ""}})

    def edit(name: str) -> set[str]:
        before = {method: hash_code(method) for method in ("one", "two")}
        (tmp_path / f"{name}.py").write_text(files[name] + "\n# edited")
        return {method for method in before if hash_code(method) != before[method]}

    assert edit("one") == {"one"}
    assert edit("shared") == {"one"}
    assert edit("deep/base") == {"one"}
    assert edit("deep/layers") == {"two"}
    assert edit("late") == {"two"}
    assert edit("deep/__init__") == {"one", "two"}


def test_built_in_methods_of_one_module_share_a_hash_and_others_do_not() -> None:
    hashes = {(target.partition(":")[0], hash_code(name)) for name, target in TABLES["method"].items()}
    assert len(hashes) == len({module for module, _ in hashes}) == len({code for _, code in hashes}) > 1


def test_parameters_that_are_paths(plug_in: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    site = plug_in("plug_b:Mine", {"plug_b.py": CLASS, "net": "old", "folder/a.bin": "a"})
    monkeypatch.chdir(site)
    spec = parse_spec("mine:net=net,tone=dark")
    assert path_parameters(spec) == {"net": site / "net"}
    before = hashed_parameters(spec)
    (site / "net").write_text("new")
    assert hashed_parameters(spec) != before
    (site / "dark").mkdir()
    # Of a built-in method the name of a parameter tells; `tone=dark` is no folder though there is one.
    assert path_parameters(parse_spec("dp-att-s:tone=dark,checkpoint=net")) == {"checkpoint": site / "net"}
    assert hashed_parameters(parse_spec("outputs:dir=folder")) == {}, "its card has a fingerprint"


def test_a_folder_is_known_by_its_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "x" / "sub").mkdir(parents=True)
    (tmp_path / "x" / "sub" / "a").write_text("1")
    first = hash_content(tmp_path / "x")
    (tmp_path / "x").rename(tmp_path / "y")
    assert hash_content(tmp_path / "y") == first
    (tmp_path / "y" / "sub" / "a").rename(tmp_path / "y" / "sub" / "b")
    assert hash_content(tmp_path / "y") != first
