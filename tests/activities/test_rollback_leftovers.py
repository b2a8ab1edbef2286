"""What a rollback finds outside the recycle bin: sellers, sign-up policy, and each loss that nothing brings back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import activities
from activities.rollback import read_impossible
from tenantclosure import names, wiring
from tenantclosure.errors import AccessRefused, RailBroken
from tenantclosure.model.inventory import Answer, Item
from tenantclosure.names import Rail
from tenantclosure.policy import rollback
from tests.activities.rig import ANN, Rig
from tests.activities.undoing import (
    bench,
    bin_of,
    carried_out,
    deleted,
    ended,
    outcomes_of,
    plan,
    rolled_back,
    turned,
    worked,
)
from tests.fakes.tenant import SHARED_POLICY, principal, subscription, user


@pytest.fixture
def undo() -> Iterator[Rig]:
    """A bench over a tenant of three users with a recycle bin."""
    yield bench(3)
    wiring.use(None)


async def sold(rig: Rig) -> dict[str, Item]:
    """A closure that ended four subscriptions: one on MCA, one of a partner, two of Azure (one by now deleted)."""
    mca, csp = subscription(1, commerceSubscriptionId="row-1"), subscription(2, commerceSubscriptionId="csp-2")
    rig.directory.items["subscriptions"] = [mca, csp]
    agreement = {"agreementType": "MicrosoftCustomerAgreement", "autoRenew": "On", "allowed": True, "name": "row-1"}
    rig.billing.rows["/arm/row-1"] = Item("/arm/row-1", "E5", {**agreement, "status": "Active"})
    assert rig.partner is not None
    rig.partner.rows["csp-2"] = Item("csp-2", "E3", {"status": "active", "autoRenewEnabled": True})
    rig.billing.azure = {"az-1": "Enabled", "az-2": "Enabled"}
    await rig.ready()
    found = {"mca": mca.id, "csp": csp.id, "az-1": "az-1", "az-2": "az-2"}
    for id_ in (mca.id, csp.id):
        await called(rig, id_, "stop-renewal")
    for id_ in ("az-1", "az-2"):
        await called(rig, id_, "cancel")
    rig.billing.rows["/arm/row-1"] = renewing(rig.billing.rows["/arm/row-1"], autoRenew="Off")
    rig.partner.rows["csp-2"] = renewing(rig.partner.rows["csp-2"], autoRenewEnabled=False)
    rig.billing.azure = {"az-1": "Disabled"}
    return {name: Item(id_, name) for name, id_ in found.items()}


def renewing(item: Item, **facts: Any) -> Item:
    return replace(item, facts={**item.facts, **facts})


async def called(rig: Rig, id_: str, kind: str, *, refused: bool = False) -> None:
    """A call of ours on a subscription's standing, as the phase of the subscriptions keeps it."""
    known = await rig.ledger.subscription(rig.closure, id_) or {}
    call = {"status": 204, "refused": refused, "why": "", "at": "2026-11-01T12:00:00Z"}
    await rig.ledger.note_subscription(rig.closure, id_, {**known, "calls": {kind: call}})


async def test_sellers_take_their_word_back(undo: Rig) -> None:
    """Renewals we stopped are on again, Azure that is only disabled is enabled; the deleted one is told."""
    known = await sold(undo)
    await turned(undo)
    told = await plan(undo)
    await undo.approved("rollback")
    await carried_out(undo)
    found = await outcomes_of(undo)

    assert 3 == told["items"]
    assert {known[name].id for name in ("mca", "csp", "az-1")} == {one["id"] for one in found["restored"]}
    assert [("az-2", rollback.DELETED)] == [(one["id"], one["why"]) for one in found["impossible"]]
    assert "On" == undo.billing.rows["/arm/row-1"].facts["autoRenew"]
    assert "Enabled" == undo.billing.azure["az-1"]
    assert ["start-renewal", "start-renewal", "enable-azure"] == [
        one["write"] for one in await undo.audited("write:made")
    ]


