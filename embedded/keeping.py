"""What the state folder keeps of the host itself: the key that seals Records, and the name that tells hosts apart."""

import os
import secrets
from pathlib import Path

SEAL_FILE, SITE_FILE = "seal.key", "site.name"


def seal_key(state_dir: Path) -> Path:
    """The file with the seal key, made at the first start. Whoever can read it can forge this folder's records."""
    _once(state_dir / SEAL_FILE, secrets.token_hex(32))
    return state_dir / SEAL_FILE


def site_name(state_dir: Path) -> str:
    """This folder's host, the same after every restart; in Azure it is the name of the function app."""
    _once(state_dir / SITE_FILE, f"local-{secrets.token_hex(6)}")
    return (state_dir / SITE_FILE).read_text(encoding="ascii").strip()


def _once(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        return
    # Whole or not at all: a host killed in between must not leave half a key behind.
    fresh = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
        made.write(text + "\n")
        made.flush()
        os.fsync(made.fileno())
    try:
        os.link(fresh, file)
    except FileExistsError:
        pass  # another start was quicker; its text counts
    finally:
        fresh.unlink()
