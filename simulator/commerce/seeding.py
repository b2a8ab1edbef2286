"""Which subscriptions a new tenant starts with, by profile."""

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from simulator.world import Tenant, World

from .lifecycle import Kind, Life, State
from .models import AzureSubscription, BillingAccount, Commerce, Subscription

MCA, MOSP = "MicrosoftCustomerAgreement", "MicrosoftOnlineServicesProgram"
PAY_AS_YOU_GO, SPONSORED = "PayAsYouGo_2014-09-01", "Sponsored_2016-01-01"

# A cancellation window of a few days would be over before a rehearsal with short days gets there. Deviation, see the
# coverage table: a seeded window stays open for an hour of real time at least.
WINDOW_FLOOR = timedelta(hours=1)


@dataclass(frozen=True)
class Spec:
    """One licence subscription to seed; days are counted from the moment of seeding."""

    kind: Kind
    sku: str
    name: str
    licences: int
    state: State = State.ENABLED
    due: float | None = None
    window: float | None = None
    term: float = 365.0


SKU_IDS = {
    "O365_BUSINESS_PREMIUM": "f245ecc8-75af-4f8e-b61f-27d8114de5f3",
    "PROJECTPROFESSIONAL": "53818b1b-4a27-454b-8896-0dba576410e6",
    "ENTERPRISEPREMIUM": "c7df2760-2c81-4ef7-b578-5b5392b571df",
    "FLOW_FREE": "f30db892-07e9-47e9-837c-80727f46fd3d",
    "SPB": "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46",
    "EMS": "efccb6f7-5641-4e0e-bd10-b4976e1bf68e",
    "SPE_E3": "05e9a617-0261-4cee-bb44-138d3ef5d965",
    "POWER_BI_PRO": "f8a1db68-be16-40ed-86d5-cb42ce701560",
    "VISIOCLIENT": "c5928f49-12ba-48f7-ada3-0d743a3601d5",
    "ENTERPRISEPACK": "6fd2c87f-b296-42f0-b197-1e91e994b900",
}

_MOSA = Spec(Kind.MOSA, "O365_BUSINESS_PREMIUM", "Microsoft 365 Business Standard", 20, due=200)
_MOSA_OFF = Spec(Kind.MOSA, "PROJECTPROFESSIONAL", "Project Plan 3", 5, State.SUSPENDED, due=60)
_TRIAL = Spec(Kind.TRIAL, "ENTERPRISEPREMIUM", "Office 365 E5 Trial", 25, State.WARNING, due=6)
_FREE = Spec(Kind.FREE, "FLOW_FREE", "Microsoft Power Automate Free", 10000)
_MCA_EARLY = Spec(Kind.MCA, "SPB", "Microsoft 365 Business Premium", 30, due=360, window=5)
_MCA_LATE = Spec(Kind.MCA, "EMS", "Enterprise Mobility + Security E3", 30, due=12, term=30.0)
_CSP = Spec(Kind.CSP, "SPE_E3", "Microsoft 365 E3", 40, due=362, window=4)
_SELF_SERVICE = Spec(Kind.SELF_SERVICE, "POWER_BI_PRO", "Power BI Pro", 1, due=20, term=30.0)
_LOCKED = Spec(Kind.LOCKED, "VISIOCLIENT", "Visio Plan 2", 3, State.LOCKED_OUT)
_ENTRA_FREE = Spec(Kind.ENTRA_FREE, "AAD_FREE", "Microsoft Entra ID Free", 500000)
_MOSA_BIG = Spec(Kind.MOSA, "ENTERPRISEPACK", "Office 365 E3", 40, due=150)

_SMALL = (_MOSA, _MOSA_OFF, _TRIAL, _FREE, _MCA_EARLY)
_HYBRID = (*_SMALL, _CSP, _MCA_LATE, _SELF_SERVICE)
PROFILES: dict[str, tuple[Spec, ...]] = {
    "small": _SMALL,
    "hybrid": _HYBRID,
    "large": (_MOSA, _MCA_EARLY, _FREE),
    "hostile": (*_HYBRID, _LOCKED, _ENTRA_FREE, _MOSA_BIG),
}


