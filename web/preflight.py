"""The preflight of a tenant: sign in wherever we have to, and tell right by right what is there. It writes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

import azure.functions as func

from tenantclosure.errors import AccessRefused, ListingIncomplete, ServiceTrouble, SettingsError, SignInRefused
from tenantclosure.intake import check_target, grant_words, served_cloud
from tenantclosure.model.inventory import TokenIdentity
from tenantclosure.names import EXTERNAL_TYPES
from tenantclosure.policy import preflight
from tenantclosure.policy.permissions import BY_KEY, OWNER, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, Where, graph
from tenantclosure.policy.preflight import State, finding, lacking, passed, unseen
from tenantclosure.policy.signing_in import CAUSES, ENABLE, EXCLUDE, Cause
from tenantclosure.ports import JSON, Partner
from tenantclosure.wiring import Parts, reaches_home
from web.answers import json_answer
from web.problems import refuse
from web.route import Call

TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
MENDED = {
    Cause.CONSENT: ("Our application may not sign in there", None),
    Cause.DISABLED: ("Our application is disabled there", ENABLE),
    Cause.BLOCKED: ("A Conditional Access policy blocks our application's sign-in", EXCLUDE),
}
"""What a refused sign-in says of the consent, and what mends it where that is not to consent."""


async def show_preflight(call: Call) -> func.HttpResponse:
    """Which right is missing in a tenant that may be closed, with the command that grants it."""
    tenant = call.req.route_params["tenantId"].lower()
    if not TENANT.fullmatch(tenant):
        raise refuse(400, "invalid-request", "This is no tenant id.", "Give the tenant's GUID.", field="tenantId")
    check_target(tenant, call.parts)
    return json_answer(preflight.document(tenant, await _Look(call.parts, tenant).checks()))


class _Look:
    """One preflight of one tenant. Each place that keeps us out leaves the rights behind it unknown, not missing."""

    def __init__(self, parts: Parts, tenant: str) -> None:
        self.parts, self.tenant, self.settings = parts, tenant, parts.settings
        self.words = grant_words(tenant, parts)
        self.credential: JSON | None = None
        """What is wrong with our credential, once a sign-in has told."""
        self.signed_in = self.absent = False

    async def checks(self) -> list[JSON]:
        """Every check, the credential first."""
        await self._vouched()
        places = [*await self._target(), *await self._hosting(), *await self._partner()]
        return [*self._credential(), *places, *await self._host()]

    async def _vouched(self) -> None:
        """The managed identity, before it is needed: without it no sign-in can say anything."""
        try:
            self.words |= await self.parts.access.vouching()
        except (SettingsError, ServiceTrouble) as error:
            state = State.MISSING if isinstance(error, SettingsError) else State.UNKNOWN
            self.credential = finding("credential.federated", state, str(error), self.words, grant="")

    def _credential(self) -> list[JSON]:
        if self.settings.credential == "static":
            return []
        key = f"credential.{self.settings.credential}"
        if self.credential is not None:
            return [self.credential]
        if self.signed_in:
            return [passed(key, "It signs in as our application.")]
        return [finding(key, State.UNKNOWN, "No sign-in got as far as the credential.", self.words)]

    async def _sign_in(
        self, tenant: str, service: str, consent: str, words: Mapping[str, str]
    ) -> tuple[TokenIdentity | None, JSON]:
        """The token's identity, or None; and what that says of the consent there."""
        if self.credential is not None:
            return None, finding(consent, State.UNKNOWN, "Our credential is missing, so nobody can tell.", words)
        try:
            identity = await self.parts.access.sign_in(tenant, service)
        except SignInRefused as refused:
            return None, self._refused(refused, consent, words)
        except (ServiceTrouble, SettingsError) as error:
            return None, finding(consent, State.UNKNOWN, f"{error}.", words)
        self.signed_in = True
        return identity, passed(consent, "Our application signs in.")

    def _refused(self, refused: SignInRefused, consent: str, words: Mapping[str, str]) -> JSON:
        cause = CAUSES.get(refused.code or 0)
        said = f"AADSTS{refused.code}"
        if cause in (Cause.FEDERATED, Cause.CERTIFICATE):
            key = f"credential.{cause}"
            self.credential = lacking(key, self.words, f"The application does not know our credential ({said})")
            return finding(consent, State.UNKNOWN, "Our credential is missing, so nobody can tell.", words)
        if cause in MENDED:
            why, grant = MENDED[cause]
            detail = f"{why} ({said}). {BY_KEY[consent].without}"
            return finding(consent, State.MISSING, detail, words, grant=grant)
        if cause is Cause.TENANT and refused.tenant_id == self.tenant:
            self.absent = True
        return finding(consent, State.UNKNOWN, f"{refused}.", words)

    async def _target(self) -> list[JSON]:
        lives_in = await self.parts.outside(self.tenant).cloud()
        identity, consent = await self._sign_in(self.tenant, "graph", "target.consent", self.words)
        cloud = preflight.of_cloud(lives_in, served_cloud(self.parts), absent=self.absent)
        sellers = ("target.azure", *(("target.billing",) if self.settings.billing_accounts else ()))
        if identity is None:
            keys = [need.key for need in graph(Where.TARGET)]
            hidden = unseen([*keys, "target.role", *sellers], "We can't sign in to the tenant.", self.words)
            return [cloud, consent, *hidden]
        self.words["principal"] = identity.object_id or ""
        external = await self._external()
        roles = preflight.of_roles(Where.TARGET, identity.roles, self.words, external=external)
        return [cloud, consent, *roles, await self._role(identity), *await self._sellers(identity)]

    async def _external(self) -> bool:
        try:
            return (await self.parts.directory(self.tenant).organization()).tenant_type in EXTERNAL_TYPES
        except (ServiceTrouble, ListingIncomplete):
            return False  # the permission to read it is one of those that are told

    async def _role(self, identity: TokenIdentity) -> JSON:
        try:
            holders = await self.parts.directory(self.tenant).role_holders()
        except (ServiceTrouble, ListingIncomplete):
            return finding("target.role", State.UNKNOWN, "The tenant's role assignments can't be read.", self.words)
        if PRIVILEGED_AUTHENTICATION_ADMINISTRATOR in holders.get(identity.object_id or "", ()):
            return passed("target.role", "Our application holds the role.")
        return lacking("target.role", self.words)

    async def _sellers(self, identity: TokenIdentity) -> list[JSON]:
        return [*await self._azure(identity), *await self._billing()]

    async def _azure(self, identity: TokenIdentity) -> list[JSON]:
        key = "target.azure"
        try:
            await self.parts.access.sign_in(self.tenant, "arm")
            seen = await self.parts.billing(self.tenant).azure_subscriptions()
        except (ServiceTrouble, ListingIncomplete) as error:
            return [finding(key, State.UNKNOWN, f"Azure does not tell: {error}.", self.words)]
        if not seen:
            why = (
                "No Azure subscription of the tenant shows itself: there is none, or our application has no role on it."
            )
            return [finding(key, State.UNKNOWN, why, self.words)]
        found: list[JSON] = []
        for one in seen:
            words = {**self.words, "subscription": one.id}
            try:
                held = await self.parts.access.azure_roles(self.tenant, one.id, identity.object_id or "")
            except ServiceTrouble as error:
                found.append(finding(key, State.UNKNOWN, f"Azure does not tell: {error}.", words, about=one.id))
                continue
            if OWNER in held:
                found.append(passed(key, f"Our application is Owner of {one.name}.", about=one.id))
            else:
                found.append(lacking(key, words, f"Our application itself is not Owner of {one.name}", about=one.id))
        return found

    async def _billing(self) -> list[JSON]:
        found: list[JSON] = []
        for account in sorted(self.settings.billing_accounts):
            words = {**self.words, "account": account}
            try:
                seen = await self.parts.access.sees_billing_account(self.tenant, account)
            except ServiceTrouble as error:
                found.append(finding("target.billing", State.UNKNOWN, f"{error}.", words, about=account))
                continue
            told = "The account shows itself; that the role is enough only a cancellation proves."
            why = f"The billing account {account} does not show itself to our application"
            found.append(
                passed("target.billing", told, about=account)
                if seen
                else lacking("target.billing", words, why, about=account)
            )
        return found

    async def _hosting(self) -> list[JSON]:
        if not reaches_home(self.settings):
            return []
        words = {**self.words, "tenant": self.settings.home_tenant_id, "principal": ""}
        mail = bool(self.settings.mail_from) and not self.settings.smtp
        identity, consent = await self._sign_in(self.settings.home_tenant_id, "graph", "hosting.consent", words)
        if identity is None:
            keys = [need.key for need in graph(Where.HOSTING) if mail or need.name != "Mail.Send"]
            return [consent, *unseen(keys, "We can't sign in to the hosting tenant.", words)]
        return [consent, *preflight.of_roles(Where.HOSTING, identity.roles, words, mail=mail)]

    async def _partner(self) -> list[JSON]:
        center, tenant = self.parts.partner(self.tenant), self.settings.partner_tenant_id
        if center is None or not tenant:
            return []
        words = {**self.words, "tenant": tenant, "principal": ""}
        identity, consent = await self._sign_in(tenant, "partner", "partner.consent", words)
        if identity is None:
            return [consent, *unseen(["partner.role"], "We can't sign in to the partner's tenant.", words)]
        return [consent, await self._partner_role(center, words)]

    async def _partner_role(self, center: Partner, words: Mapping[str, str]) -> JSON:
        try:
            await center.subscriptions()
        except AccessRefused as refused:
            why = f"Partner Center does not let our application in, or the tenant is no customer of it ({refused})"
            return lacking("partner.role", words, why)
        except (ServiceTrouble, ListingIncomplete) as error:
            return finding("partner.role", State.UNKNOWN, f"Partner Center does not tell: {error}.", words)
        return passed("partner.role", "Partner Center lets our application read.")

    async def _host(self) -> list[JSON]:
        """What this very answer stands on: the seal key, read when the process began, and Records."""
        seal = [passed("hosting.seal", "The seal key was read.")] if self.settings.seal_vault else []
        if not self.settings.storage_account:
            return seal
        keys = ("hosting.records-blobs", "hosting.records-tables", "hosting.records-queues")
        try:
            await self.parts.ledger.live()
        except ServiceTrouble as error:
            return [*seal, *unseen(keys, f"Records can't be read: {error}.", self.words)]
        return [*seal, *(passed(key, "Records are open.") for key in keys)]
