"""Why something refused to go, who clears that, and when it is tried again (tenant-facts C1, C5, C6).

Microsoft answers nearly every refusal with the same code, so the cause is read from the item itself and from the roles
people hold; only Microsoft's internal applications are told by the text as well. What fits nothing keeps its words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tenantclosure.model.inventory import Item
from tenantclosure.names import Family, Outcome, TaskKind
from tenantclosure.policy.timing import SHOWN_LEAST

MICROSOFT_TENANTS = frozenset({"f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"})
"""Owners of Microsoft's own applications: Microsoft Services, and Microsoft itself."""
MANAGED_IDENTITY = "ManagedIdentity"
WORDS_SHOWN = 3
"""How many different refusals a task quotes."""


class Cause(StrEnum):
    """Why an item of the plan is still there."""

    RESTRICTED = "restricted"
    """A user under restricted management."""
    PRIVILEGED = "privileged"
    """A user with admin roles that our own role does not cover."""
    REFUSED = "refused"
    """A user, for another reason; also one that Microsoft never gave a final answer for."""
    RETURNED = "returned"
    """It had gone and is there again: nothing is deleted twice."""
    IDENTITY = "managed-identities"
    APPLICATION = "application"
    """A registration or an enterprise application."""
    DOMAIN = "domain"
    """A domain that something still uses: it goes once that is gone, and the seller's refusal names it to people."""
    STAYS = "must-stay"
    """It has changed into something that the plan would have kept: nobody is asked to remove it."""
    FREED = "may-go-again"
    """It was kept for such a change, and has changed back."""
    DISABLED = "disabled"
    INTERNAL = "microsoft-internal"


HARMLESS = frozenset({Cause.DISABLED, Cause.INTERNAL})
"""Causes that do not stand in the way of the tenant's deletion (tenant-facts A4)."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """An item of the plan that is still there, as a fresh look shows it, with its last outcome.

    `planned` is what it was when the plan was frozen, `was` the cause that the last review saw; `again`: it is to be
    tried again already; `stays`: as it is now it must stay.
    """

    item: Item
    planned: Item
    outcome: str
    status: int = 0
    code: str = ""
    reason: str = ""
    at: str | None = None
    was: str | None = None
    again: bool = False
    stays: bool = False

    @property
    def words(self) -> str:
        """What the last try was answered."""
        return " ".join(part for part in (str(self.status or ""), self.code, self.reason) if part)


def cause_of(family: str, stuck: Stuck, holders: Collection[str], item: Item | None = None) -> Cause:
    """Why it is there; `holders` are ids with active admin roles. `item` stands in for what a fresh look shows."""
    if stuck.stays or stuck.outcome == Outcome.KEPT:
        return Cause.STAYS if stuck.stays else Cause.FREED
    facts = (item or stuck.item).facts
    if family == Family.SERVICE_PRINCIPALS:
        return _of_principal(stuck, facts)
    if stuck.outcome not in (Outcome.REFUSED, Outcome.FAILED):
        return Cause.RETURNED
    if family != Family.USERS:
        return Cause.DOMAIN if family == Family.DOMAINS else Cause.APPLICATION
    if facts.get("restricted"):
        return Cause.RESTRICTED
    return Cause.PRIVILEGED if stuck.status == 403 and stuck.item.id in holders else Cause.REFUSED


def _of_principal(stuck: Stuck, facts: Mapping[str, Any]) -> Cause:
    text = stuck.reason.lower()
    if "microsoft" in text and "internal" in text:
        return Cause.INTERNAL
    if facts.get("enabled") is False:
        return Cause.DISABLED
    if stuck.outcome not in (Outcome.REFUSED, Outcome.FAILED):
        return Cause.RETURNED
    if facts.get("type") == MANAGED_IDENTITY:
        return Cause.IDENTITY
    # Some of Microsoft's own can be deleted, and those would block: only a final refusal makes it an internal one.
    own = str(facts.get("owner")).lower() in MICROSOFT_TENANTS
    return Cause.INTERNAL if own and stuck.status in (400, 403) else Cause.APPLICATION


def again(stuck: Stuck, cause: Cause, before: str, news: str | None, now: datetime, day: float) -> bool:
    """Whether it is tried again now: its cause has changed, there is news since the last try, or a day has passed.

    `before` is the cause it had; `news` (ISO 8601) when somebody last reported the task done, or our own roles grew;
    `day` is Microsoft's day in seconds.
    """
    if cause in (Cause.RETURNED, Cause.STAYS):
        return False
    if stuck.again or cause == Cause.FREED or stuck.at is None or (cause != before and cause != Cause.RESTRICTED):
        return True
    if cause in HARMLESS:
        return False
    tried = datetime.fromisoformat(stuck.at)
    if news is not None and datetime.fromisoformat(news) > tried:
        return True
    return (now - tried).total_seconds() >= max(day, SHOWN_LEAST)


def one_each(family: str, cause: Cause) -> bool:
    """Whether each item with this cause is a task of its own: applications are."""
    return cause == Cause.APPLICATION or (cause == Cause.RETURNED and family != Family.USERS)


def asks(
    family: str, cause: Cause, stuck: Sequence[Stuck], count: int | None = None
) -> list[tuple[str, str, str, list[Stuck]]]:
    """The manual tasks for one cause: (kind, target, name, what it is about). Nobody is asked about a domain itself,
    because what uses it has tasks of its own.

    `count` is how many they are, where `stuck` are only the first of them.
    """
    if cause in (*HARMLESS, Cause.STAYS, Cause.FREED) or family == Family.DOMAINS or not stuck:
        return []
    if one_each(family, cause):
        return [(TaskKind.REMOVE_APPLICATION, one.item.id, one.item.name, [one]) for one in stuck]
    kinds = {
        Cause.RESTRICTED: TaskKind.RELEASE_USERS,
        Cause.PRIVILEGED: TaskKind.GRANT_ROLE,
        Cause.REFUSED: TaskKind.REMOVE_USERS,
        Cause.RETURNED: TaskKind.REMOVE_USERS,
        Cause.IDENTITY: TaskKind.REMOVE_IDENTITY,
    }
    one, many = ("managed identity", "managed identities") if cause == Cause.IDENTITY else ("user", "users")
    number = len(stuck) if count is None else count
    return [(kinds[cause], str(cause), f"{number} {one if number == 1 else many}", list(stuck))]


def why(cause: Cause, stuck: Sequence[Stuck]) -> str:
    """The reason that a task gives."""
    said = said_of(stuck)
    return {
        Cause.RESTRICTED: "They are under restricted management, which no permission of ours reaches",
        Cause.PRIVILEGED: f"They hold admin roles that our application's own role does not cover: {said}",
        Cause.REFUSED: f"Microsoft refuses it: {said}",
        Cause.RETURNED: "It was deleted and is there again, so somebody restored it; we delete nothing twice",
        Cause.IDENTITY: "A managed identity goes with the Azure resource it belongs to",
    }.get(cause, f"It could not be deleted, nor disabled: {said}")


def said_of(stuck: Sequence[Stuck]) -> str:
    """The refusals in Microsoft's words, the most frequent ones first."""
    return "; ".join(words for words, _ in Counter(one.words for one in stuck if one.words).most_common(WORDS_SHOWN))


def label(item: Item) -> str:
    """How a task names an item: people need a user's address to find it."""
    upn = item.facts.get("upn")
    return f"{item.name} ({upn})" if upn and upn != item.name else item.name
