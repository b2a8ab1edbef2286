"""The products a simulated tenant can have, which profile starts with which, and how one becomes a row."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from simulator.world import Tenant, World

from .lifecycle import SOLD_BY_PARTNER, Kind, Life, State
from .models import Subscription

# A cancellation window of a few days would be over before a rehearsal with short days gets there. Deviation, see the
# coverage table: a window stays open for an hour of real time at least.
WINDOW_FLOOR = timedelta(hours=1)


@dataclass(frozen=True)
class Spec:
    """One licence subscription to sell; days are counted from the moment of the sale."""

    kind: Kind
    sku: str
    name: str
    licences: int
    state: State = State.ENABLED
    due: float | None = None
    window: float | None = None
    term: float = 365.0
    reducible: bool = False
    pays: bool = False


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
_MCA_YEAR = Spec(Kind.MCA, "SPB", "Microsoft 365 Business Premium", 30, due=365)
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
    "long": (_MCA_YEAR,),
    "bare": (),
    "external": (),
    "external-b2c": (),
}

FOR_SALE: dict[Kind, Spec] = {
    Kind.MOSA: _MOSA,
    Kind.MCA: Spec(Kind.MCA, "SPB", "Microsoft 365 Business Premium", 30, due=360),
    Kind.CSP: Spec(Kind.CSP, "SPE_E3", "Microsoft 365 E3", 40, due=362),
    Kind.CSP_LEGACY: Spec(Kind.CSP_LEGACY, "SPE_E3", "Microsoft 365 E3", 40, due=200),
    Kind.TRIAL: Spec(Kind.TRIAL, "ENTERPRISEPREMIUM", "Office 365 E5 Trial", 25, due=20, term=30.0),
    Kind.FREE: _FREE,
    Kind.SELF_SERVICE: _SELF_SERVICE,
    Kind.ENTRA_FREE: _ENTRA_FREE,
    Kind.LOCKED: _LOCKED,
}
"""What `POST /_sim/subscriptions` sells when it is told the kind and nothing else."""


def build(world: World, tenant: Tenant, rng: random.Random, spec: Spec, now: datetime) -> Subscription:
    """One row for a tenant, bought some time ago."""
    days = world.clock.days
    started = now - timedelta(days=rng.randint(30, 900))
    due = None if spec.due is None else now + days(spec.due)
    row = Subscription(
        id=guid(rng),
        commerce_id=guid(rng),
        life=Life(spec.kind, spec.state, started, due, spec.term, spec.pays),
        name=spec.name,
        sku_id=SKU_IDS.get(spec.sku) or str(uuid.uuid5(uuid.NAMESPACE_DNS, spec.sku)),
        sku=spec.sku,
        licences=spec.licences,
        tenant_id=tenant.id,
        created=started,
        is_trial=spec.kind is Kind.TRIAL,
        term_start=None if due is None else due - days(spec.term),
        reducible=spec.reducible,
    )
    if spec.window is not None:
        row.window_end = now + max(days(spec.window), WINDOW_FLOOR)
    if spec.kind in SOLD_BY_PARTNER:
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


def guid(rng: random.Random) -> str:
    """A version 4 GUID drawn from a seeded generator."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
