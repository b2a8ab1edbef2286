"""What refused to go: a task for each cause that a person has to clear, another try once the cause is gone.

Every look compares the evidence with a fresh listing. What is no longer there is done, whoever removed it; what is
there is asked about, and tried again at most once a day. What had gone and is there again is never deleted twice.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from activities.base import Order, activity, clear_blocker
from activities.guard import Clearance, cleared, read_shard
from activities.journal import AGAIN, Journal
from activities.kept import kept_lines, tell
from activities.shards import note_shard
from activities.tasks import Look, assign, settle
from activities.waves import halt_if_grown, reviewed_mark, spared_ids, tokens
from tenantclosure import names
from tenantclosure.errors import RailBroken
from tenantclosure.ledger import iso
from tenantclosure.model.inventory import Item
from tenantclosure.names import Family, Outcome, Rail
from tenantclosure.policy import drift, refusals
from tenantclosure.policy.drift import Staying, staying
from tenantclosure.policy.manual_tasks import manual_task
from tenantclosure.policy.outcomes import unanswered
from tenantclosure.policy.refusals import HARMLESS, Cause, Stuck
from tenantclosure.ports import JSON
from tenantclosure.wiring import Parts

NOT_LISTED = "somebody else removed it: a fresh look no longer finds it"
LOST = "no try was answered for good, and a fresh look no longer finds it"


@activity
async def review_refused(parts: Parts, order: Order) -> Order:
    """{again, first, last, tokens, waiting}: how many items are to be tried again and in which shards, the quota that
    is left, and how many items wait for a person. Repeated, it finds what it reopened before and asks nobody twice.
    """
    clearance = await cleared(parts, order, writes=False)
    review = _Review(parts, order, clearance, parts.clock.now())
    await review.look()
    await review.decide()
    await review.ask()
    await tell(parts, order["closureId"], order["family"], review.staying.values())
    return {**review.range(), "tokens": await tokens(parts, order["closureId"]), "waiting": review.waiting()}


async def harmless(parts: Parts, closure: str, serial: int) -> frozenset[str]:
    """Enterprise applications that refused to go and do not stand in the way of the tenant's deletion, by object id."""
    mark = await parts.ledger.mark(closure, reviewed_mark(Family.SERVICE_PRINCIPALS), serial)
    return frozenset((mark or {}).get("harmless", ()))


@dataclass(slots=True)
class _Shard:
    """A shard with something in it that has not gone, or that has only gone now; `reopen` is tried again."""

    number: int
    items: dict[str, Item]
    journal: Journal
    noted: JSON
    lines: list[JSON] = field(default_factory=list)
    stuck: dict[str, Stuck] = field(default_factory=dict)
    causes: dict[str, Cause] = field(default_factory=dict)
    reopen: set[str] = field(default_factory=set)

    def left(self) -> list[str]:
        """Ids that are to be sent (again)."""
        return [id_ for id_ in self.items if not self.journal.settled(id_)]

    def oldest(self) -> str:
        """When the longest waiting of the items to be tried again was tried last."""
        return min(self.stuck[id_].at or "" for id_ in self.reopen)


