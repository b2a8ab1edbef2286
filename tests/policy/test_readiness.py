"""Readiness: what is left fails by name and number, what needs time waits for its date, the unreadable is unknown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tenantclosure.policy.obstacles import CLOSURE, Obstacle
from tenantclosure.policy.readiness import (
    DATES,
    KEPT,
    ROOM,
    UNREADABLE,
    Check,
    Facts,
    Left,
    blockers,
    checks,
    documents,
    ready,
    seconds,
)
from tests.policy.bought import DAY, NOW, iso

CLEAN = Facts()
PORTAL = [
    *("users", "directory-sync", "applications", "enterprise-applications"),
    *("subscriptions", "self-service-products", "azure-subscriptions", "custom-domains"),
    *("mfa-providers", "invoices", "domain-services", "azure-access", "linkedin", "partner-directory"),
]
COUNTED = [("users", "users"), ("applications", "applications"), ("service_principals", "enterprise-applications")]
SOLD = [("licences", "subscriptions"), ("products", "self-service-products"), ("azure", "azure-subscriptions")]


def many(number: int, **members: Any) -> list[Obstacle]:
    return [Obstacle(f"left {n}", f"id-{n}", **members) for n in range(number)]


def waiting(name: str, days: float) -> Obstacle:
    return Obstacle(name, name, waits=True, cause="its term runs out", owner="nobody", earliest=iso(days))


def row(facts: Facts, name: str) -> Check:
    return next(one for one in checks(facts) if one.name == name)


def test_a_clean_tenant_passes_what_can_be_read() -> None:
    """Every row of the portal's page is there; what can be read passes, every other one is unknown, nothing blocks."""
    rows = checks(CLEAN)
    unknown = [one.name for one in rows if one.state == "unknown"]
    assert ([one.name for one in rows], unknown) == (PORTAL, [name for name, *_ in UNREADABLE])
    assert (blockers(rows), ready(rows)) == ([], True)
    assert all(one.cause and one.remedy and one.owner for one in rows if one.state == "unknown")


@pytest.mark.parametrize(("field", "check"), COUNTED)
def test_what_is_left_blocks(field: str, check: str) -> None:
    """Whatever is left fails its check alone; hundreds are counted in full and shown in part."""
    rows = checks(replace(CLEAN, **{field: Left(250, many(100))}))
    (blocker,) = blockers(rows)
    assert (blocker["what"], len(blocker["items"]), blocker["earliest"]) == (check, 100, None)
    assert blocker["why"].startswith("250 found") and blocker["remedy"] and blocker["who"]
    assert not ready(rows)


@pytest.mark.parametrize(("field", "check"), SOLD)
def test_what_was_bought_needs_somebody_or_a_date(field: str, check: str) -> None:
    """What needs somebody and what only waits are two blockers of one check; each of them says who."""
    person = Obstacle("Visio", "v", remedy="Ask Support.", owner="Microsoft Support", cause="locked out")
    rows = checks(replace(CLEAN, **{field: [waiting("E5", 40), person]}))
    asked, dated = blockers(rows)
    assert (asked["what"], asked["items"], asked["earliest"]) == (check, ["Visio"], None)
    assert (asked["who"], asked["remedy"]) == ("Microsoft Support", "Ask Support.")
    assert (dated["what"], dated["items"], dated["earliest"]) == (check, ["E5"], iso(40))
    assert (asked["why"][:7], dated["why"][:7]) == ("1 found", "1 found")
    told = row(replace(CLEAN, **{field: [waiting("E5", 40), person]}), check)
    assert (told.state, told.earliest, [one.name for one in told.obstacles]) == ("fail", None, ["Visio", "E5"])
    assert told.owner == "Microsoft Support"


def test_only_dates_make_a_check_wait() -> None:
    """With nothing but dates the check waits until the last of them, and people can't be asked for the end yet."""
    facts = replace(CLEAN, licences=[waiting("E5", 40), waiting("E3", 90)])
    told = row(facts, "subscriptions")
    assert (told.state, told.earliest, told.count) == ("waiting", iso(90), 2)
    assert [b["earliest"] for b in blockers(checks(facts))] == [iso(40), iso(90)]
    assert not ready(checks(facts))


def test_many_dates_are_told_together() -> None:
    """Five hundred licences with five hundred dates are so many blockers and no more; none of them is lost."""
    found = blockers(checks(replace(CLEAN, licences=[waiting(f"E{n}", 500 - n) for n in range(500)])))
    assert len(found) == DATES
    assert found[0]["items"] == ["E499"]
    assert found[-1]["why"].startswith(f"{500 - DATES + 1} found")
    assert found[-1]["earliest"] == iso(DATES)


