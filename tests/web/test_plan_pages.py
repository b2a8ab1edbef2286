"""The plan's page: families, shards, search, what is kept, what has changed."""

from __future__ import annotations

import json
import re
from typing import Any

import azure.functions as func
import pytest

from tenantclosure import names
from tenantclosure.policy.canonical import canonical
from tests.web.rig import Desk
from web.plan_pages import MOST_HITS

NASTY = '"><script>alert(1)</script><img src=x onerror=y>'


async def _planned(desk: Desk, *shards: list[dict[str, Any]], family: str = "users") -> str:
    """A closure whose plan holds these shards of one family and nothing of domains."""
    closure = await desk.filed()
    listings = [{"count": len(items), "sha256": "0" * 64} for items in shards]
    manifest = {
        "families": {
            family: {"count": sum(len(items) for items in shards), "shards": listings},
            "domains": {"count": 0, "shards": []},
        },
        "kept": [{"id": "k1", "name": "Last Admin", "family": family, "reason": "keeper"}],
    }
    await desk.records.write_blob(names.manifest_path(closure, 1), json.dumps(manifest).encode())
    for number, items in enumerate(shards):
        lines = b"".join(canonical(item) + b"\n" for item in items)
        await desk.records.write_blob(names.shard_path(closure, 1, family, number), lines)
    await desk.ledger.change(closure, lambda row: row.update(digest="d" * 64))
    return closure


def _user(number: int, **changes: Any) -> dict[str, Any]:
    facts = {"upn": f"p{number}@contoso.com"}
    return {"id": f"id-{number}", "name": f"Person {number}", "facts": facts, **changes}


async def _get(desk: Desk, closure: str, query: str = "") -> func.HttpResponse:
    return await desk.call("plan_page", query, who="ann:Approver", closureId=closure)


async def _words(desk: Desk, closure: str, query: str = "") -> str:
    answer = await _get(desk, closure, query)
    assert 200 == answer.status_code, answer.get_body()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.get_body().decode()))


async def test_the_plan_shows_families_items_and_digest(desk: Desk) -> None:
    """Tabs with counts, the items of the fullest family, the kept ones with their reason, and the digest."""
    closure = await _planned(desk, [_user(1), _user(2)])
    html = (await _get(desk, closure)).get_body().decode()
    words = await _words(desk, closure)

    assert re.search(r'aria-current="page">Users <span class="count">2</span>', html)
    assert "Person 1 p1@contoso.com id-1" in words
    assert "Last Admin – keeper" in words
    assert "d" * 64 in words
    assert 'href="/api/closures/' + closure + '/plan?serial=1&amp;family=users&amp;format=csv" download' in html


async def test_items_come_a_shard_at_a_time(desk: Desk) -> None:
    """The second page says where in the whole it stands and leads back."""
    closure = await _planned(desk, [_user(1), _user(2)], [_user(3)])
    first = (await _get(desk, closure)).get_body().decode()
    words = await _words(desk, closure, "?family=users&shard=1")

    assert "Person 3" not in first and 'rel="next"' in first and 'rel="prev"' not in first
    assert "3 to 3 of 3" in words and "Page 2 of 2" in words and "Person 1" not in words


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("PERSON+3", "Person 3"), ("p3%40contoso", "Person 3"), ("id-3", "Person 3"), ("stra%C3%9Fe", "STRASSE")],
)
async def test_a_search_reads_every_shard(desk: Desk, wanted: str, found: str) -> None:
    """Name, sign-in name and id are searched in any case, whichever shard holds the item."""
    many = [[_user(number)] for number in range(10, 20)]
    closure = await _planned(desk, [_user(1), _user(2)], *many, [_user(4, name="STRASSE")], [_user(3)])
    words = await _words(desk, closure, f"?family=users&q={wanted}")

    assert "1 hit for" in words
    assert found in words and "Person 1" not in words


