"""Who knocks too often is asked to wait, and nobody else is."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import azure.functions as func
import pytest

from tenantclosure.errors import RequestRefused
from tests.web.rig import Desk, hidden, read, refused
from web import limiting
from web.limiting import A_MINUTE, BOXES, NOWHERE, Caller, address_of, count

NEAR, FAR = "198.51.100.7:50123", "203.0.113.9:443"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three a minute, so that a test sends four."""
    for caller in Caller:
        monkeypatch.setitem(A_MINUTE, caller, 3)


async def _open(desk: Desk, token: str, address: str, **more: Any) -> func.HttpResponse:
    return await desk.call(
        "show_approval_page", who=None, token=token, headers={"X-Forwarded-For": address, **more.pop("headers", {})}
    )


async def test_made_up_links_do_not_lock_out_the_addressee(desk: Desk) -> None:
    """A burst of wrong tokens from one address ends in 429 there; the approver elsewhere opens the link and decides."""
    closure, digest = await desk.at_gate("go-on")
    token = await desk.link(closure, digest, gate="go-on")
    burst = [(await _open(desk, f"{n}".ljust(43, "x"), NEAR)).status_code for n in range(5)]
    page = await _open(desk, token, FAR)
    form = {**hidden(page), "decision": "approve", "comment": ""}
    answer = await desk.call("answer_approval_page", who=None, form=form, headers={"X-Forwarded-For": FAR}, token=token)

    assert [404, 404, 404, 429, 429] == burst
    assert (200, 200) == (page.status_code, answer.status_code)
    assert ["approve"] == [said["decision"] for said in await desk.ledger.decisions(closure)]


async def test_the_client_does_not_choose_its_address(desk: Desk) -> None:
    """Made-up entries before the platform's own, and headers that the platform does not write, change nothing."""
    told = {"X-Azure-ClientIP": "192.0.2.1", "X-Client-IP": "192.0.2.1", "Client-IP": "192.0.2.1", "Forwarded": "for=x"}
    answers = [
        (
            await _open(
                desk, "t" * 43, f"192.0.2.{n}, {NEAR}", headers={name: f"{value}{n}" for name, value in told.items()}
            )
        )
        for n in range(4)
    ]

    assert [404, 404, 404, 429] == [answer.status_code for answer in answers]


async def test_nothing_is_looked_up_or_recorded_above_the_limit(desk: Desk) -> None:
    """The refusal reads no record and writes none, though the door records whoever is refused for another reason."""
    form = {"decision": "approve"}
    for _ in range(3):
        await desk.call("answer_approval_page", who=None, form=form, token="t" * 43)
    before = len(desk.records.writes), await desk.refusals()
    answer = await desk.call("answer_approval_page", who=None, form=form, token="t" * 43)

    assert 429 == answer.status_code
    assert before == (len(desk.records.writes), await desk.refusals())


async def test_the_refusal_says_how_long(desk: Desk) -> None:
    """A problem document with Retry-After; for a page, a page with the same header."""
    for _ in range(3):
        await desk.call("show_closure", closureId="x")
    problem = refused(answer := await desk.call("show_closure", closureId="x"), 429, "too-many-requests")
    page = await desk.call("closures_page")

    assert str(problem["retryAfter"]) == answer.headers["Retry-After"]
    assert 1 <= problem["retryAfter"] <= 60
    assert (429, "text/html") == (page.status_code, page.mimetype)
    assert page.headers["Retry-After"].isdigit()


async def test_a_person_is_counted_as_such(desk: Desk) -> None:
    """Colleagues behind one address do not share a limit, and one person has the same limit from everywhere."""
    mine = [
        (await desk.call("list_closures", who="olga:Operator", headers={"X-Forwarded-For": address})).status_code
        for address in (NEAR, FAR, NEAR, FAR)
    ]
    colleague = await desk.call("list_closures", who="ann:Approver", headers={"X-Forwarded-For": NEAR})

    assert [200, 200, 200, 429] == mine
    assert 200 == colleague.status_code


