"""The app registration as code: roles, credential, permissions, consent."""

from __future__ import annotations

from typing import Any

from tenantclosure.policy import permissions
from tenantclosure.policy.permissions import When, Where
from tests.infra.templates import entries, template, words
from web.roles import Role

REGISTRATION = template("graph/registration.bicep")
APPLICATION = REGISTRATION.resources["registration"].body


def listed(variable: str) -> dict[str, str]:
    """Permissions of one list, by name."""
    return {each["name"]: each["id"] for each in REGISTRATION.variable(variable)}


def needed(where: Where, *when: When) -> dict[str, str]:
    """What the program needs there, by name."""
    return {need.name: need.id for need in permissions.graph(where, external=True) if need.when in when}


def test_roles_are_those_the_doors_ask_for() -> None:
    """People get the words that web/roles.py knows; only people do."""
    roles: list[dict[str, Any]] = APPLICATION["appRoles"]

    assert [role.value for role in Role] == [role["value"] for role in roles]
    assert {("User",)} == {tuple(role["allowedMemberTypes"]) for role in roles}
    assert len(roles) == len({role["id"] for role in roles})


def test_permissions_are_those_the_program_needs() -> None:
    """Each list is the table's, by name and id: nothing more is asked of anybody, and nothing less."""
    assert needed(Where.TARGET, When.ALWAYS) == listed("targetPermissions")
    assert needed(Where.TARGET, When.EXTERNAL) == listed("externalPermissions")
    assert needed(Where.HOSTING, When.ALWAYS) == listed("hostingPermissions")
    assert needed(Where.HOSTING, When.MAIL) == listed("mailPermissions")
    assert permissions.GRAPH_APP == REGISTRATION.variable("graphId")


def test_closed_tenant_consents_to_its_own_list_only() -> None:
    """What only the hosting tenant grants, above all mail, is no part of what a tenant consents to."""
    [asked] = APPLICATION["requiredResourceAccess"]
    loop = asked["resourceAccess"]

    assert "concat(targetPermissions, externalTenants ? externalPermissions : [])" == words(
        loop["loop_type"]["detail"]["array_name"]
    )
    assert {"Role"} == {value for key, value in entries(loop) if key == "type" and value in ("Role", "Scope")}
    assert "Mail.Send" not in listed("targetPermissions") | listed("externalPermissions")


def test_hosting_tenant_grants_its_own_list() -> None:
    """Approvers can be looked up there, and mail goes out where a mailbox is named."""
    grant = REGISTRATION.said["resources"]["grant"]["config"]
    _, handed = template("main.bicep").modules["registration"]

    assert "concat(hostingPermissions, sendsMail ? mailPermissions : [])" == words(
        grant["loop_type"]["detail"]["array_name"]
    )
    assert {"appRoleId": "each.id", "principalId": "servant.id", "resourceId": "graph.id"} == {
        key: words(value) for key, value in grant["config"].items()
    }
    assert "sendsMail" in handed


def test_managed_identity_is_the_only_credential() -> None:
    """It vouches from the hosting tenant, as its principal id, for the cloud's audience; no password or certificate."""
    vouching = REGISTRATION.resources["vouching"].body
    path, handed = template("main.bicep").modules["registration"]

    assert ("graph/registration.bicep", "identity.outputs.principalId") == (path, words(handed["principalId"]))
    assert "principalId" == vouching["subject"]
    assert ["audience"] == vouching["audiences"]
    assert "${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0" == vouching["issuer"]
    assert set() == {"passwordCredentials", "keyCredentials"} & {key for key, _ in entries(APPLICATION)}


def test_registration_is_multitenant_and_its_tokens_new() -> None:
    """Other tenants can consent; access tokens are of the version whose audience is the application's id."""
    assert "AzureADMultipleOrgs" == APPLICATION["signInAudience"]
    assert 2 == APPLICATION["api"]["requestedAccessTokenVersion"]
    assert False is APPLICATION["web"]["implicitGrantSettings"]["enableAccessTokenIssuance"]


def test_only_the_azure_cli_is_let_in_without_asking() -> None:
    """Whoever else wants a token of a person asks that person."""
    [trusted] = APPLICATION["api"]["preAuthorizedApplications"]
    [scope] = APPLICATION["api"]["oauth2PermissionScopes"]

    assert "04b07795-8ddb-461a-bbee-02f9e1bf7b46" == trusted["appId"]
    assert [scope["id"]] == trusted["delegatedPermissionIds"]


def test_consent_links_are_printed_for_each_tenant() -> None:
    """azd prints one for every tenant that may be closed; it leads back to a page that the registration knows."""
    links = template("main.bicep").outputs["CLOSURE_CONSENT_LINKS"]
    said = str(links["value"])

    assert "checkedTenants" in said
    assert "${environment().authentication.loginEndpoint}${one}/adminconsent?client_id=${applicationId}" in said
    assert "${pages}/" in APPLICATION["web"]["redirectUris"]
