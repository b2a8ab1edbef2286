"""E-mails: a letter as text and as HTML that say the same; no picture, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tenantclosure.rendering.letters import letter
from tenantclosure.rendering.plain import clean

__all__ = ["clean", "mail"]

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates" / "notices"),
    # A text part is no markup: there every line is already clean.
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def mail(data: Mapping[str, Any], *, link: str) -> tuple[str, str, str]:
    """Subject, text and HTML of a message (data: rendering/letters.py). `link` is ours; empty for none."""
    said = letter(data, linked=bool(link), personal=True)
    text, html = (
        _environment.get_template(f"mail.{form}").render(letter=said, link=link, to=clean(name_of(data), 100))
        for form in ("txt", "html")
    )
    return said.subject, text, html


def name_of(data: Mapping[str, Any]) -> str:
    """The addressee's name for the greeting."""
    to = data["to"] or {}
    return str(to.get("name") or to.get("upn") or "")
