"""The portal by hand: what a person may end, what is refused and why, and the delete page."""

import pytest

from simulator.commerce.lifecycle import Kind
from simulator.entities import Domain
from tests.simulator.commerce_rig import Rig, running


async def refusal(rig: Rig, action: str, **body: str) -> str:
    """Do something the portal refuses and return its code."""
    answer = await rig.portal(action, **body)
    assert answer.status_code == 409, answer.text
    assert {"error", "message"} == set(answer.json())
    return answer.json()["error"]


async def test_mosa_from_enabled_to_deleted():
    """Cancel, then delete, then three days (facts 7, rows 1 and 2)."""
    async with running() as rig:
        row = rig.row(Kind.MOSA)
        assert "NotDisabled" == await refusal(rig, "delete-subscription", subscriptionId=row.id)

        cancelled = await rig.portal("cancel-subscription", subscriptionId=row.commerce_id)
        assert (200, "Suspended") == (cancelled.status_code, cancelled.json()["status"])
        assert 200 == (await rig.portal("delete-subscription", subscriptionId=row.id)).status_code
        rig.clock.forward(3.1)
        assert "Deleted" == (await rig.statuses())[row.id]


async def test_mosa_wants_custom_domains_removed_first():
    """The tenant's own domain stands in the way of a cancel (facts 7, row 1)."""
    async with running() as rig:
        domains, row = rig.target.directory.domains, rig.row(Kind.MOSA)
        domains["contoso.example"] = Domain("contoso.example")
        assert "CustomDomainPresent" == await refusal(rig, "cancel-subscription", subscriptionId=row.id)

        del domains["contoso.example"]
        assert 200 == (await rig.portal("cancel-subscription", subscriptionId=row.id)).status_code


@pytest.mark.parametrize(
    ("action", "kind", "sku", "code"),
    [
        ("cancel-subscription", Kind.MOSA, "ENTERPRISEPACK", "TooManyLicences"),
        ("cancel-subscription", Kind.MCA, "EMS", "CancellationWindowClosed"),
        ("cancel-subscription", Kind.CSP, None, "CannotCancel"),
        ("cancel-subscription", Kind.FREE, None, "CannotCancel"),
        ("cancel-subscription", Kind.ENTRA_FREE, None, "CannotCancel"),
        ("cancel-subscription", Kind.LOCKED, None, "CannotCancel"),
        ("delete-subscription", Kind.MCA, None, "CannotDelete"),
        ("delete-subscription", Kind.TRIAL, None, "NotDisabled"),
        ("take-control", Kind.MOSA, None, "NotSelfService"),
        ("delete-free-product", Kind.MOSA, None, "NotFree"),
        ("turn-off-recurring-billing", Kind.CSP, None, "CannotTurnOff"),
        ("ask-partner", Kind.MOSA, None, "NotPartner"),
        ("support", Kind.SELF_SERVICE, None, "UsePortal"),
        ("support", Kind.MCA, None, "UsePortal"),
    ],
)
async def test_refusals(action, kind, sku, code):
    """Every kind of subscription refuses what subscription-facts 1, 6 and 7 say it refuses."""
    async with running("hostile") as rig:
        row = rig.row(kind, sku)
        before = row.status

        assert code == await refusal(rig, action, subscriptionId=row.id)
        assert before == row.status


@pytest.mark.parametrize(
    ("action", "kind", "status"),
    [
        ("cancel-subscription", Kind.MCA, "Suspended"),
        ("take-control", Kind.SELF_SERVICE, "Deleted"),
        ("ask-partner", Kind.CSP, "Deleted"),
        ("turn-off-recurring-billing", Kind.MCA, "Enabled"),
    ],
)
async def test_acts(action, kind, status):
    """What a person may do takes effect at once."""
    async with running("hybrid") as rig:
        row = rig.row(kind)

        assert status == (await rig.portal(action, subscriptionId=row.id)).json()["status"]
        assert status == (await rig.statuses())[row.id]


async def test_free_and_support_rows_vanish():
    """A free product goes immediately; Support removes LockedOut and Entra ID Free (facts 6 and 7, row 8)."""
    async with running("hostile") as rig:
        gone = [rig.row(kind).id for kind in (Kind.FREE, Kind.LOCKED, Kind.ENTRA_FREE)]
        for action, key in zip(("delete-free-product", "support", "support"), gone, strict=True):
            assert 200 == (await rig.portal(action, subscriptionId=key)).status_code

        assert not set(gone) & set(await rig.statuses())


