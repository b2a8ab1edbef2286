"""Keeps Azurite on a leash: starts it under the state folder's lock, ends it when the host is gone.

Run as a script by ``azurite.py``, never imported by it. The host holds our standard input open; when the host stops,
crashes or is killed, that pipe reaches its end and Azurite gets SIGTERM, on which it writes its metadata (it only
writes it every five seconds otherwise, so Azurite itself must never be killed hard).

Azurite inherits the locked file: even if this process is killed, nobody can start a second Azurite on the same data.
One JSON line on standard output says ``{"ready": {"blob": 1, "queue": 2, "table": 3}}`` or ``{"error": "..."}``.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

HOST_INPUT, HOST_OUTPUT = 0, 1
LOCK_FILE, LOG_FILE, DATA_FOLDER = "host.lock", "azurite.log", "azurite"
START_LOOK_SECONDS, LOOK_SECONDS = 0.02, 0.5
STOP_SECONDS = 15.0
LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at http://127\.0\.0\.1:(\d+)\n")
PR_SET_PDEATHSIG = 1


def say(**message: object) -> None:
    """One line to the host, if it is still there."""
    with contextlib.suppress(BrokenPipeError):
        os.write(HOST_OUTPUT, json.dumps(message).encode() + b"\n")


def host_is_gone(seconds: float) -> bool:
    """Wait up to ``seconds`` for the end of our standard input (the host never writes to it)."""
    readable, _, _ = select.select([HOST_INPUT], [], [], seconds)
    return bool(readable) and not os.read(HOST_INPUT, 1)


def take_lock(state_dir: Path, wait: float) -> int | None:
    """Take the exclusive lock; an old leash may still be letting its Azurite finish, so wait for it."""
    lock = os.open(state_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError:
            if time.monotonic() > deadline or host_is_gone(0.1):
                os.close(lock)
                return None


def end_with_parent() -> None:
    """On Linux, have the kernel send Azurite SIGTERM when the leash is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start_azurite(node: str, script: str, folder: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start Azurite on ports it chooses, holding our lock."""
    data_dir = folder / DATA_FOLDER
    data_dir.mkdir(exist_ok=True)
    # Port 0: Azurite lets the system choose, so there is no race for a port.
    command = [
        node,
        script,
        "--location",
        str(data_dir),
        "--silent",
        "--skipApiVersionCheck",
        "--disableProductStyleUrl",
        "--disableTelemetry",
        "--blobPort",
        "0",
        "--queuePort",
        "0",
        "--tablePort",
        "0",
    ]
    # Its words go to a file: a pipe would break when we are killed, and Azurite would crash on it before saving.
    with (folder / LOG_FILE).open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            preexec_fn=end_with_parent,  # noqa: PLW1509 - safe: this process has no threads
        )


def watch(azurite: subprocess.Popen[bytes], log_file: Path) -> None:
    """Tell the host when the three services listen; return when the host or Azurite ends."""
    ports: dict[str, int] = {}
    while azurite.poll() is None and len(ports) < 3:
        if host_is_gone(START_LOOK_SECONDS):
            return
        words = log_file.read_text("utf-8", errors="replace")
        ports = {found[1].lower(): int(found[2]) for found in LISTENING.finditer(words)}
    if len(ports) == 3:
        say(ready=ports)
        while azurite.poll() is None and not host_is_gone(LOOK_SECONDS):
            pass
    else:
        say(error=f"Azurite did not start; what it said is in {log_file}.")


def stop_azurite(azurite: subprocess.Popen[bytes]) -> None:
    """Let Azurite write its metadata and end."""
    if azurite.poll() is None:
        azurite.send_signal(signal.SIGTERM)
    try:
        azurite.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        azurite.kill()


def main(state_dir: str, node: str, script: str, lock_wait: str) -> None:
    """Lock, start, watch, stop."""
    # A terminal's Ctrl-C is for the host; it then closes our input, and that alone ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    folder = Path(state_dir)
    lock = take_lock(folder, float(lock_wait))
    if lock is None:
        say(error=f"Another local host is using the state folder {folder}; stop it or choose another folder.")
        return
    azurite = start_azurite(node, script, folder, lock)
    try:
        watch(azurite, folder / LOG_FILE)
    finally:
        stop_azurite(azurite)


if __name__ == "__main__":
    main(*sys.argv[1:])
