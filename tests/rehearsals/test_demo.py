"""`closure demo` as the README says it, per profile: the simulator's score is what is judged."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.rehearsals.stage import APPROVERS, ROOT
from tests.rehearsals.test_hostile import PLANTED
from tests.rehearsals.visitor import Visitor, links

pytestmark = [pytest.mark.slow, pytest.mark.timeout(170)]


def demo(*options: str, code: int = 0) -> dict[str, Any]:
    """Run the command; the last line it prints is one JSON object."""
    command = [sys.executable, "-m", "cli", "demo", "--seed", "7", "--approve-all", "--once", "--json", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=160, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("profile", "users", "quota"), [("small", 2000, None), ("hybrid", 800, None), ("large", 5000, "off")]
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
    assert seen["manualTasks"] >= 3  # done by the portal robot


def test_hostile_profile_ends_blocked() -> None:
    """Everything else is done; the command ends by itself with what is planted, and says who can clear it."""
    seen = demo("--profile", "hostile", "--users", "60", code=1)

    assert ("blocked", False, 56, 4) == tuple(
        seen[key] for key in ("result", "tenantGone", "usersDeleted", "usersKept")
    )
    assert set(PLANTED) == {blocker["what"] for blocker in seen["blockers"]}
    assert all(blocker["who"] and not blocker["earliest"] for blocker in seen["blockers"])
    assert (0, 0, True) == tuple(seen[key] for key in ("doubleDeletes", "keeperTouched", "auditOk"))


@contextmanager
def by_hand(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The command without --approve-all; what it tells people goes to a file."""
    command = [sys.executable, "-m", "cli", "demo", "--seed", "7", "--users", "60", "--once", "--json"]
    # A shell's job in the background ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (folder / "told").open("w") as told:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=told, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def told(folder: Path, pattern: str) -> list[str]:
    """Wait until the command has said this; returns every match."""
    end = time.monotonic() + 60
    while not (found := re.findall(pattern, (folder / "told").read_text())):
        assert time.monotonic() < end, (folder / "told").read_text()
        time.sleep(0.1)
    return found


def newest_link(inbox: str, gate: str) -> str:
    """The personal link of the newest mail in an inbox that asks for this gate's decision."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        messages = httpx.get(inbox.replace("/_sim/inbox", "/_sim/inbox.json")).json()["messages"]
        own = [link for message in messages for link in links(message) if "/approvals/" in link]
        if len(own) > (gate == "delete-tenant"):
            return own[-1]
        time.sleep(0.1)
    raise AssertionError(f"no mail for {gate} in {inbox}")


def test_people_approve_what_the_command_shows(tmp_path: Path) -> None:
    """Without --approve-all the inboxes it prints lead to the pages; two people's decisions there close the tenant."""
    with by_hand(tmp_path) as process:
        for gate in ("plan", "delete-tenant"):
            told(tmp_path, f"The gate {gate} is open")
            for who in APPROVERS:
                inbox = told(tmp_path, rf"http://\S+/_sim/inbox\?to={who}")[-1]
                link = newest_link(inbox, gate)
                domain = told(tmp_path, r"(\S+) with 60 users is up")[0]
                with Visitor(f"http://{urlsplit(link).netloc}") as visitor:
                    visitor.sign_in(who)
                    answer = visitor.decide(link, **({"domain": domain} if gate == "delete-tenant" else {}))
                assert 200 == answer.status_code, answer.text
        out, _ = process.communicate(timeout=90)

    assert 0 == process.returncode
    seen = json.loads(out.splitlines()[-1])
    assert ("closed", 4, True, 0) == (seen["result"], seen["approvals"], seen["auditOk"], seen["doubleDeletes"])


def test_interrupt_ends_everything(tmp_path: Path) -> None:
    """Ctrl-C at an open gate: simulator and local host are gone as well."""
    with by_hand(tmp_path) as process:
        pages = told(tmp_path, r"The closure's page: (http://\S+)")[0]
        simulator = told(tmp_path, r"(http://\S+)/_sim/inbox")[0]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    for address in (pages, simulator):
        with pytest.raises(httpx.TransportError):
            httpx.get(address)
