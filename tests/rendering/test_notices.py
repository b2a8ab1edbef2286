"""Messages: what each says, the same in every form, and what names from outside can't do in them."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantclosure.names import Gate, Notice
from tenantclosure.rendering.card import LIMIT, card
from tenantclosure.rendering.notices import mail
from tenantclosure.rendering.plain import clean
from tenantclosure.rendering.wording import irreversible, quorum
from tenantclosure.rendering.wording import person as spelled

LINK = "https://closure.example/approvals/token"
PAGE = "https://closure.example/closures/c-1/gates/plan"
NASTY = (
    '"><script src=//evil.example>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}{% x %} '
    "[click](https://evil.example/) **bold** https://evil.example www.evil.example\r\nBcc: eve@evil.example\n\n"
    "\u202egnp.exe\u2066\u200b\u200f\ufeff\x00\x1b[31m\u2028\ud800\U000e0041"
)


def person(text: str = "") -> dict[str, str]:
    """Somebody; with `text` whose every name is that."""
    return {"tenantId": "t", "objectId": "o", "upn": text or "ann@fabrikam.com", "name": text or "Ann"}


def data(
    kind: str = Notice.ASK, gate: str = Gate.PLAN, text: str = "", many: int = 1, **changes: Any
) -> dict[str, Any]:
    """A message's data; with `text` every name from outside is that, `many` times where there can be several."""
    group = {"quorum": 1, "people": [person(text)] * many, "deputies": [person(text)] * many}
    details: dict[str, Any] = {
        Notice.REMIND: {"round": 0, "asked": [text or "Ann"] * many},
        Notice.ESCALATE: {"round": 0, "why": text or "Nobody of it has answered.", "asked": [text or "Dee"] * many},
        Notice.UNDELIVERED: {
            "who": person(text),
            "why": text or "the mailbox is gone",
            "deputies": [text or "Dee"] * many,
        },
        Notice.ENDED: {"result": "closed"},
        Notice.DECIDED: {
            "state": "approved",
            "executeBy": "2026-11-11T12:00:00.000Z",
            "said": [{**person(text), "decision": "approve", "comment": text or "fine", "at": "2026-11-08T12:00:00Z"}]
            * many,
        },
    }
    return {
        "kind": kind,
        "closureId": "0b0a1c2d-0000-4000-8000-000000000001-1",
        "tenantId": "0b0a1c2d-0000-4000-8000-000000000001",
        "displayName": text or "Contoso",
        "domain": text or "contoso.com",
        "initialDomain": text or "contoso.onmicrosoft.com",
        "reason": text or "merged into Fabrikam",
        "requester": {"upn": text or "olga@fabrikam.com", "name": text or "Olga", "claimed": False},
        "serial": 2,
        "digest": "d" * 64,
        "head": "a" * 64,
        "planned": {"users": 12345, "subscriptions": 2, "domains": 0},
        "gate": {
            "gate": gate,
            "serial": 2,
            "digest": "d" * 64,
            "state": "open",
            "answerBy": "2026-11-08T12:00:00.000Z",
            "executeByDays": 3.0,
            "executeBy": None,
            "groups": {"it": group, "owner": {**group, "quorum": 2}},
            "distinct": 3,
            "limits": [text or "more than 10000 items"] * many,
        },
        "difference": {
            "from": 1,
            "to": 2,
            "families": {
                "users": {"added": 12, "gone": 3, "items": [{"id": "1", "name": text or "Al", "upn": ""}] * many},
                "domains": {"added": 0, "gone": 0, "items": []},
            },
        },
        "to": person(text),
        "detail": details.get(kind, {"round": 0, "asked": [text or "Ann"] * many}),
        "tasks": [task(text)] * max(many, 1),
        **changes,
    }


