"""What newcomers read is so: words, commands, files to open, stable names, citations, checks before a commit."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import unmask
from tests.docs.test_design_notes import PAGES, REPO

NOTES = REPO / "bench" / "design"
CONTRIBUTING = (REPO / ".github" / "CONTRIBUTING.md").read_text("utf-8")
CITATION = (REPO / "CITATION.cff").read_text("utf-8")
THESIS = (
    "Combining DeepPrivacy with an Attribute-driven Generative Adversarial Network to Preserve Gender and Age in "
    "De-identified CCTV Footage"
)
TERM = re.compile(r"^\| ([^|]+) \| [^|]+ \|([^|]*)\|$", re.MULTILINE)


def glossary() -> dict[str, list[str]]:
    """Terms of CONTRIBUTING.md -> the words that may not stand for them."""
    rows = TERM.findall(CONTRIBUTING.partition("## Words")[2].partition("\n## ")[0])
    return {
        terms: [word for word in banned.strip().split(", ") if word]
        for terms, banned in rows
        if terms not in ("term", "---")
    }


def prose(page: Path) -> str:
    """A page without code, targets of links and the glossary."""
    text = page.read_text("utf-8")
    if page.name == "CONTRIBUTING.md":
        text = TERM.sub("", text)
    text = re.sub(r"^```.*?^```|^    .*?$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_one_term_a_thing(page: Path) -> None:
    banned = [word for words in glossary().values() for word in words]
    assert len(banned) > 5
    spoken = re.findall(rf"\b(?:{'|'.join(map(re.escape, banned))})s?\b", prose(page), re.IGNORECASE)
    assert not spoken, f"{page.name} says {', '.join(sorted(set(spoken)))}; see the words in CONTRIBUTING.md"


def test_the_glossary_explains_words_that_the_notes_use() -> None:
    notes = " ".join(prose(page) for page in PAGES if page.name != "CONTRIBUTING.md")
    terms = [term for terms in glossary() for term in terms.split(", ")]
    assert 20 <= len(glossary()) <= 25
    assert [term for term in terms if not re.search(rf"\b{re.escape(term)}s?\b", notes, re.IGNORECASE)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text("utf-8"), re.MULTILINE))
    code = re.findall(r"`make ([a-z-]+)|^    make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    assert {first or second for first, second in code} <= targets


def test_the_files_that_an_addition_opens_are_there_and_counted() -> None:
    table = (NOTES / "architecture.md").read_text("utf-8").partition("| to add | files |")[2]
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (.+) \|$", table, re.MULTILINE)
    assert len(rows) >= 6
    for addition, count, files in rows:
        paths = re.findall(r"`([^`]+)`", files)
        assert len(set(paths)) == int(count), addition
        assert int(count) <= (10 if "stage" in addition else 5), addition
        assert [path for path in paths if not (REPO / path).is_file()] == [], addition


def test_the_stable_names_are_those_that_unmask_exports() -> None:
    section = (NOTES / "extending.md").read_text("utf-8").partition("## What is stable")[2]
    table = "".join(line for line in section.splitlines() if line.startswith("|"))
    assert sorted(re.findall(r"`(\w+)`", table.partition("`unmask` exports")[2])) == sorted(unmask.__all__)


def test_the_thesis_is_cited_in_full_once_in_the_readme_and_once_in_the_notes() -> None:
    readme, *_ = texts = [" ".join(page.read_text("utf-8").split()) for page in PAGES]
    assert readme.count(THESIS) == 1
    assert sum(text.count(THESIS) for text in texts) == 2
    assert THESIS in " ".join(CITATION.split())
    for source in ("thesis/published.toml", "reported.toml", "clips/thesis.toml"):
        assert THESIS in (REPO / "reports" / source).read_text("utf-8")


def test_the_citation_is_of_this_version() -> None:
    assert f"\nversion: {unmask.__version__}\n" in CITATION


def staged(folder: Path) -> subprocess.CompletedProcess[str]:
    """The checks before a commit over all files of ``folder``, but for ruff, mypy and import-linter."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env |= {"SKIP": "ruff,mypy,contracts", "PRE_COMMIT_HOME": str(folder / ".git" / "pre-commit")}
    for command in (["git", "init", "--quiet"], ["git", "add", "--all"]):
        subprocess.run(command, cwd=folder, env=env, check=True)
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with this repository's checks and one harmless file."""
    pytest.importorskip("pre_commit", reason="make setup installs it")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (tmp_path / ".gitignore").write_text(".venv/\n")
    (tmp_path / "note.md").write_text("A note.\n")
    (tmp_path / ".ci").mkdir()
    for name in (".pre-commit-config.yaml", ".ci/refuse-pictures"):
        (tmp_path / name).write_bytes((REPO / name).read_bytes())
    return tmp_path


def test_a_commit_of_text_passes(checkout: Path) -> None:
    done = staged(checkout)
    assert done.returncode == 0, done.stdout


def test_no_picture_gets_into_a_commit(checkout: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    for name, form in (("photo.jpg", "JPEG"), ("photo.webp", "WEBP"), ("renamed.txt", "PNG"), ("nameless", "PNG")):
        Pillow.fromarray(pixels).save(checkout / name, form)
    (checkout / "weights.bin").write_bytes(bytes(64))
    encoded = base64.b64encode((checkout / "photo.jpg").read_bytes()).decode()
    (checkout / "page.html").write_text(f'<img src="data:{"image"}/jpeg;base64,{encoded}">')
    (checkout / "book.json").write_text(f'{{"jpeg": "{encoded}"}}')
    (checkout / "large.csv").write_text("1,2\n" * 100_000)
    done = staged(checkout)
    assert done.returncode == 1
    refused = [
        "photo.jpg",
        "photo.webp",
        "renamed.txt",
        "nameless",
        "weights.bin",
        "page.html",
        "book.json",
        "large.csv",
    ]
    assert [name for name in refused if name not in done.stdout] == []
    assert "note.md" not in done.stdout


def test_no_picture_is_in_the_repository() -> None:
    config = (REPO / ".pre-commit-config.yaml").read_text("utf-8").partition("id: no-pictures")[2]
    (allowed,) = re.findall(r"exclude: (.+)$", config, re.MULTILINE)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if (REPO / name).is_file() and not re.match(allowed, name)]
    assert len(names) > 500
    command = [sys.executable, ".ci/refuse-pictures", *names]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
