"""The most memory a process has held, as the kernel counts it (Linux)."""

from __future__ import annotations

from pathlib import Path


def peak(pid: int) -> int:
    """Bytes of the process alone at its largest; 0 when it is gone or the system has no /proc."""
    return _field(pid, "VmHWM")


def peak_of_family(pid: int) -> int:
    """Bytes of the process and the ones it started, each at its largest so far."""
    return sum(peak(member) for member in _family(pid))


def _family(pid: int) -> list[int]:
    found, at = [pid], 0
    while at < len(found):
        for task in Path(f"/proc/{found[at]}/task").glob("*"):
            try:
                found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
            except OSError:
                continue
        at += 1
    return found


def _field(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