def task(text: str = "", **changes: Any) -> dict[str, Any]:
    """An open manual task; with `text` whose every name is that."""
    return {
        "taskId": "cancel-subscription-e5",
        "title": f"Cancel {text or 'Contoso E5'}",
        "who": "Billing Administrator",
        "why": text or "no API ends it",
        "deadline": "2026-11-18T12:00:00.000Z",
        "probe": "Graph no longer lists it.",
        "warning": f"Users of {text or 'Contoso E5'} lose access.",
        "steps": ["Open Billing > Your products.", *[f"Choose {text or 'Contoso E5'}, click {n}." for n in range(13)]],
        "items": [text or "Ada"] * 12,
        "link": "https://admin.microsoft.com",
        "reports": [{"by": person(text), "at": "2026-11-12T12:00:00.000Z", "comment": text}],
        "state": "open",
        **changes,
    }


class Reader(HTMLParser):
    """Tags, attributes and words of an HTML mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def inside(block: Any) -> list[dict[str, Any]]:
    """Every element of a card, however deep."""
    if isinstance(block, list):
        return [found for member in block for found in inside(member)]
    if isinstance(block, dict):
        return [block, *(found for member in block.values() for found in inside(member))]
    return []


def shown(drawn: dict[str, Any]) -> str:
    """A card's words."""
    return "\n".join(str(element["text"]) for element in inside(drawn["body"]) if "text" in element)


# -- what it says ------------------------------------------------------------------------------------------------------
def test_a_question_says_everything_one_needs_to_decide() -> None:
    """Tenant, counts, reason, requester, dates, quorum, digest, audit head, limits, difference, what silence is."""
    subject, text, html = mail(data(), link=LINK)
    told = [
        "Contoso",
        "contoso.com",
        "0b0a1c2d-0000-4000-8000-000000000001",
        "Users: 12,345",
        "merged into Fabrikam",
        "Olga (olga@fabrikam.com)",
        "2026-11-08 12:00:00 UTC",
        "within 3 days",
        "one of it and two of owner, at least three different people",
        "d" * 64,
        "a" * 64,
        "more than 10000 items",
        "Users: 12 more, 3 fewer",
        "30 days",
        LINK,
        "only shows a page",
        "Silence is a no",
        "sign in",
    ]

    assert [] == [part for part in told if part not in text]
    assert "Approval needed: the plan to close Contoso (contoso.com)" == subject
    assert "Domains" not in text
    assert f'href="{LINK}"' in html


@pytest.mark.parametrize("kind", list(Notice))
@pytest.mark.parametrize("gate", list(Gate))
def test_text_and_html_say_the_same(kind: str, gate: str) -> None:
    """Whoever reads one form misses nothing of the other; the HTML only repeats its title."""
    _, text, html = mail(data(kind, gate), link=LINK)
    title = html.partition("<title>")[2].partition("</title>")[0]

    assert Counter(words(text) + words(title)) == Counter(words(" ".join(Reader(html).words)))


@pytest.mark.parametrize("kind", list(Notice))
@pytest.mark.parametrize("gate", list(Gate))
def test_a_card_says_what_the_mail_says(kind: str, gate: str) -> None:
    """Every fact of the mail stands in the card, but for greeting, personal link and its handling."""
    _, text, _ = mail(data(kind, gate), link=LINK)
    drawn = shown(card(data(kind, gate), page=PAGE))
    facts = [line.split(": ", 1)[1] for line in text.splitlines() if re.match(r"[A-Z][\w ]+: \S", line)]

    assert len(facts) > 4
    assert [] == [fact for fact in facts if fact not in drawn]


def test_only_the_first_and_last_gate_ask_for_a_sign_in() -> None:
    """At go-on the personal link suffices; a card is for a channel, so its page always asks."""
    asks = {gate: "sign in" in mail(data(gate=gate), link=LINK)[1] for gate in Gate}

    assert {Gate.PLAN: True, Gate.GO_ON: False, Gate.DELETE_TENANT: True, Gate.ROLLBACK: True} == asks
    assert all("sign in" in shown(card(data(gate=gate), page=PAGE)) for gate in Gate)


