"""The app knows its backend, and refuses one that it, its settings or its package do not know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenantclosure import backend
from tenantclosure.errors import SettingsError
from tenantclosure.settings import load
from tests.deployment.test_host_file import BACKENDS, HOST, made_for

REACHED = "Endpoint=https://closure.westeurope.durabletask.io;Authentication=ManagedIdentity;ClientID=app"
SETTINGS = {
    "CLOSURE_CLIENT_ID": "app",
    "CLOSURE_IDENTITY_CLIENT_ID": "identity",
    "CLOSURE_HOME_TENANT_ID": "0b0a1c2d-0000-4000-8000-0000000000ff",
}
REHEARSAL = {
    "CLOSURE_CLOUD": "custom",
    "CLOSURE_CREDENTIAL": "static",
    "CLOSURE_STATIC_TOKEN": "token",
    **{f"CLOSURE_{name}_URL": "http://127.0.0.1:1" for name in ("GRAPH", "LOGIN", "ARM", "PARTNER")},
}


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that is complete but for its backend."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def for_scheduler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A package for the scheduler, and the setting that says so."""
    host = tmp_path / "host.json"
    host.write_text(made_for("durable-task-scheduler", HOST.read_text("utf-8")))
    monkeypatch.setattr(backend.check_package, "__defaults__", (host,))
    monkeypatch.setenv("CLOSURE_BACKEND", "durable-task-scheduler")


def test_azure_storage_needs_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is what host.json in the tree is made for; a scheduler's connection left over hurts nobody."""
    monkeypatch.setenv("DURABLE_TASK_SCHEDULER_CONNECTION_STRING", "Endpoint=http://elsewhere")

    assert "azure-storage" == load().backend


def test_an_unknown_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the setting and every backend there is."""
    monkeypatch.setenv("CLOSURE_BACKEND", "netherite")

    with pytest.raises(SettingsError, match="CLOSURE_BACKEND.*'azure-storage' or 'durable-task-scheduler'"):
        load()


@pytest.mark.usefixtures("for_scheduler")
def test_the_scheduler_needs_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the host would start, and no closure ever would: the sentence says what to set."""
    with pytest.raises(SettingsError, match="DURABLE_TASK_SCHEDULER_CONNECTION_STRING is missing.*set Endpoint=https:"):
        load()

    monkeypatch.setenv("DURABLE_TASK_SCHEDULER_CONNECTION_STRING", REACHED)
    assert "durable-task-scheduler" == load().backend


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (REACHED.replace("https", "http"), "https Endpoint"),
        ("closure.westeurope.durabletask.io", "https Endpoint"),
        (REACHED.replace("ManagedIdentity", "None"), "Authentication=ManagedIdentity"),
        (REACHED.replace(";Authentication=ManagedIdentity", ""), "Authentication=ManagedIdentity"),
    ],
)
@pytest.mark.usefixtures("for_scheduler")
def test_a_connection_without_encryption_or_identity_is_refused(
    monkeypatch: pytest.MonkeyPatch, said: str, why: str
) -> None:
    """Histories never travel in clear, and nobody reaches the hub without an identity."""
    monkeypatch.setenv("DURABLE_TASK_SCHEDULER_CONNECTION_STRING", said)

    with pytest.raises(SettingsError, match=why):
        load()


@pytest.mark.usefixtures("for_scheduler")
def test_a_rehearsal_may_use_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator speaks HTTP without identity, on the loopback interface only."""
    for name, value in REHEARSAL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DURABLE_TASK_SCHEDULER_CONNECTION_STRING", "Endpoint=http://localhost:8080;Authentication=None")
    assert "durable-task-scheduler" == load().backend

    monkeypatch.setenv("DURABLE_TASK_SCHEDULER_CONNECTION_STRING", "Endpoint=http://10.0.0.4:8080;Authentication=None")
    with pytest.raises(SettingsError, match="https Endpoint"):
        load()


def test_a_package_for_the_other_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings say scheduler, the package Azure Storage: the sentence says how to make the right one."""
    monkeypatch.setenv("CLOSURE_BACKEND", "durable-task-scheduler")
    monkeypatch.setenv("DURABLE_TASK_SCHEDULER_CONNECTION_STRING", REACHED)

    with pytest.raises(SettingsError, match="host.json says AzureStorage.*make package BACKEND=durable-task-scheduler"):
        load()


@pytest.mark.parametrize("name", BACKENDS)
def test_a_package_agrees_with_one_backend_only(name: backend.Backend, tmp_path: Path) -> None:
    """Each backend's host.json passes for it and for no other."""
    host = tmp_path / "host.json"
    host.write_text(made_for(name, HOST.read_text("utf-8")))
    backend.check_package(name, host)

    for other in set(BACKENDS) - {name}:
        with pytest.raises(SettingsError, match=f"CLOSURE_BACKEND is {other}"):
            backend.check_package(other, host)


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"extensions": {"durableTask": {"hubName": "Hub"}}})])
def test_a_host_file_that_names_no_provider_is_refused(text: str, tmp_path: Path) -> None:
    """Broken, empty or silent: nobody guesses what the host would take."""
    host = tmp_path / "host.json"
    host.write_text(text)

    with pytest.raises(SettingsError, match="host.json is missing or names no storage provider"):
        backend.check_package("azure-storage", host)
    with pytest.raises(SettingsError, match="host.json is missing or names no storage provider"):
        backend.check_package("azure-storage", tmp_path / "none.json")
