"""The judge finds what it is there for: each kind of wrong, planted in the books of a good run."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tenantclosure.policy import audit_chain
from tests.chaos import judge
from tests.chaos.judge import Seen

KEEPER, OWN = "k", "s0"
SUBSCRIPTION = "9d2a4c5e-1111-4222-8333-444455556666"


def chain(*words: tuple[str, dict[str, Any]]) -> list[bytes]:
    """An audit with these words."""
    lines, previous = [], audit_chain.START
    for number, (word, detail) in enumerate(words):
        line = audit_chain.link({"word": word, "detail": detail, "at": "2026-11-01T12:00:00Z"}, previous, number)
        lines.append(audit_chain.encode(line).rstrip(b"\n"))
        previous = line["hash"]
    return lines


def asked(gate: str, serial: int = 1) -> tuple[str, dict[str, Any]]:
    return "gate:opened", {"gate": gate, "serial": serial}


def good() -> Seen:
    """A small closure as it should be: three users, one of them the keeper; a subscription; applications."""
    items = {
        "users": [{"id": "u1"}, {"id": "u2"}],
        "domains": [{"id": "contoso.com"}],
        "applications": [{"id": "a1"}],
        "service-principals": [{"id": "s1"}, {"id": "s2"}],
        "subscriptions": [{"id": SUBSCRIPTION, "facts": {"name": "E3"}}],
    }
    kept = [
        {"id": KEEPER, "family": "users", "reason": "keeper"},
        {"id": OWN, "family": "service-principals", "reason": "our own service principal"},
    ]
    counts = {
        "users": {"planned": 2, "removed": 1, "absent": 1, "kept": 1, "refused": 0, "failed": 0},
        "domains": {"planned": 1, "removed": 1, "absent": 0, "kept": 0, "refused": 0, "failed": 0},
        "applications": {"planned": 1, "removed": 1, "absent": 0, "kept": 0, "refused": 0, "failed": 0},
        "service-principals": {"planned": 2, "removed": 0, "absent": 1, "kept": 1, "refused": 1, "failed": 0},
        "subscriptions": {"planned": 1, "removed": 1, "absent": 0, "kept": 0, "refused": 0, "failed": 0},
    }
    audit = chain(asked("plan"), asked("delete-tenant"), ("report:written", {}))
    people = [{"gate": gate, "serial": 1} for gate in ("plan", "delete-tenant") for _ in range(2)]
    return Seen(
        document={"status": "ended", "result": "closed", "phase": "report", "gate": None, "blockers": []},
        score={
            "usersTotal": 3,
            "usersDeleted": 2,
            "usersKept": 1,
            "subscriptionsTotal": 1,
            "subscriptionsDeleted": 1,
            "tenantGone": True,
            **dict.fromkeys(judge.ZERO, 0),
            "writeCalls": {f"POST /subscriptions/{SUBSCRIPTION}/cancel": 1},
        },
        deleted={
            "users": ["u1", "u2"],
            "applications": ["a1"],
            "servicePrincipals": ["s1", OWN],
            "domains": ["contoso.com"],
        },
        manifest={
            "ownServicePrincipal": OWN,
            "kept": kept,
            "families": {family: {"count": len(found)} for family, found in items.items()},
        },
        planned=items,
        report={
            "counts": counts,
            "approvals": people,
            "blockers": [],
            "audit": {"ok": True, "head": audit_chain.head(audit[-1])[0]},
        },
        audit=audit,
    )


def test_a_good_run_has_no_faults() -> None:
    """What is as it should be is not complained about."""
    assert [] == judge.faults(good())


def _change(part: str, **values: Any) -> Callable[[Seen], None]:
    return lambda seen: getattr(seen, part).update(values)


def _deleted(family: str, *ids: str) -> Callable[[Seen], None]:
    return lambda seen: seen.deleted[family].extend(ids)


def _counted(family: str, **counts: int) -> Callable[[Seen], None]:
    return lambda seen: seen.report["counts"][family].update(counts)


def _wrote(call: str) -> Callable[[Seen], None]:
    return lambda seen: seen.score["writeCalls"].update({call: 1})


def _cut_out(seen: Seen) -> None:
    del seen.audit[1]


def _edited(seen: Seen) -> None:
    seen.audit[0] = seen.audit[0].replace(b"plan", b"plot")


def _other_head(seen: Seen) -> None:
    seen.report["audit"]["head"] = "0" * 64


def _asked_again(seen: Seen) -> None:
    seen.audit = chain(asked("plan"), asked("delete-tenant"), asked("delete-tenant", 2))
    seen.report["audit"]["head"] = audit_chain.head(seen.audit[-1])[0]


def _drifted(seen: Seen) -> None:
    seen.audit = chain(asked("plan"), asked("delete-tenant"), ("plan:drifted", {}))
    seen.report["audit"]["head"] = audit_chain.head(seen.audit[-1])[0]


def _silent(seen: Seen) -> None:
    seen.report["approvals"].pop()


def _family_lost(seen: Seen) -> None:
    del seen.report["counts"]["applications"]


def _shard_lost(seen: Seen) -> None:
    seen.planned["users"].pop()


def _empty(seen: Seen) -> None:
    seen.audit.clear()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (_change("document", status="running", result=None), "did not end closed"),
        (_change("document", result="blocked"), "did not end closed"),
        (_change("document", blockers=[{"what": "listing"}]), "blockers"),
        (_change("score", doubleDeletes=1), "doubleDeletes is 1"),
        (_change("score", keeperTouched=1), "keeperTouched is 1"),
        (_change("score", protectedTouched=2), "protectedTouched is 2"),
        (_change("score", foreignTouched=1), "foreignTouched is 1"),
        (_change("score", tenantGone=False), "tenantGone is False"),
        (_change("score", usersKept=2, usersDeleted=1), "usersKept is 2"),
        (_change("score", subscriptionsDeleted=0), "subscriptionsDeleted is 0"),
        (_deleted("users", "u9"), "1 users were deleted and are not in the plan: u9"),
        (_deleted("users", KEEPER), "1 users were deleted and are not in the plan: k"),
        (_deleted("users", OWN), "1 users were deleted and are not in the plan: s0"),
        (_deleted("servicePrincipals", "s9"), "1 service-principals were deleted and are not in the plan: s9"),
        (_deleted("applications", "a9"), "1 applications were deleted and are not in the plan: a9"),
        (_deleted("domains", "fabrikam.com"), "1 domains were deleted and are not in the plan"),
        (_deleted("users", "u1"), "1 users were deleted twice: u1"),
        (lambda seen: seen.deleted["applications"].clear(), "1 applications were never deleted: a1"),
        (_wrote("DELETE /billing/00000000-1111-4222-8333-444455556666"), "names nothing in the plan"),
        (_counted("users", removed=0), "users: 2 planned, outcomes"),
        (_counted("users", removed=2), "users: 2 planned, outcomes"),
        (_counted("users", planned=1, removed=0), "users: 2 planned, outcomes"),
        (_counted("service-principals", kept=0), "service-principals: 2 planned, outcomes"),
        (_counted("subscriptions", removed=0, failed=1), "subscriptions: 1 failed"),
        (_family_lost, "applications: 1 planned, outcomes {}"),
        (_shard_lost, "users: 2 planned, outcomes"),
        (_cut_out, "the audit does not verify: line 2"),
        (_edited, "the audit does not verify: line 1"),
        (_empty, "the audit does not verify"),
        (_other_head, "the report's audit head is not in the audit"),
        (_asked_again, "gates were opened as"),
        (_drifted, "people were asked again"),
        (_silent, "approvals were given as"),
    ],
)
def test_each_wrong_is_found(wrong: Callable[[Seen], None], words: str) -> None:
    """One wrong thing in the books of a good run is told in words."""
    seen = deepcopy(good())
    wrong(seen)

    assert any(words in fault for fault in judge.faults(seen)), judge.faults(seen)


def test_a_run_that_does_not_end_is_judged_as_far_as_it_came() -> None:
    """What was touched without approval is told of a closure that is stuck as well."""
    seen = good()
    seen.document.update(status="running", result=None)
    seen.report.clear()
    seen.deleted["users"].append("u9")

    assert ["did not end closed", "1 users were deleted and are not in the plan"] == [
        fault.partition(":")[0] for fault in judge.faults(seen)
    ]
