"""Refusals: each cause is told from the item, named to a person once, and tried again at its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenantclosure.model.inventory import Item
from tenantclosure.names import Family, Outcome, TaskKind
from tenantclosure.policy.refusals import HARMLESS, Cause, Stuck, again, asks, cause_of, label, said_of, why

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = 86_400.0
MICROSOFT = "F8CDEF31-a31e-4b4a-93e4-5f571e91255a"


def stuck(status: int = 403, reason: str = "", *, outcome: str = "refused", **facts: Any) -> Stuck:
    """Something refused an hour ago."""
    item = Item("i1", "Ida", facts)
    at = (NOW - timedelta(hours=1)).isoformat()
    return Stuck(item, item, outcome, status, "Authorization_RequestDenied", reason, at)


# -- causes -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("found", "holders", "cause"),
    [
        (stuck(restricted=True), {"i1"}, Cause.RESTRICTED),
        (stuck(), {"i1"}, Cause.PRIVILEGED),
        (stuck(400), {"i1"}, Cause.REFUSED),
        (stuck(), set(), Cause.REFUSED),
        (stuck(418), set(), Cause.REFUSED),
        (stuck(0, outcome="failed"), {"i1"}, Cause.REFUSED),
        (stuck(outcome="removed"), {"i1"}, Cause.RETURNED),
        (stuck(outcome="absent", restricted=True), set(), Cause.RETURNED),
    ],
)
def test_causes_of_users(found: Stuck, holders: set[str], cause: Cause) -> None:
    """Restricted management goes before roles; roles explain a 403 only; everything else keeps its words."""
    assert cause == cause_of(Family.USERS, found, holders)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (stuck(400, "Specified App Principal ID is Microsoft Internal."), Cause.INTERNAL),
        (stuck(400, "the principal is an INTERNAL one of microsoft", enabled=False), Cause.INTERNAL),
        (stuck(403, owner=MICROSOFT, enabled=True), Cause.INTERNAL),
        (stuck(400, owner=MICROSOFT, enabled=True), Cause.INTERNAL),
        (stuck(400, "Microsoft has trouble", enabled=True), Cause.APPLICATION),
        (stuck(400, "An internal error", enabled=True), Cause.APPLICATION),
        (stuck(0, outcome="failed", owner=MICROSOFT, enabled=True), Cause.APPLICATION),
        (stuck(403, enabled=False), Cause.DISABLED),
        (stuck(403, type="ManagedIdentity", enabled=True), Cause.IDENTITY),
        (stuck(403, type="ManagedIdentity", enabled=False), Cause.DISABLED),
        (stuck(403, owner="another tenant", enabled=True), Cause.APPLICATION),
        (stuck(403), Cause.APPLICATION),
        (stuck(outcome="removed", enabled=True), Cause.RETURNED),
        (stuck(outcome="removed", enabled=False), Cause.DISABLED),
    ],
)
def test_causes_of_enterprise_applications(found: Stuck, cause: Cause) -> None:
    """Microsoft's own by owner or by text, and only after a final refusal; the disabled; managed identities; others."""
    assert cause == cause_of(Family.SERVICE_PRINCIPALS, found, ())


def test_causes_of_registrations_and_domains() -> None:
    """Neither has a finer cause; nobody is asked about a domain itself."""
    assert Cause.DOMAIN == cause_of(Family.DOMAINS, stuck(400), ())
    assert [] == asks(Family.DOMAINS, Cause.DOMAIN, [stuck(400)]) == asks(Family.DOMAINS, Cause.RETURNED, [stuck()])
    assert Cause.APPLICATION == cause_of(Family.APPLICATIONS, stuck(enabled=False), ())
    assert Cause.RETURNED == cause_of(Family.APPLICATIONS, stuck(outcome="removed"), ())


# -- tried again ------------------------------------------------------------------------------------------------------
def due(one: Stuck, cause: Cause = Cause.REFUSED, before: Cause | None = None, **more: Any) -> bool:
    found = {"news": None, "now": NOW, "day": DAY, **more}
    return again(one, cause, before or cause, **found)


def test_tried_again_once_a_day() -> None:
    """Within a day of the last try nothing is sent, after it once."""
    assert not due(stuck())
    assert due(stuck(), now=NOW + timedelta(hours=23))


def test_a_rehearsals_day_still_takes_ten_seconds() -> None:
    """A day of a tenth of a second does not make a loop."""
    assert not due(replace(stuck(), at=(NOW - timedelta(seconds=9)).isoformat()), day=0.1)
    assert due(replace(stuck(), at=(NOW - timedelta(seconds=10)).isoformat()), day=0.1)


@pytest.mark.parametrize(
    ("cause", "before", "expected"),
    [
        (Cause.REFUSED, Cause.RESTRICTED, True),
        (Cause.REFUSED, Cause.PRIVILEGED, True),
        (Cause.DISABLED, Cause.APPLICATION, True),
        (Cause.DISABLED, Cause.DISABLED, False),
        (Cause.RESTRICTED, Cause.REFUSED, False),
    ],
)
def test_a_changed_cause_is_tried_at_once(cause: Cause, before: Cause, expected: bool) -> None:
    """Released, without roles, or disabled since: tried again; what came under restriction since is not."""
    assert expected == due(stuck(), cause, before)