def seed(world: World, tenant: Tenant) -> None:
    """Give one tenant its commerce state; only the target has bought anything."""
    commerce = Commerce(world.clock)
    tenant.commerce = commerce
    if tenant is not world.target:
        return
    profile = world.options.profile
    now: datetime = world.clock.now()
    # A stream of its own: a change here must not move the users that the core seeds from tenant.rng.
    rng = random.Random(f"commerce-{world.options.seed}-{profile}")
    mosa = BillingAccount(_guid(rng), f"{tenant.display_name} (legacy)", MOSP, tenant.id)
    mca = BillingAccount(_mca_name(rng), tenant.display_name, MCA, tenant.id)
    for account in (mosa, mca):
        commerce.add(account)
    for spec in PROFILES[profile]:
        row = _row(world, tenant, rng, spec, now)
        commerce.add(row)
        if spec.kind is Kind.MCA:
            mca.subscriptions.append(row)
        elif spec.kind is Kind.MOSA:
            mosa.subscriptions.append(row)
    _add_azure(commerce, tenant, rng, profile, now)
    # The trap: a sister company's subscription on the same billing account, cancellable by the same caller.
    mca.associated = {(sister := _guid(rng)): "Active"}
    mca.subscriptions.append(_foreign(world, rng, sister, now))
    if profile == "hostile":
        other = _guid(rng)
        stray = BillingAccount(_mca_name(rng), "Litware Holding", MCA, other)
        stray.subscriptions.append(_foreign(world, rng, other, now))
        commerce.add(stray)


def _row(world: World, tenant: Tenant, rng: random.Random, spec: Spec, now: datetime) -> Subscription:
    days = world.clock.days
    started = now - timedelta(days=rng.randint(30, 900))
    due = None if spec.due is None else now + days(spec.due)
    row = Subscription(
        id=_guid(rng),
        commerce_id=_guid(rng),
        life=Life(spec.kind, spec.state, started, due, spec.term),
        name=spec.name,
        sku_id=SKU_IDS.get(spec.sku) or str(uuid.uuid5(uuid.NAMESPACE_DNS, spec.sku)),
        sku=spec.sku,
        licences=spec.licences,
        tenant_id=tenant.id,
        created=started,
        is_trial=spec.kind is Kind.TRIAL,
        term_start=None if due is None else due - days(spec.term),
    )
    if spec.window is not None:
        row.window_end = now + max(days(spec.window), WINDOW_FLOOR)
    if spec.kind is Kind.CSP:
        row.owner_tenant = world.partner.id
        row.partner_view = _partner_view(rng, spec)
    if spec.kind is Kind.SELF_SERVICE:
        row.owner_id, row.owner_type = _buyer(tenant), "User"
    return row


def _partner_view(rng: random.Random, spec: Spec) -> dict[str, Any]:
    """The fields only Partner Center has; a queued change waits in them, as the facts warn (section 4)."""
    return {
        "friendlyName": spec.name,
        "orderId": f"{rng.getrandbits(48):012x}",
        "scheduledNextTermInstructions": {"product": {"termDuration": "P1Y"}, "quantity": spec.licences},
    }


def _buyer(tenant: Tenant) -> str | None:
    """Who bought the self-service product: some member who is not the keeper."""
    keeper = tenant.directory.keeper
    users = tenant.directory.users.live.values()
    return next((user.id for user in users if user is not keeper and user.userType == "Member"), None)


def _add_azure(commerce: Commerce, tenant: Tenant, rng: random.Random, profile: str, now: datetime) -> None:
    def add(name: str, quota_id: str, resources: int = 0) -> None:
        life = Life(Kind.AZURE, State.ENABLED, now)
        deletable = quota_id == PAY_AS_YOU_GO
        commerce.add(AzureSubscription(_guid(rng), name, life, tenant.id, quota_id, resources, deletable))

    add("Pay-As-You-Go", PAY_AS_YOU_GO)
    if profile in ("hybrid", "hostile"):
        add("Microsoft Azure Sponsorship", SPONSORED)
    if profile == "hostile":
        add("Forgotten lab", PAY_AS_YOU_GO, resources=2)


def _foreign(world: World, rng: random.Random, owner: str, now: datetime) -> Subscription:
    days = world.clock.days
    life = Life(Kind.MCA, State.ENABLED, now, now + days(300))
    return Subscription(
        id=_guid(rng),
        commerce_id=_guid(rng),
        life=life,
        name="Microsoft 365 Business Premium",
        sku_id=SKU_IDS["SPB"],
        sku="SPB",
        licences=120,
        tenant_id=owner,
        created=now - timedelta(days=65),
        window_end=now + max(days(5), WINDOW_FLOOR),
        term_start=now - days(65),
    )


def _mca_name(rng: random.Random) -> str:
    return f"{_guid(rng)}:{_guid(rng)}_2019-05-31"


def _guid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
