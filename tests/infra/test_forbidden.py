"""What would weaken a deployment is in no template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.templates import Template, every, template, words

SITE = "Microsoft.Web/sites"
STORAGE = {
    "allowBlobPublicAccess": "False",
    "allowCrossTenantReplication": "False",
    "allowSharedKeyAccess": "False",
    "defaultToOAuthAuthentication": "True",
    "minimumTlsVersion": "TLS1_2",
    "supportsHttpsTrafficOnly": "True",
    "publicNetworkAccess": "private ? Disabled : Enabled",
    "networkAcls.bypass": "None",
    "networkAcls.defaultAction": "private ? Deny : Allow",
}
FLAGS: dict[tuple[str, str], dict[str, str]] = {
    ("modules/host-storage.bicep", "account"): STORAGE,
    ("modules/records-storage.bicep", "account"): STORAGE,
    ("modules/records-storage.bicep", "blobs"): {
        "isVersioningEnabled": "False",
        "deleteRetentionPolicy.enabled": "True",
        "deleteRetentionPolicy.days": "30",
        "containerDeleteRetentionPolicy.enabled": "True",
    },
    ("modules/records-storage.bicep", "retention"): {
        "allowProtectedAppendWrites": "True",
        "immutabilityPeriodSinceCreationInDays": "auditRetentionDays",
    },
    ("modules/vault.bicep", "vault"): {
        "enableRbacAuthorization": "True",
        "enableSoftDelete": "True",
        "enablePurgeProtection": "True",
        "softDeleteRetentionInDays": "90",
        "enabledForDeployment": "False",
        "enabledForDiskEncryption": "False",
        "enabledForTemplateDeployment": "False",
        "publicNetworkAccess": "private ? Disabled : Enabled",
        "networkAcls.bypass": "AzureServices",
        "networkAcls.defaultAction": "private ? Deny : Allow",
    },
    ("modules/monitoring.bicep", "insights"): {"DisableLocalAuth": "True", "DisableIpMasking": "False"},
    ("modules/monitoring.bicep", "workspace"): {"features.disableLocalAuth": "True"},
    ("modules/scheduler.bicep", "scheduler"): {"publicNetworkAccess": "private ? Disabled : Enabled"},
    ("modules/app.bicep", "app"): {
        "httpsOnly": "True",
        "siteConfig.minTlsVersion": "1.2",
        "siteConfig.scmMinTlsVersion": "1.2",
        "siteConfig.ftpsState": "Disabled",
        "siteConfig.remoteDebuggingEnabled": "False",
        "functionAppConfig.runtime.name": "python",
        "functionAppConfig.runtime.version": "3.13",
        "functionAppConfig.deployment.storage.authentication.type": "UserAssignedIdentity",
    },
    ("modules/app.bicep", "noFtpPassword"): {"allow": "False"},
    ("modules/app.bicep", "noPublishingPassword"): {"allow": "False"},
    ("modules/app.bicep", "signIn"): {
        "platform.enabled": "True",
        "globalValidation.requireAuthentication": "False",
        "globalValidation.unauthenticatedClientAction": "AllowAnonymous",
        "httpSettings.requireHttps": "True",
        "identityProviders.azureActiveDirectory.registration.openIdIssuer": (
            "${environment().authentication.loginEndpoint}${subscription().tenantId}/v2.0"
        ),
        "identityProviders.azureActiveDirectory.registration.clientSecretSettingName": (
            "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"
        ),
        "login.tokenStore.enabled": "False",
    },
}
"""Per resource what its properties must say. The sign-in admits anonymous requests on purpose (web/door.py)."""
FORBIDDEN = {
    "a custom cloud": r"'custom'",
    "a ready token": r"STATIC_TOKEN|'static'",
    "an endpoint of one's own": r"CLOSURE_(GRAPH|LOGIN|ARM|PARTNER)_URL",
    "a faster clock": r"CLOSURE_DAY_SECONDS",
    "an account key": r"AccountKey|SharedAccessKey|listKeys|sharedAccessSignature|CLOSURE_STORAGE:",
    "a function or webhook key": r"systemKeys|functionKeys|hostruntime|/host/default|durabletask_extension",
    "public blobs": r"publicAccess: '(?!None)",
    "another site's scripts": r"allowedOrigins|cors:",
    "a secret made by the template": r"vaults/secrets|newGuid\(",
    "a setting that Flex Consumption refuses": r"FUNCTIONS_(WORKER_RUNTIME|EXTENSION_VERSION)|WEBSITE_RUN_FROM_PACKAGE"
    r"|WEBSITE_CONTENT|SCM_DO_BUILD|ENABLE_ORYX",
    "a password for deployments": r"publishingCredentials|publishingUserName",
}


def at(properties: Mapping[str, Any], path: str) -> str:
    """The expression at a dotted path; empty where there is none."""
    value: Any = properties
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return words(value)


def weakened(subject: Template) -> list[str]:
    """Properties of this file that say something else than they must."""
    return [
        f"{symbol}.{path}"
        for (name, symbol), flags in FLAGS.items()
        if name == subject.name
        for path, wanted in flags.items()
        if wanted != at(subject.resources[symbol].properties, path)
    ]


@pytest.mark.parametrize("name", sorted({name for name, _ in FLAGS}))
def test_every_guard_is_on(name: str) -> None:
    """Storage, vault, telemetry, app and sign-in say what they must."""
    assert [] == weakened(template(name))


@pytest.mark.parametrize(
    ("name", "line", "slip", "noticed"),
    [
        (
            "modules/host-storage.bicep",
            "allowSharedKeyAccess: false",
            "allowSharedKeyAccess: true",
            "account.allowSharedKeyAccess",
        ),
        ("modules/records-storage.bicep", "allowBlobPublicAccess: false", "", "account.allowBlobPublicAccess"),
        (
            "modules/records-storage.bicep",
            "allowProtectedAppendWrites: true",
            "",
            "retention.allowProtectedAppendWrites",
        ),
        ("modules/vault.bicep", "enablePurgeProtection: true", "", "vault.enablePurgeProtection"),
        ("modules/monitoring.bicep", "DisableLocalAuth: true", "DisableLocalAuth: false", "insights.DisableLocalAuth"),
        ("modules/app.bicep", "httpsOnly: true", "httpsOnly: false", "app.httpsOnly"),
        (
            "modules/app.bicep",
            "${subscription().tenantId}/v2.0",
            "common/v2.0",
            "signIn.identityProviders.azureActiveDirectory.registration.openIdIssuer",
        ),
    ],
)
def test_slip_is_noticed(name: str, line: str, slip: str, noticed: str) -> None:
    """A guard that is turned off, left out or widened does not pass."""
    text = template(name).text

    assert line in text
    assert [noticed] == weakened(Template(name, text.replace(line, slip, 1)))


def test_every_account_vault_and_site_is_looked_at() -> None:
    """A further one has to be added to the list above before it passes."""
    guarded = {"Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults", SITE, "Microsoft.Insights/components"}
    made = {(each.name, one.symbol) for each in every() for type_ in guarded for one in each.made(type_)}

    assert set() == made - set(FLAGS)
    assert 5 == len(made)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_holds(what: str) -> None:
    """Nothing of the kind is in any file, in a comment neither."""
    assert [] == [each.name for each in every() if re.search(FORBIDDEN[what], each.text)]


@pytest.mark.parametrize(
    ("what", "slip"),
    [
        ("a custom cloud", "param cloud string = 'custom'"),
        ("a ready token", "CLOSURE_STATIC_TOKEN: 'x'"),
        ("an account key", "account.listKeys().keys[0].value"),
        ("a function or webhook key", "listKeys('${app.id}/host/default', '2024-04-01')"),
        ("public blobs", "publicAccess: 'Blob'"),
        ("a setting that Flex Consumption refuses", "FUNCTIONS_WORKER_RUNTIME: 'python'"),
    ],
)
def test_forbidden_word_is_noticed(what: str, slip: str) -> None:
    """The patterns match what they are for."""
    assert re.search(FORBIDDEN[what], slip)


def test_settings_turn_strict_typing_on() -> None:
    """What comes from outside is never turned into objects of our own."""
    assert "true" == template("main.bicep").variable("settings")["AZURE_FUNCTIONS_DURABLE_STRICT_TYPING"]
    assert "federated" == template("main.bicep").variable("settings")["CLOSURE_CREDENTIAL"]


def test_containers_are_private() -> None:
    """No container answers to an anonymous request."""
    containers = [
        one for each in every() for one in each.made("Microsoft.Storage/storageAccounts/blobServices/containers")
    ]

    assert {"None"} == {one.properties["publicAccess"] for one in containers}
    assert 3 == len(containers)


def test_policy_is_not_locked_by_a_template() -> None:
    """A lock can't be taken back; a person sets it, once the length is right."""
    assert [] == [each.name for each in every() if re.search(r"immutabilityPolicies/lock|state: 'Locked'", each.text)]


def test_locked_policy_is_left_alone() -> None:
    """Azure refuses to set a locked policy again, so a later deployment leaves it out; left alone, it is set."""
    records = template("modules/records-storage.bicep").said["resources"]["retention"]["config"]

    assert "not auditLocked" == words(records["condition"])
    assert False is template("main.bicep").parameters["auditLocked"]["default"]
