"""What a gate asks and what can't be undone after it, in plain words; pages and messages use the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantclosure.names import Decision, Family, Gate

SIGNED_IN = frozenset({Gate.PLAN, Gate.DELETE_TENANT, Gate.ROLLBACK})
"""Gates where a link is not enough: the person has to sign in as well."""

WHAT: dict[str, str] = {
    Gate.PLAN: "the plan to close a tenant",
    Gate.GO_ON: "going on after the quiet period",
    Gate.DELETE_TENANT: "deleting the tenant itself",
    Gate.ROLLBACK: "the rollback of a closure",
}
SUBJECT: dict[str, str] = {
    Gate.PLAN: "the plan to close {}",
    Gate.GO_ON: "go on with closing {}",
    Gate.DELETE_TENANT: "delete {} for good",
    Gate.ROLLBACK: "roll back the closure of {}",
}
ASKED: dict[str, str] = {
    Gate.PLAN: "Please read the plan. Once enough people approve it, everything in it is removed from the tenant. The "
    "tenant itself is deleted only after another approval.",
    Gate.GO_ON: "The quiet period is over: sign-in was blocked and nothing deleted. Please say whether the deletion of "
    "what the approved plan lists goes on.",
    Gate.DELETE_TENANT: "What the plan lists is gone. Please decide on the last step: the tenant itself is deleted.",
    Gate.ROLLBACK: "Somebody asks to undo this closure as far as that is possible. It opens access again: once enough "
    "people approve the rollback's plan, the users in it are restored and may sign in. Then the closure ends.",
}

FAMILIES: dict[str, tuple[str, str]] = {
    Family.USERS: ("user", "users"),
    Family.DOMAINS: ("domain", "domains"),
    Family.SUBSCRIPTIONS: ("subscription", "subscriptions"),
    Family.APPLICATIONS: ("app registration", "app registrations"),
    Family.SERVICE_PRINCIPALS: ("enterprise application", "enterprise applications"),
    Family.GROUPS: ("group", "groups"),
    Family.DEVICES: ("device", "devices"),
    Family.ACCESS_POLICIES: ("access policy", "access policies"),
    Family.LICENCES: ("licence", "licences"),
    "users-enabled": ("blocked user let in", "blocked users let in"),
}
"""One and many of each family, in the portal's words."""
SAID: dict[str, str] = {
    Decision.APPROVE: "approved",
    Decision.VETO: "vetoed",
    Decision.REVOKE: "took the approval back",
}
"""What somebody did at a gate."""

_REMOVAL = (
    # tenant-facts G (retention): users, registrations and enterprise applications are soft-deleted for 30 days
    "Deleted users, app registrations and enterprise applications can be restored from the recycle bin for 30 days, "
    "later by nobody.",
    # tenant-facts G: mailboxes 30 days; OneDrive 30 days by default, then the site collection's recycle bin
    "Mailboxes of deleted users are kept for 30 days; their OneDrive files for 30 days unless set longer.",
    # tenant-facts G (warnings), subscription-facts 8: an explicit delete takes SharePoint and OneDrive data at once
    "Deleting a subscription deletes its data; SharePoint and OneDrive content goes at once. Buying it again brings "
    "nothing back.",
    # tenant-facts A7 and G (undo horizon): self-service products are deleted for good
    "Self-service products and their data are deleted at once and for good.",
    # tenant-facts C2: sync can't be turned on again for 72 hours
    "If directory sync is on, it is turned off and can't be turned on again for 72 hours.",
)

_RETURN = (
    "Whoever may sign in again can read and copy what is left in the tenant. Blocking them later takes none of that "
    "back.",
    "What the plan lists as impossible stays as it is: deleted subscriptions, removed domains, and what the recycle "
    "bin no longer holds.",
    "The closure ends with the rollback. Closing the tenant after all takes a new request and new approvals.",
)


def irreversible(gate: str, initial_domain: str = "") -> list[str]:
    """Sentences on what can't be undone once this gate is approved; `initial_domain` is the *.onmicrosoft.com name."""
    if gate == Gate.ROLLBACK:
        return list(_RETURN)
    if gate != Gate.DELETE_TENANT:
        return list(_REMOVAL)
    name = initial_domain or "The tenant's onmicrosoft.com name"
    return [
        # tenant-facts G (undo horizon: tenant never) and B (no public restore is known)
        "A deleted tenant does not come back; Microsoft can't restore it either.",
        # tenant-facts G: what could restore things lies inside the tenant
        "What still lies in the tenant's recycle bin goes with it.",
        # tenant-facts B: not released for reuse (low trust, so: expect it)
        f"{name} may never be free to use again. Custom domains can be used elsewhere once they were removed.",
    ]


def quorum(groups: Mapping[str, Any], distinct: int) -> str:
    """Who has to agree: "one of it and two of owner, at least three different people"."""
    seats = [f"{_number(int(group['quorum']))} of {name}" for name, group in groups.items()]
    joined = " and ".join([", ".join(seats[:-1]), seats[-1]]) if len(seats) > 1 else "".join(seats)
    people = "one person" if distinct == 1 else f"{_number(distinct)} different people"
    return f"{joined}, at least {people}"


def family_name(family: str) -> str:
    """A family's heading."""
    many = FAMILIES.get(family, ("", family.replace("-", " ")))[1]
    return many[:1].upper() + many[1:]


def days(number: float) -> str:
    """ "1 day", "2.5 days"."""
    return f"{number:g} day{'' if number == 1 else 's'}"


def person(who: Mapping[str, Any]) -> str:
    """Name and address, or the address alone."""
    name, upn = str(who.get("name") or ""), str(who["upn"])
    return f"{name} ({upn})" if name and name.lower() != upn.lower() else upn


def _number(number: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[number] if 0 <= number < len(words) else str(number)
