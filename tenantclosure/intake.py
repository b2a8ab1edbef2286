"""Admission of a closure request: every check that must pass before anything is started."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tenantclosure.errors import (
    AccessRefused,
    ListingIncomplete,
    RailBroken,
    RequestRefused,
    ServiceTrouble,
    SettingsError,
    SignInRefused,
)
from tenantclosure.model.inventory import Organization
from tenantclosure.model.people import Account, Person
from tenantclosure.model.request import ClosureRequest, parse_request
from tenantclosure.names import Rail
from tenantclosure.policy import external, rails, signing_in
from tenantclosure.policy.approvers import (
    GATES,
    check_separation,
    gate_terms,
    resolved,
    self_approval,
    unreachable,
    why_absent,
)
from tenantclosure.policy.quorum import key_of
from tenantclosure.ports import People
from tenantclosure.wiring import Parts

_FIELDS = {
    Rail.ALLOW_LIST: ("tenantId", "Ask the deployment's owner to add it to CLOSURE_ALLOWED_TENANTS.", 403),
    Rail.HOME_TENANT: ("tenantId", "Deploy the service in another tenant than the one to be closed.", 403),
    Rail.TENANT_PIN: ("domain", "Give the id and a verified domain of one and the same tenant.", 400),
    Rail.KEEPER: ("keeper", "Name an enabled, cloud-only member who is an active Global Administrator.", 400),
}
_LOOKUPS = 8
"""People looked up at the same time."""


async def admit(document: object, requester: Person | None, parts: Parts) -> dict[str, Any]:
    """Validate a request, check it against policy and tenant, and open its closure. Returns the closure's row.

    `requester` None means the request came over the queue: then its `requestedBy` is a claim and one approver more is
    needed. Where the hosting tenant's directory can be asked, everybody named must have an account there. Only reads
    the tenant. Raises RequestRefused, ServiceTrouble, and RecordConflict never.
    """
    request = parse_request(document)
    claimed = requester is None
    if claimed and request.requested_by is None:
        raise RequestRefused("requestedBy", "A request over the queue must say who asks.", "Add requestedBy.")
    if not claimed and request.requested_by is not None:
        raise RequestRefused(
            "requestedBy", "The requester is the signed-in person.", "Remove requestedBy; it is for the queue only."
        )
    check_target(request.tenant_id, parts)
    upn = requester.upn if requester is not None else str(request.requested_by)
    if requester is not None and requester.tenant_id.lower() == request.tenant_id:
        raise RequestRefused(
            "requestedBy",
            "The requester lives in the tenant that is to be closed.",
            "Let someone of another tenant file the request.",
            status=403,
            kind="requester-in-target",
        )
    terms = {str(gate): gate_terms(request, parts.policy, gate, claimed=claimed) for gate in GATES}
    check_separation(request, upn, frozenset({request.domain}))
    try:
        organization = await _check_tenant(request, parts)
    except RailBroken as broken:
        raise _refusal(broken) from None
    except ListingIncomplete as broken:
        raise ServiceTrouble(str(broken)) from None
    except SignInRefused as refused:
        raise await _shut_out(request.tenant_id, refused.code, parts) or refused from None
    except SettingsError as wrong:
        raise misconfigured(wrong) from None
    check_separation(request, upn, frozenset(name.lower() for name in organization.verified_domains))
    who = (
        {**requester.to_dict(), "key": requester.key}
        if requester is not None
        else {"tenantId": "", "objectId": "", "upn": upn, "name": "", "key": None}
    )
    if parts.people is not None:
        asked = {one for group in request.approvers for one in group.people}
        accounts = await accounts_of(parts.people, {*asked, upn} if claimed else asked)
        claimant = accounts[upn] if claimed else None
        if claimant is not None:  # a claim still, but the person it names must not approve what they ask for
            found = Person(claimant.tenant_id, claimant.object_id, upn, claimant.name)
            who = {**found.to_dict(), "key": found.key}
        _check_people(request, terms, accounts, parts.settings.home_tenant_id, who["key"])
    return await parts.ledger.open_closure(
        request.to_dict(),
        who,
        claimed=claimed,
        terms=terms,
        day_seconds=parts.settings.day_seconds,
        tenant_type=organization.tenant_type,
    )


def check_target(tenant: str, parts: Parts) -> None:
    """The tenant may be closed by this deployment at all. Raises RequestRefused."""
    try:
        rails.check_target(tenant, parts.settings.allowed_tenants, parts.settings.home_tenant_id)
    except RailBroken as broken:
        raise _refusal(broken) from None


def misconfigured(wrong: SettingsError) -> RequestRefused:
    """The refusal where a setting is wrong; whoever asks has signed in, so its sentence may be read."""
    named = re.search(r"[A-Z]+(_[A-Z]+)+", str(wrong))
    remedy = "Let the deployment's owner correct the setting."
    return RequestRefused(named[0] if named else "$", str(wrong), remedy, status=403, kind="not-configured")


def grant_words(tenant: str, parts: Parts) -> dict[str, str]:
    """What the commands that grant rights in a tenant are filled in with."""
    settings = parts.settings
    places = {name: settings.endpoint(name) for name in ("login", "arm", "azure_portal", "audience")}
    environment = signing_in.ENVIRONMENTS.get(settings.cloud, "Global")
    return {"tenant": tenant, "client": settings.client_id, "environment": environment, **places}


def served_cloud(parts: Parts) -> str:
    """The cloud whose tenants this deployment serves; the simulator plays the global one."""
    return "global" if parts.settings.rehearsal else parts.settings.cloud


async def _shut_out(tenant: str, code: int | None, parts: Parts) -> RequestRefused | None:
    words = grant_words(tenant, parts)
    if code is not None and signing_in.CAUSES.get(code) is signing_in.Cause.FEDERATED:
        words |= await parts.access.vouching()
    return signing_in.refusal(code, parts.settings.cloud, words)


async def accounts_of(people: People, upns: Iterable[str]) -> dict[str, Account | None]:
    """What the hosting tenant's directory knows of each address, asked once each, a few at a time."""
    free = asyncio.Semaphore(_LOOKUPS)

    async def find(upn: str) -> Account | None:
        async with free:
            return await people.find(upn)

    names = sorted(upns)
    return dict(zip(names, await asyncio.gather(*map(find, names)), strict=True))


