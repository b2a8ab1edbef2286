"""The only place that picks implementations: settings in, ports out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tenantclosure import redaction
from tenantclosure.errors import SettingsError
from tenantclosure.ledger import Ledger
from tenantclosure.ledger.sealed import SealedRecords
from tenantclosure.model.approval_policy import ApprovalPolicy, parse_policy
from tenantclosure.ports import (
    Access,
    Billing,
    Channel,
    Clock,
    Directory,
    ExternalDirectory,
    Mailer,
    Outside,
    Partner,
    People,
    Records,
    Tokens,
)
from tenantclosure.settings import Settings, load
from tenantclosure.telemetry import export

if TYPE_CHECKING:
    from tenantclosure.gateways.identity import Credentials


@dataclass(frozen=True)
class Parts:
    """Everything an activity or a handler may reach for; the tenant's ports are made per tenant and kept."""

    settings: Settings
    policy: ApprovalPolicy
    clock: Clock
    records: Records
    ledger: Ledger
    make_directory: Callable[[str], Directory]
    make_billing: Callable[[str], Billing]
    make_partner: Callable[[str], Partner | None]
    make_outside: Callable[[str], Outside]
    access: Access = field(kw_only=True)
    people: People | None = None
    """None only in a rehearsal with static tokens and none for the hosting tenant: then names are taken as they are."""
    mailer: Mailer | None = None
    channel: Channel | None = None
    tokens: Tokens | None = None
    make_external: Callable[[str], ExternalDirectory] | None = None
    """None where we can't sign in to the hosting tenant, whose Azure subscription holds external directories."""
    _made: dict[tuple[str, str], object] = field(default_factory=dict)

    def directory(self, tenant: str) -> Directory:
        """The tenant's directory in Graph."""
        return self._once("directory", tenant, self.make_directory)

    def billing(self, tenant: str) -> Billing:
        """The tenant's Azure and billing side."""
        return self._once("billing", tenant, self.make_billing)

    def partner(self, tenant: str) -> Partner | None:
        """The tenant as a customer of our partner account; None when no partner is configured."""
        return self._once("partner", tenant, self.make_partner)

    def outside(self, tenant: str) -> Outside:
        """The tenant as anyone sees it."""
        return self._once("outside", tenant, self.make_outside)

    def external(self, tenant: str) -> ExternalDirectory | None:
        """The Azure resource side of an External ID or B2C tenant; None when the hosting tenant can't be reached."""
        return None if self.make_external is None else self._once("external", tenant, self.make_external)

    def portals(self) -> dict[str, str]:
        """Deep links' bases in the tenant's cloud."""
        return {name: self.settings.endpoint(name) for name in ("portal", "admin", "azure_portal")}

    def _once[T](self, kind: str, tenant: str, make: Callable[[str], T]) -> T:
        if (kind, tenant) not in self._made:
            self._made[kind, tenant] = make(tenant)
        return self._made[kind, tenant]  # type: ignore[return-value]  # kept under the key of its kind


_parts: dict[str, Parts] = {}


def parts() -> Parts:
    """The process's parts, made from the environment on first use. Raises SettingsError."""
    if "now" not in _parts:
        _parts["now"] = build(load())
    return _parts["now"]


def use(parts: Parts | None) -> None:
    """Put other parts in place (tests), or forget them."""
    _parts.clear()
    _prepared.clear()
    if parts is not None:
        _parts["now"] = parts


