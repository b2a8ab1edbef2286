"""Starts the rehearsal's processes and ends every one of them, whatever happens to us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from cli.errors import CliError

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 35.0
"""The host lets activities finish and Azurite write its metadata before it ends."""
TAIL_LINES = 15
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class ProcessDied(CliError):
    """A process ended although it was still needed; the text ends with the tail of its log."""

    kind = "process-died"

    def __init__(self, name: str, code: int, log: Path) -> None:
        self.code = code
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        super().__init__(f"The {name} {how}. The end of {log.name} (--keep-state keeps it):\n{tail(log)}")


class Child:
    """One process of its own group; what it says goes to a log file."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("wb") as out:
            # A group of its own keeps the terminal's Ctrl-C away: we end it in order.
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with(os.getpid()),  # noqa: PLW1509  # we have one thread
            )
        self.pid = self._process.pid

    def check(self) -> None:
        """Raise ProcessDied when it is gone."""
        code = self._process.poll()
        if code is not None:
            raise ProcessDied(self.name, code, self.log)

    def wait_for[T](self, find: Callable[[str], T | None], seconds: float) -> T:
        """The first finished line of its log that `find` makes something of."""
        deadline = time.monotonic() + seconds
        while True:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            for line in lines:
                if line.endswith("\n") and (found := find(line.strip())) is not None:
                    return found
            self.check()
            if time.monotonic() > deadline:
                late = f"The {self.name} was not ready after {seconds:.0f} s."
                raise CliError(f"{late} The end of {self.log.name} (--keep-state keeps it):\n{tail(self.log)}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM, wait, and SIGKILL to the whole group for what is still there."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()


class Processes:
    """The children by age; leaving the block ends them, youngest first. Signals leave the block too."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._handlers: dict[int, object] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Child:
        """Start one more."""
        child = Child(name, command, environment, log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raise ProcessDied when one is gone."""
        for child in self._children:
            child.check()

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, _leave)
        return self

    def __exit__(self, *_: object) -> None:
        # A second Ctrl-C while we tidy up would leave processes behind.
        self._handlers[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            while self._children:
                self._children.pop().stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave us


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]) or "(empty)"
    except OSError:
        return "(no log)"


def _leave(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _end_with(parent: int) -> Callable[[], None] | None:
    """On Linux the kernel tells the child to stop when we are killed hard; elsewhere only an orderly end does."""
    if _libc is None:
        return None

    def before_exec() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # we died before the kernel knew
            os._exit(1)

    return before_exec