async def test_a_purchase_whose_buyer_is_gone_is_stuck():
    """After the buyer's account is deleted only Support can end the purchase (facts 6)."""
    async with running("hybrid") as rig:
        row, directory = rig.row(Kind.SELF_SERVICE), rig.target.directory
        directory.delete_user(directory.users.live[row.owner_id])

        assert "PurchaserDeleted" == await refusal(rig, "take-control", subscriptionId=row.id)
        assert 200 == (await rig.portal("support", subscriptionId=row.id)).status_code
        assert row.id not in await rig.statuses()


async def test_azure_delete_waits_for_its_day():
    """Delete needs a cancel, three days, no resources and an offer that has the button (facts 3)."""
    async with running("hostile") as rig:
        plain, sponsored, lab = (
            rig.azure(n).id for n in ("Pay-As-You-Go", "Microsoft Azure Sponsorship", "Forgotten lab")
        )
        assert "CancelFirst" == await refusal(rig, "delete-azure-subscription", subscriptionId=plain)
        for key in (plain, sponsored, lab):
            assert 200 == (await rig.portal("cancel-subscription", subscriptionId=key)).status_code

        assert "TooEarly" == await refusal(rig, "delete-azure-subscription", subscriptionId=plain)
        rig.clock.forward(3.1)
        assert 200 == (await rig.portal("delete-azure-subscription", subscriptionId=plain)).status_code
        assert "DeleteNotOffered" == await refusal(rig, "delete-azure-subscription", subscriptionId=sponsored)
        assert "ResourcesPresent" == await refusal(rig, "delete-azure-subscription", subscriptionId=lab)


async def test_a_large_purchase_that_can_be_reduced():
    """Over 25 licences are reduced on the same page, where that is offered, and then it is cancelled (facts 1)."""
    async with running("hostile") as rig:
        row = rig.row(Kind.MOSA, "ENTERPRISEPACK")
        assert "TooManyLicences" == await refusal(rig, "cancel-subscription", subscriptionId=row.id)
        row.reducible = True

        assert "Suspended" == (await rig.portal("cancel-subscription", subscriptionId=row.id)).json()["status"]
        assert 25 == row.licences


async def test_an_emptied_azure_subscription_can_be_cancelled():
    """What is deleted is named; managed identities go with it, and the API takes the cancellation (facts 3)."""
    async with running("hostile") as rig:
        lab, cancel = rig.azure("Forgotten lab"), "/subscriptions/{}/providers/Microsoft.Subscription/cancel"
        before = (await rig.arm("POST", cancel.format(lab.id))).status_code
        emptied = await rig.portal("empty-azure-subscription", subscriptionId=lab.id)
        after = (await rig.arm("POST", cancel.format(lab.id))).status_code

        assert ["vm-backup", "lab-disk"] == emptied.json()["deleted"]
        assert [400, 200] == [before, after]
        assert "NotAzure" == await refusal(rig, "empty-azure-subscription", subscriptionId=rig.row(Kind.MOSA).id)
        names = [sp["displayName"] for sp in (await rig.graph("/servicePrincipals")).json()["value"]]
        assert "vm-backup" not in names


async def test_a_managed_identity_goes_with_its_deleted_subscription():
    """Deleted with everything in it, the subscription takes the identity along."""
    async with running("hostile") as rig:
        await rig.portal("cancel-subscription", subscriptionId=rig.azure("Forgotten lab").id)
        assert 1 == len(rig.target.directory.managed_identities())
        rig.clock.forward(90.1)
        rig.target.tick()

        assert [] == rig.target.directory.managed_identities()


