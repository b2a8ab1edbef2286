"""What the closure needs from the world, as small Protocols; gateways implement them, tests may too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from tenantclosure.model.inventory import Answer, Item, Organization, TokenIdentity
from tenantclosure.model.mail import Mail
from tenantclosure.model.people import Account

JSON = dict[str, Any]


@runtime_checkable
class Clock(Protocol):
    """Real UTC time, the rehearsal's length of a day, and waiting inside an activity."""

    def now(self) -> datetime:
        """Aware UTC now."""
        ...

    def days(self, days: float) -> float:
        """Seconds that stand for so many of Microsoft's days (`CLOSURE_DAY_SECONDS`)."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait inside an activity; only for waits under a minute."""
        ...


@runtime_checkable
class Directory(Protocol):
    """One tenant's directory in Microsoft Graph; bound to the tenant to be closed."""

    async def identity(self) -> TokenIdentity:
        """What the token says: tenant, application, permissions. Raises ServiceTrouble."""
        ...

    async def organization(self) -> Organization:
        """`GET /organization`; exactly one row, otherwise ListingIncomplete."""
        ...

    async def find_user(self, id_or_upn: str) -> Item | None:
        """One user by id or UPN with the same facts as in listings; None when Graph says 404."""
        ...

    async def global_administrators(self) -> frozenset[str]:
        """Object ids of active members of Global Administrator (direct members)."""
        ...

    async def role_holders(self) -> Mapping[str, tuple[str, ...]]:
        """Principal id -> role definition ids of every active role assignment."""
        ...

    async def own_service_principal(self) -> Item | None:
        """Our application's service principal in the tenant; facts as in listings."""
        ...

    def pages(self, family: str) -> AsyncIterator[list[Item]]:
        """Every page of a family's listing in order, no id twice. Raises ListingIncomplete on any break: no partial
        end is silent.
        """
        ...

    async def delete_many(self, family: str, ids: Sequence[str]) -> list[Answer]:
        """DELETE up to 20 objects in one `$batch`; one answer per id, in the ids' order.

        Raises Throttled or ServiceTrouble when the outer call failed; then no item has an answer.
        """
        ...

    async def states_of(self, family: str, ids: Sequence[str]) -> dict[str, str]:
        """`present`, `deleted` (in the recycle bin) or `gone` for up to 20 ids, by point reads in one `$batch`."""
        ...

    async def block_sign_in(self, ids: Sequence[str]) -> list[Answer]:
        """Disable up to 10 users and revoke their sessions (two writes each, one `$batch`)."""
        ...

    async def allow_sign_in(self, ids: Sequence[str]) -> list[Answer]:
        """PATCH accountEnabled=true for up to 20 users in one `$batch`; undoes `block_sign_in`."""
        ...

    async def restore_many(self, family: str, ids: Sequence[str]) -> list[Answer]:
        """POST deletedItems/{id}/restore for up to 20 objects in one `$batch`; undoes `delete_many` for 30 days."""
        ...

    async def disable_service_principals(self, ids: Sequence[str]) -> list[Answer]:
        """PATCH accountEnabled=false for up to 20 service principals in one `$batch`."""
        ...

    async def turn_off_sync(self) -> Answer:
        """PATCH organization onPremisesSyncEnabled=false; 403 and 400 are answers, not errors."""
        ...

    async def mfa_states(self, ids: Sequence[str]) -> dict[str, str]:
        """Per-user MFA state of up to 20 users (beta): enabled, enforced, disabled, or unknown."""
        ...

    async def turn_off_mfa(self, ids: Sequence[str]) -> list[Answer]:
        """PATCH perUserMfaState=disabled for up to 20 users (beta) in one `$batch`."""
        ...

    async def sign_up_policy(self) -> JSON:
        """The parts of authorizationPolicy that the freeze changes, as Graph returns them."""
        ...

    async def set_sign_up_policy(self, policy: JSON) -> Answer:
        """PATCH authorizationPolicy with these members."""
        ...

    async def external_leftovers(self) -> dict[str, int | None]:
        """What a B2C or External ID tenant must be rid of: name -> count of user flows, custom policies, policy keys,
        identity providers (beta, tenant-facts A15); None where it can't be read.
        """
        ...

    async def security_defaults(self) -> bool | None:
        """Whether security defaults are on; None when it can't be read."""
        ...