async def test_what_its_owner_put_back_is_not_called_for(undo: Rig) -> None:
    """Each call is preceded by a look, so one whose answer was lost is not made twice either."""
    known = await sold(undo)
    await turned(undo)
    await plan(undo)
    await undo.approved("rollback")
    undo.billing.azure["az-1"] = "Enabled"
    await carried_out(undo)

    assert [("start_renewal", "/arm/row-1")] == undo.billing.asked
    assert known["az-1"].id in {one["id"] for one in (await outcomes_of(undo))["restored"]}


async def test_the_first_plan_says_what_a_subscription_was_like(undo: Rig) -> None:
    """Disabled between two plans of this closure is our doing, although the second plan knew it no other way."""
    undo.directory.items["subscriptions"] = [subscription(1)]
    await undo.ready()
    await activities.replan(await undo.order(detail="1 new"))
    undo.directory.change("subscriptions", subscription(1).id, status="Suspended")
    await undo.surveyed()
    await activities.freeze_plan(await undo.order())
    await undo.approved()
    await turned(undo)
    await plan(undo)

    assert [rollback.SUSPENDED] == [one["why"] for one in await _impossible(undo)]


async def test_one_that_graph_never_showed_is_judged_by_its_seller(undo: Rig) -> None:
    """Only its billing account lists it: no row of Graph is no sign that it was deleted."""
    facts = {"agreementType": "MicrosoftCustomerAgreement", "autoRenew": "On", "allowed": True, "status": "Active"}
    undo.billing.rows["/arm/row-1"] = Item("/arm/row-1", "E5", {**facts, "name": "row-1"})
    await undo.ready()
    await called(undo, "row-1", "stop-renewal")
    undo.billing.rows["/arm/row-1"] = renewing(undo.billing.rows["/arm/row-1"], autoRenew="Off")
    await turned(undo)
    await plan(undo)

    assert [("start-renewal", "row-1", "/arm/row-1")] == [
        (one["what"], one["id"], one["target"]) for one in (await undo.manifest())["others"]
    ]
    assert [] == await _impossible(undo)


async def test_a_pause_between_look_and_call_holds_the_call(undo: Rig) -> None:
    """Whoever pauses just then is heard: nothing is sent to the seller."""
    await sold(undo)
    await turned(undo)
    await plan(undo)
    await undo.approved("rollback")
    real = undo.billing.azure_state

    async def pausing(id_: str) -> str:
        await undo.ledger.change(undo.closure, lambda row: row.update(control="pause"))
        return await real(id_)

    undo.billing.azure_state = pausing  # type: ignore[method-assign]
    answer = await activities.finish_rollback(await undo.order(phase="rollback"))

    assert "paused" == answer["stop"]
    assert "enable_azure" not in [method for method, _ in undo.billing.asked]


async def test_what_is_stopped_again_afterwards_is_not_ours(undo: Rig) -> None:
    """The owner cancels and stops renewals after the rollback, an administrator freezes: a second one leaves that."""
    await sold(undo)
    await activities.freeze_sign_ups(await undo.order())
    await rolled_back(undo)
    await ended(undo, "aborted")
    undo.billing.azure["az-1"] = "Disabled"
    undo.billing.rows["/arm/row-1"] = renewing(undo.billing.rows["/arm/row-1"], autoRenew="Off")
    undo.directory.policy["allowInvitesFrom"] = "none"
    asked = len(undo.billing.asked), len(undo.directory.asked)
    await undo.ledger.change(undo.closure, lambda row: row.update(result=None, status="planning"))
    await turned(undo)
    told = await plan(undo)
    await ended(undo, "aborted")

    assert (0, []) == (told["items"], (await undo.manifest())["others"])
    assert asked == (len(undo.billing.asked), len(undo.directory.asked))


