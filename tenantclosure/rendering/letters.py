"""What each message says, in plain words; mail and card only lay it out, so they say the same.

A message's data (tenantclosure/outbox/summary.py gathers it):

```text
{kind, closureId, tenantId, displayName, domain, initialDomain, reason, requester: {upn, name, claimed}, serial,
 digest, head, planned: {family: count}, gate: the gate's document | null, difference: {families: {family: {added,
 gone}}} | null, to: person | null, detail, tasks: [the open tasks' documents]}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tenantclosure.names import Gate, Notice
from tenantclosure.rendering.plain import clean, cleaned
from tenantclosure.rendering.report import HEADLINES, moment
from tenantclosure.rendering.wording import (
    ASKED,
    SAID,
    SIGNED_IN,
    SUBJECT,
    WHAT,
    days,
    family_name,
    irreversible,
    person,
    quorum,
)

_CAME_TO = {
    "approved": "Enough people agreed; the closure goes on.",
    "vetoed": "The closure ends. What the freeze changed is put back; nothing more is deleted.",
    "expired": "Not enough people agreed in time. Silence is a no: the closure ends, and nothing more is deleted.",
}
_COUNTED = {Gate.DELETE_TENANT: "What the plan removed", Gate.ROLLBACK: "What the plan brings back"}
_ROLLED_BACK = {
    "approved": "Enough people agreed; the rollback begins.",
    "vetoed": "Nobody is restored, and the closure ends.",
    "expired": "Not enough people agreed in time. Silence is a no: nobody is restored, and the closure ends.",
}
_SILENCE = "Silence is a no: if too few people agree by then, the closure ends and nothing more is deleted."


@dataclass(frozen=True)
class Letter:
    """One message. `title` holds our own words only; every other text may hold names from outside, made harmless."""

    subject: str
    title: str
    lead: list[str]
    facts: list[tuple[str, str]]
    counts: list[tuple[str, str]] = field(default_factory=list)
    counted: str = "What the plan removes"
    sections: list[tuple[str, list[str]]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    button: str = "Open the closure's page"
    reference: str = ""
    """closure|gate|serial|digest where the message asks for a decision: what a Teams workflow reads from a card."""


def letter(data: Mapping[str, Any], *, linked: bool, personal: bool, most: int = 300) -> Letter:
    """The message in words. `linked` says that a link goes with it, `personal` that it opens the addressee's own page;
    `most` bounds every text from outside.
    """
    view = cleaned(data, most)
    match data["kind"]:
        case Notice.DECIDED:
            return _decided(data, view, most)
        case Notice.UNDELIVERED:
            return _undelivered(view)
        case Notice.ENDED:
            return _ended(view)
        case Notice.TASK | Notice.TASK_REMIND:
            return _to_do(data, view, linked, most)
        case _:
            return _asking(view, linked, personal, most)


def _asking(view: dict[str, Any], linked: bool, personal: bool, most: int) -> Letter:
    gate = view["gate"]
    name = gate["gate"]
    title, opening, lead = {
        Notice.REMIND: ("Reminder: a decision is missing", "Reminder, approval needed", ""),
        Notice.ESCALATE: (
            "You are asked as a deputy" if personal else "Deputies are asked",
            "Approval needed from a deputy",
            view["detail"].get("why", ""),
        ),
    }.get(view["kind"], ("Your approval is needed" if personal else "Approval needed", "Approval needed", ""))
    facts = [
        ("What is asked", WHAT[name]),
        *_tenant(view),
        ("Asked by", _requester(view)),
        ("Reason", view["reason"]),
        *([("Asked", ", ".join(view["detail"]["asked"]))] if view["detail"].get("asked") else []),
        ("Answer by", moment(gate["answerBy"])),
        (
            "Use by",
            f"the work begins within {days(gate['executeByDays'])} of the approval, or the approval is withdrawn",
        ),
        ("Who has to agree", clean(quorum(gate["groups"], gate["distinct"]), 2 * most)),
        *_proof(view),
    ]
    sections = [("What can't be undone", irreversible(name, view["initialDomain"]))]
    changes = _changes(view["difference"])
    if changes:
        sections.insert(0, ("What is new since the plan before", changes))
    if gate.get("limits"):
        sections.insert(0, ("Limits this closure exceeds; more people have to agree", list(gate["limits"])))
    return Letter(
        subject=_subject(f"{opening}: {SUBJECT[name]}", view),
        title=title,
        lead=[*([lead] if lead else []), ASKED[name]],
        facts=facts,
        counts=_counts(view["planned"]),
        counted=_COUNTED.get(name, "What the plan removes"),
        sections=sections,
        steps=_steps(view, name, linked, personal),
        button="Look at the plan and decide",
        reference=f"{view['closureId']}|{name}|{gate['serial']}|{gate['digest']}",
    )


def _steps(view: dict[str, Any], name: str, linked: bool, personal: bool) -> list[str]:
    """How to decide, and what a click does not do."""
    closure = view["closureId"]
    if not linked:
        typed = " --domain NAME" if name == Gate.DELETE_TENANT else ""
        return [
            "This deployment has no web address, so you decide on the command line, signed in as yourself:",
            f"closure approve {closure} --gate {name} --digest {view['digest']}{typed}",
            f"closure veto {closure} --gate {name} --digest {view['digest']}",
            _SILENCE,
        ]
    told = ["The link only shows a page; opening it decides nothing. You decide there, with a button."]
    if personal:
        told.append("The link is yours alone and works until the answer-by date. Don't pass it on.")
    if name in SIGNED_IN or not personal:
        told.append("You have to sign in there as yourself.")
    if name == Gate.DELETE_TENANT:
        told.append("To approve you type the tenant's domain name.")
    return [*told, _SILENCE]


def _decided(data: Mapping[str, Any], view: dict[str, Any], most: int) -> Letter:
    gate, told = view["gate"], view["detail"]
    word = {"approved": "Approved", "vetoed": "Vetoed"}.get(told["state"], "Expired without enough approvals")
    more = len(data["detail"]["said"]) - len(told["said"])
    said = [
        f"{person(entry)} {SAID.get(entry['decision'], entry['decision'])} on {moment(entry['at'])}"
        + (f": “{entry['comment']}”" if entry["comment"] else "")
        for entry in told["said"]
    ] + ([f"{more} more"] if more else [])
    agree = clean(quorum(gate["groups"], gate["distinct"]), 2 * most)
    until = [("Use by", f"{moment(told['executeBy'])}, or the approval is withdrawn")] if told["executeBy"] else []
    return Letter(
        subject=_subject(f"{word}: {SUBJECT[gate['gate']]}", view),
        title=f"{word}: {WHAT[gate['gate']]}",
        lead=[
            (_ROLLED_BACK if gate["gate"] == Gate.ROLLBACK else _CAME_TO).get(told["state"], ""),
            "Earlier messages about this gate are settled with this one.",
        ],
        facts=[*_tenant(view), *until, ("Who had to agree", agree), *_proof(view)],
        sections=[("Who decided", said or ["Nobody answered."])],
    )


def _undelivered(view: dict[str, Any]) -> Letter:
    told = view["detail"]
    who = person(told["who"]) if told["who"] else "the Teams channel"
    lead = [f"A message that asks {who} to decide could not be delivered: {told['why']}."]
    if told["who"]:
        deputies = ", ".join(told["deputies"])
        lead.append(f"These deputies are asked as well: {deputies}." if deputies else "There is no deputy to ask.")
    way = "Reach them another way: after a sign-in the gate's page takes their decision."
    if not told["who"]:
        way = "Mails go out as before. Whoever runs this deployment can mend the channel's workflow."
    return Letter(
        subject=_subject("A message was not delivered: closing {}", view),
        title="A message was not delivered",
        lead=lead,
        facts=[
            ("What is asked", WHAT[view["gate"]["gate"]]),
            *_tenant(view),
            ("Answer by", moment(view["gate"]["answerBy"])),
        ],
        steps=[way, _SILENCE],
    )


def _ended(view: dict[str, Any]) -> Letter:
    headline = HEADLINES.get(view["detail"]["result"], "The closure has ended")
    return Letter(
        subject=_subject(headline + ": {}", view),
        title=headline,
        lead=["The report on the closure's page says what was removed, who decided, and what was left."],
        facts=[*_tenant(view), ("Result", view["detail"]["result"]), ("Asked by", _requester(view)), *_proof(view)],
    )


def _to_do(data: Mapping[str, Any], view: dict[str, Any], linked: bool, most: int) -> Letter:
    """Manual tasks: one with all its clicks, several in a list."""
    tasks, several = view["tasks"], len(data["tasks"]) > 1
    first = tasks[0]
    title = "To be done by hand"
    lead = ["No API can do this, so a person has to. It is looked at by us whether it is done; nobody has to say so."]
    if view["kind"] == Notice.TASK_REMIND:
        title = "Reminder: still to be done by hand"
        lead = ["The closure waits for this. What is done already shows by itself at our next look."]
    if view["detail"].get("escalated"):
        title = "Microsoft Support has to be asked"
        lead = ["It was reported done, or begun, four days ago and still can't be seen. A task to ask Support is open."]
    what = f"{len(data['tasks'])} tasks" if several else clean(first["title"], 50)
    facts = [] if several else _task_facts(first)
    sections = [("What to do", [_line(task) for task in tasks])]
    if len(data["tasks"]) > len(tasks):
        sections[0][1].append(f"{len(data['tasks']) - len(tasks)} more")
    if not several:
        # Every click counts, so no list is cut short here; the card's own limit shortens the lines.
        steps, items = ([clean(text, most) for text in data["tasks"][0].get(key) or ()] for key in ("steps", "items"))
        sections = [("Clicks, in this order", steps)]
        if items:
            sections.append(("What it is about", items[:10] + ([f"{len(items) - 10} more"] if len(items) > 10 else [])))
        if first.get("warning"):
            sections.append(("Mind", [clean(data["tasks"][0]["warning"], most)]))
    command = f"closure tasks {view['closureId']}"
    return Letter(
        subject=f"{title}: {what}, {_subject('closing {}', view)}",
        title=title,
        lead=lead,
        facts=[*facts, *_tenant(view)],
        sections=sections,
        steps=[] if linked else [f"On the command line, signed in as yourself: {command}"],
        button="Open the tasks" if several else "Open the task",
    )


def _task_facts(task: dict[str, Any]) -> list[tuple[str, str]]:
    said = task["reports"][-1] if task.get("reports") else None
    return [
        ("Task", task["title"]),
        ("Why", task.get("why", "")),
        ("Who", task.get("who", "")),
        *([("By", moment(task["deadline"]))] if task.get("deadline") else []),
        *([("How it is proven", task["probe"])] if task.get("probe") else []),
        *([("Reported done", f"{moment(said['at'])} by {person(said['by'])}; not seen yet")] if said else []),
    ]


def _line(task: dict[str, Any]) -> str:
    until = f"; by {moment(task['deadline'])}" if task.get("deadline") else ""
    return f"{task['title']} ({task.get('who', '')}){until}"


def _tenant(view: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Tenant", view["displayName"]),
        ("Domain", view["domain"]),
        ("Tenant id", view["tenantId"]),
        ("Closure", view["closureId"]),
    ]


def _proof(view: dict[str, Any]) -> list[tuple[str, str]]:
    plan = [(f"Plan {view['serial']}", f"SHA-256 {view['digest']}")] if view["digest"] else []
    return [*plan, ("Audit chain head", view["head"])]


def _requester(view: dict[str, Any]) -> str:
    who = view["requester"]
    return person(who) + (" (as the queued request claims)" if who["claimed"] else "")


def _subject(form: str, view: dict[str, Any]) -> str:
    """One line; `form` is ours and has {} where the tenant's name goes."""
    return form.replace("{}", f"{clean(view['displayName'], 60)} ({clean(view['domain'], 80)})")


def _counts(planned: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(family_name(family), f"{count:,}") for family, count in planned.items() if count]


def _changes(difference: Mapping[str, Any] | None) -> list[str]:
    families = difference["families"] if difference else {}
    return [
        f"{family_name(family)}: {change['added']:,} more, {change['gone']:,} fewer"
        for family, change in families.items()
        if change["added"] or change["gone"]
    ]
