"""A simulated tenant and a local host as two processes; people act over HTTP, and the simulator's score is the
judge.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).parents[2]
OPERATOR = {"X-Dev-Principal": "olga@fabrikam.com;roles=Operator"}
APPROVERS = ("ann@fabrikam.com", "cyd@fabrikam.com")
CHANNEL = "workflow:closure"
"""Whom the Teams cards reach, in the simulator's inbox."""
GATES = ("plan", "go-on", "delete-tenant", "rollback")
REMIND_SECONDS, ESCALATE_SECONDS = 60.0, 120.0
MOST_DAYS = 3650.0
"""More the policy does not take."""


def approval_policy(day: float) -> dict[str, Any]:
    """One person of each of two groups at every gate; nobody is reminded while a test runs."""
    rule = {
        "groups": {"it": 1, "owner": 1},
        "distinct": 2,
        "remindAfterDays": [REMIND_SECONDS / day],
        "escalateAfterDays": min(ESCALATE_SECONDS / day, MOST_DAYS),
    }
    return {
        "groups": {"it": ["ann@fabrikam.com", "bob@fabrikam.com"], "owner": ["cyd@fabrikam.com"]},
        "deputies": {"it": ["dan@fabrikam.com"]},
        "gates": dict.fromkeys(GATES, rule),
    }


