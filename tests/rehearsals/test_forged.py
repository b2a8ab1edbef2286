"""Records touched by somebody else while a real host works on them: nothing is written on their word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.azurite import Azurite
from tenantclosure.gateways.records import AzureRecords
from tenantclosure.policy import audit_chain
from tests.gateways.conftest import storage_settings
from tests.rehearsals.stage import APPROVERS, Stage

pytestmark = [pytest.mark.slow, pytest.mark.azurite]


async def forge(storage: str, closure: str, gate: dict[str, Any]) -> list[str]:
    """Write an approval of each approver straight into the table; the keys."""
    records = AzureRecords(storage_settings(CLOSURE_STORAGE=storage))
    found = await records.read(closure, f"gate:{gate['name']}:{gate['serial']:03d}")
    assert found is not None
    keys = []
    for person in (person for group in found[0]["groups"].values() for person in group["people"]):
        if person["upn"] in APPROVERS:
            keys.append(f"decision:{gate['name']}:{gate['serial']:03d}:2026-01-01T00:00:00.000Z:{person['objectId']}")
            said = {"gate": gate["name"], "serial": gate["serial"], "digest": gate["digest"], "decision": "approve"}
            at = {"at": "2026-01-01T00:00:00.000Z", "comment": "", "via": "api"}
            await records.create(closure, keys[-1], {**said, **at, "person": person})
    await records.close()
    return keys


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[str]:
    """Storage of its own, which outlives a host: other tests' records are another deployment's here."""
    server = Azurite(tmp_path / "storage")
    server.begin()
    yield server.ready()
    server.stop()


async def test_forged_approvals_end_the_closure_before_any_write(tmp_path: Path, storage: str) -> None:
    """Two approvals without a seal make no quorum: the closure ends failed, names them, and nothing was deleted.

    Another deployment on the same storage starts nothing at all, and its log says which setting is wrong.
    """
    settings = {"CLOSURE_STORAGE": storage}
    (tmp_path / "one").mkdir()
    with Stage(tmp_path / "one", "--users", "12", "--seed", "3", settings=settings) as stage:
        stage.start()
        stage.file()
        document = stage.until(lambda d: bool(d["gate"]), approve=False)
        keys = await forge(storage, stage.closure, document["gate"])
        assert 2 == len(keys)

        answer = stage.decide(document["gate"], "ann@fabrikam.com")
        assert answer.status_code in (202, 409), answer.text
        ended = stage.until(lambda d: d["status"] == "ended", approve=False)

        assert "failed" == ended["result"]
        (named,) = [one for one in ended["blockers"] if one["what"] == "records"]
        assert [True, True] == [any(key in item for item in named["items"]) for key in keys]
        assert {} == stage.score()["writeCalls"]
        report = stage.report()
        assert report["audit"]["ok"]
        assert "seal" in report["why"]
        lines = stage.web.get(f"{stage.base}/api/closures/{stage.closure}/audit").content.splitlines()
        assert audit_chain.verify(lines).ok
        assert "seal" in {json.loads(line)["detail"].get("rail") for line in lines}

        stranger(tmp_path / "two", stage, settings)


def stranger(folder: Path, stage: Stage, settings: dict[str, str]) -> None:
    """A host with another state folder, so with another key, on the same storage and the same simulated tenant."""
    other = Stage.__new__(Stage)
    other.__dict__.update(stage.__dict__)
    folder.mkdir()
    other.folder, other.closure = folder, ""
    other.start()
    assert other.host is not None
    assert other.host.stdout is not None
    try:
        refused = other.file()
        assert (500, "urn:tenant-closure:problem:not-configured") == (refused.status_code, refused.json()["type"])
        assert "CLOSURE_STORAGE holds the records of another deployment" in (folder / "host.log").read_text()
    finally:
        other.host.terminate()
        other.host.wait(30)
        other.host.stdout.close()
