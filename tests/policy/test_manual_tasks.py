"""Manual tasks: every kind has all a person needs, filled in completely and leading to the right place."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure.names import TaskKind
from tenantclosure.policy.manual_tasks import ATTESTED, manual_task

TENANT = "0b0a1c2d-0000-4000-8000-000000000001"
PORTALS = {
    "portal": "https://entra.microsoft.com",
    "admin": "https://admin.microsoft.com",
    "azure_portal": "https://portal.azure.com",
}
ROW = {"tenantId": TENANT, "keeper": "keeper@x.com", "tenantType": "AAD", "request": {}}
DIRECTORY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.AzureActiveDirectory/ciamDirectories/shop"


def made(kind: str, target: str = "T-1", *, row: dict[str, Any] = ROW, **more: Any) -> dict[str, Any]:
    """A task about `E5 {x}`."""
    return manual_task(kind, target, "E5 {x}", row=row, portals=PORTALS, instance="i", why="no API ends {it}.", **more)


def words(task: dict[str, Any]) -> str:
    return " ".join([task["title"], task["who"], task["warning"], task["probe"], *task["steps"]])


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("kind", list(TaskKind))
def test_every_kind_tells_what_to_do(kind: TaskKind, external: bool) -> None:
    """Title, who, link, clicks, warning, proof and term are there; no placeholder is left, braces in names are kept."""
    row = {**ROW, "tenantType": "CIAM"} if external else ROW
    task = made(kind, row=row, items=["Ada", "Bo"], licences=30)

    assert f"{kind}-t-1" == task["taskId"]
    assert task["link"].startswith("https://")
    assert task["who"] and task["warning"] and task["steps"] and task["probe"] and task["within"] > 0
    assert ["Ada", "Bo"] == task["items"]
    assert not [word for word in ("{name}", "{target}", "{tenant}", "{keeper}", "{why}", "{{") if word in words(task)]


@pytest.mark.parametrize(("licences", "reduce"), [(None, False), (25, False), (26, True)])
def test_above_25_licences_they_come_off_first(licences: int | None, reduce: bool) -> None:
    """Only then: remove licences, else ask Support; always before the cancellation."""
    steps = made(TaskKind.CANCEL_SUBSCRIPTION, licences=licences)["steps"]
    found = [n for n, step in enumerate(steps) if "Remove licenses" in step or "Contact support" in step]

    assert reduce == bool(found)
    if reduce:
        assert f"{licences} licences" in steps[found[0]] and "Support" in steps[found[0] + 1]
        assert "Cancel subscription" in steps[-1]


def test_an_azure_subscription_is_cancelled_in_its_own_portal() -> None:
    """Its owner does it there, whatever its licences."""
    task = made(TaskKind.CANCEL_SUBSCRIPTION, azure=True, licences=30)

    assert f"https://portal.azure.com/#@{TENANT}/resource/subscriptions/T-1/overview" == task["link"]
    assert "Owner of the subscription" == task["who"]


def test_the_keepers_checklist_is_whole() -> None:
    """Everything of the last administrator's script and of the delete page, the id compared twice, in order."""
    text = words(made(TaskKind.DELETE_TENANT))
    order = (
        "second factor",
        "invoice",
        f"must read {TENANT}",
        "switch directories",
        "Providers",
        "LinkedIn",
        "Access management for Azure resources to Yes",
        "Sign out and sign in again",
        "Manage tenants",
        f"once more: {TENANT}",
        "Required action",
        "Refresh",
    )

    assert sorted(text.index(part) for part in order) == [text.index(part) for part in order]


def test_an_external_tenant_has_a_checklist_of_its_own() -> None:
    """User flows, policies, keys, providers, applications and ours, then the Azure resource the request names."""
    row = {**ROW, "tenantType": "AAD B2C", "request": {"externalDirectory": DIRECTORY}}
    text = words(made(TaskKind.DELETE_TENANT, row=row))

    things = ("User flows", "custom policy", "policy key", "identity providers", "b2c-extensions-app", "ours too")
    for part in (*things, DIRECTORY):
        assert part in text
    assert text != words(made(TaskKind.DELETE_TENANT))
    assert text == words(made(TaskKind.DELETE_TENANT, row={**row, "tenantType": "AAD"}, external=True))


def test_a_persons_word_is_called_the_proof_only_where_it_is() -> None:
    """The sentence on the proof says so before anybody clicks."""
    told, looked = (made(TaskKind.TURN_OFF_RENEWAL, attestable=attestable) for attestable in (True, False))

    assert (ATTESTED, True) == (told["probe"], told["attestable"])
    assert looked["probe"] != ATTESTED and not looked["attestable"]


def test_support_is_told_the_reason_and_lists_are_bounded() -> None:
    """What is wrong stands in the steps; of ten thousand names a hundred are listed."""
    task = made(TaskKind.ASK_SUPPORT, items=[str(n) for n in range(10_000)], deadline="2026-12-01T00:00:00Z")

    assert "Say what is wrong: no API ends {it}." in task["steps"]
    assert (100, "2026-12-01T00:00:00Z") == (len(task["items"]), task["deadline"])
