"""A class in a file as a method: whatever is wrong with it ends in one line and exit code 2, before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.support.cli import unmask_here
from unmask.bench.core import plugins, registry
from unmask.bench.core.errors import SpecError
from unmask.bench.core.types import Image
from unmask.bench.run.planning.plan import locations_of, planned_methods, without_paths
from unmask.bench.run.planning.sources import hash_code

GOOD = """
from __future__ import annotations
from dataclasses import dataclass
from unmask import MethodCard

@dataclass(kw_only=True)
class Mine:
    strength: int = 3
    net: str = ""

    @property
    def card(self):
        return MethodCard(name="mine", version="1", description="d", licence="MIT", source=__file__,
                          params={"strength": self.strength})

    def load(self, files, device): ...
    def anonymize(self, batch, *, seed):
        return [sample.image for sample in batch]

class Other(Mine): ...
class Helper: ...
"""
METHOD = "class M:\n def load(self, files, device): ...\n def anonymize(self, batch, *, seed): ...\n"
CASES = {
    "no such file": (None, ":M", "my.py cannot be read: No such file"),
    "no class": (GOOD, "", "my.py needs the name of a class behind it, such as my.py:Mine; it has: Mine, Other"),
    "parameters, no class": (GOOD, ":strength=3", "my.py needs the name of a class behind it"),
    "no method in it": ("x = 1", "", "it has no class with load and anonymize"),
    "another class": (GOOD, ":Mien", "my.py has no class 'Mien'; it has: Mine, Other"),
    "no class but a value": ("M = 3\n" + METHOD.replace("M", "N"), ":M", "my.py has no class 'M'; it has: N"),
    "no method": (GOOD, ":Helper", "my.py:Helper is no method: it has no load and no anonymize; it has: Mine, Other"),
    "syntax": ("class M(:\n", ":M", "'my.py:M' cannot be used: SyntaxError: invalid syntax (my.py, line 1)"),
    "no text": (b"\xff\xfe\x00", ":M", "'my.py:M' cannot be used: "),
    "an import": ("import no_such_package", ":M", "needs a package that is not installed: No module named 'no_such_"),
    "a name": ("from os import no_such_name", ":M", "'my.py:M' cannot be used: ImportError: cannot import name"),
    "a file beside it": ("import beside", ":M", "my.py imports 'beside', which lies beside it and is not installed"),
    "an error": ("1 / 0", ":M", "'my.py:M' cannot be used: ZeroDivisionError"),
    "an exit": ("import sys; sys.exit(0)", ":M", "'my.py:M' cannot be used: sys.exit(0) was called"),
    "no card": (METHOD, ":M", "'my.py:M' cannot be used: TypeError: it has no card; give it one, an unmask.MethodCard"),
    "a wrong card": (METHOD + " card = {'name': 'm'}", ":M", "its card is no MethodCard"),
    "another kind's card": (
        "from unmask import AttackerCard\n" + METHOD + " card = AttackerCard('m', '1', 't', 'k', 'd', '-')",
        ":M",
        "its card is no MethodCard",
    ),
    "the control's name": (
        "from unmask import MethodCard\n" + METHOD + " card = MethodCard('none', '1', 'd', 'MIT', '-')",
        ":M",
        "its card is called 'none', as the control is",
    ),
    "a parameter": (GOOD, ":Mine:strenth=3", "has no parameter 'strenth'; it takes: strength, net"),
    "a lacking parameter": (METHOD + " def __init__(self, *, a): ...", ":M", "needs a; write "),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_a_file_is_said_in_a_line(case: str, tmp_path: Path) -> None:
    text, rest, expected = CASES[case]
    (tmp_path / "beside.py").write_text("")
    file = tmp_path / "my.py"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = unmask_here("run", "-d", "demo", "-m", f"{file}{rest}", "--out", str(tmp_path / "run"))
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_file_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my.py").write_text("while True: ...")
    monkeypatch.setattr(plugins, "TIME_LIMIT_S", 0.2)
    with pytest.raises(SpecError, match=r"'my.py:M' cannot be used: it took longer than 0.2 s"):
        registry.method_class(f"{tmp_path}/my.py:M")


def test_two_methods_of_one_label_need_one_each(tmp_path: Path, astronaut: Image) -> None:
    (tmp_path / "photos").mkdir()
    Pillow.fromarray(astronaut).save(tmp_path / "photos" / "a.png")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my.py").write_text(GOOD)
    methods = [f"--method={tmp_path / folder / 'my.py'}:Mine" for folder in ("a", "b")]
    done = unmask_here("run", "-d", f"folder:{tmp_path / 'photos'}", *methods, "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert "method 'my-Mine' is named twice; write a label before one SPEC" in done.stderr


def test_only_that_file_is_loaded_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(GOOD + "import sys\nPATH = list(sys.path)\n")
    before, modules = list(sys.path), set(sys.modules)
    cls = registry.method_class(f"{tmp_path}/my.py:Mine")
    assert cls is registry.method_class(f"{tmp_path}/my.py:Mine"), "one class as long as the file is the same"
    assert sys.modules[cls.__module__].PATH == before == sys.path
    assert {name for name in set(sys.modules) - modules if not name.startswith(plugins.FILE_MODULES)} == set()
    assert [path.name for path in tmp_path.iterdir()] == ["my.py"]


def test_an_edit_counts_at_once(tmp_path: Path) -> None:
    file, name = tmp_path / "my.py", f"{tmp_path}/my.py:Mine"
    file.write_text(GOOD)
    first, code = registry.method_class(name), hash_code(name)
    file.write_text(GOOD.replace("int = 3", "int = 4"))
    second = registry.method_class(name)
    assert [cls().card.params["strength"] for cls in (first, second)] == [3, 4]
    assert hash_code(name) != code
    (tmp_path / "other.py").write_text("# beside it")
    file.write_text(GOOD)
    assert hash_code(name) == code, "of the file's content alone"


def test_no_plan_says_where_the_file_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = []
    for folder in ("here", "there/deep"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "my.py").write_text(GOOD)
        (tmp_path / folder / "net").write_text("weights")
        monkeypatch.chdir(tmp_path / folder)
        specs = ["my.py:Mine:net=net", "soft=./my.py:Mine:strength=1"]
        plans.append([without_paths(method) for method in planned_methods(specs)])
        places = locations_of([], specs).methods
        own = {"my.py": str(tmp_path / folder / "my.py")}
        assert places == {"my-Mine-netnet": own | {"net": str(tmp_path / folder / "net")}, "soft": own}
    assert plans[0] == plans[1]
    assert [method.spec for method in plans[0]] == ["none", "my.py:Mine", "my.py:Mine:strength=1"]
    assert str(tmp_path) not in str(plans)
