"""The hostile tenant: what can be done is done, what is planted stands as blockers; with Support's help it closes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cli.demo.stage import OUTSIDE
from tests.rehearsals.stage import Stage, clean

PLANTED = {
    "users": {"restricted": 3},
    "subscriptions": {"Visio Plan 2", "Microsoft Entra ID Free", "Office 365 E3"},
    "azure-subscriptions": {"Forgotten lab"},
    "enterprise-applications": {"vm-backup"},
}
"""What the profile plants, by check (docs/simulator-coverage.md)."""


@pytest.mark.slow
def test_hostile_tenant_is_blocked_by_what_it_plants_and_by_nothing_else(tmp_path: Path) -> None:
    """Blockers name exactly the planted things, with who can clear them; then Support plays along and it closes."""
    with Stage(tmp_path, "--users", "60", "--profile", "hostile", "--seed", "7") as stage:
        stage.skip = OUTSIDE
        stage.start()
        stage.file()
        planted = set(PLANTED)
        stage.until(
            lambda d: d["phase"] == "readiness" and {b["what"] for b in d["blockers"] if not b["earliest"]} == planted,
            120,
        )
        time.sleep(2 * stage.day)
        document = stage.status()
        lasting = {b["what"]: b for b in document["blockers"] if not b["earliest"]}
        score = stage.score()

        assert document["status"] == "waiting"
        assert {what: set(lasting[what]["items"]) for what in planted - {"users"}} == {
            what: names for what, names in PLANTED.items() if what != "users"
        }
        assert len(lasting["users"]["items"]) == 3
        assert all(blocker["who"] and blocker["remedy"] for blocker in lasting.values())
        assert score["usersKept"] == 4
        assert score["foreignTouched"] == score["keeperTouched"] == score["doubleDeletes"] == 0

        stage.web.post(f"{stage.sim['url']}/_sim/support", json={}).raise_for_status()

        assert stage.ended(180)["result"] == "closed"
        clean(stage.score())
