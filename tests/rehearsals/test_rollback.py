"""A rollback against the simulated tenant: everybody is back and may sign in, once people have approved just that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tenantclosure.names import Phase
from tests.rehearsals.stage import APPROVERS, Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]
PEOPLE = 60
DAY = 3.0
"""Seconds of a day: the recycle bin's 30 days last a minute and a half."""
PACED = {"CLOSURE_WRITE_LIMIT": "40/20", "CLOSURE_LANES": "2"}
AFTER_USERS = frozenset(list(Phase)[list(Phase).index(Phase.CANCEL) : list(Phase).index(Phase.GATE_DELETE)])


def sign_in(stage: Stage) -> dict[str, bool]:
    """Who is in the tenant, and whether they may sign in: id -> enabled, as Graph lists them."""
    wanted = {"tenantId": stage.sim["tenantId"]}
    token = stage.web.post(f"{stage.sim['url']}/_sim/token", json=wanted).json()["token"]
    answer = stage.web.get(
        f"{stage.sim['url']}/v1.0/users",
        params={"$select": "id,accountEnabled", "$top": "999"},
        headers={"Authorization": f"Bearer {token}"},
    )
    answer.raise_for_status()
    return {user["id"]: user["accountEnabled"] for user in answer.json()["value"]}


def policy(stage: Stage) -> dict[str, Any]:
    """The tenant's sign-up policy."""
    found: dict[str, Any] = stage.web.get(f"{stage.sim['url']}/_sim/state").json()["organization"]
    return found["authorizationPolicy"]  # type: ignore[no-any-return]


def tell(stage: Stage, order: str) -> httpx.Response:
    """An operator's order."""
    return stage.web.post(f"{stage.base}/api/closures/{stage.closure}/{order}", json={"comment": "the merger is off"})


def emptied(stage: Stage) -> None:
    """File, approve, and wait until the users phase is over: only the keeper is left."""
    stage.start()
    assert 202 == stage.file(quietDays=1).status_code
    stage.until(lambda document: document["phase"] in AFTER_USERS)
    assert 1 == stage.score()["usersKept"]


def asked(stage: Stage) -> dict[str, Any]:
    """Wait for the rollback's gate; returns it."""
    document = stage.until(lambda d: bool(d["gate"]) and d["gate"]["name"] == "rollback", 60, approve=False)
    gate: dict[str, Any] = document["gate"]
    return gate


def test_after_the_users_phase_everybody_is_restored_and_a_second_time_nothing_is(tmp_path: Path) -> None:
    """Nobody comes back before the gate; afterwards everybody may sign in who could; the second one writes nothing."""
    with Stage(tmp_path, "--users", str(PEOPLE), "--seed", "91", day=DAY) as stage:
        before, shared = sign_in(stage), policy(stage)
        emptied(stage)
        frozen = policy(stage)
        assert 202 == tell(stage, "rollback").status_code
        gate = asked(stage)
        waiting = sign_in(stage)
        for who in APPROVERS:
            assert 202 == stage.decide(gate, who).status_code
        document = stage.until(lambda d: d["status"] == "ended", 60, approve=False)
        told, writes = stage.report()["rollbacks"][0], stage.score()["writes"]
        restored = {one["id"] for one in told["restored"] if one["family"] == "users"}

        assert PEOPLE <= len(before)
        assert (1, "aborted") == (len(waiting), document["result"])
        assert before == sign_in(stage)
        assert (shared, True) == (policy(stage), frozen != shared)
        assert ("done", []) == (told["state"], told["left"])
        assert before.keys() - waiting.keys() == restored
        assert 0 == stage.score()["keeperTouched"] == stage.score()["doubleDeletes"]

        assert 202 == tell(stage, "rollback").status_code
        document = stage.until(lambda d: d["status"] == "ended", 60, approve=False)
        states = [one["state"] for one in stage.report()["rollbacks"]]

        assert ("aborted", ["done", "empty"]) == (document["result"], states)
        assert writes == stage.score()["writes"]
        assert before == sign_in(stage)


def test_abort_and_veto_restore_nobody_and_an_ended_closure_can_still_be_rolled_back(tmp_path: Path) -> None:
    """Three decisions of their own: abort, veto, approve; the last one survives a kill -9 while users come back."""
    with Stage(tmp_path, "--users", str(PEOPLE), "--seed", "92", day=DAY, settings=PACED) as stage:
        before = sign_in(stage)
        emptied(stage)
        assert 202 == tell(stage, "abort").status_code
        assert "aborted" == stage.ended()["result"]
        assert 1 == len(sign_in(stage))

        assert 202 == tell(stage, "rollback").status_code
        assert 409 == tell(stage, "rollback").status_code
        assert 409 == stage.file().status_code
        assert 202 == stage.decide(asked(stage), APPROVERS[0], "veto").status_code
        assert "aborted" == stage.until(lambda d: d["status"] == "ended", 60, approve=False)["result"]
        assert 1 == len(sign_in(stage))

        assert 202 == tell(stage, "rollback").status_code
        gate = asked(stage)
        for who in APPROVERS:
            assert 202 == stage.decide(gate, who).status_code
        stage.until(lambda _: 1 < stage.score()["usersKept"], 60, approve=False)
        stage.kill()
        stage.start()
        document = stage.until(lambda d: d["status"] == "ended", 90, approve=False)

        assert "aborted" == document["result"]
        assert before == sign_in(stage)
        assert ["vetoed", "done"] == [one["state"] for one in stage.report()["rollbacks"]]
