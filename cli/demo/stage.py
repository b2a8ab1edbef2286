"""Sets the stage: state folder, environment, approval policy and request for a simulated tenant."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from cli.demo.choices import UNLIMITED, Choices, write_limit
from cli.errors import BadInput

OPERATOR = "olga@fabrikam.com"
GROUPS = {"it": ["ann@fabrikam.com", "bob@fabrikam.com"], "owner": ["cyd@fabrikam.com"]}
DEPUTIES = {"it": ["dan@fabrikam.com"]}
APPROVERS = ("ann@fabrikam.com", "cyd@fabrikam.com")
"""The smallest set of people that reaches every gate's quorum."""
SENDER = "closure@fabrikam.com"
CHANNEL = "closure"
"""The simulator's name for the Teams workflow that posts our cards."""
REMIND_SECONDS, ESCALATE_SECONDS = 60.0, 120.0
"""How long people may take before they are reminded, and before deputies are asked too; seconds as they pass here."""
LONGEST_DAYS = 3650.0
GATES = ("plan", "go-on", "delete-tenant", "rollback")
OUTSIDE = (
    "ask-support",
    "find-seller",
    "release-users",
    "remove-managed-identity",
    "empty-azure-subscription",
)
"""Manual tasks of the profile `hostile` that wait for somebody else than the keeper at the portal."""
FOREIGN = ("CLOSURE_", "AZURE_", "AzureWebJobs", "WEBSITE_", "FUNCTIONS_", "IDENTITY_", "MSI_")
"""What a rehearsal never takes over from the caller: it could point at a real cloud."""
MARK = "rehearsal.json"


class StateFolder:
    """Where a rehearsal keeps everything; a temporary one is removed at the end unless it is to be kept."""

    def __init__(self, chosen: Path | None, *, keep: bool) -> None:
        self._temporary = chosen is None
        self.kept = keep or not self._temporary
        self.path = Path(tempfile.mkdtemp(prefix="closure-demo-")) if chosen is None else chosen.resolve()

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if (self.path / MARK).exists():
                remedy = "Choose another folder, or remove it."
                raise BadInput("--state-dir", f"{self.path} holds an earlier rehearsal.", remedy)
            self.path.chmod(0o700)
            (self.path / MARK).write_text("{}\n", encoding="utf-8")
        except OSError as error:
            raise BadInput("--state-dir", f"{self.path} can't be used: {error.strerror}.", "Choose another.") from None
        return self

    def __exit__(self, *_: object) -> None:
        # After a crash of the host Azurite may still be writing for a moment.
        for _attempt in range(0 if self.kept else 100):
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                break
            time.sleep(0.1)

    def write(self, name: str, document: Any) -> Path:
        """Write a document as JSON, which is YAML too."""
        path = self.path / name
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        return path


def clean_environment() -> dict[str, str]:
    """The caller's environment without settings of ours or of Azure; loopback never goes through a proxy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    here = "127.0.0.1,localhost"
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = f"{kept[name]},{here}" if kept.get(name) else here
    kept["PYTHONUNBUFFERED"] = "1"
    return kept


def settings(tenant: dict[str, Any], choices: Choices, policy: Path) -> dict[str, str]:
    """The product's settings for the simulated tenant; credentials run for real, by certificate over TLS."""
    url = str(tenant["url"])
    return {
        "CLOSURE_CLOUD": "custom",
        "CLOSURE_GRAPH_URL": url,
        "CLOSURE_ARM_URL": url,
        "CLOSURE_PARTNER_URL": url,
        "CLOSURE_LOGIN_URL": str(tenant["loginUrl"]),
        "CLOSURE_CREDENTIAL": "certificate",
        "CLOSURE_CERTIFICATE_FILE": str(tenant["clientCertificate"]),
        "CLOSURE_CA_FILE": str(tenant["caFile"]),
        "CLOSURE_CLIENT_ID": str(tenant["clientId"]),
        "CLOSURE_PARTNER_TENANT_ID": str(tenant["partnerTenantId"]),
        "CLOSURE_HOME_TENANT_ID": str(tenant["homeTenantId"]),
        "CLOSURE_ALLOWED_TENANTS": str(tenant["tenantId"]),
        "CLOSURE_BILLING_ACCOUNTS": ",".join(tenant["billingAccounts"]),
        "CLOSURE_APPROVAL_POLICY": str(policy),
        "CLOSURE_MAIL_FROM": SENDER,
        "CLOSURE_TEAMS_WEBHOOK": f"{url}/_teams/workflows/{CHANNEL}",
        "CLOSURE_DAY_SECONDS": f"{choices.day_seconds:g}",
        "CLOSURE_WRITE_LIMIT": write_limit(choices.quota),
        **({"CLOSURE_APP_WRITE_LIMIT": UNLIMITED} if choices.quota == "off" else {}),
    }


def approval_policy(day_seconds: float) -> dict[str, Any]:
    """Two different people, one of each group, at every gate; reminders wait as long as a person needs to read."""
    rule = {
        "groups": {"it": 1, "owner": 1},
        "distinct": 2,
        "remindAfterDays": [min(LONGEST_DAYS, REMIND_SECONDS / day_seconds)],
        "escalateAfterDays": min(LONGEST_DAYS, ESCALATE_SECONDS / day_seconds),
    }
    return {"groups": GROUPS, "deputies": DEPUTIES, "gates": dict.fromkeys(GATES, rule)}


def inboxes(simulator: str) -> list[tuple[str, str]]:
    """(whose, address of the page) of everything that is sent to people who can approve."""
    people = [(f"{person} ({group})", person) for group, names in GROUPS.items() for person in names]
    shown = [*people, ("the Teams channel", f"workflow:{CHANNEL}")]
    return [(whose, f"{simulator}/_sim/inbox?to={address}") for whose, address in shown]


def request(tenant: dict[str, Any]) -> dict[str, Any]:
    """The closure request olga files."""
    return {
        "tenantId": tenant["tenantId"],
        "domain": tenant["domain"],
        "keeper": tenant["keeper"],
        "reason": "Rehearsal: merged into Fabrikam",
        "approvers": [{"group": group, "quorum": 1, "people": people} for group, people in GROUPS.items()],
        "keep": [],
        "backupConfirmed": True,
        "externalDirectory": tenant.get("externalDirectory"),
    }
