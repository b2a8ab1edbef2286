"""Azure Storage on a laptop: installs, starts and stops Azurite on a locked state folder.

Azurite writes its metadata every five seconds and at SIGTERM. The host may therefore be killed at any time (the leash
sends that SIGTERM); killing Azurite itself hard, or cutting the power, may cost the last five seconds.
"""

import fcntl
import json
import logging
import select
import shutil
import subprocess
import sys
from pathlib import Path

from embedded.errors import EmbeddedError

FOLDER = Path(__file__).parent / "azurite"
SCRIPT = FOLDER / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
LEASH = Path(__file__).parent / "leash.py"
ACCOUNT = "devstoreaccount1"
# Azurite's published development key; it protects nothing and opens nothing but loopback.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# After a kill the old leash may still be letting its Azurite finish: how long a new one waits for the lock.
LOCK_WAIT_SECONDS = 20.0
ANSWER_SECONDS = 90.0
STOP_SECONDS = 20.0
logger = logging.getLogger(__name__)


def install() -> None:
    """Install the pinned Azurite beside this file unless it is there already; safe to call from several processes."""
    if installed():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise EmbeddedError("npm was not found; install Node.js 20 or later, then run `make setup`.")
    with (FOLDER / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if installed():
            return
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund"], cwd=FOLDER, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise EmbeddedError(f"npm could not install Azurite: {done.stderr.strip()[-500:]}")


def installed() -> bool:
    """Whether npm finished installing: it writes its own list last."""
    return SCRIPT.exists() and (FOLDER / "node_modules" / ".package-lock.json").exists()


def connection_string(ports: dict[str, int]) -> str:
    """The connection string for these ports."""
    endpoints = "".join(
        f"{service.capitalize()}Endpoint=http://127.0.0.1:{ports[service]}/{ACCOUNT};"
        for service in ("blob", "queue", "table")
    )
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoints}"


class Azurite:
    """One Azurite on one state folder. ``begin`` and ``ready`` are apart so that the host can load meanwhile."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir.resolve()
        self._leash: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Start the leash; it waits for the lock and starts Azurite by itself."""
        node = shutil.which("node")
        if node is None:
            raise EmbeddedError("Node.js was not found; install version 20 or later, then run `make setup`.")
        if not installed():
            raise EmbeddedError("Azurite is not installed; run `make setup`.")
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(f"The state folder {self.state_dir} cannot be used: {error.strerror}.") from error
        # -I keeps the caller's environment and folder out of the leash's imports; its own session keeps Ctrl-C away.
        self._leash = subprocess.Popen(
            [sys.executable, "-I", str(LEASH), str(self.state_dir), node, str(SCRIPT), str(LOCK_WAIT_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ready(self) -> str:
        """Wait for Azurite and return its connection string."""
        assert self._leash is not None and self._leash.stdout is not None, "begin() first"
        readable, _, _ = select.select([self._leash.stdout], [], [], ANSWER_SECONDS)
        line = self._leash.stdout.readline() if readable else ""
        answer = json.loads(line or '{"error": "Azurite did not answer; look at the state folder and try again."}')
        if "error" in answer:
            self.stop()
            raise EmbeddedError(answer["error"])
        return connection_string(answer["ready"])

    def running(self) -> bool:
        """Whether Azurite is up; it ends only by ``stop`` or by itself."""
        return self._leash is not None and self._leash.poll() is None

    def stop(self) -> None:
        """Have Azurite write everything and end; the lock is free afterwards."""
        leash, self._leash = self._leash, None
        if leash is None:
            return
        try:
            leash.communicate(timeout=STOP_SECONDS)  # closes its input, which is the sign to stop
        except subprocess.TimeoutExpired:
            logger.warning("Azurite is still stopping after %s seconds.", STOP_SECONDS)
