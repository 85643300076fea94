"""Reads a report as a browser would: tags that nest, links that lead somewhere, tables with their texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

VOID = {"meta", "link", "input", "img", "br", "hr", "col"}


@dataclass
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