class Stage:
    """Both processes, what they said, and the hands of the people around them."""

    command: tuple[str, ...] = ("-m", "embedded", "--app-dir", str(ROOT))
    pace = 0.3
    """Seconds after which the robot takes up a task; it looks twice as often."""

    def __init__(self, folder: Path, *simulator: str, day: float = 0.1, settings: dict[str, str] | None = None) -> None:
        self.folder, self.day, self.extra = folder, day, settings or {}
        self.simulator = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--port", "0", "--day-seconds", str(day), *simulator],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.simulator.stdout is not None
        self.sim: dict[str, Any] = json.loads(self.simulator.stdout.readline())
        self.host: subprocess.Popen[str] | None = None
        self.closure = ""
        self.policy = approval_policy(day)
        self.skip: tuple[str, ...] = ()
        self.web = httpx.Client(timeout=30, headers=OPERATOR)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.web.close()
        for process in (self.host, self.simulator):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in (self.host, self.simulator):
            if process is not None:
                process.wait(30)
                assert process.stdout is not None
                process.stdout.close()

    # -- the host ----------------------------------------------------------------------------------------------------
    def environment(self) -> dict[str, str]:
        """What the host is told: the simulator as its cloud, the stage's policy, and nothing of this machine's own."""
        policy = self.folder / "policy.yaml"
        policy.write_text(yaml.safe_dump(self.policy))
        settings = {
            "CLOSURE_CLOUD": "custom",
            "CLOSURE_GRAPH_URL": self.sim["url"],
            "CLOSURE_ARM_URL": self.sim["url"],
            "CLOSURE_PARTNER_URL": self.sim["url"],
            "CLOSURE_LOGIN_URL": self.sim["loginUrl"],
            "CLOSURE_CREDENTIAL": "certificate",
            "CLOSURE_CERTIFICATE_FILE": self.sim["clientCertificate"],
            "CLOSURE_CA_FILE": self.sim["caFile"],
            "CLOSURE_CLIENT_ID": self.sim["clientId"],
            "CLOSURE_PARTNER_TENANT_ID": self.sim["partnerTenantId"],
            "CLOSURE_HOME_TENANT_ID": self.sim["homeTenantId"],
            "CLOSURE_ALLOWED_TENANTS": self.sim["tenantId"],
            "CLOSURE_BILLING_ACCOUNTS": ",".join(self.sim["billingAccounts"]),
            "CLOSURE_APPROVAL_POLICY": str(policy),
            "CLOSURE_MAIL_FROM": "closure@fabrikam.com",
            "CLOSURE_TEAMS_WEBHOOK": f"{self.sim['url']}/_teams/workflows/closure",
            "CLOSURE_DAY_SECONDS": str(self.day),
            "CLOSURE_SHARD_SIZE": "100",
            **self.extra,
        }
        return {name: value for name, value in os.environ.items() if not name.startswith("CLOSURE_")} | settings

    def start(self) -> None:
        """Start the host on the stage's state folder and wait for its address."""
        with (self.folder / "host.log").open("a") as log:
            self.host = subprocess.Popen(
                [sys.executable, *self.command, "--state-dir", str(self.folder / "state"), "--port", "0"],
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
            )
        assert self.host.stdout is not None
        line = self.host.stdout.readline()
        assert line.startswith("Listening on "), (self.folder / "host.log").read_text()[-3000:]
        self.base = line.removeprefix("Listening on ").strip()
        if self.closure:
            self.robot()

    def kill(self) -> None:
        """kill -9 the host; its storage is left to its leash."""
        assert self.host is not None and self.host.stdout is not None
        self.host.kill()
        self.host.wait()
        self.host.stdout.close()

    # -- messages ----------------------------------------------------------------------------------------------------
    def messages(self, to: str = "") -> list[dict[str, Any]]:
        """What one address received (or everybody), oldest first."""
        query = {"to": to} if to else {}
        found: list[dict[str, Any]] = self.web.get(f"{self.sim['url']}/_sim/inbox.json", params=query).json()[
            "messages"
        ]
        return found

    def asked(self, *people: str, more_than: int = 0, seconds: float = 30) -> None:
        """Wait until each of these addresses has more messages than so many."""
        end = time.monotonic() + seconds
        while not all(len(self.messages(to)) > more_than for to in people):
            assert time.monotonic() < end, f"no message for all of {people}: {self.messages()}\n{self.log()}"
            time.sleep(0.1)

    def told(self, to: str, words: str, seconds: float = 30) -> None:
        """Wait until one of this address's messages holds these words."""
        end = time.monotonic() + seconds
        while not any(words in json.dumps(message) for message in self.messages(to)):
            assert time.monotonic() < end, f"nobody told {to} {words}: {self.messages(to)}\n{self.log()}"
            time.sleep(0.1)

    # -- people ------------------------------------------------------------------------------------------------------
    def file(self, **changes: Any) -> httpx.Response:
        """File the request; remembers the closure's id when it was taken."""
        request = {
            "tenantId": self.sim["tenantId"],
            "domain": self.sim["domain"],
            "keeper": self.sim["keeper"],
            "reason": "merged into Fabrikam",
            "approvers": [
                {"group": "it", "quorum": 1, "people": ["ann@fabrikam.com", "bob@fabrikam.com"]},
                {"group": "owner", "quorum": 1, "people": ["cyd@fabrikam.com"]},
            ],
            "keep": [],
            "backupConfirmed": True,
            "externalDirectory": self.sim["externalDirectory"],
            **changes,
        }
        answer = self.web.post(f"{self.base}/api/closures", json=request)
        if answer.status_code == 202:
            self.closure = answer.json()["closureId"]
            self.robot()
        return answer

    def robot(self) -> None:
        """Let the keeper's robot do the manual tasks of this closure."""
        tasks = f"{self.base}/api/closures/{self.closure}/tasks"
        order = {
            "enabled": True,
            "tasksUrl": tasks,
            "doneUrl": tasks + "/{task}/done",
            "headers": OPERATOR,
            "delaySeconds": self.pace,
            "skip": self.skip,
        }
        self.web.post(f"{self.sim['url']}/_sim/robot", json=order).raise_for_status()

    def decide(self, gate: dict[str, Any], who: str, decision: str = "approve") -> httpx.Response:
        """One person's decision at an open gate."""
        body = {"decision": decision, "digest": gate["digest"], "comment": "as agreed"}
        if gate["name"] == "delete-tenant":
            body["domain"] = self.sim["domain"]
        return self.web.post(
            f"{self.base}/api/closures/{self.closure}/gates/{gate['name']}/decisions",
            json=body,
            headers={"X-Dev-Principal": f"{who};roles=Approver"},
        )

    def status(self) -> dict[str, Any]:
        """The closure's document."""
        answer = self.web.get(f"{self.base}/api/closures/{self.closure}")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def score(self) -> dict[str, Any]:
        """What the simulator saw."""
        found: dict[str, Any] = self.web.get(f"{self.sim['url']}/_sim/score").json()
        return found

    def until(
        self, seen: Callable[[dict[str, Any]], bool], seconds: float = 90, *, approve: bool = True
    ) -> dict[str, Any]:
        """Watch, approving each open gate once as two people, until the document shows what is waited for."""
        end, asked = time.monotonic() + seconds, set()
        while time.monotonic() < end:
            document = self.status()
            if seen(document):
                return document
            gate = document["gate"]
            if approve and gate and (gate["name"], gate["serial"]) not in asked:
                asked.add((gate["name"], gate["serial"]))
                for who in APPROVERS:
                    answer = self.decide(gate, who)
                    assert answer.status_code in (202, 409), answer.text
            time.sleep(0.1)
        raise AssertionError(f"not seen in {seconds} s: {json.dumps(self.status())[:1500]}\n{self.log()}")

    def ended(self, seconds: float = 90) -> dict[str, Any]:
        """Wait for the end."""
        return self.until(lambda document: document["status"] == "ended", seconds)

    def report(self) -> dict[str, Any]:
        """The report's JSON."""
        found: dict[str, Any] = self.web.get(f"{self.base}/api/closures/{self.closure}/report?format=json").json()
        return found

    def log(self) -> str:
        """The end of what the host logged."""
        return (self.folder / "host.log").read_text()[-3000:]


def clean(score: dict[str, Any]) -> None:
    """What must hold after every closure that ends closed."""
    expected = {
        "usersDeleted": score["usersTotal"] - score["usersKept"],
        "usersKept": 1,
        "subscriptionsDeleted": score["subscriptionsTotal"],
        "tenantGone": True,
        "doubleDeletes": 0,
        "keeperTouched": 0,
        "protectedTouched": 0,
    }
    assert {key: score[key] for key in expected} == expected
    assert score.get("foreignTouched", 0) == 0
