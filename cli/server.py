"""Where the server is and who asks: the address and headers of every call."""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cli.errors import BadInput, Unreachable

DEV_HEADER = "X-Dev-Principal"
DEFAULT_PERSON = "olga@fabrikam.com"
ALL_ROLES = "Operator,Approver,Auditor"
NOTE = "server.json"
"""File in the state folder in which `closure serve` notes its URL and process id."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A server's base URL without trailing slash, and the headers that say who asks (never shown)."""

    url: str
    loopback: bool
    headers: dict[str, str] = field(repr=False, default_factory=dict)


def connect(server: str | None, person: str | None, state_dir: Path | None = None) -> Connection:
    """Settle address and identity. Raises BadInput for a wrong address, Unreachable when no server is known."""
    url = (server or _noted(state_dir or default_state_dir())).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput("--server", f"{url!r} is not a web address.", "Give one such as https://closure.example.com.")
    if parts.username or parts.password:
        raise BadInput("--server", "The address holds credentials.", "Put a bearer token into CLOSURE_TOKEN instead.")
    loopback = is_loopback(parts.hostname)
    token = os.environ.get("CLOSURE_TOKEN", "").strip()
    if person and not loopback:
        raise BadInput("--as", "Naming yourself only works on loopback.", f"Leave it out; {url} takes CLOSURE_TOKEN.")
    if token and not loopback and parts.scheme != "https":
        raise BadInput("--server", "A token is never sent over plain http.", "Use the https address.")
    if loopback and (person or not token):
        return Connection(url, loopback, {DEV_HEADER: principal(person or DEFAULT_PERSON)})
    return Connection(url, loopback, {"Authorization": f"Bearer {token}"} if token else {})


def principal(person: str, roles: str = ALL_ROLES) -> str:
    """The development header's text; roles are added where the person names none."""
    if any(ord(character) < 32 or ord(character) > 126 for character in person) or "@" not in person:
        raise BadInput("--as", f"{person!r} is not a user name.", "Give one such as ann@fabrikam.com.")
    return person if ";" in person else f"{person};roles={roles}"


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def default_state_dir() -> Path:
    """The local host's state folder."""
    return Path(os.environ.get("CLOSURE_STATE_DIR", ".closure"))


def note(state_dir: Path, url: str) -> Path:
    """Write down where the local host listens, for the commands that come after."""
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / NOTE
    path.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
    return path


def _noted(state_dir: Path) -> str:
    nobody = "start one with `closure serve`, or name one with --server or CLOSURE_SERVER."
    try:
        noted = json.loads((state_dir / NOTE).read_text(encoding="utf-8"))
        url, pid = str(noted["url"]), int(noted["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        raise Unreachable(f"No server is known in {state_dir}: {nobody}") from None
    if not _alive(pid):
        raise Unreachable(f"The local host noted in {state_dir / NOTE} is gone: {nobody}")
    return url


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