def test_endless_names_never_break_the_record() -> None:
    """However long the names are, checks and blockers stay within what one record holds; the counts are whole."""
    long = [Obstacle("\u5b57" * 256, f"id-{n}", cause="\u5b57" * 900, owner="x" * 900) for n in range(300)]
    facts = replace(CLEAN, users=Left(300, long[:100]), applications=Left(300, long[:100]), licences=long, azure=long)
    rows = checks(facts)
    for found in (documents(rows), blockers(rows)):
        assert len(json.dumps(found)) <= ROOM
    assert {b["why"].partition(" ")[0] for b in blockers(rows)} == {"300"}


def test_sync_blocks() -> None:
    """Directory synchronisation that is on fails its check."""
    (blocker,) = blockers(checks(replace(CLEAN, sync_on=True)))
    assert (blocker["what"], blocker["items"]) == ("directory-sync", [])


def test_a_partner_s_directory_can_not_be_closed() -> None:
    """Only partner support takes a tenant out of the partner programme."""
    (blocker,) = blockers(checks(replace(CLEAN, partner_type="resellerPartnerDelegatedAdmin")))
    assert (blocker["what"], "partner support" in blocker["who"]) == ("partner-directory", True)


@pytest.mark.parametrize(("demanded", "state"), [(True, "fail"), (False, "pass")])
def test_custom_domains_block_where_a_seller_demands_it(demanded: bool, state: str) -> None:
    """They stop the cancellation of an old agreement; otherwise they go with the tenant, and it is said so."""
    told = row(replace(CLEAN, domains=Left(1, many(1)), domains_demanded=demanded), "custom-domains")
    assert (told.state, "not demanded" in told.cause, told.count) == (state, not demanded, 1)


def test_users_that_the_request_keeps_are_told_and_hold_nothing_up() -> None:
    """The closure ends as `kept` before people are asked for the tenant's end, so they don't keep it waiting."""
    rows = checks(replace(CLEAN, kept=Left(2, many(2))))
    assert ([b["what"] for b in blockers(rows)], ready(rows)) == ([KEPT], True)


@pytest.mark.parametrize("type_", ["CIAM", "AAD B2C"])
@pytest.mark.parametrize(("count", "state"), [(0, "pass"), (3, "fail"), (None, "unknown")])
def test_external_tenants_have_rows_of_their_own(type_: str, count: int | None, state: str) -> None:
    """User flows and the like are counted where they can be read; a number that can't be read is never a nought."""
    rows = checks(Facts(tenant_type=type_, external={"user flows": count}))
    states = {one.name: one.state for one in rows}
    assert states["user-flows"] == state
    assert {states[name] for name in ("custom-policies", "policy-keys", "identity-providers")} == {"unknown"}
    assert not states.keys() & {"directory-sync", "partner-directory", "mfa-providers", "invoices", "domain-services"}
    assert ready(rows) is (state != "fail")


def test_a_plan_clears_what_is_in_it() -> None:
    """Before the approval everything fails as it stands, but only what the plan can't clear is a blocker."""
    mine = Obstacle("E1", "e1", owner=CLOSURE)
    theirs = Obstacle("Visio", "v", owner="Microsoft Support")
    facts = Facts(
        users=Left(9, many(9)),
        sync_on=True,
        domains=Left(1),
        domains_demanded=True,
        licences=[mine, theirs],
        planned=True,
    )
    rows = checks(facts)
    failed = {one.name: one.owner for one in rows if one.state == "fail"}
    assert failed == {
        **dict.fromkeys(("users", "directory-sync", "custom-domains"), CLOSURE),
        "subscriptions": f"{CLOSURE}; Microsoft Support",
    }
    (blocker,) = blockers(rows)
    assert (blocker["items"], blocker["why"][:7]) == (["Visio"], "1 found")


@pytest.mark.parametrize(
    ("dates", "expected"),
    [([], DAY), ([0.25, 40], DAY / 4), ([40], DAY), ([-3], DAY), ([0], DAY)],
)
def test_the_next_look_follows_the_dates(dates: list[float], expected: float) -> None:
    """At the next date, a day at most; a date that has passed makes nobody look without end."""
    rows = checks(replace(CLEAN, licences=[waiting(f"E{days}", days) for days in dates]))
    assert seconds(rows, NOW, DAY) == expected
