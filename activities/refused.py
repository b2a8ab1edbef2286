"""What refused to go: a task for each cause that a person has to clear, another try once the cause is gone.

Every look compares the evidence with a fresh listing. What is no longer there is done, whoever removed it; what is
there is asked about, and tried again at most once a day. What had gone and is there again is never deleted twice.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from activities.base import Order, activity
from activities.compare import Found, compared
from activities.guard import Clearance, cleared, read_shard
from activities.journal import AGAIN, Journal
from activities.kept import kept_lines, tell
from activities.shards import note_shard
from activities.tasks import Look, assign, settle
from activities.waves import reviewed_mark
from tenantclosure import names
from tenantclosure.errors import RailBroken
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family, Outcome, Rail
from tenantclosure.policy import refusals
from tenantclosure.policy.manual_tasks import SHOWN, manual_task
from tenantclosure.policy.outcomes import unanswered
from tenantclosure.policy.refusals import HARMLESS, Cause, Stuck
from tenantclosure.ports import JSON
from tenantclosure.scratch import Ids
from tenantclosure.wiring import Parts

NOT_LISTED = "somebody else removed it: a fresh look no longer finds it"
LOST = "no try was answered for good, and a fresh look no longer finds it"


@activity
async def review_refused(parts: Parts, order: Order) -> Order:
    """{again, first, last, waiting}: how many items are to be tried again and in which shards, and how many items wait
    for a person. Repeated, it finds what it reopened before and asks nobody twice.

    Shards are looked at twice, one at a time: only all of them say whose turn it is.
    """
    clearance = await cleared(parts, order, writes=False)
    async with compared(parts, clearance, order["family"], items=True) as found:
        with Ids() as states:
            review = _Review(parts, order, clearance, found, states)
            await review.look()
            await review.keep()
        await review.ask()
        await tell(parts, order["closureId"], order["family"], found.staying.values())
        return {**review.range(), "waiting": review.waiting}


async def harmless(parts: Parts, closure: str, serial: int) -> frozenset[str]:
    """Enterprise applications that refused to go and do not stand in the way of the tenant's deletion, by object id."""
    mark = await parts.ledger.mark(closure, reviewed_mark(Family.SERVICE_PRINCIPALS), serial)
    return frozenset((mark or {}).get("harmless", ()))


@dataclass(slots=True)
class _Shard:
    """A shard with something in it that has not gone, or that has only gone now; `reopen` is tried again."""

    number: int
    items: dict[str, Item]
    listed: dict[str, Item]
    journal: Journal
    lines: list[JSON] = field(default_factory=list)
    stuck: dict[str, Stuck] = field(default_factory=dict)
    causes: dict[str, Cause] = field(default_factory=dict)
    reopen: set[str] = field(default_factory=set)

    def left(self) -> int:
        """How many are to be sent (again)."""
        return sum(not self.journal.settled(id_) for id_ in self.items)

    def oldest(self) -> str:
        """When the longest waiting of the items to be tried again was tried last."""
        return min((self.stuck[id_].at or "" for id_ in self.reopen), default="")


@dataclass(slots=True)
class _Known:
    """What is kept of each such shard: its note, how many are to be sent, and which are due since when."""

    noted: JSON
    left: int
    due: bool
    oldest: str


@dataclass(slots=True)
class _Some:
    """How many there are, and as many of them as a task can tell of."""

    count: int = 0
    first: list[Stuck] = field(default_factory=list)

    def take(self, one: Stuck, most: int | None) -> None:
        """Count one more."""
        self.count += 1
        if most is None or len(self.first) < most:
            self.first.append(one)


@dataclass(slots=True)
class _Asked:
    """Items with one cause: all of them, and those that are not tried again first."""

    every: _Some = field(default_factory=_Some)
    waiting: _Some = field(default_factory=_Some)


