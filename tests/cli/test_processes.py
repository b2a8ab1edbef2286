"""The rehearsal's processes end whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.demo.processes import Child, ProcessDied, Processes
from cli.errors import CliError

ROOT = Path(__file__).parents[2]
SLEEPER = "import time; print('ready 42', flush=True); time.sleep(60)"


def start(processes: Processes, code: str, tmp_path: Path) -> Child:
    """A Python child that runs this code."""
    return processes.start("child", [sys.executable, "-c", code], dict(os.environ), tmp_path / "child.log")


def ready(line: str) -> str | None:
    """The number of a ready line."""
    return line.removeprefix("ready ") if line.startswith("ready ") else None


def gone(pid: int) -> bool:
    """Whether a process ends within a few seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        # nobody may be there to wait for an orphan: a zombie is gone too
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_children_end_with_the_block(tmp_path: Path) -> None:
    """Leaving the block, by an error too, ends every child."""
    with pytest.raises(ZeroDivisionError), Processes() as processes:
        child = start(processes, SLEEPER, tmp_path)
        assert "42" == child.wait_for(ready, 10)
        raise ZeroDivisionError

    assert gone(child.pid)


def test_sigterm_ends_the_children_first(tmp_path: Path) -> None:
    """SIGTERM to us leaves the block in order."""
    with pytest.raises(SystemExit), Processes() as processes:
        child = start(processes, SLEEPER, tmp_path)
        child.wait_for(ready, 10)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    assert gone(child.pid)
    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


def test_death_is_told_with_the_end_of_the_log(tmp_path: Path) -> None:
    """A child that dies is named, with its exit code and last words."""
    with Processes() as processes:
        child = start(processes, "import sys; print('no disk'); sys.exit(3)", tmp_path)
        with pytest.raises(ProcessDied, match=r"(?s)exit code 3.*no disk"):
            child.wait_for(ready, 10)


def test_late_child_is_told(tmp_path: Path) -> None:
    """A child that never gets ready is an error, not a hang."""
    with Processes() as processes, pytest.raises(CliError, match="was not ready"):
        start(processes, "import time; time.sleep(60)", tmp_path).wait_for(ready, 0.3)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    """Even kill -9 of the command leaves no child behind."""
    code = (
        "import os, sys, time; from pathlib import Path; from cli.demo.processes import Processes\n"
        "with Processes() as p:\n"
        f"    command, log = [sys.executable, '-c', {SLEEPER!r}], Path({str(tmp_path / 'log')!r})\n"
        "    c = p.start('child', command, dict(os.environ), log)\n"
        "    c.wait_for(lambda line: line or None, 10)\n"
        "    print(c.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()

    assert gone(pid)