async def test_a_seller_that_refuses_is_told_and_holds_up_nobody(undo: Rig) -> None:
    """403, a barred account and a renewal that stays off: each with its reason; the users are back all the same."""
    known = await sold(undo)
    await worked(undo, "users", "delete")
    undo.billing.answers = {"enable_azure": Answer("az-1", 403, "AuthorizationFailed", "no role")}

    async def barred(_: str) -> Answer:
        raise RailBroken(Rail.BILLING_ACCOUNT, "not on the list")

    async def deaf(_: str) -> Answer:
        return Answer("", 200)

    undo.billing.start_renewal = barred  # type: ignore[method-assign]
    undo.partner.start_renewal = deaf  # type: ignore[union-attr, method-assign]
    await rolled_back(undo)
    left = {one["id"]: (one["outcome"], one["why"]) for one in (await outcomes_of(undo))["left"]}

    assert ("refused", "403 AuthorizationFailed no role") == left[known["az-1"].id]
    assert ("refused", "not on the list") == left[known["mca"].id]
    assert "failed" == left[known["csp"].id][0]
    assert 4 == len(undo.directory.items["users"])


async def test_a_seller_that_cannot_be_read_is_not_written_to(undo: Rig) -> None:
    """Without a look nobody knows whether it still is off: told as impossible, and nothing is called."""
    known = await sold(undo)

    async def locked(_: str) -> Any:
        raise AccessRefused("no billing role")

    undo.billing.billing_subscription = locked  # type: ignore[method-assign]
    await turned(undo)
    told = await plan(undo)
    impossible = {one["id"]: one["why"] for one in await _impossible(undo)}

    assert rollback.UNSEEN == impossible[known["mca"].id]
    assert 2 == told["items"]


async def _impossible(rig: Rig) -> list[dict[str, Any]]:
    return [one async for one in read_impossible(rig.parts, rig.closure, await rig.manifest())]


async def test_each_thing_that_nothing_brings_back_is_named(undo: Rig) -> None:
    """Users out of the bin, domains, disabled applications, MFA: by name, with what a person can do."""
    directory = bin_of(undo)
    refused = principal(5, appId="app-5")
    directory.items["domains"] = [Item("contoso.com", "contoso.com", {})]
    directory.items["service-principals"].append(refused)
    directory.script = {refused.id: [403]}
    directory.mfa = {user(1).id: "enabled"}
    await undo.ready()
    await worked(undo, "domains", "delete")
    await worked(undo, "users", "delete")
    await activities.turn_off_mfa(await undo.order())
    await worked(undo, "service-principals", "delete")
    await activities.disable_refused(await undo.order())
    directory.deleted.discard(user(0).id)  # 30 days have passed
    await rolled_back(undo)
    found = {one["name"]: one["why"] for one in (await outcomes_of(undo))["impossible"]}

    assert rollback.GONE == found["User 0"]
    assert rollback.DOMAIN == found["contoso.com"]
    assert rollback.DISABLED == found["App 5"]
    assert {"User 1", "User 2"} <= {item.name for item in directory.items["users"]}
    assert user(0).id not in directory.sent_to("restore_many")


async def test_a_refused_restore_is_told_with_its_answer(undo: Rig) -> None:
    """A conflicting address and a refusal: not restored, with Microsoft's words; success is a look."""
    directory = bin_of(undo)
    await deleted(undo)
    directory.script = {
        user(0).id: [Answer(user(0).id, 403, "Denied", "no")],
        user(1).id: [Answer(user(1).id, 400, "ObjectConflict", "the address is taken")],
    }
    found = await rolled_back(undo)
    outcomes = await outcomes_of(undo)

    assert {"User 0": "Denied no", "User 1": "ObjectConflict the address is taken"} == {
        one["name"]: one["why"] for one in outcomes["left"]
    }
    assert ["refused", "refused"] == [one["outcome"] for one in outcomes["left"]]
    assert 1 == found["restored"]


async def test_an_accepted_restore_that_does_not_show_is_no_success(undo: Rig) -> None:
    """200 and still not listed: failed, not restored."""
    directory = bin_of(undo)
    await deleted(undo)
    real = directory.restore_many

    async def forgetful(family: str, ids: Any) -> list[Answer]:
        answers = await real(family, ids)
        if user(0).id in ids:
            directory.items["users"] = [item for item in directory.items["users"] if item.id != user(0).id]
        return answers

    directory.restore_many = forgetful  # type: ignore[method-assign]
    await rolled_back(undo)

    assert [("User 0", "failed")] == [(one["name"], one["outcome"]) for one in (await outcomes_of(undo))["left"]]


