"""Why a sign-in was refused: what an AADSTS code says is missing, and the sentence with the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from tenantclosure.errors import RequestRefused
from tenantclosure.policy.permissions import BY_KEY, command


class Cause(StrEnum):
    """What stands in the way of a sign-in."""

    FEDERATED = "federated"
    CERTIFICATE = "certificate"
    CONSENT = "consent"
    DISABLED = "disabled"
    TENANT = "tenant"
    BLOCKED = "blocked"


CAUSES: Mapping[int, Cause] = {
    **dict.fromkeys((70021, 700211, 700212, 700213, 7002137, 7002138), Cause.FEDERATED),
    **dict.fromkeys((700021, 700027, 7000222), Cause.CERTIFICATE),
    **dict.fromkeys((700016, 7000229), Cause.CONSENT),
    7000112: Cause.DISABLED,
    90002: Cause.TENANT,
    53003: Cause.BLOCKED,
}
"""Codes that no later try changes; every other one passes, or is unknown to us."""
ENVIRONMENTS = {"usgov": "USGov", "usgov-dod": "USGovDoD", "china": "China"}
"""Names of the national clouds in Microsoft Graph PowerShell; elsewhere Global."""
ENABLE = "Set Enabled for users to sign in to Yes on our enterprise application"
EXCLUDE = "Exclude our service principal from the Conditional Access policy for workload identities"
"""What an administrator of the tenant does, where no command of ours does it."""


def refusal(code: int | None, cloud: str, words: Mapping[str, str]) -> RequestRefused | None:
    """The refusal of a request whose tenant does not let us in; None where a later try may cure it.

    `words` fill in the commands (`permissions.command`): client, tenant, login, issuer, subject, audience.
    """
    cause = None if code is None else CAUSES.get(code)
    if cause is None:
        return None
    field, kind, detail, remedy = {
        Cause.FEDERATED: (
            "CLOSURE_IDENTITY_CLIENT_ID",
            "credential-missing",
            "The managed identity is no federated credential of the application CLOSURE_CLIENT_ID",
            f"Run: {command(BY_KEY['credential.federated'], **words)}",
        ),
        Cause.CERTIFICATE: (
            "CLOSURE_CERTIFICATE_FILE",
            "credential-missing",
            "The certificate is not registered with the application CLOSURE_CLIENT_ID, or has run out",
            f"Run: {command(BY_KEY['credential.certificate'], **words)}",
        ),
        Cause.CONSENT: (
            "tenantId",
            "consent-missing",
            "Our application may not sign in to the tenant",
            f"Let a Global Administrator of the tenant consent at {command(BY_KEY['target.consent'], **words)}",
        ),
        Cause.DISABLED: ("tenantId", "sign-in-blocked", "Our application is disabled in the tenant", f"{ENABLE}."),
        Cause.TENANT: (
            "tenantId",
            "tenant-unknown",
            f"No such tenant is known in the cloud {cloud} (CLOSURE_CLOUD)",
            "Correct the id, or deploy the service in the tenant's own cloud.",
        ),
        Cause.BLOCKED: (
            "tenantId",
            "sign-in-blocked",
            "A Conditional Access policy of the tenant blocks our application",
            f"{EXCLUDE}.",
        ),
    }[cause]
    return RequestRefused(field, f"{detail} (AADSTS{code}).", remedy, status=403, kind=kind)


def wrong_cloud(found: str, ours: str) -> RequestRefused:
    """The refusal of a tenant that lives in another cloud than the one this deployment serves."""
    return RequestRefused(
        "tenantId",
        f"The tenant lives in the cloud {found}, this deployment serves {ours} (CLOSURE_CLOUD).",
        f"Deploy the service in that cloud with CLOSURE_CLOUD={found}.",
        kind="wrong-cloud",
    )
