"""What a rollback brings back, and what nothing brings back: decided from the evidence and a fresh look.

Only what this closure itself removed, blocked, switched or ended is ours to undo. The evidence of all its plans is
replayed in order, an earlier rollback's included; then the tenant is asked what of it is still undone. What an undo
needs a person for, or comes too late for, is named item by item with the reason (tenant-facts G, "Undo horizon").
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from tenantclosure.model.inventory import Item
from tenantclosure.names import Family, Outcome, TaskKind

KIND = "rollback"
"""`kind` in the manifest of a rollback's plan; other manifests have none."""
USERS_ENABLED = "users-enabled"
"""The part of a rollback's plan with the users who may sign in again; no family of a survey."""
RESTORED = (Family.USERS, Family.APPLICATIONS, Family.SERVICE_PRINCIPALS)
"""Families with a recycle bin."""
WAVES: tuple[tuple[str, str], ...] = (
    (str(Family.USERS), "restore"),
    (USERS_ENABLED, "enable"),
    (str(Family.APPLICATIONS), "restore"),
    (str(Family.SERVICE_PRINCIPALS), "restore"),
)
"""Parts of the plan and their operations in their order: nobody is let in before the account is back, and an enterprise
application not before its registration.
"""
OPERATIONS = frozenset(operation for _, operation in WAVES)
"""Operations that only a rollback's plan allows."""

UNDO_FREEZE = {"what": "undo-freeze", "family": "", "id": "sign-up-policy", "name": "who may sign up and invite"}
"""What puts the freeze back; it needs nobody's consent, because every end that is not `closed` does it."""

_DOUBTED = (Outcome.REMOVED, Outcome.FAILED)
"""Outcomes after which an item may have gone by our hand; the recycle bin tells."""
GONE = "It is not in the recycle bin any more: it is kept there for 30 days."
DOMAIN = "A removed domain does not come back by itself: add it again and verify it."
DISABLED = "It could not be deleted and was disabled: set Enabled for users to sign in to Yes in the portal."
MFA = "Per-user MFA was turned off: turn it on again in the portal, under Users > Per-user MFA."
PRODUCT = "A self-service product is deleted for good; whoever needs it signs up again."
DELETED = "The subscription is deleted; buying it again brings no data back."
CANCELLED = "It is cancelled, and no API takes that back; the seller may reactivate it until it is deleted."
SUSPENDED = "It is disabled: a Billing Administrator can reactivate it in the admin center until it is deleted."
BY_HAND = "A person turned its renewal off: turn it on again in the admin center, under Billing > Your products."
SYNC = "It can't be turned on again before {}; then a Hybrid Identity Administrator sets it up anew."
"""With the date: the lock holds for 72 hours (tenant-facts C2)."""
UNSEEN = "Its seller's side can't be read, so nothing was changed: have the seller turn its renewal on again."


@dataclass(slots=True)
class Ours:
    """What of one family lies removed or blocked by our hand, as the evidence says so far; items as they were planned.

    `taken` are items that were gone when we came to them; an enterprise application goes with its registration.
    The mappings may lie elsewhere than in memory: a family may be large.
    """

    removed: MutableMapping[str, Item] = field(default_factory=dict)
    blocked: MutableMapping[str, Item] = field(default_factory=dict)
    taken: MutableMapping[str, Item] = field(default_factory=dict)

    def replay(
        self, operation: str, items: Mapping[str, Item], outcomes: Mapping[str, str], doubt: Iterable[str]
    ) -> None:
        """Take in one shard's evidence: last outcome by id, and ids that were sent without an answer."""
        ours = {*(id_ for id_, outcome in outcomes.items() if outcome in _DOUBTED), *doubt}
        back = [id_ for id_, outcome in outcomes.items() if outcome == Outcome.RESTORED]
        match operation:
            case "delete":
                self.removed.update({id_: items[id_] for id_ in ours})
                self.taken.update({id_: items[id_] for id_, one in outcomes.items() if one == Outcome.ABSENT})
            case "block":
                for id_ in ours:  # the first survey that knew the user says whether sign-in was allowed before us
                    self.blocked.setdefault(id_, items[id_])
            case "restore":
                for id_ in back:
                    self.removed.pop(id_, None)
                    self.taken.pop(id_, None)
            case "enable":
                for id_ in back:
                    self.blocked.pop(id_, None)

    def with_registrations(self, registrations: Mapping[str, Item]) -> None:
        """Count enterprise applications that went with the registrations we removed among the removed ones."""
        ours = {item.facts.get("appId") for item in registrations.values()} - {None}
        self.removed.update({id_: one for id_, one in self.taken.items() if one.facts.get("appId") in ours})


def impossible(family: str, item: Item, why: str) -> dict[str, str]:
    """One entry of what can't be undone."""
    return {"family": str(family), "id": item.id, "name": item.name, "why": why}


def sorted_out(
    family: str, removed: Mapping[str, Item], states: Mapping[str, str]
) -> tuple[list[Item], list[dict[str, str]]]:
    """What is restored, and what is gone for good; what is present needs nothing. `states` as of `states_of`."""
    back = [item for id_, item in removed.items() if states[id_] == "deleted"]
    return back, [impossible(family, item, GONE) for id_, item in removed.items() if states[id_] == "gone"]