class _Review:
    """One look at one family; `states` takes what was looked up by itself, so that nothing is looked up twice."""

    def __init__(self, parts: Parts, order: Order, clearance: Clearance, found: Found, states: Ids) -> None:
        self.parts, self.order, self.clearance, self.found, self.states = parts, order, clearance, found, states
        self.closure, self.serial, self.family = order["closureId"], order["serial"], order["family"]
        self.entry, self.now = clearance.manifest["families"][self.family], parts.clock.now()
        self.shards: dict[int, _Known] = {}
        self.holders: Mapping[str, tuple[str, ...]] = {}
        self.reports: dict[str, str] = {}
        self.roles: list[str] = []
        self.grown: str | None = None
        self.asked: dict[Cause, _Asked] = defaultdict(_Asked)
        self.returned = self.waiting = 0
        self.harmless: list[str] = []

    # -- what is there ------------------------------------------------------------------------------------------------
    async def look(self) -> None:
        """Compare plan, evidence and the fresh listing, that of the retry wave as well; nothing is written yet."""
        mark = await self.parts.ledger.mark(self.closure, reviewed_mark(self.family), self.serial) or {}
        if self.family == Family.USERS:
            self.holders = await self.clearance.directory.role_holders()
        self.roles = list(self.holders.get(self.clearance.spared.own_service_principal or "", ()))
        more = set(self.roles) - set(mark.get("roles", self.roles))
        self.grown = iso(self.now) if more else mark.get("grown")
        tasks = await self.parts.ledger.tasks(self.closure)
        self.reports = {task["taskId"]: str(task["reports"][-1]["at"]) for task in tasks if task["reports"]}
        noted = {
            shard: doc
            async for _, family, operation, shard, doc in self.parts.ledger.shards(self.closure, self.serial)
            if (family, operation) == (self.family, "delete")
        }
        for number in range(len(self.entry["shards"])):
            doc = noted.get(number)
            refused = doc is not None and (not doc.get("done") or any(doc.get(outcome) for outcome in AGAIN))
            if refused or self.found.listed[number]:
                shard = await self._read(number)
                self.shards[number] = _Known(doc or {}, shard.left(), bool(shard.reopen), shard.oldest())

    async def _read(self, number: int) -> _Shard:
        """A shard as plan, evidence and listing show it, with each cause and what is due again."""
        items = {item.id: item for item in await read_shard(self.parts, self.clearance, self.family, number)}
        path = names.evidence_path(self.closure, self.serial, self.family, "delete", number)
        journal = await Journal(self.parts.records, path).read()
        if not journal.outcomes.keys() <= items.keys():
            raise RailBroken(Rail.SHARD_HASH, f"The evidence of shard {number} names an item that is not in it.")
        notes = self.found.plan.notes(items)
        shard = _Shard(number, items, {id_: Item.from_dict(json.loads(note)) for id_, note in notes.items()}, journal)
        await self._sort_out(shard)
        self._judge(shard)
        return shard

    async def _sort_out(self, shard: _Shard) -> None:
        """Listings lag, so what contradicts the evidence is read once more by itself."""
        journal, listed = shard.journal, shard.listed
        there = {**journal.refusals, **journal.kept}
        gone = [id_ for id_ in there if id_ not in listed]
        back = [id_ for id_ in journal.outcomes if id_ not in there and id_ in listed]
        states = await self._states([*gone, *back])
        for id_ in (*there, *back):
            if id_ in states and states[id_] != "present":
                if id_ in there:
                    shard.lines.append(self._gone(id_, journal))
                continue
            line = there.get(id_, {})
            shard.stuck[id_] = Stuck(
                item=listed.get(id_, shard.items[id_]),
                planned=shard.items[id_],
                outcome=journal.outcomes[id_],
                status=int(line.get("status", 0)),
                code=str(line.get("code", "")),
                reason=str(line.get("reason", "")),
                at=line.get("at"),
                was=journal.causes.get(id_),
                again=id_ in journal.reopened,
                stays=id_ in self.found.staying,
            )
        staying = self.found.staying
        here = {id_: staying[id_] for id_ in shard.items if id_ in staying and id_ not in states}
        shard.lines += kept_lines(journal, here, iso(self.now))

    async def _states(self, ids: list[str]) -> dict[str, str]:
        fresh = self.states.add(ids)
        for start in range(0, len(fresh), 20):
            found = await self.clearance.directory.states_of(self.family, fresh[start : start + 20])
            self.states.note(found.items())
        return self.states.notes(ids)

    def _gone(self, id_: str, journal: Journal) -> JSON:
        """Ours only if one of our tries may have worked after all."""
        ours = id_ in journal.in_doubt or (journal.outcomes[id_] == Outcome.FAILED and id_ in journal.unsure)
        outcome, why = (Outcome.REMOVED, LOST) if ours else (Outcome.ABSENT, NOT_LISTED)
        return unanswered(id_, outcome, why, iso(self.now))

    # -- what is tried again ------------------------------------------------------------------------------------------
    def _judge(self, shard: _Shard) -> None:
        """Name each cause and what is due."""
        for id_, one in shard.stuck.items():
            cause = shard.causes[id_] = refusals.cause_of(self.family, one, self.holders)
            before = one.was or refusals.cause_of(self.family, one, self.holders, one.planned)
            asked = [names.task_id(kind, target) for kind, target, *_ in refusals.asks(self.family, cause, [one])]
            news = max(filter(None, (self.grown, *(self.reports.get(task) for task in asked))), default=None)
            if refusals.again(one, cause, before, news, self.now, self.order["daySeconds"]):
                shard.reopen.add(id_)

    async def keep(self) -> None:
        """Reopen what is due; that and each cause are in the evidence before anything relies on them."""
        turn = self._turn()
        for number, known in self.shards.items():
            shard = await self._read(number)
            later = set() if number in turn else shard.reopen
            shard.reopen = shard.reopen - later
            await self._write(shard, known, later)
            known.left, known.due, known.oldest = shard.left(), bool(shard.reopen), shard.oldest()
            self._count(shard)
        told = {"returned": self.returned, "harmless": self.harmless, "roles": self.roles, "grown": self.grown}
        await self.parts.ledger.set_mark(self.closure, reviewed_mark(self.family), self.serial, told)

    def _count(self, shard: _Shard) -> None:
        for id_, cause in shard.causes.items():
            self.returned += cause == Cause.RETURNED
            if cause in HARMLESS:
                self.harmless.append(id_)
            asked, most = self.asked[cause], None if refusals.one_each(self.family, cause) else SHOWN
            asked.every.take(shard.stuck[id_], most)
            if id_ not in shard.reopen:
                asked.waiting.take(shard.stuck[id_], most)
                self.waiting += cause not in HARMLESS

    def _turn(self) -> frozenset[int]:
        """Shards that may be worked now: privileged ones never beside ordinary ones, who has waited longer first."""
        groups: tuple[dict[int, _Known], dict[int, _Known]] = ({}, {})
        for number, known in self.shards.items():
            groups[number >= self.entry["privilegedFrom"]][number] = known
        for group in groups:
            if any(known.left for known in group.values()):
                return frozenset(group)
        due = [{number: known for number, known in group.items() if known.due} for group in groups]
        first = min(filter(None, due), key=lambda group: min(known.oldest for known in group.values()), default={})
        return frozenset(first)

    async def _write(self, shard: _Shard, known: _Known, later: set[str]) -> None:
        """Write what was found in one append, and the shard's counts after it; `later` is due, but not its turn."""
        at = iso(self.now)
        changed: dict[str, list[str]] = defaultdict(list)
        for id_, cause in shard.causes.items():
            if id_ not in later and shard.journal.causes.get(id_) != cause:
                changed[cause].append(id_)
        lines = [*shard.lines]
        lines += [{"t": "cause", "cause": str(cause), "ids": ids, "at": at} for cause, ids in changed.items()]
        fresh = [id_ for id_ in shard.items if id_ in shard.reopen and id_ not in shard.journal.reopened]
        if fresh:
            lines.append({"t": "retry", "ids": fresh, "at": at})
        await shard.journal.answered(lines)
        done = not shard.left()
        stale = done and known.noted.get("sha256") != shard.journal.sha256()
        if stale or known.noted.get("done", False) != done:
            await note_shard(self.parts, self.order, shard.number, shard.journal, done=done)

    # -- what a person has to do --------------------------------------------------------------------------------------
    async def ask(self) -> None:
        """Open or refresh a task for each cause; prove those whose cause is gone."""
        known = {
            task["taskId"]: task
            for task in await self.parts.ledger.tasks(self.closure)
            if task["state"] == "open" and task.get("family") == self.family
        }
        named = set()
        for cause, asked in self.asked.items():
            waiting = {one.item.id for one in asked.waiting.first}
            for kind, target, _, about in refusals.asks(self.family, cause, asked.every.first):
                task_id = names.task_id(kind, target)
                named.add(task_id)
                # Nobody is asked about what is tried again first; who was asked already keeps the whole list.
                if refusals.one_each(self.family, cause):
                    if task_id in known or about[0].item.id in waiting:
                        await self._assign(cause, _Some(1, about))
                elif task_id in known or waiting:
                    await self._assign(cause, asked.every if task_id in known else asked.waiting)
        for task_id in known.keys() - named:
            await self._prove(known[task_id])

    async def _assign(self, cause: Cause, some: _Some) -> None:
        ((kind, target, name, about),) = refusals.asks(self.family, cause, some.first, some.count)
        row = self.clearance.row
        why = refusals.why(cause, about)
        task = manual_task(
            kind,
            target,
            name,
            row=row,
            portals=self.parts.portals(),
            instance=self.order["instance"],
            why=why,
            items=[refusals.label(one.item) for one in about],
        )
        await assign(self.parts, row, {**task, "family": self.family})
        tried = max((one.at for one in about if one.at), default="")
        seen = f"{name} still there" + (f"; last tried at {tried}: {refusals.said_of(about)}" if tried else f": {why}")
        await self._settle(kind, target, name, Look(seen=seen))

    async def _prove(self, task: JSON) -> None:
        proof = f"a fresh look at {iso(self.now)} shows nothing of it any more"
        await self._settle(task["kind"], task["target"], task["name"], Look(proof=proof))

    async def _settle(self, kind: str, target: str, name: str, look: Look) -> None:
        asked = {**self.order, "kind": kind, "target": target, "name": name}
        # The look after this one comes within a day; that is when it is tried again as well.
        seconds = max(self.order["daySeconds"], self.order["leastPoll"])
        await settle(self.parts, self.clearance.row, asked, look, seconds)

    # -- what it comes to ---------------------------------------------------------------------------------------------
    def range(self) -> JSON:
        """How many items are to be tried again, in which shards."""
        left = {number: self.shards[number].left for number in self._turn()}
        numbers = [number for number, count in left.items() if count]
        first, last = (min(numbers), max(numbers) + 1) if numbers else (0, 0)
        return {"again": sum(left.values()), "first": first, "last": last}
