"""A person with a browser's manners and no screen: cookies, the sign-in page, forms filled in from what was shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

LINK = re.compile(r"https?://[^\s\"'<>)\]}\\]+")


def links(message: dict[str, Any]) -> list[str]:
    """Every address in a message, wherever it stands: text, HTML, card."""
    found = LINK.findall(str(message["text"])) + LINK.findall(str(message["html"])) + LINK.findall(str(message["card"]))
    return list(dict.fromkeys(address.replace("&amp;", "&").rstrip(".,;") for address in found))


@dataclass
class Form:
    """A form as it is shown: where it goes and what it holds so far."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """The forms and addresses of an HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        chosen = given.get("type") not in ("radio", "checkbox") or "checked" in given
        if tag in ("input", "textarea") and self.forms and "name" in given and chosen:
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        if given.get("href"):
            self.addresses.append(given["href"])


class Visitor(httpx.Client):
    """One person's browser at the local host."""

    def __init__(self, base: str) -> None:
        super().__init__(base_url=base, headers={"Origin": base}, timeout=30)

    def sign_in(self, name: str, role: str = "Approver") -> None:
        """Send the local sign-in page's form."""
        answer = self.post(
            "/.auth/login/aad", data={"name": name, "role": role, "post_login_redirect_uri": "/closures"}
        )
        assert answer.status_code == 303, answer.text

    def form(self, address: str) -> Form:
        """The one form that posts on the page at this address."""
        shown = self.get(address, follow_redirects=True)
        assert shown.status_code == 200, shown.text
        posting = [form for form in Page(shown.text).forms if form.method == "post"]
        assert len(posting) == 1, shown.text
        return posting[0]

    def decide(self, address: str, word: str = "approve", **typed: str) -> httpx.Response:
        """Fill in and send the decision form of the page at this address."""
        form = self.form(address)
        return self.post(form.action, data={**form.fields, "decision": word, **typed}, follow_redirects=True)