def test_the_last_gate_says_that_nothing_comes_back() -> None:
    """The tenant, its recycle bin and its first name are gone for good, and the domain has to be typed."""
    _, text, _ = mail(data(gate=Gate.DELETE_TENANT), link=LINK)

    assert "does not come back" in text and "contoso.onmicrosoft.com may never be free" in text
    assert "type the tenant's domain name" in text
    assert set(irreversible(Gate.PLAN)).isdisjoint(irreversible(Gate.DELETE_TENANT))


def test_kinds_can_be_told_apart() -> None:
    """Question, reminder, deputy's question, decision, trouble and end have titles and subjects of their own."""
    subjects = {mail(data(kind), link=LINK)[0] for kind in Notice}
    titles = {card(data(kind), page=PAGE)["body"][0]["text"] for kind in Notice}

    assert len(Notice) == len(subjects) == len(titles)


@pytest.mark.parametrize(
    ("state", "word"), [("approved", "Approved"), ("vetoed", "Vetoed"), ("expired", "Expired without enough approvals")]
)
def test_a_decision_says_by_whom(state: str, word: str) -> None:
    """The follow-up card names the people and their words."""
    found = data(Notice.DECIDED)
    found["detail"].update(
        state=state, said=[{**person(), "decision": "veto", "comment": "", "at": "2026-11-08T12:00:00Z"}]
    )
    drawn = shown(card(found, page=PAGE))

    assert f"{word}: the plan to close a tenant" == drawn.splitlines()[0]
    assert "Ann (ann@fabrikam.com) vetoed on 2026-11-08 12:00:00 UTC" in drawn


def test_a_long_list_of_decisions_says_how_many_are_left_out() -> None:
    """Ten names and a number."""
    assert "• 5 more" in shown(card(data(Notice.DECIDED, many=15), page=PAGE))


def test_a_claimed_requester_is_called_so() -> None:
    """Nobody takes a queued request's claim for a signed-in person."""
    claimed = {"upn": "olga@fabrikam.com", "name": "", "claimed": True}

    assert "olga@fabrikam.com (as the queued request claims)" in mail(data(requester=claimed), link=LINK)[1]


@pytest.mark.parametrize(
    ("groups", "distinct", "said"),
    [
        ({"it": 1}, 1, "one of it, at least one person"),
        ({"it": 2, "owner": 1}, 3, "two of it and one of owner, at least three different people"),
        ({"a": 1, "b": 12, "c": 1}, 14, "one of a, 12 of b and one of c, at least 14 different people"),
    ],
)
def test_a_quorum_reads_like_a_sentence(groups: dict[str, int], distinct: int, said: str) -> None:
    """Numbers up to ten as words."""
    assert said == quorum({name: {"quorum": quorum} for name, quorum in groups.items()}, distinct)


# -- what names from outside can't do ----------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", list(Notice))
@pytest.mark.parametrize("gate", list(Gate))
def test_markup_in_every_name_stays_text(kind: str, gate: str) -> None:
    """No tag, no attribute, no second line in the subject, no direction mark, no live link but ours."""
    subject, text, html = mail(data(kind, gate, NASTY), link=LINK)
    plain, nasty = Reader(mail(data(kind, gate), link=LINK)[2]), Reader(html)

    assert plain.tags == nasty.tags
    assert [("href", LINK)] == [pair for pair in nasty.attributes if pair[0] in ("href", "src", "action", "background")]
    assert not [name for name, _ in nasty.attributes if name.startswith("on")]
    assert "49" not in subject
    for said in (subject, text.replace(LINK, ""), html.replace(LINK, "")):
        assert not re.search(r"https?://|www\.|[\x00-\x09\x0b-\x1f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", said)
        said.encode()
    assert "\n" not in subject
    assert "Bcc: eve@evil.example" not in text.splitlines()


