"""Draws the inbox: mails with their links, Adaptive Cards as simple boxes; nothing of a message runs."""

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from simulator.mail_html import harmless, is_web

if TYPE_CHECKING:
    from simulator.inbox import Message

STYLE = """
body{font:16px/1.45 system-ui,sans-serif;margin:0 auto;max-width:46rem;padding:1rem;background:#f4f4f6;color:#222}
article{background:#fff;border:1px solid #ddd;border-radius:8px;margin:1rem 0;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.3rem}h2{font-size:1.1rem;margin:.2rem 0}.from{color:#666;font-size:.85rem}
.text{white-space:pre-wrap;overflow-wrap:anywhere}.card{border-left:4px solid #5b5fc7;padding-left:.8rem}
dt{font-weight:600;float:left;clear:left;width:9rem}dd{margin:0 0 .2rem 9.5rem;overflow-wrap:anywhere}
.mail th{text-align:left;overflow-wrap:normal}.mail a,.text a{display:inline-block;padding:.5rem 0}
a.action{display:inline-block;margin:.6rem .6rem 0 0;padding:.7rem 1.1rem;
background:#5b5fc7;color:#fff;border-radius:4px;text-decoration:none}
@media(max-width:32rem){dt{float:none;width:auto}dd{margin:0 0 .4rem}}
"""
_URL = re.compile(r"https?://[^\s<>\"']+")
_MARKDOWN_LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)\s]+)\)")


def page(messages: Iterable["Message"]) -> str:
    """The whole inbox, newest first."""
    articles = "\n".join(_article(message) for message in reversed(list(messages)))
    empty = "<p>No messages yet.</p>"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'><title>Inbox</title>"
        f"<style>{STYLE}</style><h1>Inbox (simulated)</h1>{articles or empty}</html>"
    )


def _article(message: "Message") -> str:
    head = (
        f"<h2>{escape(message.subject)}</h2><p class=from>{escape(message.sender)} to "
        f"{escape(', '.join(message.to))}, {escape(message.received)}</p>"
    )
    if message.card is not None:
        drawn = f"<div class=card>{_blocks(message.card.get('body'))}{_actions(message.card.get('actions'))}</div>"
    elif message.html is not None:
        drawn = f"<div class=mail>{harmless(message.html)}</div>"
    else:
        drawn = f"<div class=text>{_with_links(message.text)}</div>"
    return f"<article id=m{message.id}>{head}{drawn}</article>"


def _with_links(text: str) -> str:
    """Escaped text whose addresses can be clicked."""
    parts, at = [], 0
    for match in _URL.finditer(text):
        url = match.group().rstrip(".,;)")
        parts += [escape(text[at : match.start()]), f'<a href="{escape(url)}">{escape(url)}</a>']
        at = match.start() + len(url)
    return "".join([*parts, escape(text[at:])])


def _card_text(text: object) -> str:
    """A TextBlock's words: only Markdown links are drawn, the rest is shown as written."""
    parts, at, words = [], 0, str(text)
    for match in _MARKDOWN_LINK.finditer(words):
        parts += [_with_links(words[at : match.start()]), f'<a href="{escape(match[2])}">{escape(match[1])}</a>']
        at = match.end()
    return "".join([*parts, _with_links(words[at:])])


def _blocks(blocks: Any) -> str:
    drawn = []
    for block in blocks if isinstance(blocks, list) else []:
        if not isinstance(block, dict):
            continue
        match block.get("type"):
            case "TextBlock":
                drawn.append(f"<p>{_card_text(block.get('text', ''))}</p>")
            case "RichTextBlock":
                runs = block.get("inlines")
                drawn.append(f"<p>{''.join(map(_run, runs if isinstance(runs, list) else []))}</p>")
            case "FactSet":
                facts = [fact for fact in block.get("facts") or [] if isinstance(fact, dict)]
                drawn.append(f"<dl>{''.join(map(_fact, facts))}</dl>")
            case "Container" | "Column":
                drawn.append(_blocks(block.get("items")))
            case "ColumnSet":
                drawn.append(_blocks(block.get("columns")))
            case "ActionSet":
                drawn.append(_actions(block.get("actions")))
            case other:
                drawn.append(f"<p class=from>[{escape(str(other))} is not drawn here]</p>")
    return "".join(drawn)


def _run(run: Any) -> str:
    """A piece of rich text: words, perhaps bold or monospaced, perhaps a link."""
    if not isinstance(run, dict):
        return escape(str(run))
    words = escape(str(run.get("text", "")))
    if str(run.get("weight", "")).lower() == "bolder":
        words = f"<b>{words}</b>"
    if str(run.get("fontType", "")).lower() == "monospace":
        words = f"<code>{words}</code>"
    action = run.get("selectAction")
    url = str(action.get("url", "")) if isinstance(action, dict) and action.get("type") == "Action.OpenUrl" else ""
    return f'<a href="{escape(url)}">{words}</a>' if is_web(url) else words


def _fact(fact: dict[str, Any]) -> str:
    return f"<dt>{escape(str(fact.get('title', '')))}</dt><dd>{_card_text(fact.get('value', ''))}</dd>"


def _actions(actions: Any) -> str:
    drawn = []
    for action in actions if isinstance(actions, list) else []:
        if not isinstance(action, dict):
            continue
        title, url = escape(str(action.get("title", ""))), str(action.get("url", ""))
        if action.get("type") == "Action.OpenUrl" and is_web(url):
            drawn.append(f'<a class=action href="{escape(url)}">{title}</a>')
        else:
            drawn.append(f"<p class=from>[action {title} works only inside Teams]</p>")
    return "".join(drawn)