async def test_strangers_do_not_lock_out_who_is_signed_in(desk: Desk) -> None:
    """Refused sign-ins fill the address's limit; a person who signs in behind the same address passes."""
    bad = {"X-Forwarded-For": NEAR, "Authorization": "Bearer made-up"}
    strangers = [await desk.call("list_closures", who=None, headers=bad) for _ in range(4)]
    person = await desk.call("list_closures", headers={"X-Forwarded-For": NEAR})

    assert [401, 401, 401, 429] == [answer.status_code for answer in strangers]
    assert 200 == person.status_code


@pytest.mark.parametrize("name", ["approval_callback", "list_closures", "closures_page", "answer_gate_page"])
async def test_nobody_knocks_for_ever(desk: Desk, name: str) -> None:
    """A door that asks who is there answers 401 a few times, then 429."""
    path = {"closureId": "x", "gate": "plan"} if name == "answer_gate_page" else {}
    answers = [(await desk.call(name, who=None, body={}, **path)).status_code for _ in range(4)]

    assert [401, 401, 401, 429] == answers


async def test_an_application_is_counted_as_such(desk: Desk) -> None:
    """A workflow that calls too often is stopped; another one is not."""
    first, second = desk.tickets.application(), desk.tickets.application("0b0a1c2d-0000-4000-8000-0000000f2020")
    answers = [(await desk.call("approval_callback", who=None, body={}, headers=first)).status_code for _ in range(4)]

    assert [400, 400, 400, 429] == answers
    assert 403 == (await desk.call("approval_callback", who=None, body={}, headers=second)).status_code


async def test_files_have_a_limit_of_their_own(desk: Desk) -> None:
    """Whoever loads the style sheet too often can still open a link."""
    files = [(await desk.call("static_file", who=None, file="closure.css")).status_code for _ in range(3)]
    files.append((await desk.call("show_openapi", who=None)).status_code)

    assert [200, 200, 200, 429] == files
    assert 404 == (await desk.call("show_approval_page", who=None, token="t" * 43)).status_code


async def test_after_a_minute_it_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count ends with its minute."""
    for _ in range(4):
        answer = await desk.call("show_openapi", who=None)
    now = limiting.time.time()
    for module in ("web.limiting.time.time", "limits.storage.memory.time.time"):
        monkeypatch.setattr(module, lambda: now + 61)
    later = await desk.call("show_openapi", who=None)

    assert (429, 200) == (answer.status_code, later.status_code)


def test_made_up_callers_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, they share a fixed number of boxes."""
    limiting.forget()
    monkeypatch.setattr(limiting, "BOXES", 8)
    for n in range(200):
        with suppress(RequestRefused):
            count(Caller.UNKNOWN, f"10.0.0.{n}")

    assert len(limiting._counter().storage.storage) <= 8 + 1
    assert 1 << 10 <= BOXES <= 1 << 16


def test_a_flood_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The refused are not logged one by one, and the line names no address."""
    limiting.forget()
    for _ in range(20):
        with suppress(RequestRefused):
            count(Caller.OPEN, "10.0.0.1")

    assert [("WARNING", "too many requests of one caller (open); said at most once a minute")] == [
        (record.levelname, record.getMessage()) for record in caplog.records if record.levelno >= logging.INFO
    ]


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:50123", "198.51.100.7"),
        ("192.0.2.1, 198.51.100.7:50123", "198.51.100.7"),
        ("198.51.100.7,", NOWHERE),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:ffff::6]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("", NOWHERE),
        ("unknown", NOWHERE),
        ("\u0661.1.1.1", NOWHERE),
    ],
)
def test_the_address_is_the_platforms(header: str, address: str) -> None:
    """The last entry without its port; of an IPv6 address the network; nonsense is one address together."""
    assert address == address_of({"X-Forwarded-For": header})


async def test_what_is_refused_for_pace_is_described(desk: Desk) -> None:
    """The API description has the answer at every route."""
    paths = read(await desk.call("show_openapi", who=None))["paths"]

    assert [] == [
        (path, method)
        for path, found in paths.items()
        for method, about in found.items()
        if "429" not in about["responses"]
    ]
