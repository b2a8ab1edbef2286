"""Which subscriptions and billing accounts a new tenant starts with, by profile."""

from __future__ import annotations

import random
from datetime import datetime

from simulator.population import IDENTITY
from simulator.world import Tenant, World

from .lifecycle import Kind, Life, State
from .models import MCA, MOSP, AzureSubscription, BillingAccount, Commerce, Subscription
from .products import PROFILES, SKU_IDS, WINDOW_FLOOR, build, guid

PAY_AS_YOU_GO, SPONSORED = "PayAsYouGo_2014-09-01", "Sponsored_2016-01-01"
WITHOUT_AZURE = ("bare", "long", "external", "external-b2c")


def seed(world: World, tenant: Tenant) -> None:
    """Give one tenant its commerce state; the target has bought what its profile says, the hosting tenant may host."""
    commerce = Commerce(world.clock, stuck=lambda: world.settings.lro == "never")
    tenant.commerce = commerce
    now: datetime = world.clock.now()
    profile = world.options.profile
    if tenant is world.home and world.directory_resource is not None:
        hosting = world.directory_resource.subscription_id
        add_azure(commerce, tenant, "Identity platform", PAY_AS_YOU_GO, now, id_=hosting)
    if tenant is not world.target:
        return
    # A stream of its own: a change here must not move the users that the core seeds from tenant.rng.
    rng = random.Random(f"commerce-{world.options.seed}-{profile}")
    mosa = BillingAccount(guid(rng), f"{tenant.display_name} (legacy)", MOSP, tenant.id)
    mca = BillingAccount(_mca_name(rng), tenant.display_name, MCA, tenant.id)
    for account in (mosa, mca):
        commerce.add(account)
    for spec in PROFILES[profile]:
        commerce.sell(build(world, tenant, rng, spec, now))
    _seed_azure(commerce, tenant, rng, profile, now)
    # The trap: a sister company's subscription on the same billing account, cancellable by the same caller.
    mca.associated = {(sister := guid(rng)): "Active"}
    mca.subscriptions.append(_foreign(world, rng, sister, now))
    if profile == "hostile":
        other = guid(rng)
        stray = BillingAccount(_mca_name(rng), "Litware Holding", MCA, other)
        stray.subscriptions.append(_foreign(world, rng, other, now))
        commerce.add(stray)


def add_azure(
    commerce: Commerce, tenant: Tenant, name: str, quota_id: str, now: datetime, *resources: str, id_: str
) -> AzureSubscription:
    """Put in one Azure subscription; only pay-as-you-go ones have a Delete button (subscription-facts 3)."""
    life = Life(Kind.AZURE, State.ENABLED, now)
    deletable = quota_id == PAY_AS_YOU_GO
    item = AzureSubscription(id_, name, life, tenant.id, quota_id, list(resources), deletable)
    commerce.add(item)
    return item


def _seed_azure(commerce: Commerce, tenant: Tenant, rng: random.Random, profile: str, now: datetime) -> None:
    if profile in WITHOUT_AZURE:
        return
    add_azure(commerce, tenant, "Pay-As-You-Go", PAY_AS_YOU_GO, now, id_=guid(rng))
    if profile in ("hybrid", "hostile"):
        add_azure(commerce, tenant, "Microsoft Azure Sponsorship", SPONSORED, now, id_=guid(rng))
    if profile == "hostile":
        add_azure(commerce, tenant, "Forgotten lab", PAY_AS_YOU_GO, now, IDENTITY, "lab-disk", id_=guid(rng))


def _foreign(world: World, rng: random.Random, owner: str, now: datetime) -> Subscription:
    days = world.clock.days
    life = Life(Kind.MCA, State.ENABLED, now, now + days(300))
    return Subscription(
        id=guid(rng),
        commerce_id=guid(rng),
        life=life,
        name="Microsoft 365 Business Premium",
        sku_id=SKU_IDS["SPB"],
        sku="SPB",
        licences=120,
        tenant_id=owner,
        created=now - days(65),
        window_end=now + max(days(5), WINDOW_FLOOR),
        term_start=now - days(65),
    )


def _mca_name(rng: random.Random) -> str:
    return f"{guid(rng)}:{guid(rng)}_2019-05-31"