@pytest.mark.parametrize("cause", sorted(HARMLESS))
def test_what_does_not_block_is_left_alone(cause: Cause) -> None:
    """A disabled or internal application is not sent day after day."""
    assert not due(stuck(), cause, now=NOW + timedelta(days=400))


def test_what_came_back_is_never_tried_again() -> None:
    """No DELETE follows a final answer: not after a day, a report, a new role or a change."""
    told = {"news": NOW.isoformat(), "now": NOW + timedelta(days=9)}
    assert not due(stuck(outcome="removed"), Cause.RETURNED, Cause.REFUSED, **told)


def test_news_brings_the_next_try_forward() -> None:
    """Only what happened since the last try counts, so one word, or one new role, makes one try."""
    assert due(stuck(), news=NOW.isoformat())
    assert not due(stuck(), news=(NOW - timedelta(hours=2)).isoformat())
    assert not due(stuck(), news=stuck().at)


# -- tasks ------------------------------------------------------------------------------------------------------------
def test_one_task_a_cause() -> None:
    """Users share a task for each cause, named by how many; each application has its own."""
    users = [stuck(), replace(stuck(), item=Item("i2", "Ivo"))]
    assert [(TaskKind.RELEASE_USERS, "restricted", "2 users", users)] == asks(Family.USERS, Cause.RESTRICTED, users)
    assert "1 user" == asks(Family.USERS, Cause.PRIVILEGED, users[:1])[0][2]
    assert "1 managed identity" == asks(Family.SERVICE_PRINCIPALS, Cause.IDENTITY, users[:1])[0][2]
    assert "9 users" == asks(Family.USERS, Cause.PRIVILEGED, users[:1], 9)[0][2]
    assert "1 user" == asks(Family.USERS, Cause.PRIVILEGED, users, 1)[0][2]
    for family, cause in ((Family.APPLICATIONS, Cause.APPLICATION), (Family.SERVICE_PRINCIPALS, Cause.RETURNED)):
        found = asks(family, cause, users)
        assert [(TaskKind.REMOVE_APPLICATION, "i1", "Ida"), (TaskKind.REMOVE_APPLICATION, "i2", "Ivo")] == [
            one[:3] for one in found
        ]
    for cause in set(Cause) - {Cause.DOMAIN}:
        assert bool(asks(Family.USERS, cause, users)) is (cause not in (*HARMLESS, Cause.STAYS, Cause.FREED))


@pytest.mark.parametrize("family", [Family.USERS, Family.SERVICE_PRINCIPALS])
@pytest.mark.parametrize("outcome", [Outcome.KEPT, Outcome.REFUSED, Outcome.REMOVED])
def test_what_must_stay_is_never_tried(family: Family, outcome: str) -> None:
    """Whatever became of it before: while it must stay it is sent no more, even if it was opened before."""
    one = replace(stuck(), outcome=outcome, stays=True, again=True)
    cause = cause_of(family, one, ())
    assert Cause.STAYS == cause
    assert not due(one, cause=cause, before=Cause.REFUSED, news=(NOW + timedelta(days=9)).isoformat())


def test_what_has_changed_back_is_tried_at_once() -> None:
    """It was kept for a change that is gone: people have approved it, so nothing is waited for."""
    one = replace(stuck(), outcome=Outcome.KEPT, at=NOW.isoformat())
    cause = cause_of(Family.USERS, one, ())
    assert Cause.FREED == cause
    assert due(one, cause=cause, before=cause)


def test_a_task_quotes_the_refusals() -> None:
    """The words of Microsoft are in the reason, the most frequent first, three at most."""
    words = ["many", "many", "a", "b", "c"]
    told = why(Cause.REFUSED, [stuck(400, word) for word in words])
    assert told.startswith("Microsoft refuses it: 400 Authorization_RequestDenied many; ")
    assert 3 == told.count("Authorization_RequestDenied")


def test_what_nobody_answered_is_not_quoted() -> None:
    """Without a status or a code only the reason is told; what has no words at all leaves no gap between others."""
    silent = Stuck(Item("i1", "Ida"), Item("i1", "Ida"), "failed")
    assert "" == silent.words
    assert "no final answer" == replace(silent, reason="no final answer").words
    assert "403 denied; no final answer" == said_of(
        [replace(silent, status=403, code="denied"), silent, silent, replace(silent, reason="no final answer")]
    )


def test_a_user_is_named_with_the_address() -> None:
    """Two people may have one name."""
    assert "Ida (ida@contoso.com)" == label(Item("i1", "Ida", {"upn": "ida@contoso.com"}))
    assert "ida@contoso.com" == label(Item("i1", "ida@contoso.com", {"upn": "ida@contoso.com"}))
    assert "vm" == label(Item("i1", "vm"))
