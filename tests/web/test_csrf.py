"""A form decides only when it comes from the page we showed, in the browser we showed it to."""

from __future__ import annotations

from urllib.parse import urlencode

import azure.functions as func
import pytest

from tests.web.rig import ADDRESS, Desk, hidden
from web.csrf import COOKIE

FORM_TYPE = "application/x-www-form-urlencoded"


async def _opened(desk: Desk, who: str = "ann:Approver") -> tuple[str, dict[str, str]]:
    """A closure whose plan gate is open, and the filled-in form of the person's page."""
    closure, _ = await desk.at_gate()
    return closure, await _form(desk, closure, who)


async def _form(desk: Desk, closure: str, who: str = "ann:Approver") -> dict[str, str]:
    page = await desk.call("show_gate_page", who=who, closureId=closure, gate="plan")
    assert 200 == page.status_code
    return {**hidden(page), "decision": "approve", "comment": ""}


async def _send(
    desk: Desk, closure: str, form: dict[str, str], who: str = "ann:Approver", **headers: str
) -> func.HttpResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await desk.call("answer_gate_page", who=who, form=form, headers=sent, closureId=closure, gate="plan")


async def _nothing_decided(desk: Desk, closure: str, answer: func.HttpResponse, why: str) -> None:
    assert (403, "text/html") == (answer.status_code, answer.mimetype)
    assert [] == await desk.ledger.decisions(closure)
    assert [(why, "ann", "plan")] == await desk.refusals(closure)


async def test_the_form_of_our_page_decides(desk: Desk) -> None:
    """With cookie, hidden field and our own origin the word is taken, and the browser goes back to the page."""
    closure, form = await _opened(desk)
    answer = await _send(desk, closure, form, Sec_Fetch_Site="same-origin")

    assert (303, f"/closures/{closure}/gates/plan") == (answer.status_code, answer.headers["Location"])
    assert [("approve", "page", 1)] == [
        (d["decision"], d["via"], d["serial"]) for d in await desk.ledger.decisions(closure)
    ]


async def test_the_cookie_is_for_us_alone(desk: Desk) -> None:
    """No script reads it, no other site sends it, no plain connection carries it (but for loopback, without TLS)."""
    closure, _ = await desk.at_gate()
    page = await desk.call("show_gate_page", who="ann:Approver", closureId=closure, gate="plan")
    again = await desk.call("show_gate_page", who="ann:Approver", closureId=closure, gate="plan")
    urls = {f"CLOSURE_{name}_URL": "http://127.0.0.1:9" for name in ("GRAPH", "LOGIN", "ARM", "PARTNER")}
    desk.set(CLOSURE_CLOUD="custom", CLOSURE_BASE_URL="http://127.0.0.1:8", **urls)
    desk.cookies.clear()
    local = await desk.call("show_gate_page", who="ann:Approver", closureId=closure, gate="plan")

    name, _, rest = page.headers["Set-Cookie"].partition("=")
    value, _, flags = rest.partition("; ")
    assert (COOKIE, 43, "Path=/; HttpOnly; SameSite=Strict; Secure") == (name, len(value), flags)
    assert "Set-Cookie" not in again.headers
    assert local.headers["Set-Cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict")


async def test_the_page_lets_browsers_say_where_a_form_comes_from(desk: Desk) -> None:
    """Under "no-referrer" a form would carry `Origin: null`; the page's own form may go home, and nowhere else."""
    closure, _ = await desk.at_gate()
    page = await desk.call("show_gate_page", who="ann:Approver", closureId=closure, gate="plan")
    policy = set(page.headers["Content-Security-Policy"].split("; "))

    assert "same-origin" == page.headers["Referrer-Policy"]
    assert {
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    } == policy


@pytest.mark.parametrize(
    "change",
    [{"csrf": "0" * 64}, {"csrf": ""}, {"csrf": "\u00e9" * 64}, {"csrf": None}],
    ids=["wrong", "empty", "no hexadecimal", "missing"],
)
async def test_a_form_without_the_right_field_decides_nothing(desk: Desk, change: dict) -> None:
    """The field has to be the one of this page."""
    closure, form = await _opened(desk)
    form = {name: value for name, value in {**form, **change}.items() if value is not None}

    await _nothing_decided(desk, closure, await _send(desk, closure, form), "stale-form")


@pytest.mark.parametrize(
    "cookie",
    ["", f"{COOKIE}={'x' * 43}", f"{COOKIE}=short", f"other={'x' * 43}"],
    ids=["none", "another", "malformed", "another name"],
)
async def test_a_form_without_its_cookie_decides_nothing(desk: Desk, cookie: str) -> None:
    """The field alone, as somebody may have copied it, is worth nothing."""
    closure, form = await _opened(desk)
    desk.cookies.clear()

    await _nothing_decided(desk, closure, await _send(desk, closure, form, Cookie=cookie), "stale-form")


