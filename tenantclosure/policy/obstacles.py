"""One thing that stands in the way of the tenant's deletion: what it waits for, who can clear it, from when on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tenantclosure.model.inventory import Item
from tenantclosure.names import TaskKind
from tenantclosure.policy.selling import Provider, dated
from tenantclosure.policy.stages import Side, Stage

CLOSURE = "this closure"
NOBODY = "time alone"
SUPPORT = "Microsoft Support"
PARTNER = "the partner who sold it"
BILLING = "Billing Administrator"
GLOBAL = "Global Administrator"
LONGEST = 300
"""Characters of a reason or a name that are kept."""
PRODUCTS = frozenset({Provider.SELF_SERVICE, Provider.FREE})
"""Providers of what users signed up for or bought by themselves: a check of its own on the portal's page."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`waits`: nothing but a date or an answer is missing, and `earliest` (ISO 8601) is when it can be over.

    `task` is the id of the open task that asks somebody for it; `product`, `provider` and `stage` are a subscription's.
    """

    name: str
    id: str = ""
    waits: bool = False
    cause: str = ""
    remedy: str = ""
    owner: str = ""
    earliest: str | None = None
    task: str | None = None
    product: str = ""
    provider: str = ""
    stage: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As it lies in Records; what is empty is left out."""
        told = {key: value[:LONGEST] if isinstance(value, str) else value for key, value in asdict(self).items()}
        return {key: value for key, value in told.items() if value not in ("", None, False)} | {"name": told["name"]}


_PLANNED: Mapping[str, tuple[str, str]] = {
    Provider.AZURE: (CLOSURE, "The plan cancels it; then a person deletes it, or it goes by itself after 90 days."),
    Provider.CSP: (CLOSURE, "The plan cancels it at the partner, or stops its renewal and waits for its term."),
    Provider.MCA: (CLOSURE, "The plan cancels it, or stops its renewal and waits for its term."),
    Provider.SELF_SERVICE: (BILLING, "Take control of it and cancel it before its buyer is deleted; a task says how."),
    Provider.FREE: (BILLING, "Delete it in the admin center; a task says how."),
    Provider.TRIAL: (NOBODY, "It ends by itself."),
    Provider.SUPPORT: (SUPPORT, "Ask Microsoft Support to remove it; a task says how."),
    Provider.DISPUTED: (BILLING, "Find out who sold it and end it there; a task says how."),
}
"""Who ends a subscription of the plan that nobody has looked at yet, and how; all others are cancelled by a person."""
_BY_HAND = (BILLING, "Cancel and delete it in the admin center; a task says how.")


def of_planned(item: Item) -> Obstacle:
    """A subscription as the plan has it, before its first step."""
    provider = str(item.facts.get("provider") or "")
    owner, remedy = _PLANNED.get(provider, _BY_HAND)
    earliest = _date(item.facts.get("earliest"))
    return Obstacle(
        item.name or item.id,
        item.id,
        waits=earliest is not None,
        cause=str(item.facts.get("why") or ""),
        remedy=remedy,
        owner=owner,
        earliest=earliest,
        product=str(item.facts.get("skuPartNumber") or ""),
        provider=provider,
        stage=Stage.PLANNED,
    )


def of_subscription(
    item: Item, standing: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]], now: datetime
) -> Obstacle:
    """A subscription as its rounds have left it; `tasks` are the open ones about it.

    What somebody was asked for and has not reported needs that person, unless it goes by itself at a date. A word that
    is not ours (a newer or older version wrote it) counts as waiting for the next look.
    """
    stage, side = str(standing.get("stage") or Stage.PLANNED), str(standing.get("side") or "")
    provider = str(standing.get("provider") or item.facts.get("provider") or "")
    due, gone = _date(standing.get("dueAt")), _date(standing.get("earliest"))
    task = _task(tasks, side)
    reported = task is not None and bool(task.get("reports"))
    by_itself = stage == Stage.DISABLED and due is not None
    waits = (
        side != Side.SUPPORT
        and not (side == Side.MANUAL and not by_itself and not reported)
        and not (side == Side.UNCLEAR and task is not None)
    )
    owner, remedy = NOBODY, "Wait: it is looked at again in time."
    if task is not None:
        owner, remedy = str(task.get("who") or ""), str(task.get("title") or "")
        if by_itself and not reported:
            remedy = f"{remedy}; otherwise it goes by itself."
        elif reported:
            remedy = f"{remedy}: reported done, and waited for."
    elif not waits:
        owner, remedy = (SUPPORT, _PLANNED[Provider.SUPPORT][1]) if side == Side.SUPPORT else _by_hand(provider)
    earliest = (gone or due or _date(standing.get("nextAt")) or now.isoformat()) if waits else None
    return Obstacle(
        str(standing.get("name") or item.name or item.id),
        item.id,
        waits=waits,
        cause=str(standing.get("reason") or item.facts.get("why") or ""),
        remedy=remedy,
        owner=owner,
        earliest=earliest,
        task=None if task is None else str(task["taskId"]),
        product=str(item.facts.get("skuPartNumber") or ""),
        provider=provider,
        stage=stage,
    )


def of_objects(items: Sequence[Item], tasks: Sequence[Mapping[str, Any]]) -> list[Obstacle]:
    """Users or applications by name; one that an open task names is that task's to clear."""
    asked = {str(word): task for task in tasks for word in (*(task.get("items") or ()), task.get("target")) if word}
    return [_object(item, asked.get(item.id) or asked.get(item.name) or _by_address(item, asked)) for item in items]


def _object(item: Item, task: Mapping[str, Any] | None) -> Obstacle:
    if task is None:
        return Obstacle(item.name or item.id, item.id)
    return Obstacle(
        item.name or item.id,
        item.id,
        cause=str(task.get("why") or ""),
        remedy=str(task.get("title") or ""),
        owner=str(task.get("who") or ""),
        task=str(task["taskId"]),
    )


def _by_address(item: Item, asked: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    upn = str(item.facts.get("upn") or "")
    return asked.get(upn) or asked.get(f"{item.name} ({upn})") or asked.get(f"{item.name} ({item.id})")


def _task(tasks: Sequence[Mapping[str, Any]], side: str) -> Mapping[str, Any] | None:
    """The task that matters now: Support's where Support is waited for, otherwise the other one."""
    by_support = [task for task in tasks if task.get("kind") == TaskKind.ASK_SUPPORT]
    others = [task for task in tasks if task.get("kind") != TaskKind.ASK_SUPPORT]
    first = by_support + others if side in (Side.SUPPORT, Side.UNCLEAR) else others + by_support
    return first[0] if first else None


def _by_hand(provider: str) -> tuple[str, str]:
    """Who is asked where the plan meant to do it by itself."""
    if provider == Provider.CSP:
        return PARTNER, "Ask the partner to end it."
    owner, remedy = _PLANNED.get(provider, _BY_HAND)
    return (owner, remedy) if owner not in (CLOSURE, NOBODY) else _BY_HAND


def _date(value: object) -> str | None:
    """A date that can be read, as it came; everything else is none."""
    found = dated(value)
    return None if found is None else found.isoformat()
