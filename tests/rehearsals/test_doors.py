"""The doors with a real tenant behind them: each bad request is refused by name, and nothing is written anywhere."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.queue import QueueClient

from tests.rehearsals.stage import OPERATOR, Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
IT = {"group": "it", "quorum": 1, "people": ["ann@fabrikam.com"]}
OWNER = {"group": "owner", "quorum": 1, "people": ["cyd@fabrikam.com"]}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, azurite: str) -> Iterator[Stage]:
    """One host and one hybrid tenant for all doors; nothing here may change the tenant."""
    folder = tmp_path_factory.mktemp("doors")
    with Stage(folder, "--users", "60", "--profile", "hybrid", settings={"CLOSURE_STORAGE": azurite}) as stage:
        stage.start()
        yield stage


def users(stage: Stage) -> list[dict[str, Any]]:
    """All users of the tenant as Graph lists them."""
    select = "$select=id,userPrincipalName,userType,onPremisesSyncEnabled&$top=999"
    answer = stage.web.get(
        f"{stage.sim['url']}/v1.0/users?{select}", headers={"Authorization": f"Bearer {stage.sim['token']}"}
    )
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def refused(stage: Stage, status: int, field: str, **changes: Any) -> dict[str, Any]:
    """File it; it must be refused with this status, naming this field and a remedy, and leave no closure."""
    answer = stage.file(**changes)
    problem: dict[str, Any] = answer.json()

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), problem
    assert problem["field"] == field
    assert problem["remedy"].endswith(".")
    assert stage.web.get(f"{stage.base}/api/closures").json()["items"] == []
    assert stage.score()["writes"] == 0
    return problem


@pytest.mark.parametrize(
    ("status", "field", "changes"),
    [
        (400, "colour", {"colour": "red"}),
        (400, "tenantId", {"tenantId": "not-a-guid"}),
        (403, "tenantId", {"tenantId": str(uuid4())}),
        (400, "domain", {"domain": "wrong.onmicrosoft.com"}),
        (400, "keeper", {"keeper": "nobody@contoso7.onmicrosoft.com"}),
        (400, "backupConfirmed", {"backupConfirmed": False}),
        (400, "keep.0", {"keep": ["nobody@contoso7.onmicrosoft.com"]}),
        (400, "approvers.0.people", {"approvers": [{**IT, "people": ["eve@elsewhere.com"]}, OWNER]}),
        (400, "approvers.0.quorum", {"approvers": [{**IT, "quorum": 2}, OWNER]}),
        (400, "approvers", {"approvers": [IT]}),
        (400, "requestedBy", {"requestedBy": "olga@fabrikam.com"}),
    ],
)
def test_bad_request(stage: Stage, status: int, field: str, changes: dict[str, Any]) -> None:
    """A wrong request is a problem document; nothing is started and nothing is written to the tenant."""
    refused(stage, status, field, **changes)


def test_home_tenant(stage: Stage) -> None:
    """The hosting tenant is refused even before the allow list could let it through."""
    refused(stage, 403, "tenantId", tenantId=stage.sim["homeTenantId"])


def test_keeper_must_be_fit(stage: Stage) -> None:
    """A guest, a synced user and an ordinary user are no keepers, each with its own reason."""
    everyone = users(stage)
    keeper = stage.sim["keeper"]
    guest = next(u for u in everyone if u["userType"] == "Guest")
    synced = next(u for u in everyone if u["onPremisesSyncEnabled"])
    plain = next(
        u
        for u in everyone
        if u["userType"] == "Member" and not u["onPremisesSyncEnabled"] and u["userPrincipalName"] != keeper
    )

    reasons = [refused(stage, 400, "keeper", keeper=u["userPrincipalName"])["detail"] for u in (guest, synced, plain)]

    assert "guest" in reasons[0]
    assert "synchronised" in reasons[1]
    assert "Global Administrator" in reasons[2] or "disabled" in reasons[2]


def test_malformed_and_oversized(stage: Stage) -> None:
    """Broken JSON is 400, too much of it 413, another content type 415; none of them is a 500."""
    url, kind = f"{stage.base}/api/closures", {"Content-Type": "application/json"}

    assert stage.web.post(url, content=b"{", headers=kind).status_code == 400
    assert stage.web.post(url, content=b" " * 70_000, headers=kind).status_code == 413
    assert stage.web.post(url, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415


def test_unknown_closure_and_nobody(stage: Stage) -> None:
    """An unknown closure or task is 404, a caller without an identity 401, one without the role 403."""
    url = f"{stage.base}/api/closures/{stage.sim['tenantId']}-9"

    assert stage.web.get(url).status_code == 404
    assert stage.web.post(f"{url}/tasks/none/done", json={"comment": "x"}).status_code == 404
    assert stage.web.get(url, headers={"X-Dev-Principal": ""}).status_code in (400, 401)
    answer = stage.web.post(
        f"{url}/abort", json={"comment": "x"}, headers={"X-Dev-Principal": "ann@fabrikam.com;roles=Approver"}
    )
    assert answer.status_code == 403


def test_queue_door(stage: Stage, azurite: str) -> None:
    """An invalid message lies in the poison queue with its problem at once; a valid one starts a closure, once."""
    queue = QueueClient.from_connection_string(azurite, "closure-requests")
    queue.send_message(base64.b64encode(b'{"tenantId": 1}').decode())
    end = time.monotonic() + 20
    while not (poison := stage.web.get(f"{stage.base}/api/closures").json()["poison"]) and time.monotonic() < end:
        time.sleep(0.2)
    assert poison[0]["problem"]["field"]

    asked = {
        "tenantId": stage.sim["tenantId"],
        "domain": stage.sim["domain"],
        "keeper": stage.sim["keeper"],
        "reason": "queue",
        "approvers": [{**IT, "people": ["ann@fabrikam.com", "bob@fabrikam.com"]}, OWNER],
        "backupConfirmed": True,
        "requestedBy": "olga@fabrikam.com",
    }
    queue.send_message(base64.b64encode(json.dumps(asked).encode()).decode())
    while not (items := stage.web.get(f"{stage.base}/api/closures").json()["items"]) and time.monotonic() < end:
        time.sleep(0.2)
    stage.closure = items[0]["closureId"]
    gate = stage.until(lambda document: document["gate"] is not None, 30, approve=False)["gate"]
    assert gate["missing"]["distinct"] == 3, "a claimed requester needs one approver more"

    answer = stage.file()
    assert (answer.status_code, answer.json()["closureId"]) == (409, stage.closure)
    assert stage.decide(gate, "olga@fabrikam.com").status_code == 403
    assert stage.decide({**gate, "digest": "0" * 64}, "ann@fabrikam.com").status_code == 409
    assert stage.decide(gate, "ann@fabrikam.com", "veto").status_code == 202
    assert stage.until(lambda document: document["status"] == "ended", 30, approve=False)["result"] == "vetoed"
    assert stage.score()["writes"] == 0
    assert OPERATOR
