"""The simulator as a program of its own, and settings that lead to it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tenantclosure.settings import Settings


@dataclass(frozen=True)
class Simulated:
    """A running simulator: its ready line, and settings for it."""

    ready: dict[str, Any]

    def sim(self, name: str, body: Any = None) -> Any:
        """Ask the simulator's control surface."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.ready['url']}/_sim/{name}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.load(answer)

    def settings(self, credential: str = "static", **values: Any) -> Settings:
        """Settings with this credential; the login endpoint is the TLS one."""
        url = self.ready["url"]
        base = {
            "CLOSURE_CLOUD": "custom",
            "CLOSURE_GRAPH_URL": url,
            "CLOSURE_LOGIN_URL": self.ready["loginUrl"],
            "CLOSURE_ARM_URL": url,
            "CLOSURE_PARTNER_URL": url,
            "CLOSURE_CREDENTIAL": credential,
            "CLOSURE_CA_FILE": self.ready["caFile"],
            "CLOSURE_CLIENT_ID": self.ready["clientId"],
            "CLOSURE_PARTNER_TENANT_ID": self.ready["partnerTenantId"],
            "CLOSURE_HOME_TENANT_ID": self.ready["homeTenantId"],
        }
        if credential == "static":
            base |= {
                "CLOSURE_STATIC_TOKEN": self.ready["token"],
                "CLOSURE_PARTNER_STATIC_TOKEN": self.ready["partnerToken"],
                "CLOSURE_HOME_STATIC_TOKEN": self.ready["homeToken"],
            }
        if credential == "certificate":
            base["CLOSURE_CERTIFICATE_FILE"] = self.ready["clientCertificate"]
        if credential == "federated":
            base["CLOSURE_IDENTITY_CLIENT_ID"] = self.ready["identityClientId"]
        return Settings.model_validate({**base, **values})


@contextmanager
def simulator(*options: str) -> Iterator[Simulated]:
    """Start the simulator with these options, stop it afterwards."""
    command = [sys.executable, "-m", "simulator", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Simulated(json.loads(process.stdout.readline()))
        finally:
            process.terminate()
            process.wait(10)
