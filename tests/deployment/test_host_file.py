"""host.json says for both backends what Microsoft documents, and nothing that it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from deployment.host_file import made_for
from tenantclosure.backend import PROVIDERS, SCHEDULER_CONNECTION, Backend

HOST = Path(__file__).resolve().parents[2] / "host.json"
BACKENDS: tuple[Backend, ...] = get_args(Backend)
AZURE_STORAGE = "extensions.durableTask.storageProvider"

# Microsoft's reference of host.json (functions-host-json, and its part on Durable Functions); a slip in a name is not
# refused by the host, it is ignored. Tracing's version 2 is from the page on diagnostics.
KNOWN = {
    "": {"version", "functionTimeout", "logging", "extensions", "extensionBundle", "telemetryMode"},
    "logging": {"logLevel"},  # with OpenTelemetry its part on Application Insights is not read
    "extensions": {"http", "queues", "durableTask"},
    "extensions.http": {"routePrefix", "hsts", "customHeaders"},
    "extensions.queues": {"messageEncoding", "maxDequeueCount", "batchSize", "visibilityTimeout"},
    "extensions.durableTask": {
        *("hubName", "defaultVersion", "versionMatchStrategy", "versionFailureStrategy", "tracing", "storageProvider"),
        *("maxConcurrentActivityFunctions", "maxConcurrentOrchestratorFunctions"),
    },
    "extensions.durableTask.tracing": {"distributedTracingEnabled", "version", "traceInputsAndOutputs"},
    "extensionBundle": {"id", "version"},
}
OF_PROVIDER = {
    "AzureStorage": {"type", "connectionName", "partitionCount", "maxQueuePollingInterval"},
    "azureManaged": {"type", "connectionStringName"},
}
FREE = {"logging.logLevel", "extensions.http.customHeaders"}
"""Names of categories and headers, which are ours to choose."""


def deployed(backend: Backend) -> dict[str, Any]:
    """host.json as that backend's package has it."""
    found: dict[str, Any] = json.loads(made_for(backend, HOST.read_text("utf-8")))
    return found


def objects(node: dict[str, Any], where: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every object with its place and keys."""
    yield where, set(node)
    for key, value in node.items():
        if isinstance(value, dict):
            yield from objects(value, f"{where}.{key}".lstrip("."))


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_key_is_one_that_the_host_knows(backend: Backend) -> None:
    """A key that is misspelt, or that belongs to the other backend, would do nothing and say nothing."""
    document = deployed(backend)
    provider = document["extensions"]["durableTask"]["storageProvider"]["type"]
    known = {**KNOWN, AZURE_STORAGE: OF_PROVIDER[provider]}

    assert {} == {
        where: keys - known[where] for where, keys in objects(document) if where not in FREE and keys - known[where]
    }


def test_each_backend_has_its_provider_and_its_connection() -> None:
    """Azure Storage keeps the hub in the host's own account; the scheduler is reached by Microsoft's own setting."""
    providers = {backend: deployed(backend)["extensions"]["durableTask"]["storageProvider"] for backend in BACKENDS}

    assert {backend: provider["type"] for backend, provider in providers.items()} == PROVIDERS
    assert "AzureWebJobsStorage" == providers["azure-storage"]["connectionName"]
    assert {"type": "azureManaged", "connectionStringName": SCHEDULER_CONNECTION} == providers["durable-task-scheduler"]


def test_nothing_else_depends_on_the_backend() -> None:
    """Apart from its storage provider the app runs under the same rules on both."""
    one, other = (deployed(backend) for backend in BACKENDS)
    for document in (one, other):
        del document["extensions"]["durableTask"]["storageProvider"]

    assert one == other


def test_as_it_is_kept_it_is_made_for_azure_storage() -> None:
    """`func start` and the local host read the file in the tree, byte for byte the one that is deployed by default."""
    assert HOST.read_text("utf-8") == made_for("azure-storage", HOST.read_text("utf-8"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_hub_has_a_name_that_both_backends_take(backend: Backend) -> None:
    """Letters and digits, a letter first, 3 to 45 of them; fixed, so that no deployment meets an empty hub."""
    name = deployed(backend)["extensions"]["durableTask"]["hubName"]

    assert "TenantClosure" == name
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,44}", name)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_in_it_opens_or_publishes_the_hub(backend: Backend) -> None:
    """No key loosens Durable's web hooks, no payload is traced, no event leaves for Event Grid."""
    durable = deployed(backend)["extensions"]["durableTask"]

    assert set() == {"httpSettings", "notifications", "webhookUriProviderOverride"} & set(durable)
    assert False is durable["tracing"]["traceInputsAndOutputs"]


def test_the_bundle_is_one_line_and_new_enough() -> None:
    """One line chooses the extension bundle; the scheduler asks for 4.32 or later, orchestration versions for 4.30."""
    lines = [line for line in HOST.read_text("utf-8").splitlines() if "ExtensionBundle" in line]
    bundle = json.loads(HOST.read_text("utf-8"))["extensionBundle"]

    assert 1 == len(lines)
    assert "[4.*, 5.0.0)" == bundle["version"]
    assert bundle["id"].startswith("Microsoft.Azure.Functions.ExtensionBundle")