@pytest.mark.parametrize(
    ("who", "code"), [("keeper", "SignedIn"), ("restricted", "ManagementRestricted"), ("synced", "Synchronised")]
)
async def test_whom_the_portal_does_not_delete(who, code):
    """The signed-in keeper and protected people stay, and with them everybody ticked in the same go."""
    async with running() as rig:
        directory = rig.target.directory
        keeper, plain, restricted, synced, *_ = directory.users.live.values()
        restricted.isManagementRestricted, synced.onPremisesSyncEnabled = True, True
        ticked = {"keeper": keeper, "restricted": restricted, "synced": synced}[who]
        body = {"items": [plain.userPrincipalName, ticked.id]}

        assert code == (await rig.portal("remove-users", **body)).json()["error"]
        assert {plain.id, ticked.id} <= directory.users.live.keys()
        for nobody in ([], None, "all"):
            assert "NobodyNamed" == (await rig.portal("remove-users", items=nobody)).json()["error"]
        assert [plain.id] == (await rig.portal("remove-users", items=[plain.displayName, "gone"])).json()["deleted"]
        assert plain.id in directory.users.bin


async def test_a_role_for_our_application():
    """Once our service principal is gone there is nobody to give a role to."""
    async with running() as rig:
        directory = rig.target.directory
        assert 200 == (await rig.portal("grant-role")).status_code
        directory.delete_service_principal(directory.service_principals.live[directory.own_sp_id])

        assert "NotFound" == await refusal(rig, "grant-role")


async def test_applications():
    """Our own service principal and registrations can be removed by hand, Microsoft's cannot (tenant-facts A4)."""
    async with running() as rig:
        directory = rig.target.directory
        internal = next(sp for sp in directory.service_principals.live.values() if sp.internal)
        assert "MicrosoftInternal" == await refusal(rig, "remove-application", objectId=internal.id)
        assert "NotFound" == await refusal(rig, "remove-application", objectId="nothing")

        await remove_applications(rig)
        assert all(sp.internal for sp in directory.service_principals.live.values())
        assert {} == directory.applications.live


async def test_the_delete_page():
    """Every check must pass and the tenant must be the right one; then the tenant is gone (tenant-facts A and B)."""
    async with running("large") as rig:
        directory = rig.target.directory
        directory.sync_enabled = True
        page = (await rig.http.get("/_sim/portal/checks")).json()
        failed = {row["check"] for row in page["checks"] if not row["passed"]}
        everything = {row["check"] for row in page["checks"]}
        assert (False, everything) == (page["canDelete"], failed)
        assert "ChecksFailed" == await refusal(rig, "delete-tenant", tenantId=rig.target.id)

        await clean(rig)
        assert (await rig.http.get("/_sim/portal/checks")).json()["canDelete"] is True
        assert "WrongTenant" == await refusal(rig, "delete-tenant", tenantId=rig.world.home.id)
        assert not rig.target.gone
        deleted = await rig.portal("delete-tenant", tenantId=rig.target.id)
        assert (200, True) == (deleted.status_code, rig.target.gone)
        assert "TenantGone" == await refusal(rig, "turn-off-sync")


async def remove_applications(rig: Rig) -> None:
    """Remove every application a person may remove."""
    directory = rig.target.directory
    principals = [sp.id for sp in directory.service_principals.live.values() if not sp.internal]
    for key in [*directory.applications.live, *principals]:
        assert 200 == (await rig.portal("remove-application", objectId=key)).status_code


async def clean(rig: Rig) -> None:
    """Do all that the page asks for."""
    directory = rig.target.directory
    await rig.portal("turn-off-sync")
    rig.clock.forward(1)
    for user in [u for u in directory.users.live.values() if u is not directory.keeper]:
        directory.delete_user(user)
    await remove_applications(rig)
    await rig.portal("delete-free-product", subscriptionId=rig.row(Kind.FREE).id)
    for key in (rig.row(Kind.MOSA).id, rig.row(Kind.MCA).id, rig.azure().id):
        await rig.portal("cancel-subscription", subscriptionId=key)
    assert (await rig.http.get("/_sim/portal/checks")).json()["canDelete"] is False  # cancelled is not Deprovisioned
    await rig.portal("delete-subscription", subscriptionId=rig.row(Kind.MOSA).id)
    rig.clock.forward(91)


@pytest.mark.parametrize("body", [b"[1]", b"{", b'"x"'])
async def test_bad_bodies(body):
    """A body that is no JSON object is a 400; an unknown action or subscription is a plain refusal."""
    async with running() as rig:
        assert 400 == (await rig.http.post("/_sim/portal/delete-tenant", content=body)).status_code
        assert "UnknownAction" == await refusal(rig, "fly")
        assert "NotFound" == await refusal(rig, "cancel-subscription", subscriptionId="nothing")
