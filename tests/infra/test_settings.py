"""The application settings that the template gives, beside what the program reads."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest

from tenantclosure import names
from tenantclosure.backend import Backend
from tenantclosure.settings import CLOUDS, LEAST_RETENTION, Settings
from tests.infra.templates import INFRA, ROOT, template, words

GIVEN: dict[str, Any] = template("main.bicep").variable("settings")
READ = {str(field.alias) for field in Settings.model_fields.values()}
HOST_ONLY = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "CLOSURE_STORAGE__queueServiceUri",
    "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
    "PYTHON_ENABLE_OPENTELEMETRY",
    "WEBSITE_AUTH_AAD_ALLOWED_TENANTS",
}
"""What the Functions host and App Service read."""
SET_BY_AZURE = {"WEBSITE_HOSTNAME", "WEBSITE_SITE_NAME", "WEBSITE_AUTH_ENABLED"}
HOME, TARGET, CLIENT = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abc")
SAMPLE = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=00000000-0000-4000-8000-000000000000",
    "CLOSURE_ALLOWED_TENANTS": TARGET,
    "CLOSURE_APP_WRITE_LIMIT": "116/35000",
    "CLOSURE_BACKEND": "azure-storage",
    "CLOSURE_BASE_URL": "",
    "CLOSURE_BILLING_ACCOUNTS": "",
    "CLOSURE_CALLBACK_APPS": "",
    "CLOSURE_CLIENT_ID": CLIENT,
    "CLOSURE_CLOUD": "global",
    "CLOSURE_HOME_TENANT_ID": HOME,
    "CLOSURE_IDENTITY_CLIENT_ID": CLIENT,
    "CLOSURE_LANES": "4",
    "CLOSURE_MAIL_FROM": "closure@example.com",
    "CLOSURE_PARTNER_TENANT_ID": "",
    "CLOSURE_RETENTION_DAYS": "1095",
    "CLOSURE_SEAL_VAULT": "https://kv-example.vault.azure.net/",
    "CLOSURE_SHARD_SIZE": "1000",
    "CLOSURE_SMTP": "",
    "CLOSURE_SMTP_PASSWORD": "",
    "CLOSURE_SMTP_USER": "",
    "CLOSURE_STORAGE__accountName": "strecordsexample",
    "CLOSURE_STORAGE__clientId": CLIENT,
    "CLOSURE_TEAMS_WEBHOOK": "",
    "CLOSURE_WRITE_LIMIT": "20/3000",
    "DURABLE_TASK_SCHEDULER_CONNECTION_STRING": "",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "",
}
"""What the template's expressions come to in one deployment."""


def never() -> set[str]:
    """Settings that a deployment never has, as the page lists them."""
    page = (INFRA / "README.md").read_text("utf-8")
    section = page.partition("## Never in Azure")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([A-Za-z_]+)`", section, re.MULTILINE))


def literal() -> dict[str, str]:
    """Settings whose value the template holds word for word."""
    return {
        name: value for name, value in GIVEN.items() if name in READ and isinstance(value, str) and name not in SAMPLE
    }


def test_every_setting_is_given_or_has_its_reason() -> None:
    """Each setting that the program reads is given, set by Azure itself or never in Azure; and only one of these."""
    assert sorted(READ) == sorted([*(set(GIVEN) & READ), *SET_BY_AZURE, *never()])


def test_nothing_is_given_that_nobody_reads() -> None:
    """A setting of ours that no code reads, or one of the host's that this list does not know."""
    assert HOST_ONLY == set(GIVEN) - READ


def test_program_takes_what_the_template_gives() -> None:
    """The settings of one deployment start the program, in each cloud."""
    expressions = {name for name in GIVEN if name in READ} - set(literal())
    taken = Settings(**(SAMPLE | literal()))

    assert set(SAMPLE) == expressions
    assert ("federated", "managedidentity", False) == (taken.credential, taken.storage_credential, taken.rehearsal)


@pytest.mark.parametrize("cloud", template("main.bicep").allowed("cloud"))
def test_program_takes_every_cloud(cloud: str) -> None:
    """Each value of the parameter is one that the program knows."""
    assert cloud == Settings(**(SAMPLE | literal() | {"CLOSURE_CLOUD": cloud})).cloud


def test_clouds_are_the_programs_without_the_rehearsals() -> None:
    """Custom endpoints can't be deployed; the audience of the federated credential is the cloud's own."""
    clouds = {name.strip("'"): told["audience"] for name, told in template("main.bicep").variable("clouds").items()}

    assert list(CLOUDS) == template("main.bicep").allowed("cloud")
    assert {name: told["audience"] for name, told in CLOUDS.items()} == clouds


def test_backends_are_the_programs() -> None:
    """An unknown backend fails in the template, and a known one is spelt as the program spells it."""
    main = template("main.bicep")

    assert list(get_args(Backend)) == main.allowed("backend")
    assert "backend" == GIVEN["CLOSURE_BACKEND"]


def test_ranges_are_the_programs() -> None:
    """What the template refuses is what the program would refuse."""
    main = template("main.bicep")
    fields = {"lanes": "lanes", "shardSize": "shard_size", "recordsDays": "retention_days"}
    limits, told = {}, {}
    for name, field in fields.items():
        own, program = main.parameters[name], Settings.model_fields[field]
        bounds = {each["type"]: each["argument"] for each in own["decorators"]}
        limits[name] = (bounds["min_value"], bounds["max_value"], own["default"])
        [least] = [each.ge for each in program.metadata if hasattr(each, "ge")]
        [most] = [each.le for each in program.metadata if hasattr(each, "le")]
        told[name] = (least, most, program.default)

    assert told == limits
    assert f"recordsDays > 0 && recordsDays < {LEAST_RETENTION} ? fail(" in main.text


def test_pace_is_the_programs() -> None:
    """Left alone, a deployment is as fast as the program is by itself."""
    main = template("main.bicep")
    told = {name: main.parameters[name]["default"] for name in ("writeLimit", "appWriteLimit")}

    assert {
        "writeLimit": Settings.model_fields["write_limit"].default,
        "appWriteLimit": Settings.model_fields["app_write_limit"].default,
    } == told


def test_records_are_called_what_the_program_calls_them() -> None:
    """Containers, table and queues stand ready under the names that the program uses."""
    records = template("modules/records-storage.bicep")

    assert names.CONTAINER == records.variable("recordsContainer")
    assert names.AUDIT_CONTAINER == records.variable("auditContainer")
    assert names.TABLE == records.variable("recordsTable")
    assert [names.REQUEST_QUEUE, names.POISON_QUEUE, names.NOTICE_QUEUE, names.NOTICE_POISON_QUEUE] == records.variable(
        "recordsQueues"
    )


def test_task_hub_is_the_hosts() -> None:
    """The scheduler's task hub has the name that host.json asks for."""
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    _, handed = template("main.bicep").modules["scheduler"]

    assert host["extensions"]["durableTask"]["hubName"] == handed["taskHub"]


def test_secrets_come_from_the_vault() -> None:
    """The two secrets that others insist on are references to the vault, or nothing."""
    for name, secret in (
        ("CLOSURE_SMTP_PASSWORD", "closure-smtp-password"),
        ("CLOSURE_TEAMS_WEBHOOK", "closure-teams-webhook"),
    ):
        said = words(GIVEN[name])

        assert f"@Microsoft.KeyVault(SecretUri=${{vault.outputs.url}}secrets/{secret})" in said
        assert " ? " in said
