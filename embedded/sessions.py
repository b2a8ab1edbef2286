"""Who stays signed in: a signed cookie, and the key that signs it, kept in the state folder.

The cookie has App Service's name. It holds nothing secret: who somebody is, in which role, and until when.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

COOKIE = "AppServiceAuthSession"
KEY_FILE = "sign-in.key"
KEY_BYTES = 32
LASTS_SECONDS = 8 * 3600  # as long as App Service's own session


class Sessions:
    """Makes and reads the cookie's value. The key is made at the first sign-in: an unused folder stays empty."""

    def __init__(self, state_dir: Path, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock = state_dir / KEY_FILE, clock
        self._key = b""

    def issue(self, principal: str) -> str:
        """The cookie's value for a principal, written as X-Dev-Principal is."""
        told = {"principal": principal, "until": int(self._clock()) + LASTS_SECONDS}
        content = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
        return f"{content}.{_sign(content, self._known_key() or self._new_key())}"

    def principal(self, cookie: str) -> str | None:
        """Who a cookie's value says is signed in; None for a value that is not whole, not ours or too old."""
        key = self._known_key()
        content, _, signature = cookie.partition(".")
        if not key or not hmac.compare_digest(_sign(content, key).encode(), signature.encode()):
            return None
        # We signed it, so it is what `issue` wrote.
        told = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
        return str(told["principal"]) if told["until"] > self._clock() else None

    def _known_key(self) -> bytes:
        if not self._key:
            try:
                key = bytes.fromhex(self._file.read_text(encoding="ascii"))
            except (OSError, ValueError):
                return b""
            self._key = key if len(key) == KEY_BYTES else b""
        return self._key

    def _new_key(self) -> bytes:
        self._key = secrets.token_bytes(KEY_BYTES)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.unlink(missing_ok=True)  # nobody else may hold it open, or read it by its old mode
        with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._key.hex())
        return self._key


def _sign(content: str, key: bytes) -> str:
    return hmac.new(key, content.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
