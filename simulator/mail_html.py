"""Shows HTML mails without letting them run anything: as plain words, and as a few harmless tags with web links."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from urllib.parse import urlsplit

BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "table"})
SILENT = frozenset({"script", "style", "title", "template", "noscript", "iframe", "object", "svg"})
EMPTY = frozenset({"br", "hr"})
KEPT = BLOCKS | EMPTY | {"a", "b", "strong", "i", "em", "code", "pre", "ul", "ol", "thead", "tbody", "th", "td"}


def plain_text(html: str) -> str:
    """An HTML mail's words; a link keeps its address behind its text."""
    parts, target = [], ""
    for kind, word, href in _read(html):
        if kind == "text":
            parts.append(word)
        elif kind == "open" and word == "a":
            target = href
        elif kind == "close" and word == "a" and target:
            parts.append(f" ({target})")
            target = ""
        elif word in BLOCKS and (kind == "close" or word == "br"):
            parts.append("\n")
    return re.sub(r"\n\s*\n+", "\n\n", "".join(parts)).strip()


def harmless(html: str) -> str:
    """An HTML mail as a fragment of plain tags: no attribute but a web link's address, every tag closed."""
    parts: list[str] = []
    left_open: list[str] = []
    for kind, word, href in _read(html):
        if kind == "text":
            parts.append(escape(word))
        elif kind == "open" and word in KEPT:
            link = f' href="{escape(href)}" rel="noreferrer"' if word == "a" and is_web(href) else ""
            parts.append(f"<{word}{link}>")
            if word not in EMPTY:
                left_open.append(word)
        elif kind == "close" and word in left_open:
            # A closing tag closes what was left open inside.
            while (last := left_open.pop()) != word:
                parts.append(f"</{last}>")
            parts.append(f"</{word}>")
    return "".join([*parts, *(f"</{tag}>" for tag in reversed(left_open))])


def is_web(url: str) -> bool:
    """Whether an address may be followed from the inbox."""
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def _read(html: str) -> list[tuple[str, str, str]]:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.seen


class _Reader(HTMLParser):
    """Collects (open, tag, href), (close, tag, "") and (text, words, ""), without what is never shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str, str]] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self._silent += 1
        elif not self._silent:
            self.seen.append(("open", tag, dict(attrs).get("href") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self._silent = max(0, self._silent - 1)
        elif not self._silent:
            self.seen.append(("close", tag, ""))

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.seen.append(("text", data, ""))
