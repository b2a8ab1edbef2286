"""What a preflight found, right by right: pass, missing or unknown, one sentence, and the command that grants it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from tenantclosure.policy.permissions import BY_KEY, Where, command, graph, held

JSON = dict[str, Any]
CLOUD = "target.cloud"
"""The one check that is no right."""


class State(StrEnum):
    """What is known of a right."""

    PASS = "pass"  # noqa: S105  # a word
    MISSING = "missing"
    UNKNOWN = "unknown"


def finding(
    key: str, state: State, detail: str, words: Mapping[str, str], *, about: str = "", grant: str | None = None
) -> JSON:
    """One check of the right `key`; `about` tells several of one kind apart, `grant` is what mends it where that is not
    the right's own command.
    """
    need = BY_KEY[key]
    return {
        "check": f"{key}:{about}" if about else key,
        "name": need.name,
        "kind": str(need.kind),
        "where": str(need.where),
        "required": need.required,
        "state": str(state),
        "detail": detail,
        "grant": "" if state is State.PASS else command(need, **words) if grant is None else grant,
    }


def passed(key: str, detail: str, *, about: str = "") -> JSON:
    """A right that is there."""
    return finding(key, State.PASS, detail, {}, about=about)


def lacking(key: str, words: Mapping[str, str], why: str = "", *, about: str = "") -> JSON:
    """A right that is missing, and what is then missing too."""
    need = BY_KEY[key]
    told = why or f"Our application lacks {need.name} in the {need.where} tenant"
    return finding(key, State.MISSING, f"{told}. {need.without}", words, about=about)


def unseen(keys: Iterable[str], why: str, words: Mapping[str, str]) -> list[JSON]:
    """Rights that nobody can see now."""
    return [finding(key, State.UNKNOWN, why, words) for key in keys]


def of_cloud(found: str, ours: str, *, absent: bool) -> JSON:
    """Whether the tenant lives in the cloud that the deployment serves: `found` is the one that it names, empty where
    it names none; `absent` says that the sign-in knows no such tenant.
    """
    state, detail, grant = State.PASS, f"The tenant lives in the cloud {ours}.", ""
    if absent:
        detail = f"No such tenant is known in the cloud {ours} (CLOSURE_CLOUD). No closure starts."
        grant = "correct the tenant's id, or deploy the service in the tenant's own cloud"
        state = State.MISSING
    elif found not in ("", ours):
        detail = f"The tenant lives in the cloud {found}, this deployment serves {ours}. No closure starts."
        grant = f"deploy the service in that cloud with CLOSURE_CLOUD={found}"
        state = State.MISSING
    elif not found:
        detail = "The sign-in endpoint does not tell in which cloud the tenant lives."
        state = State.UNKNOWN
    return {
        "check": CLOUD,
        "name": "Cloud",
        "kind": "setting",
        "where": str(Where.TARGET),
        "required": state is State.MISSING,
        "state": str(state),
        "detail": detail,
        "grant": grant,
    }


def of_roles(
    where: Where, roles: frozenset[str] | None, words: Mapping[str, str], *, external: bool = False, mail: bool = True
) -> list[JSON]:
    """Graph's permissions in one tenant, from its token's roles; None where a static token tells none."""
    found: list[JSON] = []
    for need in graph(where, external=external):
        if need.name == "Mail.Send" and not mail:
            continue
        if roles is None:
            found.append(finding(need.key, State.UNKNOWN, "The static token tells no permissions.", words))
        elif held(need, roles):
            found.append(passed(need.key, f"{need.name} is granted."))
        else:
            found.append(lacking(need.key, words))
    return found


def document(tenant: str, checks: list[JSON]) -> JSON:
    """The whole answer; `ok` when every required check passed."""
    ok = all(check["state"] == State.PASS for check in checks if check["required"])
    return {"tenantId": tenant, "ok": ok, "checks": checks}
