"""An e-mail to one person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mail:
    """One message; `text` and `html` say the same. `message_id` (no brackets) stays the same when it is sent again."""

    to: str
    to_name: str
    subject: str
    text: str
    html: str
    message_id: str
