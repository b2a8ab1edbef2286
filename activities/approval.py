"""What a gate has come to: judged again whenever somebody looks, written before it is told, asked until it is answered.

An approval is not a fact that stays: people take it back, and the policy file loses a person. So whoever is about to
write judges again (ADR 9), and an approval that no longer adds up opens its gate anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from activities.base import phase_status
from tenantclosure import outbox
from tenantclosure.errors import RailBroken, RecordConflict
from tenantclosure.names import Control, Decision, Gate, Notice, Rail, Status, Word
from tenantclosure.policy import asking, rails, window
from tenantclosure.policy.approvers import still_allowed, terms_of
from tenantclosure.policy.quorum import evaluate, groups_of, key_of
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

TRIES = 20
"""How often a gate is judged anew because somebody spoke meanwhile."""
LATE = "Not enough people have answered."


async def settle(parts: Parts, row: JSON, gate: str, serial: int) -> JSON:
    """The gate's document, once everything that is due at it has been done; its `state` is what the people's words say.

    An open gate is closed as soon as it is decided, and asks, reminds and escalates until then. An approved one whose
    decisions no longer add up is opened again; after a veto it is closed for good. Raises RailBroken when the gate
    never opened, is open over another plan, or asks on other terms than the closure's.
    """
    for _ in range(TRIES):
        found = await parts.ledger.tagged_gate(row["closureId"], gate, serial)
        if found is None:
            raise RailBroken(Rail.APPROVAL, f"The gate {gate} has not been approved for this plan.")
        doc, etag = found
        rails.check_terms(doc, terms_of(row, gate))
        if doc["digest"] != row["digest"]:
            if doc["state"] != "approved":
                raise RailBroken(Rail.APPROVAL, f"The gate {gate} is over another plan.")
            return doc  # the rails on plan and gate stop whoever relies on it
        said = [d for d in await parts.ledger.decisions(row["closureId"]) if (d["gate"], d["serial"]) == (gate, serial)]
        if len(said) < doc["said"]:
            # Counted after a word was kept, so more words than counts is a crash; fewer is somebody's hand.
            missing = f"Of {doc['said']} words said at the gate {gate} only {len(said)} are left."
            raise RailBroken(Rail.SEAL, missing)
        decisions = [d for d in said if d["digest"] == doc["digest"]]
        now, allowed = parts.clock.now(), still_allowed(doc, parts.policy)
        judged = evaluate(allowed, decisions, now)
        if doc["state"] in ("vetoed", "expired") or doc["state"] == judged.state == "approved":
            return await _finish(parts, row, doc)
        if doc["state"] == "approved":
            await parts.ledger.reopen_gate(row["closureId"], gate, serial, _why(doc, allowed, decisions))
        elif judged.state == "open":
            if not row["gate"] or _shows(row, doc):  # another gate that is waited at stays to be seen
                await show_gate(parts, row, doc)
            return await _keep_asking(parts, row, doc, decisions, judged.missing)
        else:
            approved = judged.state == "approved"
            hours = None if gate == Gate.ROLLBACK else parts.policy.window  # restoring is not deleting
            by = window.execute_by(doc["executeByDays"], hours, now) if approved else None
            try:
                approvals = list(judged.approvals)
                await parts.ledger.close_gate(row["closureId"], doc, etag, judged.state, approvals, by)
            except RecordConflict:
                continue  # somebody spoke meanwhile: what was judged is not what was said
    raise RecordConflict(f"{row['closureId']} {gate} {serial}: somebody speaks all the time.")


def seconds_left(row: JSON, doc: JSON, now: datetime) -> float:
    """Seconds until something is due at an open gate: a reminder, its deputies, its answer-by date."""
    left = (datetime.fromisoformat(doc["answerBy"]) - now).total_seconds()
    _, _, ahead = asking.due(doc, terms_of(row, doc["gate"]), now, row["daySeconds"])
    return max(left if ahead is None else min(left, ahead), 0.0) + 1.0


async def show_gate(parts: Parts, row: JSON, doc: JSON, instance: str | None = None) -> None:
    """Show an open gate on the row with the durable instance that waits for it; a pause stays to be seen."""
    shown = row["gate"]
    waiting = instance or (shown["instance"] if _shows(row, doc) else "") or row["instanceId"]
    told = {
        "name": doc["gate"],
        "serial": doc["serial"],
        "digest": doc["digest"],
        "answerBy": doc["answerBy"],
        "executeBy": doc["executeBy"],
        "instance": waiting,
    }
    status = Status.PAUSED if row["control"] == Control.PAUSE else Status.WAITING_APPROVAL
    if (shown, row["status"]) != (told, status):
        await parts.ledger.change(row["closureId"], lambda row: row.update(gate=told, status=status))


async def _finish(parts: Parts, row: JSON, doc: JSON) -> JSON:
    """Tell the audit and people what the gate came to and take it off the row; after a crash in between again."""
    if not doc["told"]:
        told = {name: doc[name] for name in ("gate", "serial", "state", "approvals")}
        await parts.ledger.audit(row["closureId"], Word.GATE_CLOSED, None, told)
        await outbox.tell_decided(parts, row, doc)
        doc = await _note(parts, row, doc, told=True)

    def edit(row: JSON) -> None:
        if _shows(row, doc):
            paused = row["control"] == Control.PAUSE
            row.update(gate=None, status=Status.PAUSED if paused else phase_status(row["phase"], decided=True))

    if _shows(row, doc):
        await parts.ledger.change(row["closureId"], edit)
    return doc


async def _keep_asking(parts: Parts, row: JSON, doc: JSON, decisions: list[JSON], missing: Iterable[str]) -> JSON:
    """Ask everybody once in each round, remind those who are silent, then let the deputies decide as well.

    What was sent is noted after it was sent; notices are idempotent, so a crash in between doubles nothing.
    """
    if doc["asked"] <= (rounds := len(doc["reopened"])):
        await outbox.ask(parts, row, doc, Notice.ASK, _people(doc))
        doc = await _note(parts, row, doc, asked=rounds + 1)
    due, late, _ = asking.due(doc, terms_of(row, doc["gate"]), parts.clock.now(), row["daySeconds"])
    if due > doc["reminders"]:
        if silent := _silent(doc, decisions):
            told = {"gate": doc["gate"], "serial": doc["serial"], "reminder": due, "people": [p["upn"] for p in silent]}
            await parts.ledger.audit(row["closureId"], Word.GATE_REMINDED, None, told)
            await outbox.ask(parts, row, doc, Notice.REMIND, silent, due)
        doc = await _note(parts, row, doc, reminders=due)
    if late and (groups := _escalated(doc, missing)):
        doc = await _note(parts, row, doc, escalating=groups)
    if doc["escalating"]:
        doc = await outbox.escalate(parts, row, doc, doc["escalating"], LATE)
        doc = await _note(parts, row, doc, escalating=[])
    return doc


async def _note(parts: Parts, row: JSON, doc: JSON, **more: object) -> JSON:
    return await parts.ledger.change_gate(row["closureId"], doc["gate"], doc["serial"], lambda doc: doc.update(more))


def _escalated(doc: JSON, missing: Iterable[str]) -> list[str]:
    """Groups with deputies to be asked: those that lack somebody, or all when only different people are lacking."""
    lacking = [name for name in missing if name in doc["groups"]] or doc["groups"]
    groups = {name: doc["groups"][name] for name in lacking}
    return [name for name, group in groups.items() if any(one not in group["people"] for one in group["deputies"])]


def _people(doc: JSON) -> list[JSON]:
    """Everybody of the gate who may decide, once each."""
    found: dict[str, JSON] = {}
    for group in doc["groups"].values():
        for person in group["people"]:
            if key_of(person) not in doc["excluded"]:
                found.setdefault(key_of(person) if person["objectId"] else person["upn"].lower(), person)
    return list(found.values())


def _silent(doc: JSON, decisions: list[JSON]) -> list[JSON]:
    """Who has not approved, and has said nothing else since people were asked last."""
    since = datetime.fromisoformat(doc["reopened"][-1]["at"] if doc["reopened"] else doc["openedAt"])
    silent = []
    for person in _people(doc):
        alone = {"excluded": [], "groups": {"": {"people": [person]}}}
        words = [d for d in decisions if groups_of(alone, d["person"])]
        answered = words and (
            words[-1]["decision"] == Decision.APPROVE or datetime.fromisoformat(words[-1]["at"]) > since
        )
        if not answered:
            silent.append(person)
    return silent


def _why(doc: JSON, allowed: JSON, decisions: list[JSON]) -> str:
    """Why an approval fell away, in one sentence."""
    last = {key_of(d["person"]): d for d in decisions}
    for decision in last.values():
        upn = decision["person"]["upn"]
        if groups_of(doc, decision["person"]) and decision["decision"] != Decision.APPROVE:
            return f"{upn} {'vetoed' if decision['decision'] == Decision.VETO else 'took the approval back'}."
        if groups_of(doc, decision["person"]) and not groups_of(allowed, decision["person"]):
            return f"{upn} is no longer among the approvers of the policy."
    return "The decisions no longer add up to an approval."


def _shows(row: JSON, doc: JSON) -> bool:
    """Whether the row shows this gate."""
    return bool(row["gate"]) and (row["gate"]["name"], row["gate"]["serial"]) == (doc["gate"], doc["serial"])
