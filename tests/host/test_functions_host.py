"""The real Functions host runs the package: opt-in, because it needs Azure Functions Core Tools and the network.

`make test ARGS="-m functions_host tests/host"` runs it; the host fetches its extension bundle by itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from deployment.package import stage as lay_out
from embedded.identity import principal_headers
from embedded.keeping import seal_key
from tests.rehearsals.stage import ROOT, Stage

START_SECONDS, PLAN_SECONDS = 180.0, 300.0
"""The first start downloads the extension bundle; Durable's queues are polled up to every ten seconds."""

pytestmark = [
    pytest.mark.functions_host,
    pytest.mark.slow,
    pytest.mark.azurite,
    pytest.mark.simulator,
    pytest.mark.timeout(900),
]


class FunctionsHost(Stage):
    """The stage with `func start` on the packaged app in the place of the local host."""

    def __init__(self, folder: Path, azurite: str) -> None:
        super().__init__(folder, "--users", "40", "--seed", "71")
        self.storage = azurite
        olga = f"olga@fabrikam.com;roles=Operator;tid={self.sim['homeTenantId']}"
        self.web.headers = httpx.Headers(principal_headers(olga))

    def start(self) -> None:
        """Start the host on free ports and wait until it describes itself."""
        app = self.folder / "app"
        lay_out(ROOT, app, "azure-storage")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        python = Path(sys.executable).parent
        settings = {
            "AzureWebJobsStorage": self.storage,
            "CLOSURE_STORAGE": self.storage,
            "CLOSURE_BACKEND": "azure-storage",
            "CLOSURE_BASE_URL": self.base,
            "CLOSURE_SEAL_KEY_FILE": str(seal_key(self.folder / "state")),
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "true",
            "WEBSITE_AUTH_ENABLED": "true",  # this test is the platform that signs people in
            "VIRTUAL_ENV": str(python.parent),
            "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
        }
        core_tools = shutil.which("func")
        assert core_tools is not None, (
            "Azure Functions Core Tools are missing: npm install --global azure-functions-core-tools@4"
        )
        with (self.folder / "host.log").open("a") as log:
            # Its own group: Core Tools start the host and the worker as processes of their own.
            self.host = subprocess.Popen(
                [core_tools, "start", "--port", str(port), "--enableAuth"],  # keys are asked for, as in Azure
                env=self.environment() | settings,
                stdout=log,
                stderr=log,
                text=True,
                cwd=app,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.host.poll() is None and time.monotonic() < end, self.log()
            time.sleep(1)

    def stop(self) -> None:
        """End the host with everything that it started."""
        if self.host is not None and self.host.poll() is None:
            os.killpg(self.host.pid, signal.SIGTERM)
            try:
                self.host.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.host.pid, signal.SIGKILL)
                self.host.wait()
        self.host = None

    def _answers(self) -> bool:
        try:
            return self.web.get(f"{self.base}/api/openapi.json").status_code == 200
        except httpx.TransportError:
            return False


def test_the_functions_host_plans_a_closure(tmp_path: Path, azurite: str) -> None:
    """A request filed over HTTP is surveyed, planned and asked about by real triggers, queues and orchestrations."""
    with FunctionsHost(tmp_path, azurite) as host:
        try:
            host.start()
            refused = httpx.get(f"{host.base}/api/closures")
            assert 401 == refused.status_code
            filed = host.file()
            assert 202 == filed.status_code, filed.text

            planned = host.until(lambda shown: bool(shown["gate"]), PLAN_SECONDS, approve=False)
            assert ("plan", "waiting-approval") == (planned["gate"]["name"], planned["status"])
            assert 39 == planned["counts"]["users"]["planned"]
            assert 0 == host.score()["usersDeleted"]

            # Durable's own doors ask for a system key that nobody is given.
            hooks = f"{host.base}/runtime/webhooks/durabletask/instances"
            assert 401 == httpx.get(hooks).status_code
        finally:
            host.stop()