def _check_people(
    request: ClosureRequest,
    terms: Mapping[str, Any],
    accounts: Mapping[str, Account | None],
    home: str,
    requester: str | None,
) -> None:
    """Everybody named has an account that can decide, nobody is the requester, and as persons they are enough.

    Deputies are not looked at: they are asked long after, if ever, and then looked up again. Raises RequestRefused.
    """
    for index, group in enumerate(request.approvers):
        for upn in group.people:
            account = accounts[upn]
            why = why_absent(account, home)
            if account is None or why:
                raise RequestRefused(
                    f"approvers.{index}.people",
                    f"{upn} {why}.",
                    "Name people with an enabled account in the tenant that hosts this service.",
                    kind="approver-unknown",
                )
            if key_of(account.to_dict()) == requester:
                raise self_approval(index, upn)
    for gate, asked in terms.items():
        groups, _ = resolved(asked, accounts, home)
        too_few = unreachable(groups, asked["distinct"], [requester])
        if too_few is not None:
            raise RequestRefused(
                "approvers",
                f"At the gate {gate} the people named are too few: {too_few}",
                "Two addresses of one person count once; name more people.",
                kind="quorum-unreachable",
            )


def _refusal(broken: RailBroken) -> RequestRefused:
    field, remedy, status = _FIELDS[Rail(broken.rail)]
    return RequestRefused(field, broken.detail, remedy, status=status, kind=broken.rail)


async def check_kind(parts: Parts, tenant: str, organization: Organization, resource: str | None) -> None:
    """The tenant is of a kind that can be closed, and if it is an external one, Azure says that `resource` is it.

    Raises RequestRefused, ServiceTrouble.
    """
    external.check_kind(organization, resource)
    if resource is None:
        return
    azure = parts.external(tenant)
    if azure is None:
        raise external.no_home()
    try:
        found = await azure.find(resource)
    except AccessRefused as refused:
        raise external.no_access(str(refused)) from None
    external.check_resource(tenant, found)


async def _check_tenant(request: ClosureRequest, parts: Parts) -> Organization:
    """Cloud, pin, kind, permissions, keeper and keep rules on the live tenant."""
    ours = served_cloud(parts)
    found = await parts.outside(request.tenant_id).cloud()
    if found not in ("", ours):
        raise signing_in.wrong_cloud(found, ours)
    directory = parts.directory(request.tenant_id)
    token = await directory.identity()
    organization = await directory.organization()
    rails.check_pin(request.tenant_id, token, organization, request.domain)
    await check_kind(parts, request.tenant_id, organization, request.external_directory)
    missing = rails.missing_permissions(token)
    if missing:
        raise RequestRefused(
            "tenantId",
            f"Our application lacks {', '.join(missing)} in the tenant.",
            f"Ask `closure preflight --tenant {request.tenant_id}` for the command that grants each.",
            status=403,
            kind="permissions-missing",
        )
    administrators = await directory.global_administrators()
    rails.check_keeper(await directory.find_user(request.keeper), administrators)
    for index, rule in enumerate(request.keep):
        if await directory.find_user(rule) is None:
            raise RequestRefused(
                f"keep.{index}",
                f"{rule} matches no user of the tenant.",
                "Correct the rule or remove it.",
                kind="keep-rule",
            )
    return organization