def let_in(blocked: Mapping[str, Item], out: Container[str]) -> list[Item]:
    """Users we blocked who could sign in before and now can't: `out` has those that are listed as disabled, and those
    that are restored first.
    """
    return [item for id_, item in blocked.items() if item.facts.get("enabled", True) and id_ in out]


@dataclass(frozen=True, slots=True)
class Look:
    """One subscription now: `graph` and `azure` are state words (`absent` when the row is gone, "" when Graph never had
    one), `billing` and `partner` the seller's facts, None when they can't be read. `by_hand`: a person turned its
    renewal off.
    """

    graph: str = "absent"
    azure: str | None = None
    billing: Mapping[str, Any] | None = None
    partner: Mapping[str, Any] | None = None
    by_hand: bool = False


def of_subscription(item: Item, standing: Mapping[str, Any], look: Look) -> tuple[str, str]:
    """What undoes what became of a planned subscription: (`enable-azure` or `start-renewal`, ""), ("", why it can't be
    undone), or ("", "") when nothing is to be undone.
    """
    calls = standing.get("calls") or {}
    provider = str(item.facts.get("provider"))
    cancelled = any(_accepted(call) for kind, call in calls.items() if kind != "stop-renewal")
    if look.azure is not None:
        return _azure(item, look.azure, cancelled)
    if look.graph in ("Deleted", "absent"):
        if item.facts.get("status") == "Deleted":
            return "", ""
        return "", PRODUCT if provider in ("self-service", "free") else DELETED
    if cancelled:
        return "", CANCELLED
    if look.graph in ("Suspended", "LockedOut"):
        return ("", "") if item.facts.get("status") == look.graph else ("", SUSPENDED)
    if _accepted(calls.get("stop-renewal")):
        return _renewal(provider, look)
    return "", BY_HAND if look.by_hand else ""


def _azure(item: Item, state: str, cancelled: bool) -> tuple[str, str]:
    if state == "Deleted":
        return "", "" if item.facts.get("state") == "Deleted" else DELETED
    if not cancelled or state in ("Enabled", "Warned", "PastDue"):
        return "", ""
    return ("enable-azure", "") if state == "Disabled" else ("", f"Azure shows it {state}; {CANCELLED}")


def _renewal(provider: str, look: Look) -> tuple[str, str]:
    """Renewal that we stopped ourselves: on again, if the seller still shows it off."""
    if provider == "mca" and look.billing is not None:
        return ("start-renewal" if look.billing.get("autoRenew") == "Off" else ""), ""
    if provider == "csp" and look.partner is not None:
        return ("" if look.partner.get("autoRenewEnabled") else "start-renewal"), ""
    return "", UNSEEN


def _accepted(call: Mapping[str, Any] | None) -> bool:
    return call is not None and not call.get("refused")


def renewal_by_hand(tasks: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Subscriptions whose renewal a person has turned off, as proven or attested tasks say."""
    return frozenset(
        str(task["target"]) for task in tasks if task["kind"] == TaskKind.TURN_OFF_RENEWAL and task["state"] == "proven"
    )


def target(item: Item) -> str:
    """What a subscription's seller calls it: the billing row's ARM id, Partner Center's id, or Azure's own."""
    facts = item.facts
    names = {
        "azure": facts.get("azureId"),
        "mca": facts.get("armId"),
        "csp": facts.get("partnerId") or facts.get("commerceSubscriptionId"),
    }
    return str(names.get(str(facts.get("provider"))) or item.id)


def other(what: str, item: Item) -> dict[str, str]:
    """One entry of a plan's `others`: a call to the seller of a subscription."""
    seller = {"provider": str(item.facts.get("provider")), "target": target(item)}
    return {"what": what, "family": str(Family.SUBSCRIPTIONS), "id": item.id, "name": item.name, **seller}


def consented(others: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The entries of `others` that people have to agree to."""
    return [entry for entry in others if entry["what"] != UNDO_FREEZE["what"]]


def counts(manifest: Mapping[str, Any]) -> dict[str, int]:
    """How many of each family a rollback's plan brings back."""
    found = {str(family): int(manifest["families"][family]["count"]) for family, _ in WAVES}
    return {**found, str(Family.SUBSCRIPTIONS): len(consented(manifest["others"]))}


def items(manifest: Mapping[str, Any]) -> int:
    """How many items people have to agree to; without any nobody is asked."""
    return sum(counts(manifest).values())


def plan_before(row: Mapping[str, Any]) -> dict[str, Any]:
    """{serial, digest, families} of the newest plan of what is removed, for a row that turns to a rollback."""
    known = (row.get("rollback") or {}).get("plan")
    if known is not None:
        return dict(known)
    serial = row["planSerial"] if row["digest"] is not None else row["planSerial"] - 1
    return {"serial": max(serial, 1), "digest": row["digest"], "families": dict(row.get("planned") or {})}


def path(closure: str, serial: int, what: str) -> str:
    """Blob beside a rollback's plan: looked-up states, and as lines `impossible` and `outcomes`."""
    return f"{closure}/rollback-{serial}/{what}.json"


def told(others: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    """What a plan's `others` do, in words: [(name, what happens to it)]."""
    return [(entry["name"], _DONE[entry["what"]]) for entry in others]


_DONE = {
    "start-renewal": "renews itself again",
    "enable-azure": "is enabled again",
    "undo-freeze": "is put back as it was, whatever is decided",
}
