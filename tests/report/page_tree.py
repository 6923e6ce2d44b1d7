"""A page of HTML as a tree; a page whose tags do not match is refused."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "br", "hr", "line", "img", "link", "input"}


class Node:
    """An element: its tag, attributes, children and text."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Node] = []
        self.parts: list[str | Node] = []

    @property
    def text(self) -> str:
        """Return all text inside, with single spaces."""
        parts = (p if isinstance(p, str) else p.text for p in self.parts)
        return " ".join(" ".join(parts).split())

    @property
    def own_text(self) -> str:
        """Return the text that is not inside another element."""
        return " ".join(" ".join(p for p in self.parts if isinstance(p, str)).split())

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def number(self, name: str) -> float:
        return float(self.attributes[name])

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, tag: str, css: str = "") -> list[Node]:
        """Return the elements of a tag, with a class if one is given."""
        found = (n for n in self.walk() if n.tag == tag)
        return [n for n in found if not css or css in n.attributes.get("class", "").split()]

    def one(self, tag: str, css: str = "") -> Node:
        (node,) = self.all(tag, css)
        return node

    def has(self, name: str) -> bool:
        return any(n.attributes.get("id") == name for n in self.walk())

    def by_id(self, name: str) -> Node:
        (node,) = (n for n in self.walk() if n.attributes.get("id") == name)
        return node

    def rows(self) -> list[list[str]]:
        """Return the cells of a table's rows, those of its head left out."""
        rows = [
            r
            for r in self.all("tr")
            if not any("scope" in n.attributes and n["scope"] == "col" for n in r.children)
        ]
        return [[cell.text for cell in row.children] for row in rows]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag} {attrs}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        self.open[-1].parts.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open[-1].tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID, f"<{tag}/> is not closed in HTML"
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def parse(page: str) -> Node:
    """Return the page's tree; the tags must match and be closed."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    assert len(builder.open) == 1, f"left open: {[n.tag for n in builder.open]}"
    return builder.open[0]


def pools(page: Node, report: dict[str, Any]) -> list[tuple[Node, dict[str, Any]]]:
    """Return the sections of the pools, each with its pool in the report."""
    named = [s for s in page.all("section") if "data-pool" in s.attributes]
    return list(zip(named, report["memory"]["pools"], strict=True))


def style(page: Node) -> str:
    """Return the page's style sheet."""
    return page.one("style").text