async def test_two_cookies_are_none(desk: Desk) -> None:
    """Another site under the same domain may have put one beside ours; then neither counts."""
    closure, form = await _opened(desk)
    ours = f"{COOKIE}={desk.cookies[COOKIE]}"
    answer = await _send(desk, closure, form, Cookie=f"{ours}; {COOKIE}={'x' * 43}")

    await _nothing_decided(desk, closure, answer, "stale-form")


async def test_a_form_fits_one_page_and_one_person(desk: Desk) -> None:
    """Shown for bob, for another gate, or for a link, the same browser's field does not fit ann's page."""
    closure, _ = await desk.at_gate()
    digest = (await desk.ledger.closure(closure))["digest"]
    of_bob = await _form(desk, closure, "bob:Approver")
    token = await desk.link(closure, digest)
    of_link = {**hidden(await desk.call("show_approval_page", who="ann:Approver", token=token)), "decision": "veto"}
    of_page = await _form(desk, closure)

    for form in (of_bob, of_link):
        assert 403 == (await _send(desk, closure, form)).status_code
    linked = await desk.call("answer_approval_page", who="ann:Approver", form=of_page, token=token)
    assert 403 == linked.status_code
    assert [] == await desk.ledger.decisions(closure)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ADDRESS.replace("https", "http")},
        {"Origin": ADDRESS + ".evil.example"},
        {"Origin": "https://evil.example", "Host": "closure.fabrikam.com"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Purpose": "prefetch"},
        {"Purpose": "prefetch"},
    ],
    ids=str,
)
async def test_a_form_from_elsewhere_decides_nothing(desk: Desk, headers: dict[str, str]) -> None:
    """Even with the right field: another origin, another site, or a browser that only looks ahead."""
    closure, form = await _opened(desk)

    await _nothing_decided(desk, closure, await _send(desk, closure, form, **headers), "foreign-form")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "", "Sec_Fetch_Site": "none"},
        {"Origin": ADDRESS.upper()},
        {"Origin": "https://other-name.example", "Host": "other-name.example"},
    ],
    ids=["an old browser", "large letters", "our other name"],
)
async def test_our_own_names_are_no_strangers(desk: Desk, headers: dict[str, str]) -> None:
    """A browser that sends no origin is judged by cookie and field; a host we answer under is ours."""
    closure, form = await _opened(desk)

    assert 303 == (await _send(desk, closure, form, **headers)).status_code


@pytest.mark.parametrize(
    ("raw", "media", "status"),
    [
        (b'{"decision": "approve"}', "application/json", 415),
        (b"decision=approve", "multipart/form-data", 415),
        (b"decision=approve", "text/plain", 415),
        (b"decision=approve&decision=veto", FORM_TYPE, 400),
        (b"decision=%ff", FORM_TYPE, 400),
        (b"decision=\xc3\xa9", FORM_TYPE, 400),
        (b"decision", FORM_TYPE, 400),
        (b"&".join(b"f%d=1" % number for number in range(30)), FORM_TYPE, 400),
        (b"surprise=1", FORM_TYPE, 400),
        (b"comment=" + b"x" * 70000, FORM_TYPE, 413),
    ],
    ids=["json", "multipart", "plain", "twice", "not utf-8", "bare bytes", "no value", "many", "unknown", "long"],
)
async def test_only_a_plain_form_is_read(desk: Desk, raw: bytes, media: str, status: int) -> None:
    """Each field once, in strict UTF-8, bounded; everything else is a page that says so."""
    closure, _ = await _opened(desk)
    answer = await desk.call(
        "answer_gate_page",
        who="ann:Approver",
        raw=raw,
        headers={"Content-Type": media, "Origin": ADDRESS},
        closureId=closure,
        gate="plan",
    )

    assert (status, "text/html") == (answer.status_code, answer.mimetype)
    assert [] == await desk.ledger.decisions(closure)


async def test_a_form_is_no_way_into_the_api(desk: Desk) -> None:
    """The API reads JSON only, which no other site can send with a person's cookie unasked."""
    closure, digest = await desk.at_gate()
    raw = urlencode({"decision": "approve", "digest": digest}).encode()
    answer = await desk.call(
        "decide_at_gate",
        who="ann:Approver",
        raw=raw,
        headers={"Content-Type": FORM_TYPE},
        closureId=closure,
        gate="plan",
    )

    assert 415 == answer.status_code