@runtime_checkable
class Billing(Protocol):
    """Azure Resource Manager: Azure subscriptions and Microsoft Customer Agreement billing."""

    async def azure_subscriptions(self) -> list[Item]:
        """Azure subscriptions of this tenant. facts: state, tenantId, quotaId."""
        ...

    async def azure_state(self, subscription_id: str) -> str:
        """State word of one Azure subscription; `Deleted` when 404. Raises AccessRefused."""
        ...

    async def cancel_azure(self, subscription_id: str, *, ignore_resources: bool = False) -> Answer:
        """POST Microsoft.Subscription/cancel; with resources left it is refused unless `ignore_resources`."""
        ...

    async def delete_azure(self, subscription_id: str) -> Answer:
        """POST cancel with ImmediateDelete: undocumented, only where the request asks for it (subscription-facts 3)."""
        ...

    async def enable_azure(self, subscription_id: str) -> Answer:
        """POST Microsoft.Subscription/enable: undoes a cancel while the subscription is Disabled."""
        ...

    async def billing_subscriptions(self) -> list[Item]:
        """Billing subscriptions that provision THIS tenant under agreements we may act on.

        id = full ARM id; facts: name, status, autoRenew, termEndDate, cancellation (Allowed|NotAllowed),
        cancellationAllowedEndDate, agreementType, operationStatus, tenantId, skuId, quantity, account (its name),
        allowed (the account is on `CLOSURE_BILLING_ACCOUNTS`). Rows of other tenants never leave here.
        """
        ...

    async def billing_subscription(self, arm_id: str) -> Item | None:
        """One such row afresh; None when 404. Raises AccessRefused."""
        ...

    async def cancel_billing(self, arm_id: str) -> Answer:
        """DELETE billingSubscriptions (which cancels, MCA only); 202 and 204 are success."""
        ...

    async def stop_renewal(self, arm_id: str) -> Answer:
        """PATCH autoRenew Off. This and `cancel_billing` raise RailBroken for an account that is not on the list."""
        ...

    async def start_renewal(self, arm_id: str) -> Answer:
        """PATCH autoRenew On; undoes `stop_renewal`."""
        ...


@runtime_checkable
class Partner(Protocol):
    """Partner Center, with the partner's own credentials (CSP)."""

    async def subscriptions(self) -> list[Item]:
        """The customer's subscriptions. facts: status, autoRenewEnabled, cancellationAllowedUntilDate,
        commitmentEndDate, legacy (bought before the new commerce experience). Raises AccessRefused.
        """
        ...

    async def subscription(self, subscription_id: str) -> Item | None:
        """One afresh; None when 404. Raises AccessRefused."""
        ...

    async def cancel(self, subscription_id: str) -> Answer:
        """GET, then PATCH the whole resource with status deleted."""
        ...

    async def stop_renewal(self, subscription_id: str) -> Answer:
        """GET, then PATCH the whole resource with autoRenewEnabled false."""
        ...

    async def start_renewal(self, subscription_id: str) -> Answer:
        """The same with autoRenewEnabled true; undoes `stop_renewal`."""
        ...

    async def suspend(self, subscription_id: str) -> Answer:
        """The same with status suspended: ends a legacy subscription, 90 days later it is Deleted."""
        ...


@runtime_checkable
class ExternalDirectory(Protocol):
    """The Azure resource behind an External ID or B2C tenant, in a subscription of ANOTHER tenant (tenant-facts B)."""

    async def find(self, resource_id: str) -> JSON | None:
        """{tenantId, kind (ciam or b2c), name, location} of the resource; None when 404. Raises AccessRefused."""
        ...

    async def delete(self, resource_id: str) -> tuple[Answer, str | None]:
        """DELETE it: the answer (202, 204: success) and the address of the operation, if it is a long-running one.

        Raises RailBroken (tenant pin) when the resource belongs to another tenant than the one to be closed.
        """
        ...

    async def poll(self, operation: str) -> str:
        """One look at the operation: `running`, `succeeded` or `failed: WHY`."""
        ...


@runtime_checkable
class Outside(Protocol):
    """What anyone sees of a tenant without credentials."""

    async def sighting(self) -> str:
        """`alive`, `gone` or `unknown` from the OpenID configuration, uncached (tenant-facts B)."""
        ...

    async def cloud(self) -> str:
        """Which cloud the tenant says that it lives in, as `CLOSURE_CLOUD` names it; empty where nobody can tell."""
        ...


@runtime_checkable
class Access(Protocol):
    """What our application may do where. Nothing is written."""

    async def sign_in(self, tenant: str, service: str) -> TokenIdentity:
        """Sign in afresh to `graph`, `arm` or `partner` of a tenant. Raises SignInRefused, SettingsError."""
        ...

    async def vouching(self) -> Mapping[str, str]:
        """{issuer, subject, audience} that the federated credential must name; empty with another credential.

        Raises SettingsError when there is no such managed identity, ServiceTrouble.
        """
        ...

    async def azure_roles(self, tenant: str, subscription: str, principal: str) -> frozenset[str]:
        """Role definition ids that a principal itself holds on an Azure subscription or above. Raises AccessRefused."""
        ...

    async def sees_billing_account(self, tenant: str, account: str) -> bool:
        """Whether a billing account shows itself to us. Raises ServiceTrouble."""
        ...