class _Review:
    """One look at one family."""

    def __init__(self, parts: Parts, order: Order, clearance: Clearance, now: datetime) -> None:
        self.parts, self.order, self.clearance, self.now = parts, order, clearance, now
        self.closure, self.serial, self.family = order["closureId"], order["serial"], order["family"]
        self.entry = clearance.manifest["families"][self.family]
        self.shards: list[_Shard] = []
        self.staying: dict[str, Staying] = {}

    # -- what is there ------------------------------------------------------------------------------------------------
    async def look(self) -> None:
        """Compare plan, evidence and a fresh listing: that of the retry wave as well. Halts with `drift` when there is
        something nobody approved.
        """
        listed: dict[str, Item] = {}
        async for page in self.clearance.directory.pages(self.family):
            listed.update({item.id: item for item in page})
        await clear_blocker(self.parts, self.closure, "listing")
        noted = {
            shard: doc
            async for _, family, operation, shard, doc in self.parts.ledger.shards(self.closure, self.serial)
            if (family, operation) == (self.family, "delete")
        }
        planned: set[str] = set()
        concerned: list[tuple[int, dict[str, Item]]] = []
        for shard in range(len(self.entry["shards"])):
            items = {item.id: item for item in await read_shard(self.parts, self.clearance, self.family, shard)}
            planned |= items.keys()
            doc = noted.get(shard)
            refused = doc is not None and (not doc.get("done") or any(doc.get(outcome) for outcome in AGAIN))
            if refused or items.keys() & listed.keys():
                concerned.append((shard, items))
        known = spared_ids(self.clearance)
        halt_if_grown(self.family, drift.compare(frozenset(planned), known, listed))
        self.staying = staying(self.clearance.spared, self.family, known, listed.values())
        for shard, items in concerned:
            path = names.evidence_path(self.closure, self.serial, self.family, "delete", shard)
            journal = await Journal(self.parts.records, path).read()
            if not journal.outcomes.keys() <= items.keys():
                raise RailBroken(Rail.SHARD_HASH, f"The evidence of shard {shard} names an item that is not in it.")
            found = _Shard(shard, items, journal, noted.get(shard, {}))
            await self._sort_out(found, listed)
            self.shards.append(found)

    async def _sort_out(self, shard: _Shard, listed: dict[str, Item]) -> None:
        """Listings lag, so what contradicts the evidence is read once more by itself."""
        journal = shard.journal
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
                stays=id_ in self.staying,
            )
        here = {id_: self.staying[id_] for id_ in shard.items if id_ in self.staying and id_ not in states}
        shard.lines += kept_lines(journal, here, iso(self.now))

    async def _states(self, ids: list[str]) -> dict[str, str]:
        states: dict[str, str] = {}
        for start in range(0, len(ids), 20):
            states |= await self.clearance.directory.states_of(self.family, ids[start : start + 20])
        return states

    def _gone(self, id_: str, journal: Journal) -> JSON:
        """Ours only if one of our tries may have worked after all."""
        ours = id_ in journal.in_doubt or (journal.outcomes[id_] == Outcome.FAILED and id_ in journal.unsure)
        outcome, why = (Outcome.REMOVED, LOST) if ours else (Outcome.ABSENT, NOT_LISTED)
        return unanswered(id_, outcome, why, iso(self.now))

    # -- what is tried again ------------------------------------------------------------------------------------------
    async def decide(self) -> None:
        """Name each cause and reopen what is due; both are in the evidence before anything relies on them."""
        mark = await self.parts.ledger.mark(self.closure, reviewed_mark(self.family), self.serial) or {}
        holders = await self.clearance.directory.role_holders() if self.family == Family.USERS else {}
        roles = list(holders.get(self.clearance.spared.own_service_principal or "", ()))
        grown = iso(self.now) if set(roles) - set(mark.get("roles", roles)) else mark.get("grown")
        tasks = await self.parts.ledger.tasks(self.closure)
        reports = {task["taskId"]: str(task["reports"][-1]["at"]) for task in tasks if task["reports"]}
        for shard in self.shards:
            for id_, one in shard.stuck.items():
                cause = shard.causes[id_] = refusals.cause_of(self.family, one, holders)
                before = one.was or refusals.cause_of(self.family, one, holders, one.planned)
                asked = [names.task_id(kind, target) for kind, target, *_ in refusals.asks(self.family, cause, [one])]
                news = max(filter(None, (grown, *(reports.get(task) for task in asked))), default=None)
                if refusals.again(one, cause, before, news, self.now, self.order["daySeconds"]):
                    shard.reopen.add(id_)
        turn = self._turn()
        for shard in self.shards:
            later = set() if shard.number in turn else shard.reopen
            shard.reopen = shard.reopen - later
            await self._keep(shard, later)
        causes = [pair for shard in self.shards for pair in shard.causes.items()]
        told = {
            "returned": sum(cause == Cause.RETURNED for _, cause in causes),
            "harmless": [id_ for id_, cause in causes if cause in HARMLESS],
            "roles": roles,
            "grown": grown,
        }
        await self.parts.ledger.set_mark(self.closure, reviewed_mark(self.family), self.serial, told)

    def _turn(self) -> frozenset[int]:
        """Shards that may be worked now: privileged ones never beside ordinary ones, who has waited longer first."""
        groups: tuple[list[_Shard], list[_Shard]] = ([], [])
        for shard in self.shards:
            groups[shard.number >= self.entry["privilegedFrom"]].append(shard)
        for group in groups:
            if any(shard.left() for shard in group):
                return frozenset(shard.number for shard in group)
        waiting = [[shard for shard in group if shard.reopen] for group in groups]
        first = min((group for group in waiting if group), key=lambda group: min(s.oldest() for s in group), default=[])
        return frozenset(shard.number for shard in first)

    async def _keep(self, shard: _Shard, later: set[str]) -> None:
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
        stale = done and shard.noted.get("sha256") != shard.journal.sha256()
        if stale or shard.noted.get("done", False) != done:
            await note_shard(self.parts, self.order, shard.number, shard.journal, done=done)

    # -- what a person has to do --------------------------------------------------------------------------------------
    async def ask(self) -> None:
        """Open or refresh a task for each cause; prove those whose cause is gone."""
        found: dict[Cause, list[Stuck]] = defaultdict(list)
        trying = set()
        for shard in self.shards:
            for id_, cause in shard.causes.items():
                found[cause].append(shard.stuck[id_])
            trying |= shard.reopen
        known = {
            task["taskId"]: task
            for task in await self.parts.ledger.tasks(self.closure)
            if task["state"] == "open" and task.get("family") == self.family
        }
        named = set()
        for cause, stuck in found.items():
            for kind, target, _, about in refusals.asks(self.family, cause, stuck):
                task_id = names.task_id(kind, target)
                named.add(task_id)
                # Nobody is asked about what is tried again first; who was asked already keeps the whole list.
                shown = about if task_id in known else [one for one in about if one.item.id not in trying]
                if shown:
                    await self._assign(cause, shown)
        for task_id in known.keys() - named:
            await self._prove(known[task_id])

    async def _assign(self, cause: Cause, stuck: list[Stuck]) -> None:
        ((kind, target, name, about),) = refusals.asks(self.family, cause, stuck)
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
        turn = self._turn()
        left = {shard.number: len(shard.left()) for shard in self.shards if shard.number in turn}
        numbers = [number for number, count in left.items() if count]
        first, last = (min(numbers), max(numbers) + 1) if numbers else (0, 0)
        return {"again": sum(left.values()), "first": first, "last": last}

    def waiting(self) -> int:
        """Items that wait for a person."""
        return sum(
            cause not in HARMLESS and id_ not in shard.reopen
            for shard in self.shards
            for id_, cause in shard.causes.items()
        )
