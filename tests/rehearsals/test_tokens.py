"""Callers with Entra tokens instead of a sign-in by the platform: the real keys and checks, every wrong token."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.rehearsals.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
REFUSED = "decision:refused"


def token(stage: Stage, kind: str, **claims: Any) -> dict[str, str]:
    """The header of a token the simulated sign-in gives out."""
    answer = stage.web.post(f"{stage.sim['url']}/_sim/{kind}", json=claims)
    answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def person(stage: Stage, upn: str, *roles: str, **more: Any) -> dict[str, str]:
    """A person's token for our API."""
    return token(stage, "user-token", **{"upn": upn, "roles": list(roles), "audience": stage.sim["clientId"], **more})


def test_tokens_and_callbacks(tmp_path: Path) -> None:
    """People decide with tokens of their own; a flow reports whom it reached, once; no other token gets anywhere."""
    with Stage(tmp_path, "--users", "40", "--seed", "71") as stage, httpx.Client(timeout=30) as client:
        stage.extra = {"CLOSURE_CALLBACK_APPS": stage.sim["flowClientId"]}
        stage.start()
        assert stage.file().status_code == 202
        gate = stage.until(lambda document: document["gate"] is not None, approve=False)["gate"]
        one = f"{stage.base}/api/closures/{stage.closure}"
        approve = {"decision": "approve", "digest": gate["digest"], "serial": gate["serial"]}
        decide, call = f"{one}/gates/plan/decisions", f"{stage.base}/api/callbacks/approvals"

        ann = person(stage, "ann@fabrikam.com", "Approver")
        wrong = [
            {},
            person(stage, "ann@fabrikam.com", "Approver", audience=str(uuid.uuid4())),
            person(stage, "ann@fabrikam.com", "Approver", expiresIn=-600),
            {"Authorization": ann["Authorization"][:-9] + "AAAAAAAAA"},
            token(stage, "token", tenantId=stage.sim["tenantId"], audience=stage.sim["clientId"]),
        ]
        assert [401] * len(wrong) == [client.post(decide, json=approve, headers=h).status_code for h in wrong]
        reader = person(stage, "ann@fabrikam.com", "Auditor")
        assert 403 == client.post(decide, json=approve, headers=reader).status_code
        assert 200 == client.get(one, headers=reader).status_code

        flow = token(
            stage,
            "token",
            tenantId=stage.sim["homeTenantId"],
            audience=stage.sim["clientId"],
            appId=stage.sim["flowClientId"],
        )
        reached = next(one for one in gate["approvers"][0]["people"] if one["upn"].startswith("ann"))
        body = {
            "closureId": stage.closure,
            "gate": "plan",
            "serial": gate["serial"],
            "digest": gate["digest"],
            "event": "reached",
            "person": {
                "tenantId": stage.sim["homeTenantId"],
                "objectId": str(uuid.uuid5(uuid.UUID(stage.sim["homeTenantId"]), reached["upn"])),
                "upn": reached["upn"],
            },
            "nonce": uuid.uuid4().hex,
            "sentAt": datetime.now(UTC).isoformat(),
        }
        answers = [
            client.post(call, json=body, headers=ann),
            client.post(call, json=body),
            client.post(call, json={**body, "event": "decision", "decision": "approve"}, headers=flow),
            client.post(call, json={**body, "sentAt": "2026-01-01T00:00:00Z"}, headers=flow),
            client.post(call, json=body, headers=flow),
            client.post(call, json=body, headers=flow),
        ]
        assert [403, 401, 403, 409, 202, 409] == [answer.status_code for answer in answers]
        assert [] == stage.status()["gate"]["decisions"]
        today = client.get(f"{stage.base}/api/refusals/{datetime.now(UTC):%Y-%m-%d}", headers=reader).text
        assert REFUSED in today
        assert REFUSED in client.get(f"{one}/audit", headers=reader).text
        assert "Bearer" not in today

        for headers in (ann, person(stage, "cyd@fabrikam.com", "Approver")):
            assert 202 == client.post(decide, json=approve, headers=headers).status_code
        stage.until(lambda document: document["phase"] != "gate-plan", approve=False)
