"""No sequence of words, clocks, plans, policies and crashes lets a write through without a valid quorum over this plan.

Hypothesis plays people and time against the real activities; an oracle written by itself says after each step whether
the people's words make a quorum. It tries every way to seat those who agreed, where the policy looks for a matching.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import activities
from tenantclosure import wiring
from tenantclosure.model.people import Person
from tests.activities.policies import PEOPLE, policy
from tests.activities.rig import ANN, BOB, CYD, DEE, EVE, OLGA, Rig
from tests.fakes.dying_records import Crash, DyingRecords
from tests.fakes.tenant import HOME, TARGET, FakeDirectory, user

KNOWN = {person.upn: person for person in (ANN, BOB, CYD, DEE, EVE)}
OTHERS = {
    "olga": OLGA,
    "olga as cyd": Person(HOME, OLGA.object_id, CYD.upn),
    "ann elsewhere": Person(TARGET, ANN.object_id, ANN.upn),
    "cyd's namesake": Person(HOME, "cyd-2", CYD.upn),
    "stranger": Person(HOME, "zoe", "zoe@fabrikam.com"),
}
CROWDS: dict[str, list[Person]] = {
    "nobody": [],
    "everybody": list(KNOWN.values()),
    "no board": [ANN, BOB, CYD],
    "an owner's namesakes": [ANN, BOB, DEE, OTHERS["olga as cyd"], OTHERS["cyd's namesake"]],
    "it elsewhere": [CYD, DEE, EVE, OTHERS["ann elsewhere"], OTHERS["stranger"]],
}
"""Who approves as soon as a gate has opened."""
LIMIT = 6
"""Items above which the board has to agree as well."""
STEPS = (activities.open_gate, activities.check_control, activities.freeze_sign_ups, activities.turn_off_sync)
"""What may come at any time; a gate is judged only once it has opened."""


class GateMachine(RuleBasedStateMachine):
    """One closure at its gate `plan`, as often as the tenant grows."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.rig = Rig(directory=FakeDirectory(users=4))
        self.rig.directory.sync = True
        self.said: list[tuple[Person, str, int, str, datetime]] = []
        self.removed: frozenset[str] = frozenset()
        self.users, self.quorum, self.distinct = 4, 1, 2
        self.operators: list[str] = []
        self.opened_at: dict[int, datetime] = {}

    def policy(self, removed: frozenset[str] = frozenset()) -> Any:
        groups = {
            name: [upn for upn in people if upn not in removed] or ["nobody@x.com"] for name, people in PEOPLE.items()
        }
        limits = [{"over": {"objects": LIMIT}, "groups": {"board": 1}}]
        return policy(
            groups=groups, deputies={"owner": [EVE.upn]}, limits=limits, gates={"plan": {"distinct": self.distinct}}
        )

    def run[T](self, work: Awaitable[T]) -> T:
        async def await_it() -> T:
            return await work

        return self.loop.run(await_it())

    def teardown(self) -> None:
        self.loop.close()
        wiring.use(None)

    @initialize(
        quorum=st.integers(1, 2),
        distinct=st.integers(2, 3),
        operators=st.sampled_from([[], [], [ANN.key], [DEE.key]]),
        crowd=st.sampled_from(sorted(CROWDS)),
        large=st.booleans(),
    )
    def file(self, quorum: int, distinct: int, operators: list[str], crowd: str, large: bool) -> None:
        self.quorum, self.distinct, self.operators = quorum, distinct, operators
        if large:
            self.grow()
        self.rig.policy = self.policy()
        self.rig.process()
        approvers = [
            {"group": "it", "quorum": quorum, "people": [ANN.upn, BOB.upn]},
            {"group": "owner", "quorum": 1, "people": [CYD.upn]},
        ]
        self.run(self.rig.planned(approvers=approvers))
        self.run(self.rig.ledger.change(self.rig.closure, lambda row: row.update(operators=operators)))
        self.asks(crowd)

    def asks(self, crowd: str) -> None:
        """Open the gate; a crowd approves at once, and the story tries to go on."""
        self.look(activities.open_gate)
        if self.gate() is not None:
            self.people_say(CROWDS[crowd])

    # -- what the story does ------------------------------------------------------------------------------------------
    @precondition(lambda self: self.gate() is not None)
    @rule()
    def judge(self) -> None:
        before = self.gate()
        could = before["state"] == "open" and self.now() <= datetime.fromisoformat(before["answerBy"])
        due = could and self.quorate()
        state = self.look(activities.judge_gate)["state"]
        assert not due or state == "approved", "a valid quorum opens the gate"

    @rule(step=st.sampled_from(STEPS))
    def goes_on(self, step: Any) -> None:
        self.look(step, held="revoked")

    @rule(
        step=st.sampled_from(STEPS),
        at=st.integers(1, 9),
        landed=st.booleans(),
    )
    def crash(self, step: Any, at: int, landed: bool) -> None:
        self.rig.process(DyingRecords(self.rig.records, at, landed=landed))
        try:
            self.look(step, held="revoked")
        except Crash:
            pass
        finally:
            self.rig.process()
        self.look(step, held="revoked")

    def look(self, step: Any, **more: Any) -> dict[str, Any]:
        """Let an activity run. Whatever it wrote to the tenant, and a gate it leaves approved, needs a quorum."""
        wrote, before = len(self.rig.directory.asked), self.gate()
        row = self.run(self.rig.row())
        order = self.run(self.rig.shard_order(gate="plan", instance="await-gate", **more))
        try:
            answer: dict[str, Any] = self.run(step(order))
        finally:
            if len(self.rig.directory.asked) > wrote:
                assert self.quorate(), "something was written without a quorum"
                used = (self.rig.closure, f"mark:used-plan:{row['planSerial']:03d}") in self.rig.records.documents
                assert used, "an approval is in use from the first write on"
        after = self.gate()
        if after is not None and before is None:
            self.opened_at[after["serial"]] = self.now()
        judged = step is activities.judge_gate or (step is activities.check_control and row["gate"])
        if judged and after["state"] == "approved":
            assert self.quorate(), "a gate reads approved without a quorum"
        return answer

    # -- what people and the world do ---------------------------------------------------------------------------------
    @precondition(lambda self: self.gate() is not None)
    @rule(
        who=st.sets(st.sampled_from(sorted(KNOWN)), min_size=2),
        others=st.sets(st.sampled_from(sorted(OTHERS)), max_size=2),
        stale=st.sampled_from(["", "", "", "serial", "digest"]),
        goes_on=st.booleans(),
    )
    def people_agree(self, who: set[str], others: set[str], stale: str, goes_on: bool) -> None:
        self.people_say([{**KNOWN, **OTHERS}[name] for name in sorted(who | others)], stale, goes_on=goes_on)

    def people_say(self, people: Iterable[Person], stale: str = "", *, goes_on: bool = True) -> None:
        for person in people:
            self.say(person, "approve", stale)
        if goes_on:
            self.judge()
            self.look(activities.freeze_sign_ups)

    @precondition(lambda self: self.gate() is not None and self.gate()["state"] == "approved")
    @rule(chosen=st.integers(0, 9), word=st.sampled_from(["revoke", "veto"]), step=st.sampled_from(STEPS))
    def taken_back(self, chosen: int, word: str, step: Any) -> None:
        agreed = [person for person in KNOWN.values() if person.key in self.gate()["approvals"]]
        self.say(agreed[chosen % len(agreed)], word)
        if self.gate()["state"] == "approved" and not self.quorate() and chosen % 3 == 0:
            self.run(self.rig.ledger.reopen_gate(self.rig.closure, "plan", self.gate()["serial"], "the door heard it"))
        self.look(step, held="revoked")

    @precondition(lambda self: self.gate() is not None)
    @rule(
        who=st.sampled_from(sorted({*KNOWN, *OTHERS})),
        word=st.sampled_from(["approve"] * 4 + ["revoke"] * 4 + ["veto"]),
        stale=st.sampled_from(["", "", "", "", "serial", "digest"]),
    )
    def speak(self, who: str, word: str, stale: str) -> None:
        self.say({**KNOWN, **OTHERS}[who], word, stale)

    def say(self, person: Person, word: str, stale: str = "") -> None:
        """Put a word on record, as a door would, but for whoever wants to and over whatever plan."""
        row = self.run(self.rig.row())
        serial, digest = row["planSerial"], row["digest"]
        if stale == "serial":
            serial -= 1
        if self.run(self.rig.ledger.gate(self.rig.closure, "plan", serial)) is None:
            return
        digest = "0" * 64 if stale == "digest" else digest
        said = {"gate": "plan", "serial": serial, "digest": digest, "decision": word, "comment": "", "via": "api"}
        doc = self.run(self.rig.ledger.decide(self.rig.closure, said, person))
        self.said.append((person, word, serial, digest, datetime.fromisoformat(doc["at"])))

    @rule(hours=st.sampled_from([1, 1, 1, 25, 97, 169]))
    def time_passes(self, hours: int) -> None:
        self.rig.clock.go_on(hours=hours)

    @rule(upn=st.sampled_from(sorted(KNOWN)))
    def policy_changes(self, upn: str) -> None:
        self.removed = self.removed ^ {upn}
        self.rig.policy = self.policy(self.removed)
        self.rig.process()

    @rule(grows=st.booleans(), crowd=st.sampled_from(sorted(CROWDS)))
    def plans_anew(self, grows: bool, crowd: str) -> None:
        if grows:
            self.grow()
        elif len(self.rig.directory.items["users"]) > 2:
            self.rig.directory.take("users", self.rig.directory.items["users"][-1].id)
        answer = self.run(activities.replan(self.run(self.rig.order(detail="changed"))))
        if not answer:
            self.run(self.rig.surveyed())
            self.run(activities.freeze_plan(self.run(self.rig.order())))
        self.asks(crowd)

    def grow(self) -> None:
        self.rig.directory.items["users"] += [user(100 + self.users + n) for n in range(3)]
        self.users += 3

    @rule()
    def things_vanish(self) -> None:
        before = self.gate()
        if len(self.rig.directory.items["users"]) > 2:
            self.rig.directory.take("users", self.rig.directory.items["users"][-1].id)
        assert before == self.gate()

    # -- the oracle ---------------------------------------------------------------------------------------------------
    def now(self) -> datetime:
        return self.rig.clock.moment

    def gate(self) -> Any:
        row = self.run(self.rig.row())
        return self.run(self.rig.ledger.gate(self.rig.closure, "plan", row["planSerial"]))

    def quorate(self) -> bool:
        """Whether those who may speak today have agreed to the plan in force, each on one seat."""
        row, gate = self.run(self.rig.row()), self.gate()
        if gate is None:
            return False
        board = ["board"] if sum(row["planned"].values()) > LIMIT else []
        seats = ["it"] * self.quorum + ["owner"] + board
        may = {"it": {ANN.key, BOB.key}, "owner": {CYD.key}, "board": {DEE.key, EVE.key}}
        if any(one["objectId"] == EVE.object_id for one in gate["groups"]["owner"]["people"]):
            assert self.now() - self.opened_at[gate["serial"]] >= timedelta(days=4), "a deputy before the time"
            may["owner"] = may["owner"] | {EVE.key}
        gone = {KNOWN[upn].key for upn in self.removed}
        # Eve deputises for the owner by a list of its own, which no change of the board takes away.
        may = {
            group: (people - gone | ({EVE.key} & people if group == "owner" else set())) - {OLGA.key, *self.operators}
            for group, people in may.items()
        }
        in_time = datetime.fromisoformat(gate["answerBy"])
        last: dict[str, str] = {}
        for person, word, serial, digest, at in self.said:
            if (serial, digest) != (row["planSerial"], row["digest"]):
                continue
            if not any(person.key in people for group, people in may.items() if group in seats):
                continue
            if word == "veto":
                return False
            if word == "revoke" or at <= in_time:
                last[person.key] = word
        agreed = [key for key, word in last.items() if word == "approve"]
        if len(agreed) < max(self.distinct + len(board), len(seats)):
            return False
        return any(
            all(key in may[seat] for key, seat in zip(sitting, seats, strict=True))
            for sitting in itertools.permutations(agreed, len(seats))
        )

    @invariant()
    def the_row_and_the_audit_are_whole(self) -> None:
        if self.rig.closure:
            self.run(self.rig.words())


TestGateMachine = pytest.mark.slow(GateMachine.TestCase)
TestGateMachine.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking a whole closure outlasts the test's time limit
    suppress_health_check=[HealthCheck.too_slow],
)
