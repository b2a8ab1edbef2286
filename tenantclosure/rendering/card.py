"""Adaptive Cards for Teams: a letter as a card whose button opens a page behind a sign-in.

Only our own words stand in TextBlocks, which read Markdown; whatever may come from outside stands in TextRuns, which
don't.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tenantclosure.rendering.letters import Letter, letter

JSON = dict[str, Any]
LIMIT = 26_000
"""Bytes of a card with everything outside ASCII escaped; Teams takes messages of 28 kB, envelope included."""


def card(data: Mapping[str, Any], *, page: str) -> JSON:
    """The Adaptive Card (schema 1.4) of a message (data: rendering/letters.py); never larger than LIMIT.

    `page` is where the button leads; empty for no button.
    """
    drawn: JSON = {}
    for most in (300, 120, 60, 20):
        drawn = _drawn(letter(data, linked=bool(page), personal=False, most=most), page)
        if len(json.dumps(drawn)) <= LIMIT:
            break
    return drawn


def _drawn(said: Letter, page: str) -> JSON:
    body: list[JSON] = [_heading(said.title, size="Large")]
    body += [_line(text) for text in said.lead if text]
    body += [_line(value, label) for label, value in said.facts]
    if said.counts:
        body.append(_heading(said.counted))
        body += [_line(count, family) for family, count in said.counts]
    for heading, lines in said.sections:
        body.append(_heading(heading))
        body += [_line(f"• {text}") for text in lines]
    body += [_line(text, spacing="Medium") for text in said.steps]
    drawn: JSON = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "lang": "en",
        "fallbackText": said.title,
        "msteams": {"width": "Full"},
        "body": body,
    }
    if page:
        button: JSON = {"type": "Action.OpenUrl", "title": said.button, "url": page}
        drawn["actions"] = [button | ({"id": said.reference} if said.reference else {})]
    return drawn


def _heading(text: str, size: str = "Default") -> JSON:
    return {"type": "TextBlock", "text": text, "weight": "Bolder", "size": size, "wrap": True, "style": "heading"}


def _line(text: str, label: str = "", spacing: str = "Small") -> JSON:
    run: JSON = {"type": "TextRun", "text": text or "–"}
    named: list[JSON] = [{"type": "TextRun", "text": f"{label}: ", "weight": "Bolder"}] if label else []
    return {"type": "RichTextBlock", "inlines": [*named, run], "spacing": spacing}
