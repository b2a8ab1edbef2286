"""Graph's `$batch` as a short script knows it: 20 DELETEs in one call, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BATCH = 20
THROTTLED = 429
ERRORS_FROM = 500
LONG_WAIT = 10.0
"""Seconds to wait where Graph does not say."""


@dataclass(frozen=True)
class Deleted:
    """The answer about one user; status 0 when there was none."""

    user: str
    status: int
    wait: float = 0.0

    @property
    def throttled(self) -> bool:
        """Whether it was refused for now."""
        return self.status == THROTTLED

    @property
    def broken(self) -> bool:
        """Whether the service failed, or said nothing."""
        return self.status == 0 or self.status >= ERRORS_FROM


def batches(users: Sequence[str]) -> Iterator[list[str]]:
    """Cut a list into batches."""
    return iter([list(users[start : start + BATCH]) for start in range(0, len(users), BATCH)])


def body_of(users: Sequence[str]) -> str:
    """Write the batch that deletes them."""
    items = [{"id": str(place), "method": "DELETE", "url": f"/users/{user}"} for place, user in enumerate(users)]
    return json.dumps({"requests": items})


def answers_of(users: Sequence[str], status: int, headers: Mapping[str, str], content: bytes) -> list[Deleted]:
    """Read an answer: one for each user, all alike when the call itself was refused."""
    if status != 200:
        return [Deleted(user, status, _wait(headers)) for user in users]
    said: dict[str, Any] = {answer["id"]: answer for answer in json.loads(content)["responses"]}
    return [
        Deleted(user, said[key]["status"], _wait(said[key].get("headers") or {})) if key in said else Deleted(user, 0)
        for key, user in ((str(place), user) for place, user in enumerate(users))
    ]


def _wait(headers: Mapping[str, str]) -> float:
    return float(headers.get("Retry-After", LONG_WAIT))
