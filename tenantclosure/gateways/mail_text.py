"""What a mail carries, made safe: a line stays one line, text is valid Unicode, an address is one plain address.

Names come from tenants, so they may hold line breaks, lone surrogates or anything else.
"""

from __future__ import annotations

import re
import unicodedata

from tenantclosure.errors import Undeliverable
from tenantclosure.settings import MAILBOX

LINE_LENGTH = 250
"""Characters of a subject or name; nobody reads more, and some servers refuse longer lines."""
BREAKS = frozenset({"Cc", "Zl", "Zp"})


def body(text: str) -> str:
    """Text that UTF-8 can carry: a lone surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def line(text: str) -> str:
    """Text for a header: line breaks and other control characters become spaces, runs of spaces one."""
    kept = "".join(" " if unicodedata.category(c) in BREAKS else c for c in body(text[:LINE_LENGTH]))
    return " ".join(kept.split())


def message_id(text: str) -> str:
    """A message id that fits into a header: whatever else it holds becomes a dash."""
    return re.sub(r"[^A-Za-z0-9.@_+-]", "-", text[:LINE_LENGTH])


def mailbox(address: str) -> str:
    """The address, if it is one plain mailbox in ASCII. Raises Undeliverable, without the address."""
    if len(address) > LINE_LENGTH or not MAILBOX.fullmatch(address):
        raise Undeliverable("the address is not a plain mailbox such as ann@fabrikam.com")
    return address