@pytest.mark.parametrize("kind", list(Notice))
def test_a_card_reads_no_markdown_from_outside(kind: str) -> None:
    """Names stand in TextRuns only; TextBlocks, titles and addresses are our own words."""
    plain, nasty = card(data(kind), page=PAGE), card(data(kind, text=NASTY), page=PAGE)
    ours = [element["text"] for element in inside(nasty) if element.get("type") == "TextBlock"]

    assert ours == [element["text"] for element in inside(plain) if element.get("type") == "TextBlock"]
    assert plain["fallbackText"] == nasty["fallbackText"]
    assert plain["actions"] == nasty["actions"]
    assert {"TextBlock", "RichTextBlock"} == {element["type"] for element in nasty["body"]}


def test_a_card_is_one_that_teams_draws() -> None:
    """Schema 1.4, one button that opens a page, and what a workflow needs to know as the button's id."""
    drawn = card(data(), page=PAGE)
    (button,) = drawn["actions"]

    assert ("AdaptiveCard", "1.4") == (drawn["type"], drawn["version"])
    assert ("Action.OpenUrl", PAGE) == (button["type"], button["url"])
    assert f"0b0a1c2d-0000-4000-8000-000000000001-1|plan|2|{'d' * 64}" == button["id"]
    assert "id" not in card(data(Notice.ENDED), page=PAGE)["actions"][0]


def test_a_mail_fetches_nothing_and_keeps_the_readers_colours() -> None:
    """No picture, style sheet or script; both colour schemes; a language for screen readers."""
    _, _, html = mail(data(), link=LINK)
    drawn = Reader(html)

    assert not {"img", "script", "link", "style", "iframe", "form", "object", "svg"} & drawn.tags
    assert ("content", "light dark") in drawn.attributes and ("lang", "en") in drawn.attributes
    assert not [value for name, value in drawn.attributes if name == "style" and "url(" in value]


anything = st.text(st.characters(codec=None), max_size=3000) | st.sampled_from(
    [NASTY * 40, "\U0001f512" * 5000, "é" * 5000, '"\\' * 3000, "\u202e" * 9000, "a" * 9000, ""]
)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(text=anything, kind=st.sampled_from(list(Notice)), gate=st.sampled_from(list(Gate)), many=st.integers(0, 60))
def test_whatever_names_there_are_card_and_subject_stay_small(text: str, kind: str, gate: str, many: int) -> None:
    """Under Teams' 28 kB with every escape, and a subject of one short line; ids and digests are never cut."""
    found = data(kind, gate, text, many)
    drawn = card(found, page=PAGE)
    subject, body, html = mail(found, link=LINK)

    assert len(json.dumps({"type": "message", "attachments": [{"contentType": "x" * 60, "content": drawn}]})) < 28_000
    assert len(json.dumps(drawn)) <= LIMIT
    assert len(subject) <= 250 and subject.isprintable()
    assert (body + html).encode()
    if kind not in (Notice.UNDELIVERED, Notice.TASK, Notice.TASK_REMIND):
        assert "d" * 64 in shown(drawn) and "d" * 64 in body


@given(text=st.text(st.characters(codec=None), max_size=400), most=st.integers(2, 300))
def test_cleaning_gives_one_bounded_line_and_goes_no_further_the_second_time(text: str, most: int) -> None:
    """What is clean stays as it is."""
    found = clean(text, most)

    assert len(found) <= most
    assert found == " ".join(found.split()) and "://" not in found
    assert found == clean(found, most)
    found.encode()


def test_a_name_that_is_the_address_is_said_once() -> None:
    """Accounts without a display name are signed in under their address."""
    assert "ann@f.com" == spelled({"name": "Ann@f.com", "upn": "ann@f.com"})
    assert "Ann (ann@f.com)" == spelled({"name": "Ann", "upn": "ann@f.com"})