async def test_a_search_ends_at_two_hundred_hits_and_says_so(desk: Desk) -> None:
    """More hits than anybody reads are not shown; exactly as many are."""
    exact = await _planned(desk, [_user(n) for n in range(MOST_HITS)])
    words = await _words(desk, exact, "?family=users&q=person")
    assert "200 hits for “person”." in words and "there are more" not in words

    await desk.ledger.end(exact, "aborted")
    more = await _planned(desk, [_user(n) for n in range(MOST_HITS)], [_user(999)])
    words = await _words(desk, more, "?family=users&q=person")
    assert "The first 200 hits for “person”; there are more" in words and "Person 999" not in words


async def test_a_search_for_nothing_finds_nothing(desk: Desk) -> None:
    """No hit is a plain answer, and what was typed comes back as text."""
    closure = await _planned(desk, [_user(1)])
    html = (await _get(desk, closure, "?family=users&q=%22%3E%3Cscript%3E")).get_body().decode()

    assert "0 hits for" in html
    assert "<script>" not in html and 'value="&#34;&gt;&lt;script&gt;"' in html


async def test_a_family_without_items_says_so(desk: Desk) -> None:
    """An empty list is told in words."""
    closure = await _planned(desk, [_user(1)])

    assert "The plan holds nothing of this family." in await _words(desk, closure, "?family=domains")


async def test_what_has_changed_since_the_plan_before_is_told(desk: Desk) -> None:
    """The stored difference stands on the page with the names of what is new."""
    closure = await _planned(desk, [_user(1)])
    change = {"added": 300, "gone": 2, "removed": 0, "items": [{"id": "9", "name": NASTY, "upn": ""}]}
    document = {"from": 1, "to": 2, "families": {"users": change}}
    await desk.records.write_blob(names.difference_path(closure, 1), json.dumps(document).encode())
    words = await _words(desk, closure)

    assert "Users: 300 new, 2 gone by themselves" in words
    assert "What is new (the first 1)" in words


async def test_names_in_the_plan_stay_text(desk: Desk) -> None:
    """Markup, direction overrides, endless names and half characters come out as text, fenced in and cut."""
    hostile = [NASTY, "a\u202egnp.exe", "y" * 10_000]
    closure = await _planned(desk, [_user(n, name=name, id=name) for n, name in enumerate(hostile)])
    path = names.shard_path(closure, 1, "users", 0)
    half = json.dumps(_user(9, name="half \ud800")).encode() + b"\n"
    await desk.records.write_blob(path, await desk.records.read_blob(path) + half)
    html = (await _get(desk, closure)).get_body().decode()

    assert "<script>alert" not in html and "<img src=x" not in html
    assert "<bdi>a\u202egnp.exe</bdi>" in html
    assert "y" * 199 + "…" in html and "y" * 200 not in html
    assert "half ?" in html


@pytest.mark.parametrize(
    ("query", "status"),
    [("?family=secrets", 404), ("?serial=9", 404), ("?shard=2", 404), ("?serial=x", 400), ("?q=" + 201 * "x", 400)],
)
async def test_what_the_plan_does_not_hold_is_a_page_with_a_remedy(desk: Desk, query: str, status: int) -> None:
    """A wrong family, serial, shard or search is answered in words."""
    closure = await _planned(desk, [_user(1)])
    answer = await _get(desk, closure, query)

    assert (status, "text/html") == (answer.status_code, answer.mimetype)
    assert b"What to do" in answer.get_body()


async def test_a_plan_that_was_replaced_leads_to_the_current_one(desk: Desk) -> None:
    """An older plan stays readable, but says that it counts no more."""
    closure = await _planned(desk, [_user(1)])
    await desk.ledger.change(closure, lambda row: row.update(planSerial=2, digest=None))
    words = await _words(desk, closure, "?serial=1")

    assert "This plan was replaced. The current one is plan 2." in words
    assert "d" * 64 not in words