async def test_the_report_tells_every_item(undo: Rig) -> None:
    """JSON and CSV name what was restored, what was not and what can't be; the counts stay those of the removal."""
    directory = bin_of(undo)
    directory.items["domains"] = [Item("contoso.com", "contoso.com", {})]
    await undo.ready()
    await worked(undo, "domains", "delete")
    await worked(undo, "users", "delete")
    await activities.freeze_sign_ups(await undo.order())
    directory.script = {user(1).id: [Answer(user(1).id, 403, "Denied", "no")]}
    await rolled_back(undo)
    report = await ended(undo, "aborted")
    told = report["rollbacks"][0]
    rows = csv.DictReader(
        io.StringIO((await undo.records.read_blob(names.report_path(undo.closure, "csv"))).decode("utf-8-sig"))
    )
    told_in_csv = {(row["id"], row["outcome"]) for row in rows}

    assert ("aborted", "done", 1) == (report["result"], told["state"], told["number"])
    assert {"User 0", "User 2", "who may sign up and invite"} == {one["name"] for one in told["restored"]}
    assert ["User 1"] == [one["name"] for one in told["left"]]
    assert ["contoso.com"] == [one["name"] for one in told["impossible"]]
    assert (3, 3) == (report["counts"]["users"]["planned"], report["counts"]["users"]["removed"])
    assert {(user(0).id, "restored"), (user(1).id, "refused"), ("contoso.com", "impossible")} <= told_in_csv
    assert (user(1).id, "restored") not in told_in_csv
    assert SHARED_POLICY == directory.policy


async def test_the_report_names_the_first_and_counts_all(undo: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long list the JSON has the beginning and the count; the CSV has each, also what only the last look says."""
    monkeypatch.setattr("activities.rolled_back.FIRST", 1)
    directory = bin_of(undo)
    directory.items["domains"] = [Item(name, name, {}) for name in ("contoso.com", "fabrikam.org")]
    await undo.ready()
    await worked(undo, "domains", "delete")
    await worked(undo, "users", "delete")
    real = directory.restore_many

    async def forgetful(family: str, ids: Any) -> list[Answer]:
        answers = await real(family, ids)
        directory.take("users", user(0).id)
        return answers

    directory.restore_many = forgetful  # type: ignore[method-assign]
    await rolled_back(undo)
    told = (await ended(undo, "aborted"))["rollbacks"][0]
    data = (await undo.records.read_blob(names.report_path(undo.closure, "csv"))).decode("utf-8-sig")
    rows = [(row["operation"], row["id"], row["outcome"]) for row in csv.DictReader(io.StringIO(data))]

    assert {"restored": 2, "left": 1, "impossible": 2} == told["counts"]
    assert [1, 1, 1] == [len(told[name]) for name in ("restored", "left", "impossible")]
    assert {("proof", user(0).id, "failed"), ("restore", user(1).id, "restored")} <= {*rows}
    assert ["contoso.com", "fabrikam.org"] == [id_ for what, id_, _ in rows if what == "rollback"]
    assert 1 == [what for what, *_ in rows].count("proof")


@pytest.mark.parametrize("state", ["vetoed", "unapproved"])
async def test_the_report_of_a_rollback_that_was_not_to_be(undo: Rig, state: str) -> None:
    """Vetoed, or given up while people were asked: nobody is restored and the report says which."""
    await deleted(undo)
    await turned(undo)
    await plan(undo)
    order = await undo.order(gate="rollback", phase="gate-rollback")
    await activities.open_gate(order)
    if state == "vetoed":
        await undo.decide("rollback", ANN, "veto")
        assert "vetoed" == (await activities.judge_gate(order))["state"]
    report = await ended(undo, "aborted")

    assert [state] == [one["state"] for one in report["rollbacks"]]
    assert [] == bin_of(undo).sent_to("restore_many")
