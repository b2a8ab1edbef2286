"""docs/permissions.md from the table of rights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tenantclosure.policy.permissions import GRAPH_APP, NEEDS, Kind, Need, When, Where

MANY = 4
FILE = Path(__file__).parent.parent / "docs" / "permissions.md"
HEAD = f"""# Permissions

Every right the service needs. This page is written by `python -m cli.reference_pages` from
`tenantclosure/policy/permissions.py`, which the code reads too; a test fails when they differ.

`closure preflight --tenant ID` asks the server which of them is missing and prints the command that grants it. A
closure is refused while a needed right is missing in the tenant. Tokens live for about an hour: a preflight signs in
afresh, another instance of the host may learn of what was granted only then. What Azure hides from us (subscriptions on
which we hold no role) is `unknown`, never `missing`.

The app registration asks only for Graph permissions of the tenant to be closed that every tenant needs, so an
administrator who consents there grants nothing else: not `Mail.Send`, and what external tenants need only where the
deployment closes such tenants. Ids of Graph permissions are app roles of Microsoft Graph (`{GRAPH_APP}`)
and the same everywhere. Not verified against Microsoft: that Billing account contributor is enough to cancel, and how
Partner Center lets an application in without a user.
"""
TITLES = {
    Where.TARGET: "In the tenant to be closed",
    Where.HOSTING: "In the hosting tenant",
    Where.PARTNER: "In the partner's tenant",
}


def text() -> str:
    """The page."""
    parts = [HEAD]
    for where, title in TITLES.items():
        rows = [need for need in NEEDS if need.where is where]
        parts += [f"## {title}\n", _table(rows), _commands(rows)]
    return "\n".join(parts)


def _table(needs: Iterable[Need]) -> str:
    lines = ["| Right | Needed | For | Without it |", "|---|---|---|---|"]
    for need in needs:
        id_ = f"<br>`{need.id}`" if need.id else ""
        instead = "".join(f"<br>or `{other}`" for other in need.instead)
        lines.append(f"| {_name(need)}{id_}{instead} | {_needed(need)} | {need.purpose} | {need.without} |")
    return "\n".join(lines) + "\n"


def _name(need: Need) -> str:
    name = f"`{need.name}`" if need.kind is Kind.GRAPH else need.name
    return name if need.kind in (Kind.GRAPH, Kind.CONSENT, Kind.CREDENTIAL) else f"{name} ({need.kind})"


def _needed(need: Need) -> str:
    word = "yes" if need.required else "no"
    return word if need.when is When.ALWAYS else f"{word}, with {need.when}"


def _commands(needs: Iterable[Need]) -> str:
    by_command: dict[str, list[str]] = {}
    for need in needs:
        by_command.setdefault(need.grant, []).append(_name(need))
    return "\n".join(f"{_together(names)}:\n\n```text\n{_shown(grant)}\n```\n" for grant, names in by_command.items())


def _together(names: Iterable[str]) -> str:
    """The names of what one command grants; of many the first and the last."""
    each = list(dict.fromkeys(names))
    return ", ".join(each) if len(each) < MANY else f"{each[0]} to {each[-1]}, one by one, by id"


def _shown(grant: str) -> str:
    return grant.format_map(_Placeholders()).replace("; ", "\n")


class _Placeholders(dict[str, str]):
    def __missing__(self, word: str) -> str:
        return f"<{word}>"