def load_policy(path: Path | None, *, rehearsal: bool) -> ApprovalPolicy:
    """The approval policy from its file. Without one only a rehearsal may go on, where the request names the people.

    Raises SettingsError.
    """
    if path is None:
        if rehearsal:
            return ApprovalPolicy()
        raise SettingsError("CLOSURE_APPROVAL_POLICY is missing: name the file that says who may approve.")
    try:
        return parse_policy(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"CLOSURE_APPROVAL_POLICY can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError("CLOSURE_APPROVAL_POLICY is not valid YAML: it must be UTF-8.") from None


def build(settings: Settings) -> Parts:
    """Parts with the real gateways. The SDKs are imported when a port is first used."""
    from tenantclosure.gateways.access import EntraAccess
    from tenantclosure.gateways.clock import SystemClock
    from tenantclosure.gateways.identity import Credentials
    from tenantclosure.gateways.records import AzureRecords
    from tenantclosure.gateways.seal_keys import seal_keys

    redaction.know(_secrets(settings))
    export.begin(settings)
    clock = SystemClock(settings.day_seconds)
    records = SealedRecords(AzureRecords(settings), lambda: seal_keys(settings))
    credentials = Credentials(settings)

    def directory(tenant: str) -> Directory:
        from tenantclosure.gateways.graph import GraphDirectory

        return GraphDirectory(settings, credentials, tenant)

    def billing(tenant: str) -> Billing:
        from tenantclosure.gateways.arm import ArmBilling

        return ArmBilling(settings, credentials, tenant)

    def partner(tenant: str) -> Partner | None:
        from tenantclosure.gateways.partner import PartnerCenter

        configured = settings.partner_static_token if settings.credential == "static" else settings.partner_tenant_id
        return PartnerCenter(settings, credentials, tenant) if configured else None

    def outside(tenant: str) -> Outside:
        from tenantclosure.gateways.outside import OutsideView

        return OutsideView(settings, tenant)

    def external(tenant: str) -> ExternalDirectory:
        from tenantclosure.gateways.external import ArmDirectory

        return ArmDirectory(settings, credentials, tenant)

    return Parts(
        settings=settings,
        policy=load_policy(settings.approval_policy, rehearsal=settings.rehearsal),
        clock=clock,
        records=records,
        ledger=Ledger(records, clock, settings.site),
        make_directory=directory,
        make_billing=billing,
        make_partner=partner,
        make_outside=outside,
        access=EntraAccess(settings, credentials),
        people=_people(settings, credentials),
        mailer=_mailer(settings, credentials),
        channel=_channel(settings),
        tokens=_tokens(settings),
        make_external=external if reaches_home(settings) else None,
    )


def reaches_home(settings: Settings) -> bool:
    """Whether we can sign in to the hosting tenant."""
    return bool(settings.home_tenant_id) and (settings.credential != "static" or bool(settings.home_static_token))


def _secrets(settings: Settings) -> list[str]:
    """Settings that are never shown."""
    return [str(getattr(settings, name)) for name, field in Settings.model_fields.items() if not field.repr]


def _people(settings: Settings, credentials: Credentials) -> People | None:
    from tenantclosure.gateways.people import HomeDirectory

    return HomeDirectory(settings, credentials) if reaches_home(settings) else None


def _mailer(settings: Settings, credentials: Credentials) -> Mailer | None:
    if settings.smtp:
        from tenantclosure.gateways.mail_smtp import SmtpMailer

        return SmtpMailer(settings)
    if settings.mail_from and reaches_home(settings):
        from tenantclosure.gateways.mail_graph import GraphMailer

        return GraphMailer(settings, credentials)
    return None


def _channel(settings: Settings) -> Channel | None:
    from tenantclosure.gateways.teams import TeamsChannel

    return TeamsChannel(settings) if settings.teams_webhook else None


def _tokens(settings: Settings) -> Tokens | None:
    from tenantclosure.gateways.tokens import EntraTokens

    return EntraTokens(settings) if settings.home_tenant_id and settings.client_id else None


async def close() -> None:
    """Give connections back; for a host that stops in an orderly way."""
    ready = _parts.get("now")
    if ready is not None:
        from tenantclosure.gateways.http import connections

        await connections(ready.settings).close()
        await ready.records.close()
    await asyncio.to_thread(export.end)


_prepared: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}


async def prepared() -> Parts:
    """The process's parts with their storage in place; created once per process and event loop."""
    ready = parts()
    key = asyncio.get_running_loop()
    task = _prepared.get(key)
    if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
        task = _prepared[key] = asyncio.create_task(_prepare(ready))
    await asyncio.shield(task)
    return ready


async def _prepare(ready: Parts) -> None:
    await ready.records.prepare()
    await ready.ledger.check_deployment(ready.settings.home_tenant_id)
