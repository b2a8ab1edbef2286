"""The page of blockers and its twin in the API: every check, every licence by name, and the closing date."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from tenantclosure import names
from tenantclosure.policy.closing_date import Outlook, Sold, closing
from tenantclosure.policy.obstacles import Obstacle
from tenantclosure.policy.readiness import Facts, Left, blockers, checks, documents
from tests.web.approval import NASTY, plainly
from tests.web.rig import Desk, read
from web import openapi
from web.blockers import NAMED
from web.routes import ROUTES

SOON, LATE = "2026-12-24T12:00:00+00:00", "2027-11-01T12:00:00+00:00"
VISIO = Obstacle(
    "Visio Plan 2",
    "9",
    cause="locked out: only Microsoft Support removes it",
    remedy="Ask Microsoft Support about Visio Plan 2",
    owner="Microsoft Support",
    task="cancel-subscription-9",
    product="VISIOCLIENT",
    provider="support",
    stage="disabled",
)
YEAR = Obstacle(
    "Office 365 E5",
    "10",
    waits=True,
    cause="does not renew; its term runs out",
    remedy="Wait.",
    owner="time alone",
    earliest=LATE,
    provider="mca",
    stage="non-renewing",
)


async def looked(desk: Desk, closure: str, facts: Facts, serial: int = 1, **outlook: Any) -> None:
    """Keep a look as the activities do."""
    rows, sold = checks(facts), [Sold(one, one.earliest) for one in facts.licences]
    found = closing(Outlook(sold, gates=("delete-tenant",), **outlook), rows, desk.clock.now(), 86400.0)
    await desk.ledger.set_mark(closure, names.CHECKS, serial, {"checks": documents(rows), "closing": found})
    told = {"blockers": blockers(rows), "earliest": found["earliest"]}
    await desk.ledger.change(closure, lambda row: row.update(told))


async def page(desk: Desk, closure: str) -> str:
    answer = await desk.call("blockers_page", who="ann:Auditor", closureId=closure)
    assert (200, "text/html") == (answer.status_code, answer.mimetype)
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    html: str = answer.get_body().decode()
    assert not re.search(r"<[^>]+ style=|<style|<script(?! src=)", html)
    return html


def fits(document: Any, name: str) -> None:
    """An answer is what the description says of it."""
    whole = {"$ref": f"#/components/schemas/{name}", "components": openapi.document(ROUTES)["components"]}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(whole, format_checker=checker).validate(document)


async def test_the_page_answers_which_licence_blocks(desk: Desk) -> None:
    """Each licence by name with stage, reason, owner, date and task; the date, what decides it, what has none."""
    closure, task = await desk.with_task()
    await looked(desk, closure, Facts(users=Left(3, [Obstacle("Ada", "1")]), licences=[VISIO, YEAR]))
    html = await page(desk, closure)
    words = plainly(html)

    assert "can’t be closed before 2027-11-01 13:00 UTC. Office 365 E5 decides this" in words
    assert "Visio Plan 2 disabled VISIOCLIENT locked out: only Microsoft Support removes it" in words
    assert "What to do: Ask Microsoft Support about Visio Plan 2 Who: Microsoft Support" in words
    assert "Office 365 E5 non renewing does not renew; its term runs out" in words
    assert "not before 2027-11-01 12:00 UTC" in words
    assert f'href="/closures/{closure}#task-{task}"' in html
    assert "3 found: users besides the keeper are left" in words
    assert "Approval of the tenant&#39;s end – silence is a no Who: the approvers" in words
    assert words.index("Stops the deletion 2") < words.index("Can’t be read by us 5") < words.index("Passed 7")


async def test_the_picture_has_a_title_for_each_bar(desk: Desk) -> None:
    """Every lane is a picture with title and description inside, its words beside it, and nothing but attributes."""
    closure = await desk.filed()
    await looked(desk, closure, Facts(licences=[YEAR]), quiet_days=30.0, sync_on=True)
    html = await page(desk, closure)
    titles = re.findall(r'aria-labelledby="(lane-\d)" aria-describedby="(about-lane-\d)"', html)

    assert [("lane-1", "about-lane-1"), ("lane-2", "about-lane-2"), ("lane-3", "about-lane-3")] == titles
    assert '<title id="lane-1">Office 365 E5: 2026-11-01 12:00 UTC to 2027-11-01 13:00 UTC</title>' in html
    assert '<rect class="lane critical" x="0.0" width="640.0"' in html
    assert re.search(r'<rect class="lane soft" x="0.0" width="5\.\d" height="12"/>', html)
    words = plainly(html)
    assert "Office 365 E5 decides the date" in words and "at most until 2026-11-04 12:00 UTC" in words
    assert "Critical path" in words and "two looks an hour apart prove that it is gone" in words


async def test_hundreds_of_licences_are_shown_in_part_and_counted(desk: Desk) -> None:
    """Five hundred licences: those that need somebody first, the first ones by name, the rest as a number."""
    closure = await desk.filed()
    many = [Obstacle(f"E{n:03}", f"{n}", waits=True, owner="nobody", earliest=LATE) for n in range(500)]
    await looked(desk, closure, Facts(licences=[*many, VISIO]))
    html = await page(desk, closure)

    assert f"the first {NAMED} of 501" in html and f"{501 - NAMED} more." in html
    assert "Visio Plan 2" in html and "E023" in html and "<strong><bdi>E024" not in html
    assert "488 more that are over earlier are not drawn" in plainly(html)


async def test_before_the_first_plan_there_is_nothing_to_show(desk: Desk) -> None:
    """The page says when the first checks come; the API has no date and no checks."""
    closure = await desk.filed()
    found = read(await desk.call("show_blockers", closureId=closure))

    assert "Nothing has been looked at yet" in plainly(await page(desk, closure))
    assert {"items": [], "checks": [], "closing": None, "at": None} == found
    fits(found, "Blockers")


async def test_the_api_tells_the_same(desk: Desk) -> None:
    """Blockers of the row, every check with its items, and the closing date, as the description says."""
    closure = await desk.filed()
    await looked(desk, closure, Facts(licences=[VISIO, YEAR]), quiet_days=30.0)
    found = read(await desk.call("show_blockers", closureId=closure))
    row = next(one for one in found["checks"] if one["check"] == "subscriptions")
    shown = read(await desk.call("show_closure", closureId=closure))

    assert ["fail", ["Visio Plan 2", "Office 365 E5"]] == [row["state"], [one["name"] for one in row["items"]]]
    assert [None, LATE] == [one["earliest"] for one in found["items"]]
    assert "2027-11-01T13:00:00Z" == found["closing"]["earliest"]
    assert shown["earliest"].startswith("2027-11-01T13:00:00")
    assert shown["blockers"] == found["items"]
    fits(found, "Blockers")
    fits(shown, "Closure")


async def test_the_newest_look_counts(desk: Desk) -> None:
    """After a new plan its own look is shown; before that, the one of the plan before."""
    closure = await desk.filed()
    await looked(desk, closure, Facts(licences=[VISIO]), serial=1)
    await desk.ledger.change(closure, lambda row: row.update(planSerial=2))
    before = await page(desk, closure)
    await looked(desk, closure, Facts(licences=[YEAR]), serial=2)
    after = await page(desk, closure)

    assert ("Visio Plan 2" in before, "Visio Plan 2" in after, "Office 365 E5" in after) == (True, False, True)


ODD: list[Any] = [
    {},
    {"checks": None, "closing": None},
    {"checks": "x", "closing": []},
    {"checks": 5, "closing": {"lanes": 5, "path": 5, "undated": 5}},
    {"checks": [None, 3, "x", []], "closing": {"path": "x", "lanes": [None, {}, {"from": "a", "to": "b"}]}},
    {"checks": [{"check": "users", "state": "odd", "items": ["Ada", None, 3, {"name": None, "earliest": "soon"}]}]},
    {"checks": [{"check": "subscriptions", "state": "fail", "cause": 3, "items": {"a": 1}, "count": -1}]},
    {"checks": [{"check": "x", "state": "fail", "items": [{"name": "E5", "stage": "new-word", "earliest": ""}]}]},
    {"closing": {"earliest": "soon", "lanes": [], "undated": ["x", {"what": None}], "more": "many"}},
    {"closing": {"earliest": "9999-12-31T23:59:59-12:00", "lanes": [{"from": SOON, "to": "9999-12-31T23:59:59Z"}]}},
]


@pytest.mark.parametrize("doc", ODD, ids=str)
async def test_a_look_of_another_version_is_shown_as_far_as_it_can_be_read(desk: Desk, doc: dict[str, Any]) -> None:
    """Missing members, odd words, dates that are none: no error, and the answer is what the description says."""
    closure = await desk.filed()
    await desk.ledger.set_mark(closure, names.CHECKS, 1, doc)
    await desk.ledger.change(closure, lambda row: row.update(blockers=["an old one", {"what": 3}]))
    html = await page(desk, closure)
    found = read(await desk.call("show_blockers", closureId=closure))
    fits({**found, "items": []}, "Blockers")

    assert "What stands in the way" in html
    assert json.dumps(doc).count('"Ada"') == html.count("Ada")
    await desk.call("closure_page", who="ann:Auditor", closureId=closure)


async def test_nothing_from_the_tenant_becomes_markup(desk: Desk) -> None:
    """Names, reasons, owners and dates of the tenant are text, in the picture as well."""
    closure = await desk.filed()
    await desk.ledger.change(closure, lambda row: row.update(displayName=NASTY))
    words = {"cause": NASTY, "remedy": NASTY, "owner": NASTY, "product": NASTY, "stage": NASTY, "provider": NASTY}
    await looked(desk, closure, Facts(licences=[Obstacle(NASTY, NASTY, waits=True, earliest=LATE, **words)]))
    await desk.ledger.change(closure, lambda row: row.update(earliest=LATE))
    for html in (await page(desk, closure), (await closure_html(desk, closure))):
        assert "<script>alert" not in html and "<img src=x" not in html
        assert "&lt;script&gt;" in html


async def closure_html(desk: Desk, closure: str) -> str:
    html: str = (await desk.call("closure_page", who="ann:Auditor", closureId=closure)).get_body().decode()
    return html


async def test_the_closure_s_page_leads_there(desk: Desk) -> None:
    """The closure's own page has the date, the first blockers and the way to all of them."""
    closure = await desk.filed()
    await looked(desk, closure, Facts(users=Left(1, [Obstacle("Ada")]), licences=[VISIO, YEAR]))
    entry = {"what": "listing", "why": "broken", "remedy": "again", "who": "operator", "items": [], "earliest": None}
    await desk.ledger.change(closure, lambda row: row.update(blockers=[*row["blockers"], entry, entry]))
    html = await closure_html(desk, closure)
    words = plainly(html)

    assert "can’t be closed before 2027-11-01 13:00 UTC" in words
    assert "not before 2027-11-01 12:00 UTC" in words
    assert html.count(f'href="/closures/{closure}/blockers"') == 2
    assert "1 more, and every check of the portal’s page" in words


async def test_an_ended_closure_promises_no_date(desk: Desk) -> None:
    """After the end the last look is told as what it was; the status document has no date any more."""
    closure = await desk.filed()
    await looked(desk, closure, Facts(licences=[VISIO, YEAR]))
    await desk.ledger.end(closure, "aborted")
    words = plainly(await page(desk, closure))
    shown = read(await desk.call("show_closure", closureId=closure))

    assert "The closure has ended." in words and "can’t be closed before" not in words
    assert ("Visio Plan 2" in words, shown["earliest"]) == (True, None)


async def test_a_date_that_has_come_is_told_as_such(desk: Desk) -> None:
    """A day later than the earliest date: nothing but people and looks is missing."""
    closure = await desk.filed()
    await looked(desk, closure, Facts(licences=[VISIO]))
    await desk.clock.sleep(86400)

    assert "; that date has come." in plainly(await page(desk, closure))


async def test_a_missing_closure_is_a_page(desk: Desk) -> None:
    """People get the problem in words."""
    answer = await desk.call("blockers_page", closureId="none")

    assert (404, "text/html") == (answer.status_code, answer.mimetype)
