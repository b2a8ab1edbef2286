"""What tests put into the tenant: things that are sold, odd rows, Azure subscriptions; nonsense is refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.commerce.lifecycle import Kind, State
from simulator.commerce.models import AzureSubscription, Subscription
from tests.simulator.commerce_rig import Rig, running


async def post(rig: Rig, path: str, **body: Any) -> Any:
    """Plant something; the answer's body."""
    answer = await rig.http.post(f"/_sim/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def sold(rig: Rig, kind: str, **details: Any) -> Subscription:
    """A subscription of this kind, as the simulator holds it."""
    made = await post(rig, "subscriptions", kind=kind, **details)
    row = rig.target.commerce.find(made["subscriptionId"])
    assert isinstance(row, Subscription)
    assert row.commerce_id == made["commerceId"]
    return row


async def shown(rig: Rig, row: Subscription) -> dict[str, Any]:
    """Graph's view of a row."""
    found: dict[str, Any] = (await rig.graph(f"/directory/subscriptions/{row.id}")).json()
    return found


async def account_of(rig: Rig, agreement: str) -> str:
    """The path of the target's own account of an agreement."""
    accounts = (await rig.arm("GET", "/providers/Microsoft.Billing/billingAccounts")).json()["value"]
    return next(a["id"] for a in accounts if a["properties"]["agreementType"] == agreement)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.AZURE, Kind.CSP_LEGACY)])
async def test_every_kind_is_for_sale(kind: Kind) -> None:
    """The kind alone is enough; Graph shows the row at once, and the next one is another row."""
    async with running("bare") as rig:
        first, second = await sold(rig, kind), await sold(rig, kind)

        assert kind is first.kind
        assert {first.id, second.id} == set(await rig.statuses())
        assert 2 == rig.target.commerce.summary()["total"]


async def test_details_of_a_sale() -> None:
    """Licences, dates in days from now, window, term and flags; without a window it is shut."""
    async with running("bare") as rig:
        now = rig.clock.now()
        row = await sold(rig, "mca", licences=7, due=20, term=30, window=5)
        shut = await sold(rig, "mca", window=None, due=None)
        big = await sold(rig, "mosa", licences=40, reducible=True, state="suspended")
        trial = await sold(rig, "trial", pays=True)

        assert row.life.due is not None and row.window_end is not None
        assert [7, 20, 30.0, 5] == [
            row.licences,
            round((row.life.due - now) / rig.clock.days(1)),
            row.life.term_days,
            round((row.window_end - now) / rig.clock.days(1)),
        ]
        assert not shut.window_open(now)
        assert (40, True, "Suspended") == (big.licences, big.reducible, big.status)
        assert (True, True) == (trial.renews, (await shown(rig, trial))["isTrial"])


async def test_sold_rows_are_billed() -> None:
    """A Customer Agreement's row is on the target's own account, an old agreement's on the other."""
    async with running("bare") as rig:
        row, old = await sold(rig, "mca"), await sold(rig, "mosa")
        for one, agreement in ((row, "MicrosoftCustomerAgreement"), (old, "MicrosoftOnlineServicesProgram")):
            path = f"{await account_of(rig, agreement)}/billingSubscriptions/{one.commerce_id}"
            assert 200 == (await rig.arm("GET", path)).status_code


async def test_a_legacy_one_is_suspended_by_the_partner() -> None:
    """Offer with a GUID, no window; `suspended` is Suspended in Graph and Deleted 90 days later, `deleted` refused."""
    async with running("bare") as rig:
        row = await sold(rig, "csp", legacy=True)
        path, headers = f"/v1/customers/{rig.target.id}/subscriptions/{row.commerce_id}", rig.token(rig.world.partner)
        resource = (await rig.http.get(path, headers=headers)).json()
        refused = await rig.http.patch(path, headers=headers, json={**resource, "status": "deleted"})
        suspended = await rig.http.patch(path, headers=headers, json={**resource, "status": "suspended"})

        assert (36, False, None) == (
            len(resource["offerId"]),
            "productType" in resource,
            resource["cancellationAllowedUntilDate"],
        )
        assert 400 == refused.status_code
        assert (200, "suspended") == (suspended.status_code, suspended.json()["status"])
        assert "Suspended" == row.status
        rig.clock.forward(90.1)
        assert "Deleted" == (await rig.statuses())[row.id]


async def test_the_partner_suspends_a_legacy_one_when_asked() -> None:
    """Asked by the customer, the partner does what ends it."""
    async with running("bare") as rig:
        row = await sold(rig, "csp", legacy=True)

        assert "Suspended" == (await rig.portal("ask-partner", subscriptionId=row.id)).json()["status"]