@runtime_checkable
class People(Protocol):
    """The hosting tenant's directory: who the approvers are."""

    async def find(self, upn: str) -> Account | None:
        """The account of this user principal name; None when there is none. Raises ServiceTrouble."""
        ...


@runtime_checkable
class Mailer(Protocol):
    """Sends mail from the hosting tenant."""

    async def send(self, mail: Mail) -> None:
        """Hand one message over. Raises Undeliverable when another try can't help, otherwise ServiceTrouble."""
        ...


@runtime_checkable
class Channel(Protocol):
    """A Teams channel, behind the webhook of a Workflow."""

    async def post(self, card: JSON) -> None:
        """Post one Adaptive Card. Raises Undeliverable when another try can't help, otherwise ServiceTrouble."""
        ...


@runtime_checkable
class Tokens(Protocol):
    """Reads the access tokens that callers bring."""

    async def claims(self, token: str) -> Mapping[str, Any]:
        """Claims of a token whose signature, issuer, audience, tenant (the hosting one) and dates hold.

        Raises TokenRefused (its `reason` is a fixed word), or ServiceTrouble when the signing keys can't be read.
        """
        ...


@runtime_checkable
class Records(Protocol):
    """Where the truth lies: documents with ETags, blobs, append blobs, the request queue.

    Documents are addressed by (partition, key), hold one JSON object and carry an ETag. Every method raises
    ServiceTrouble when storage does not answer. A document that is not sealed by this deployment raises RailBroken when
    it is read, one of a newer version RecordNewer (`ledger.sealed`).
    """

    async def prepare(self) -> None:
        """Create container, table and queues if they are missing."""
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...

    async def create(self, partition: str, key: str, doc: JSON) -> str:
        """Insert a document; RecordConflict if the key exists. Returns the ETag."""
        ...

    async def read(self, partition: str, key: str) -> tuple[JSON, str] | None:
        """A document with its ETag, or None."""
        ...

    async def replace(self, partition: str, key: str, doc: JSON, etag: str) -> str:
        """Overwrite a document that still has this ETag; RecordConflict otherwise. Returns the new ETag."""
        ...

    async def put(self, partition: str, key: str, doc: JSON) -> None:
        """Insert or overwrite without asking; only for documents with one writer."""
        ...

    async def remove(self, partition: str, key: str) -> None:
        """Delete a document; nothing happens if it is not there."""
        ...

    def scan(
        self, partition: str | None = None, *, first: str = "", last: str = "", spoiled: list[str] | None = None
    ) -> AsyncIterator[tuple[str, str, JSON]]:
        """(partition, key, document) in key order; of all partitions when None; keys within [first, last].

        With `spoiled` a document that can't be trusted is left out, and what is wrong with it is put there.
        """
        ...

    async def write_blob(self, path: str, data: bytes) -> None:
        """Create or overwrite a blob."""
        ...

    async def write_pieces(self, path: str, pieces: AsyncIterator[bytes]) -> None:
        """The same with data that never lies in memory whole; what breaks off, here or in `pieces`, changes nothing."""
        ...

    async def read_blob(self, path: str) -> bytes:
        """A whole blob; RecordMissing if it is not there."""
        ...

    def read_lines(self, path: str) -> AsyncIterator[bytes]:
        """A blob's lines without their newline, streamed; RecordMissing if it is not there."""
        ...

    def read_pieces(self, path: str, length: int | None = None) -> AsyncIterator[bytes]:
        """A blob's first `length` bytes (all of it by default, or if it is shorter) in pieces of 1 MiB at most;
        RecordMissing if it is not there.
        """
        ...

    async def append(self, path: str, data: bytes, position: int) -> int:
        """Append to an append blob that is exactly `position` bytes long (0 creates it); RecordConflict otherwise.

        Returns the new length.
        """
        ...

    async def length(self, path: str) -> int:
        """Length of a blob in bytes; 0 if it is not there."""
        ...

    async def read_from(self, path: str, start: int) -> bytes:
        """A blob's bytes from `start` to its end, in one look; empty if it is no longer than that, or not there."""
        ...

    def paths(self, prefix: str) -> AsyncIterator[str]:
        """Paths of all blobs that begin so, but for audit chains, in order."""
        ...

    async def remove_blob(self, path: str) -> None:
        """Delete a blob; nothing happens if it is not there. ServiceTrouble where storage refuses (immutable).

        RailBroken for an audit chain: nobody deletes one.
        """
        ...

    async def enqueue(self, queue: str, message: JSON) -> None:
        """Put one message on a queue."""
        ...

    async def peek(self, queue: str, most: int = 32) -> list[JSON]:
        """Look at messages without taking them: {"id", "insertedAt", "body"}."""
        ...
