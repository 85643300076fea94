"""Reads a report as a browser would: tags that nest, links that lead somewhere, tables with their texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

VOID = {"meta", "link", "input", "img", "br", "hr", "col"}


@dataclass(repr=False)
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    parts: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(p if isinstance(p, str) else f" {p.text} " for p in self.parts).split())

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """Elements below, by tag and by words among an attribute's words (``class_`` for class)."""
        wanted = {key.rstrip("_"): value for key, value in attributes.items()}
        found = []
        for child in self.children:
            if (not tag or child.tag == tag) and all(
                v in child.attributes.get(k, "").split() for k, v in wanted.items()
            ):
                found.append(child)
            found += child.all(tag, **attributes)
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#root", {})
        self.stack = [self.root]
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [key for key, _ in attrs]
        if len(set(names)) < len(names):
            self.problems.append(f"<{tag}> has an attribute twice: {names}")
        element = Element(tag, {key: value or "" for key, value in attrs})
        self.stack[-1].children.append(element)
        self.stack[-1].parts.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.stack[-1].tag != tag:
            self.problems.append(f"</{tag}> closes <{self.stack[-1].tag}> at {self.getpos()}")
        else:
            self.stack.pop()

    def handle_data(self, data: str) -> None:
        self.stack[-1].parts.append(data)


def read_page(path: Path) -> Element:
    """Raises `AssertionError` if the tags do not nest."""
    reader = _Reader()
    reader.feed(path.read_text("utf-8"))
    assert not reader.problems, f"{path.name}: {reader.problems[:3]}"
    assert len(reader.stack) == 1, f"{path.name}: unclosed {[e.tag for e in reader.stack[1:]]}"
    return reader.root


def links(page: Element) -> list[str]:
    """Everything that a browser would load or go to."""
    found = [e.attributes[key] for e in page.all() for key in ("href", "src") if key in e.attributes]
    return [link for link in found if link]


def target(page: Path, link: str) -> tuple[Path, str]:
    """The file and the fragment that a link of a page leads to."""
    parts = urlsplit(link)
    assert not parts.scheme, link
    assert not parts.netloc, link
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    return file, parts.fragment


def read_pages(report: Path) -> dict[str, Element]:
    """Every page by its path in the report."""
    return {p.relative_to(report).as_posix(): read_page(p) for p in sorted(report.rglob("*.html"))}


def check_headings_and_names(pages: Mapping[str, Element]) -> None:
    """Landmarks, headings in order, captions, scopes, and names that lead somewhere."""
    for name, page in pages.items():
        (html,) = page.all("html")
        assert html.attributes["lang"] == "en", name
        assert len(page.all("main")) == len(page.all("h1")) == len(page.all("header")) == 1, name
        assert page.all("a", class_="skip")[0].attributes["href"] == "#main"
        levels = [int(e.tag[1]) for e in page.all() if re.fullmatch(r"h[1-6]", e.tag)]
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in pairwise(levels)), (name, levels)
        assert all(table.all("caption") for table in page.all("table")), name
        assert all(th.attributes.get("scope") for th in page.all("th")), name
        ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
        assert len(ids) == len(set(ids)), name
        for e in page.all():
            assert set(e.attributes.get("aria-labelledby", "").split()) <= set(ids), name


def check_links(report: Path, pages: Mapping[str, Element]) -> None:
    """Every link leads to a file, and to an id on it, of the report itself; nothing comes from outside."""
    ids = {name: {e.attributes.get("id") for e in page.all()} for name, page in pages.items()}
    for name, page in pages.items():
        for link in links(page):
            if link == "data:,":
                continue
            file, fragment = target(report / name, link)
            assert file.is_file(), (name, link)
            assert file.is_relative_to(report.resolve())
            if fragment and file.suffix == ".html":
                assert fragment in ids[file.relative_to(report.resolve()).as_posix()], (name, link)
    for file in (*report.rglob("*.html"), *report.rglob("*.css"), *report.rglob("*.js")):
        text = file.read_text("utf-8")
        assert not re.search(r"""(?:src|href|action|data)\s*=\s*["']?\s*(?:[a-z]+:)?//""", text), file
        assert not re.search(r"@import|url\(\s*[\"']?(?:[a-z]+:)?//|fetch\(|XMLHttpRequest|xmlns", text), file


def check_names_are_text(report: Path, pages: Mapping[str, Element]) -> None:
    """No name that anybody chose has become markup or a path."""
    for name, page in pages.items():
        scripts = [script.attributes.get("src", "") for script in page.all("script")]
        assert [src.endswith("assets/report.js") for src in scripts] == [True], name
        assert not [e for e in page.all() if any(key.startswith("on") for key in e.attributes)], name
        assert not page.all("img"), name
        assert not page.all("b"), name
    assert all(re.fullmatch(r"[a-zA-Z0-9._/-]+", p.relative_to(report).as_posix()) for p in report.rglob("*"))