async def test_a_word_in_no_enum() -> None:
    """Every API shows it in place of the true word, until it is taken back or the row is Deleted."""
    async with running("bare") as rig:
        row, partners = await sold(rig, "mca", window=5), await sold(rig, "csp")
        arm = f"{await account_of(rig, 'MicrosoftCustomerAgreement')}/billingSubscriptions/{row.commerce_id}"
        partner = f"/v1/customers/{rig.target.id}/subscriptions/{partners.commerce_id}"
        for one in (row, partners):
            await post(rig, f"subscriptions/{one.id}", shown="Paused")
        found = [
            (await shown(rig, row))["status"],
            (await rig.arm("GET", arm)).json()["properties"]["status"],
            (await rig.http.get(partner, headers=rig.token(rig.world.partner))).json()["status"],
        ]
        await post(rig, f"subscriptions/{row.id}", shown=None)
        await post(rig, f"subscriptions/{partners.id}", state="deleted")

        assert ["Paused"] * 3 == found
        assert ["Enabled", "Deleted"] == [(await shown(rig, one))["status"] for one in (row, partners)]


async def test_a_row_that_flips_back() -> None:
    """A cancelled row is Enabled again, with a term of its own, and can be cancelled again."""
    async with running("bare") as rig:
        row = await sold(rig, "mca", window=5)
        await rig.portal("cancel-subscription", subscriptionId=row.id)
        changed = await post(rig, f"subscriptions/{row.id}", state="enabled", due=3)

        assert "Enabled" == changed["status"]
        assert row.life.due is not None
        assert 3 == round((row.life.due - rig.clock.now()) / rig.clock.days(1))
        assert "Suspended" == (await rig.portal("cancel-subscription", subscriptionId=row.id)).json()["status"]


async def test_missing_and_past_dates() -> None:
    """Each API shows the properties planted for it and no other; null takes them back."""
    async with running("bare") as rig:
        row, partners = await sold(rig, "mca"), await sold(rig, "csp")
        arm = f"{await account_of(rig, 'MicrosoftCustomerAgreement')}/billingSubscriptions/{row.commerce_id}"
        partner = f"/v1/customers/{rig.target.id}/subscriptions/{partners.commerce_id}"
        past = "2020-01-01T00:00:00Z"
        await post(rig, f"subscriptions/{row.id}", graph={"nextLifecycleDateTime": None}, arm={"termEndDate": past})
        await post(rig, f"subscriptions/{partners.id}", partner={"commitmentEndDate": past})
        found = [
            (await shown(rig, row))["nextLifecycleDateTime"],
            (await rig.arm("GET", arm)).json()["properties"]["termEndDate"],
            (await rig.http.get(partner, headers=rig.token(rig.world.partner))).json()["commitmentEndDate"],
        ]
        await post(rig, f"subscriptions/{row.id}", graph=None)

        assert [None, past, past] == found
        assert (await shown(rig, row))["nextLifecycleDateTime"]


async def test_azure_subscriptions() -> None:
    """Pay as you go and empty unless told; another offer has no Delete button."""
    async with running("bare") as rig:
        plain = (await post(rig, "azure"))["id"]
        full = (await post(rig, "azure", name="Lab", quotaId="AAD_2015-09-01", resources=2))["id"]
        found = {item.id: item for item in rig.target.commerce.everything() if isinstance(item, AzureSubscription)}

        assert {plain, full} == {
            row["subscriptionId"] for row in (await rig.arm("GET", "/subscriptions")).json()["value"]
        }
        assert [(True, 0), (False, 2)] == [(found[key].deletable, len(found[key].resources)) for key in (plain, full)]
        assert "Lab" == found[full].name


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("subscriptions", {}, "kind"),
        ("subscriptions", {"kind": "enterprise"}, "kind"),
        ("subscriptions", {"kind": "azure"}, "kind"),
        ("subscriptions", {"kind": "mosa", "seats": 3}, "seats"),
        ("subscriptions", {"kind": "mosa", "licences": "3"}, "licences"),
        ("subscriptions", {"kind": "mosa", "licences": True}, "licences"),
        ("subscriptions", {"kind": "mosa", "reducible": 1}, "reducible"),
        ("subscriptions", {"kind": "mca", "legacy": True}, "legacy"),
        ("subscriptions", {"kind": "mosa", "state": "Paused"}, "state"),
        ("subscriptions/nothing", {"shown": "x"}, "nothing"),
        ("subscriptions/{row}", {"status": "x"}, "status"),
        ("subscriptions/{row}", {"state": "Paused"}, "state"),
        ("subscriptions/{row}", {"due": 3}, "due"),
        ("subscriptions/{row}", {"shown": 3}, "shown"),
        ("subscriptions/{row}", {"graph": "x"}, "graph"),
        ("azure", {"resources": "two"}, "resources"),
        ("azure", {"quota": "x"}, "quota"),
    ],
)
async def test_nonsense_is_refused(path: str, body: dict[str, Any], word: str) -> None:
    """400 that names what was not understood, and nothing is there or changed afterwards."""
    async with running("bare") as rig:
        row = await sold(rig, "mosa")
        answer = await rig.http.post(f"/_sim/{path.format(row=row.id)}", json=body)

        assert 400 == answer.status_code
        assert word in answer.json()["error"]
        assert [row] == rig.target.commerce.everything()
        assert (State.ENABLED, None, {}) == (row.life.state, row.shown, row.lies)


@pytest.mark.parametrize("body", [b"[1]", b"{"])
async def test_a_body_that_is_no_object(body: bytes) -> None:
    """400 in words."""
    async with running("bare") as rig:
        assert 400 == (await rig.http.post("/_sim/subscriptions", content=body)).status_code
