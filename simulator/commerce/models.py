"""What one tenant has bought: licence subscriptions, Azure subscriptions and the billing accounts they hang on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .lifecycle import FINISHED, SHOWN, Event, Kind, Life, State

MCA, MOSP = "MicrosoftCustomerAgreement", "MicrosoftOnlineServicesProgram"
MOSA_CANCEL_LIMIT = 25  # licences; above it a person must reduce first or ask Support (subscription-facts 1)


class RefusedError(Exception):
    """A seller's or portal's no: a short code for machines and a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Subscription:
    """One commercial licence subscription: a row in Graph and perhaps in a seller's API.

    `commerce_id` is the id in Graph's commerceSubscriptionId, in ARM billing and in Partner Center. That the three are
    equal is our assumption (subscription-facts 5 calls it an inference).
    """

    id: str
    commerce_id: str
    life: Life
    name: str
    sku_id: str
    sku: str
    licences: int
    tenant_id: str
    created: datetime
    is_trial: bool = False
    owner_id: str | None = None
    owner_type: str | None = None
    owner_tenant: str | None = None
    window_end: datetime | None = None
    term_start: datetime | None = None
    partner_view: dict[str, Any] = field(default_factory=dict)
    busy_until: datetime | None = None  # a cancel was accepted and is still being carried out
    reducible: bool = False  # a person can take licences away in the admin center
    shown: str | None = None  # a word every API shows in place of the true state
    lies: dict[str, dict[str, Any]] = field(default_factory=dict)  # "graph", "arm", "partner" -> properties shown

    @property
    def kind(self) -> Kind:
        """How it was bought."""
        return self.life.kind

    @property
    def status(self) -> str:
        """Graph's word for the state."""
        return self.word(SHOWN.get(self.life.state, "Deleted"))

    def word(self, usual: str) -> str:
        """What an API calls the state: its usual word, or the one that was planted in its place."""
        return usual if self.shown is None or self.life.state in FINISHED else self.shown

    @property
    def renews(self) -> bool:
        """Whether it goes on after the term."""
        return self.life.state is State.ENABLED and self.life.may(Event.RENEWAL_OFF) and self.life.renews

    def window_open(self, now: datetime) -> bool:
        """Whether the seller still takes a cancellation."""
        return self.window_end is not None and now <= self.window_end


@dataclass
class AzureSubscription:
    """One Azure subscription; Graph never shows it (subscription-facts 5)."""

    id: str
    name: str
    life: Life
    tenant_id: str
    quota_id: str
    resources: list[str] = field(default_factory=list)
    deletable: bool = True  # only pay-as-you-go and free trials have a Delete button (subscription-facts 3)

    @property
    def state(self) -> str:
        """ARM's word for the state."""
        return {State.ENABLED: "Enabled", State.SUSPENDED: "Disabled"}.get(self.life.state, "Deleted")


@dataclass
class BillingAccount:
    """One billing account as a caller of this tenant sees it, other tenants' subscriptions included."""

    name: str
    display_name: str
    agreement: str
    primary_tenant: str
    associated: dict[str, str] = field(default_factory=dict)  # tenant id -> provisioningManagementState
    subscriptions: list[Subscription] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Its ARM id."""
        return f"/providers/Microsoft.Billing/billingAccounts/{self.name}"


@dataclass
class Operation:
    """A long-running ARM billing operation; `done_at` is when its effect is there."""

    id: str
    subscription: Subscription
    done_at: datetime


class Commerce:
    """Everything one tenant has bought, brought up to date at every look."""

    def __init__(self, clock: Any, *, stuck: Callable[[], bool] = lambda: False) -> None:
        self.clock = clock
        self._stuck = stuck
        self._licences: list[Subscription] = []
        self._azure: list[AzureSubscription] = []
        self._accounts: list[BillingAccount] = []
        self.operations: dict[str, Operation] = {}

    def add(self, item: Subscription | AzureSubscription | BillingAccount) -> None:
        """Take in one seeded thing."""
        if isinstance(item, Subscription):
            self._licences.append(item)
        elif isinstance(item, AzureSubscription):
            self._azure.append(item)
        else:
            self._accounts.append(item)

    def sell(self, row: Subscription) -> None:
        """Take in one licence subscription, and bill it on the tenant's own account of its agreement."""
        self.add(row)
        agreement = {Kind.MCA: MCA, Kind.MOSA: MOSP}.get(row.kind)
        for account in self._accounts:
            if account.agreement == agreement and account.primary_tenant == row.tenant_id:
                account.subscriptions.append(row)

    def has_resource(self, name: str) -> bool:
        """Whether an Azure resource of this name still exists."""
        self.settle()
        return any(name in item.resources for item in self._azure if item.life.state not in FINISHED)

    def settle(self) -> datetime:
        """Let all dates that have passed take effect; answers the present moment."""
        now: datetime = self.clock.now()
        for operation in list(self.operations.values()):
            row = operation.subscription
            if row.busy_until is not None and not self.running(operation, now):
                row.busy_until = None
                if row.life.may(Event.CANCEL):
                    row.life.fire(Event.CANCEL, operation.done_at, self.days)
        for account in self._accounts:
            for row in account.subscriptions:
                row.life.settle(now, self.days)
        for row in self._licences:
            row.life.settle(now, self.days)
        for item in self._azure:
            item.life.settle(now, self.days)
        return now

    def running(self, operation: Operation, now: datetime) -> bool:
        """Whether a long-running operation has not ended; none ends while the setting `lro` is `never`."""
        return self._stuck() or operation.done_at > now

    def days(self, count: float) -> timedelta:
        """So many of this world's days."""
        span: timedelta = self.clock.days(count)
        return span

    def fire(self, item: Subscription | AzureSubscription, event: Event) -> None:
        """Do one thing to one subscription now; `lifecycle.NotAllowedError` when its table has no such row."""
        item.life.fire(event, self.settle(), self.days)

    def rows(self) -> list[Subscription]:
        """Licence subscriptions that Graph still shows."""
        self.settle()
        return [row for row in self._licences if row.life.state is not State.GONE]

    def everything(self) -> list[Subscription | AzureSubscription]:
        """All that was ever there, the vanished included."""
        self.settle()
        return [*self._licences, *self._azure]

    def azure(self) -> list[AzureSubscription]:
        """Azure subscriptions that ARM still shows."""
        self.settle()
        return [row for row in self._azure if row.life.state is not State.GONE]

    def accounts(self) -> list[BillingAccount]:
        """Billing accounts this tenant's callers can see."""
        self.settle()
        return self._accounts

    def find(self, wanted: str) -> Subscription | AzureSubscription | None:
        """The subscription with this object id, commerce id or Azure id, wherever it stands."""
        self.settle()
        for row in self._licences:
            if wanted in (row.id, row.commerce_id):
                return row
        return next((row for row in self._azure if row.id == wanted), None)

    def summary(self) -> dict[str, Any]:
        """What the control surface reports: all that were ever there, and how many are no more."""
        everything = self.everything()
        shown = Counter(
            "gone"
            if item.life.state is State.GONE
            else (item.state if isinstance(item, AzureSubscription) else item.status)
            for item in everything
        )
        deleted = sum(item.life.state in FINISHED for item in everything)
        return {"total": len(everything), "deleted": deleted, "byStatus": dict(sorted(shown.items()))}
