"""`closure demo` as the README says it, per profile: the simulator's score is what is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.rehearsals.stage import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]


def demo(*options: str) -> dict[str, Any]:
    """Run the command; the last line it prints is one JSON object."""
    command = [sys.executable, "-m", "cli", "demo", "--seed", "7", "--approve-all", "--once", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=160, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("profile", "users", "quota"), [("small", 2000, None), ("hybrid", 2000, None), ("large", 10000, "off")]
)
def test_profile_ends_closed(profile: str, users: int, quota: str | None) -> None:
    """Every profile ends with the tenant gone, everyone but the keeper deleted once, and a whole audit."""
    seen = demo("--profile", profile, "--users", str(users), *(["--quota", quota] if quota else []))

    assert {key: seen[key] for key in ("result", "tenantGone", "usersTotal", "usersDeleted", "usersKept")} == {
        "result": "closed",
        "tenantGone": True,
        "usersTotal": users,
        "usersDeleted": users - 1,
        "usersKept": 1,
    }
    assert seen["subscriptionsDeleted"] == seen["subscriptionsTotal"] > 0
    assert (seen["doubleDeletes"], seen["keeperTouched"], seen["blockers"], seen["auditOk"]) == (0, 0, [], True)
    assert seen["approvals"] == 4
